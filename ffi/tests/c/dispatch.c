/* Programs that run callbacks inside a loop of their own. */
#include "side.h"

static int readable(int fd, int milliseconds)
{
    struct pollfd watched = {fd, POLLIN, 0};
    int ready = poll(&watched, 1, milliseconds);
    CHECK(ready >= 0 && (!ready || watched.revents == POLLIN));
    return ready;
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until nothing more is to be done, and for a while nothing was. */
static void drain(p2pchan_node *node)
{
    int left = 10000;
    while (readable(p2pchan_node_event_fd(node), 100)) {
        OK(p2pchan_node_dispatch(node, 0));
        CHECK(left-- > 0);
    }
}

/* A node that nobody dispatches yet. */
static void begin(side *side, const char *listen)
{
    side_prepare(side);
    side->callbacks.on_event = NULL;
    side->node = check_node(&side->callbacks, listen, "dispatch");
    OK(p2pchan_node_start(side->node));
    OK(p2pchan_discover_topic(side->node, side_topic, NULL));
}

static void the_descriptor_is_readable_as_long_as_there_is_something_to_do(void)
{
    static side near, far;
    int fd, i;
    begin(&near, "tcp://127.0.0.1:0");
    fd = p2pchan_node_event_fd(near.node);
    CHECK(fd >= 0 && fd == p2pchan_node_event_fd(near.node));
    drain(near.node);
    CHECK(!readable(fd, 0));
    side_prepare(&far);
    side_start(&far, NULL, "thread");
    char address[128];
    size_t len;
    OK(p2pchan_node_addresses(near.node, address, sizeof address, &len));
    OK(p2pchan_connect(far.node, address, NULL));
    AWAIT(far.opened);
    /* Level-triggered: it stays so, however often one looks. */
    for (i = 0; i < 3; i++)
        CHECK(readable(fd, DEADLINE_SECONDS * 1000));
    CHECK(near.opened == 0);
    POLL(near.opened || p2pchan_node_dispatch(near.node, 0));
    drain(near.node);
    CHECK(!readable(fd, 0));
    OK(side_send(&far, "hello", 5));
    CHECK(readable(fd, DEADLINE_SECONDS * 1000) && near.bytes == 0);
    POLL(near.bytes == 5 || p2pchan_node_dispatch(near.node, 0));
    /* And for ever, once there will be nothing more. */
    side_free(&far);
    OK(p2pchan_node_stop(near.node));
    while (readable(fd, DEADLINE_SECONDS * 1000) && !p2pchan_node_dispatch(near.node, 0))
        ;
    FAILS(CLOSED, "stopped", p2pchan_node_dispatch(near.node, -1));
    CHECK(readable(fd, 0) && near.ended == 1 && near.drops == 0);
    OK(p2pchan_node_free(near.node));
    CHECK(near.drops == 1);
}

static void dispatch_waits_as_long_as_it_is_told(void)
{
    static side near;
    long began;
    begin(&near, NULL);
    drain(near.node);
    OK(p2pchan_node_dispatch(near.node, 0));
    began = milliseconds();
    OK(p2pchan_node_dispatch(near.node, 200));
    CHECK(milliseconds() - began >= 199);
    OK(p2pchan_node_free(near.node));
}

static void *stop_soon(void *argument)
{
    usleep(10000);
    OK(p2pchan_node_stop(((side *)argument)->node));
    return NULL;
}

static void a_dispatch_that_waits_for_ever_ends_when_there_is_something_to_do(void)
{
    static side near;
    pthread_t thread;
    p2pchan_result result;
    begin(&near, NULL);
    drain(near.node);
    pthread_create(&thread, NULL, stop_soon, &near);
    while ((result = p2pchan_node_dispatch(near.node, -1)) == P2PCHAN_OK)
        ;
    CHECK(result == P2PCHAN_ERR_CLOSED);
    pthread_join(thread, NULL);
    OK(p2pchan_node_free(near.node));
}

static void no_callback_runs_unless_the_program_dispatches(void)
{
    static side near, far;
    char address[128];
    size_t len;
    begin(&near, "tcp://127.0.0.1:0");
    side_prepare(&far);
    side_start(&far, NULL, "thread");
    OK(p2pchan_node_addresses(near.node, address, sizeof address, &len));
    OK(p2pchan_connect(far.node, address, NULL));
    AWAIT(far.opened);
    OK(side_send(&far, "hello", 5));
    CHECK(readable(p2pchan_node_event_fd(near.node), DEADLINE_SECONDS * 1000));
    CHECK(!near.opened && !near.messages);
    POLL(near.bytes == 5 || p2pchan_node_dispatch(near.node, 10));
    side_free(&far);
    OK(p2pchan_node_free(near.node));
}

static void a_node_with_a_thread_of_its_own_has_neither_descriptor_nor_dispatch(void)
{
    p2pchan_node *node = check_node(NULL, NULL, "thread");
    OK(p2pchan_node_start(node));
    CHECK(p2pchan_node_event_fd(node) == -1 && strstr(p2pchan_last_error(), "dispatch"));
    FAILS(INVALID, "callbacks", p2pchan_node_dispatch(node, 0));
    OK(p2pchan_node_free(node));
}

MAIN(BEHAVIOUR(the_descriptor_is_readable_as_long_as_there_is_something_to_do),
     BEHAVIOUR(dispatch_waits_as_long_as_it_is_told),
     BEHAVIOUR(a_dispatch_that_waits_for_ever_ends_when_there_is_something_to_do),
     BEHAVIOUR(no_callback_runs_unless_the_program_dispatches),
     BEHAVIOUR(a_node_with_a_thread_of_its_own_has_neither_descriptor_nor_dispatch))
