/* Nodes when their process is forked, and when it ends. */
#include "side.h"
#include <dirent.h>

/* All calls on a node of the parent, in a child. */
static void check_forked(p2pchan_node *node, p2pchan_remote remote)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_message message = {P2PCHAN_BYTES, (const uint8_t *)"x", 1};
    p2pchan_discovery discovery = P2PCHAN_DISCOVERY_INIT;
    p2pchan_peer_id id;
    p2pchan_info info;
    uint64_t request;
    size_t len;
    info.struct_size = sizeof info;
    discovery.name = "service";
#define IS_FORKED(call) FAILS(FORKED, "forked", call)
    IS_FORKED(p2pchan_node_add_discovery(node, &discovery));
    IS_FORKED(p2pchan_node_start(node));
    IS_FORKED(p2pchan_node_stop(node));
    IS_FORKED(p2pchan_node_free(node));
    p2pchan_node_release(node);
    CHECK(p2pchan_node_event_fd(node) == -1 && strstr(p2pchan_last_error(), "forked"));
    IS_FORKED(p2pchan_node_dispatch(node, -1));
    IS_FORKED(p2pchan_node_id(node, &id));
    IS_FORKED(p2pchan_node_addresses(node, NULL, 0, &len));
    IS_FORKED(p2pchan_node_settings(node, NULL, 0, &len));
    IS_FORKED(p2pchan_node_status(node, NULL, 0, &len));
    IS_FORKED(p2pchan_node_explain(node, "127.0.0.1:9", NULL, 0, &len));
    IS_FORKED(p2pchan_node_update(node, settings, &request));
    IS_FORKED(p2pchan_node_reload(node, &request));
    IS_FORKED(p2pchan_discover(node, "c", NULL, &request));
    IS_FORKED(p2pchan_discover_topic(node, side_topic, &request));
    IS_FORKED(p2pchan_stop_discover(node, "c"));
    IS_FORKED(p2pchan_stop_discover_topic(node, side_topic));
    IS_FORKED(p2pchan_connect(node, "127.0.0.1:9", &request));
    IS_FORKED(p2pchan_node_remotes(node, NULL, 0, &len));
    IS_FORKED(p2pchan_remote_try_send(node, remote, 0, message.data, 1));
    IS_FORKED(p2pchan_remote_send(node, remote, 0, message.data, 1, -1));
    IS_FORKED(p2pchan_remote_try_send_batch(node, remote, &message, 1, &len));
    IS_FORKED(p2pchan_remote_pause(node, remote));
    IS_FORKED(p2pchan_remote_resume(node, remote));
    IS_FORKED(p2pchan_remote_end(node, remote));
    IS_FORKED(p2pchan_remote_refuse(node, remote));
    IS_FORKED(p2pchan_remote_info(node, remote, &info));
    IS_FORKED(p2pchan_remote_subject(node, remote, NULL, 0, &len));
    IS_FORKED(p2pchan_remote_set_userdata(node, remote, NULL));
    CHECK(!p2pchan_remote_userdata(node, remote) && strstr(p2pchan_last_error(), "forked"));
    IS_FORKED(p2pchan_discovery_found(node, 1, "127.0.0.1:9"));
    IS_FORKED(p2pchan_discovery_done(node, 1, P2PCHAN_OK, NULL));
    p2pchan_settings_free(settings);
}

static void talk(void)
{
    static side near, far;
    side_pair(&near, &far);
    OK(side_send(&near, "hello", 5));
    AWAIT(far.bytes == 5);
    side_part(&near, &far);
}

static void a_forked_child_gets_forked_and_may_have_nodes_while_the_parent_goes_on(void)
{
    static side near, far;
    pid_t child;
    side_pair(&near, &far);
    child = fork();
    if (child == 0) {
        check_forked(near.node, near.remote);
        talk();
        check_forked(near.node, near.remote);
        _exit(0);
    }
    OK(side_send(&far, "hello", 5));
    AWAIT(near.bytes == 5);
    check_child(child);
    OK(side_send(&near, "hello", 5));
    AWAIT(far.bytes == 5);
    CHECK(!near.ended && !far.ended);
    side_part(&near, &far);
}

static void a_child_of_a_child_may_have_nodes_too(void)
{
    static side near, far;
    pid_t child;
    side_pair(&near, &far);
    child = fork();
    if (child == 0) {
        static side first, second;
        side_pair(&first, &second);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            check_forked(near.node, near.remote);
            check_forked(first.node, first.remote);
            talk();
            _exit(0);
        }
        check_child(grandchild);
        side_part(&first, &second);
        _exit(0);
    }
    check_child(child);
    side_part(&near, &far);
}

static int ended;
static void *call_always(void *argument)
{
    side *side = argument;
    size_t len;
    char text[16384];
    while (!__atomic_load_n(&ended, __ATOMIC_SEQ_CST)) {
        side_send(side, text, 100);
        p2pchan_node_status(side->node, text, sizeof text, &len);
        p2pchan_set_log(P2PCHAN_LOG_OFF, NULL, NULL);
        p2pchan_node *node = check_node(NULL, NULL, "thread");
        OK(p2pchan_node_start(node));
        OK(p2pchan_node_free(node));
    }
    return NULL;
}

static void a_fork_while_other_threads_are_in_the_library_leaves_no_lock_behind(void)
{
    static side near, far;
    pthread_t threads[2];
    int i, rounds = check_share(30);
    static side fresh;
    if (getenv("CHECK_TOOL") && !strcmp(getenv("CHECK_TOOL"), "asan")) {
        puts("SKIPPED: a fork while other threads run, as malloc of AddressSanitizer stays locked");
        return;
    }
    side_pair(&near, &far);
    pthread_create(&threads[0], NULL, call_always, &far);
    pthread_create(&threads[1], NULL, call_always, &near);
    for (i = 0; i < rounds; i++) {
        pid_t child;
        /* Nothing of the tests themselves may be locked in the child. */
        pthread_mutex_lock(&side_lock);
        child = fork();
        pthread_mutex_unlock(&side_lock);
        if (child == 0) {
            alarm(DEADLINE_SECONDS);
            FAILS(FORKED, "forked", p2pchan_node_stop(near.node));
            side_prepare(&fresh);
            side_start(&fresh, "tcp://127.0.0.1:0", i % 2 ? "thread" : "dispatch");
            side_free(&fresh);
            _exit(0);
        }
        check_child(child);
    }
    __atomic_store_n(&ended, 1, __ATOMIC_SEQ_CST);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    side_part(&near, &far);
}

/* Processes that end in the middle of a conversation. */
static side live_near, live_far;

static void *flood(void *argument)
{
    uint8_t data[1000] = {0};
    (void)argument;
    while (p2pchan_remote_send(live_far.node, live_far.remote, 0, data, sizeof data, -1) == 0)
        ;
    return NULL;
}

static void be_live(void (*hook)(side *, enum called, p2pchan_remote, const uint8_t *, size_t))
{
    pthread_t thread;
    side_prepare(&live_near);
    side_prepare(&live_far);
    live_near.hook = hook;
    side_pair_in(&live_near, &live_far, "thread");
    pthread_create(&thread, NULL, flood, NULL);
    pthread_detach(thread);
    if (!hook)
        AWAIT(live_near.messages > 10);
}

static void *exit_here(void *argument)
{
    (void)argument;
    exit(0);
}

static void exit_in_thread(void)
{
    pthread_t thread;
    be_live(NULL);
    pthread_create(&thread, NULL, exit_here, NULL);
    for (;;)
        pause();
}

static void exit_in_callback_hook(side *side, enum called called, p2pchan_remote remote,
                                  const uint8_t *data, size_t len)
{
    (void)side, (void)remote, (void)data, (void)len;
    if (called == DATA && live_near.messages > 10)
        exit(0);
}

static void exit_in_callback(void)
{
    be_live(exit_in_callback_hook);
    for (;;)
        pause();
}

/* Many times, as it may matter when exactly. Each is a process of its own, as when a program ends. */
static void end_often(const char *way)
{
    int i;
    for (i = 0; i < check_share(40); i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(check_program, check_program, way, (char *)NULL);
            _exit(1);
        }
        check_child(child);
    }
}

static void main_may_return_while_a_node_lives(void) { end_often("return"); }
static void exit_in_another_thread_with_a_live_node_neither_hangs_nor_crashes(void)
{
    end_often("thread");
}
static void exit_in_a_callback_neither_hangs_nor_crashes(void) { end_often("callback"); }

static const behaviour all[] = {
    BEHAVIOUR(a_forked_child_gets_forked_and_may_have_nodes_while_the_parent_goes_on),
    BEHAVIOUR(a_child_of_a_child_may_have_nodes_too),
    BEHAVIOUR(a_fork_while_other_threads_are_in_the_library_leaves_no_lock_behind),
    BEHAVIOUR(main_may_return_while_a_node_lives),
    BEHAVIOUR(exit_in_another_thread_with_a_live_node_neither_hangs_nor_crashes),
    BEHAVIOUR(exit_in_a_callback_neither_hangs_nor_crashes)};

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "return")) {
        be_live(NULL);
        return 0;
    }
    if (argc > 1 && !strcmp(argv[1], "thread"))
        exit_in_thread();
    if (argc > 1 && !strcmp(argv[1], "callback"))
        exit_in_callback();
    return check_main(argc, argv, all, sizeof all / sizeof *all);
}
