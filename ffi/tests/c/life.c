/* From new to free: who may end a node, where, and what comes last. */
#include "side.h"
#include <dirent.h>
#include <malloc.h>

static int dropped;
static void on_drop(void *userdata)
{
    CHECK(userdata == &dropped);
    dropped++;
}

static void on_drop_comes_once_also_when_no_node_could_be_made(void)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_discovery discovery = P2PCHAN_DISCOVERY_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node = NULL;
    char path[] = "/tmp/p2pchan-XXXXXX";
    callbacks.userdata = discovery.userdata = &dropped;
    callbacks.on_drop = discovery.on_drop = on_drop;
    CHECK(p2pchan_node_new(NULL, &callbacks, NULL) == P2PCHAN_ERR_INVALID && dropped == 1);
    close(mkstemp(path));
    OK(p2pchan_settings_load(settings, path));
    unlink(path);
    CHECK(p2pchan_node_new(settings, &callbacks, &node) == P2PCHAN_ERR_IO && dropped == 2);
    p2pchan_settings_free(settings);
    /* A service that could not be added. */
    CHECK(p2pchan_node_add_discovery(NULL, &discovery) == P2PCHAN_ERR_INVALID && dropped == 3);
    OK(p2pchan_node_new(NULL, &callbacks, &node));
    CHECK(p2pchan_node_add_discovery(node, &discovery) == P2PCHAN_ERR_INVALID && dropped == 4);
    OK(p2pchan_node_start(node));
    discovery.name = "late";
    CHECK(p2pchan_node_add_discovery(node, &discovery) == P2PCHAN_ERR_INVALID && dropped == 5);
    OK(p2pchan_node_free(node));
    CHECK(dropped == 6);
}

static void free_and_release_call_on_drop_once_at_any_stage(void)
{
    static side side;
    int stage, way, mode;
    for (mode = 0; mode < 2; mode++)
        for (stage = 0; stage < 4; stage++)
            for (way = 0; way < 2; way++) {
                side_prepare(&side);
                side.node = check_node(&side.callbacks, NULL, mode ? "thread" : "dispatch");
                if (stage == 1 || stage == 2)
                    OK(p2pchan_node_start(side.node));
                if (stage >= 2)
                    OK(p2pchan_node_stop(side.node));
                if (stage == 3)
                    FAILS(CLOSED, "stopped", p2pchan_node_start(side.node));
                if (way) {
                    p2pchan_node_release(side.node);
                    AWAIT(side.drops == 1);
                    POLL(__atomic_load_n(&side.inside, __ATOMIC_SEQ_CST) == 0);
                } else {
                    OK(p2pchan_node_free(side.node));
                    CHECK(side.drops == 1);
                }
            }
}

static void a_node_that_could_not_be_started_can_be_started_again(void)
{
    static side near, far;
    char address[128];
    size_t len;
    side_prepare(&near);
    side_start(&near, "tcp://127.0.0.1:0", "thread");
    OK(p2pchan_node_addresses(near.node, address, sizeof address, &len));
    side_prepare(&far);
    far.node = check_node(&far.callbacks, address, "thread");
    FAILS(IO, "127.0.0.1", p2pchan_node_start(far.node));
    side_free(&near);
    OK(p2pchan_node_start(far.node));
    FAILS(INVALID, "already", p2pchan_node_start(far.node));
    side_free(&far);
}

/* Sends for as long as it can. */
static void *flood(void *argument)
{
    side *side = argument;
    uint8_t data[1000] = {0};
    while (p2pchan_remote_send(side->node, side->remote, 0, data, sizeof data, -1) == P2PCHAN_OK)
        ;
    CHECK(strlen(p2pchan_last_error()));
    return NULL;
}

static void after_free_returns_no_callback_runs(void)
{
    static side far;
    pthread_t flooding;
    int round, rounds = check_share(20);
    for (round = 0; round < rounds; round++) {
        side *gone = malloc(sizeof *gone);
        side_prepare(gone);
        side_prepare(&far);
        side_pair_in(gone, &far, round % 2 ? "dispatch" : "thread");
        pthread_create(&flooding, NULL, flood, &far);
        AWAIT(gone->messages > 100);
        side_free(gone);
        /* A callback from now on would use what is gone. */
        memset(gone, 0xff, sizeof *gone);
        free(gone);
        pthread_join(flooding, NULL);
        side_free(&far);
    }
}

static void free_runs_what_is_left_when_the_program_dispatches(void)
{
    static side near, far;
    side_prepare(&near);
    side_prepare(&far);
    side_start(&near, "tcp://127.0.0.1:0", "thread");
    far.node = check_node(&far.callbacks, NULL, "dispatch");
    OK(p2pchan_node_start(far.node));
    OK(p2pchan_discover_topic(far.node, side_topic, NULL));
    char address[128];
    size_t len;
    OK(p2pchan_node_addresses(near.node, address, sizeof address, &len));
    OK(p2pchan_connect(far.node, address, NULL));
    AWAIT(near.opened);
    /* Nobody has dispatched until now. */
    CHECK(far.opened == 0 && far.events == 0);
    OK(p2pchan_node_free(far.node));
    CHECK(far.stopped && far.drops == 1 && far.opened == far.ended);
    side_free(&near);
}

static void release_without_dispatching_calls_nothing_but_on_drop(void)
{
    static side near, far;
    int opened, events;
    size_t messages;
    side_prepare(&near);
    side_start(&near, "tcp://127.0.0.1:0", "thread");
    side_prepare(&far);
    far.node = check_node(&far.callbacks, NULL, "dispatch");
    OK(p2pchan_node_start(far.node));
    OK(p2pchan_discover_topic(far.node, side_topic, NULL));
    OK(p2pchan_node_dispatch(far.node, 0));
    opened = far.opened, events = far.events, messages = far.messages;
    p2pchan_node_release(far.node);
    AWAIT(far.drops == 1);
    CHECK(far.opened == opened && far.events == events && far.messages == messages);
    CHECK(!far.stopped);
    POLL(__atomic_load_n(&far.inside, __ATOMIC_SEQ_CST) == 0);
    side_free(&near);
}

/* Tries in every callback what must not be done there. */
static int tried[8];
static void try_ending(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                       size_t len)
{
    (void)remote, (void)data, (void)len;
    if (called != DROP) {
        FAILS(IN_CALLBACK, "callback", p2pchan_node_free(side->node));
        FAILS(IN_CALLBACK, "callback", p2pchan_node_dispatch(side->node, 0));
    }
    /* Of another node too. */
    if (side->own) {
        FAILS(IN_CALLBACK, "callback", p2pchan_node_free(side->own));
        FAILS(IN_CALLBACK, "callback", p2pchan_node_dispatch(side->own, 0));
    }
    __atomic_fetch_add(&tried[called], 1, __ATOMIC_SEQ_CST);
}

static int32_t on_newcomer(void *userdata, p2pchan_node *node, const p2pchan_newcomer *newcomer)
{
    p2pchan_remote none = {0};
    CHECK(node == ((side *)userdata)->node && newcomer->struct_size == sizeof *newcomer);
    try_ending(userdata, NEWCOMER, none, NULL, 0);
    return 0;
}

static void look_up(void *userdata, p2pchan_node *node, uint64_t request,
                    const p2pchan_topic *topic)
{
    FAILS(IN_CALLBACK, "callback", p2pchan_node_free(node));
    FAILS(IN_CALLBACK, "callback", p2pchan_node_dispatch(node, 0));
    (void)topic;
    OK(p2pchan_discovery_done(node, request, P2PCHAN_OK, NULL));
    __atomic_store_n((int *)userdata, 1, __ATOMIC_SEQ_CST);
}

static void end_in_callbacks(const char *mode)
{
    static side near, far;
    static uint8_t data[4000];
    p2pchan_discovery discovery = P2PCHAN_DISCOVERY_INIT;
    int i, looked = 0;
    side_prepare(&near);
    side_prepare(&far);
    near.own = far.own = check_node(NULL, NULL, "dispatch");
    near.hook = far.hook = try_ending;
    near.callbacks.on_newcomer = on_newcomer;
    near.node = check_node(&near.callbacks, "tcp://127.0.0.1:0", mode);
    discovery.name = "service";
    discovery.userdata = &looked;
    discovery.look_up = look_up;
    OK(p2pchan_node_add_discovery(near.node, &discovery));
    near.dispatched = !strcmp(mode, "dispatch");
    OK(p2pchan_node_start(near.node));
    OK(p2pchan_discover_topic(near.node, side_topic, NULL));
    if (near.dispatched)
        pthread_create(&near.dispatcher, NULL, side_dispatch, &near);
    side_start(&far, NULL, mode);
    side_connect(&far, &near);
    OK(p2pchan_remote_pause(near.node, near.remote));
    while (side_send(&far, data, sizeof data) == P2PCHAN_OK)
        ;
    OK(p2pchan_remote_resume(near.node, near.remote));
    AWAIT(far.writable && near.messages);
    POLL(__atomic_load_n(&looked, __ATOMIC_SEQ_CST));
    void *own = near.own;
    side_part(&near, &far);
    for (i = 0; i < 8; i++)
        CHECK(tried[i]);
    OK(p2pchan_node_free(own));
}

static void free_and_dispatch_inside_any_callback_answer_in_callback(void)
{
    end_in_callbacks("thread");
}

static void free_and_dispatch_inside_a_dispatched_callback_answer_in_callback(void)
{
    end_in_callbacks("dispatch");
}

static void release_inside(side *side, enum called called, p2pchan_remote remote,
                           const uint8_t *data, size_t len)
{
    (void)remote, (void)data, (void)len;
    if (called == DATA && !side->own) {
        side->own = side;
        p2pchan_node_release(side->node);
    }
}

static void release_is_legal_inside_a_callback_of_the_same_node(void)
{
    static side near, far;
    int mode;
    for (mode = 0; mode < 2; mode++) {
        side_prepare(&near);
        side_prepare(&far);
        near.hook = release_inside;
        side_start(&near, "tcp://127.0.0.1:0", mode ? "thread" : "dispatch");
        side_start(&far, NULL, "thread");
        side_connect(&far, &near);
        if (near.dispatched)
            pthread_detach(near.dispatcher);
        OK(side_send(&far, "x", 1));
        AWAIT(near.drops == 1 && far.ended);
        POLL(__atomic_load_n(&near.inside, __ATOMIC_SEQ_CST) == 0);
        side_free(&far);
        if (near.dispatched) {
            /* Who dispatched may still be on the way out; it used the node after it was released. */
            break;
        }
    }
}

/* Everything that is legal inside callbacks. */
static void call_everything(side *side, enum called called, p2pchan_remote remote,
                            const uint8_t *data, size_t len)
{
    p2pchan_settings *settings;
    p2pchan_message message = {P2PCHAN_BYTES, (const uint8_t *)"m", 1};
    p2pchan_node *node = side->node, *other;
    p2pchan_remote remotes[4];
    p2pchan_peer_id id;
    p2pchan_info info;
    uint64_t request;
    size_t count;
    char text[16384];
    (void)data, (void)len;
    if (called == DROP)
        return;
    settings = p2pchan_settings_new();
    OK(p2pchan_settings_set(settings, "limits.dials", "4"));
    OK(p2pchan_settings_json(settings, "{\"limits\":{\"dials\":5}}"));
    OK(p2pchan_node_new(settings, NULL, &other));
    p2pchan_node_release(other);
    p2pchan_node_event_fd(node);
    OK(p2pchan_node_id(node, &id));
    OK(p2pchan_node_addresses(node, text, sizeof text, &count));
    OK(p2pchan_node_settings(node, text, sizeof text, &count));
    OK(p2pchan_node_status(node, text, sizeof text, &count));
    OK(p2pchan_node_explain(node, "127.0.0.1:9", text, sizeof text, &count));
    OK(p2pchan_node_remotes(node, remotes, 4, &count));
    OK(p2pchan_stop_discover_topic(node, (const uint8_t *)text));
    if (called == REMOTE) {
        /* As long as it lives: each of these brings further callbacks. */
        OK(p2pchan_node_update(node, settings, &request));
        OK(p2pchan_node_reload(node, &request));
        OK(p2pchan_discover_topic(node, (const uint8_t *)text, &request));
        OK(p2pchan_connect(node, "127.0.0.1:9", &request));
        OK(p2pchan_remote_try_send(node, remote, 0, message.data, 1));
        OK(p2pchan_remote_send(node, remote, 0, message.data, 1, 10));
        OK(p2pchan_remote_try_send_batch(node, remote, &message, 1, &count));
    }
    if (remote.id && called != RESULT) {
        info.struct_size = sizeof info;
        OK(p2pchan_remote_pause(node, remote));
        OK(p2pchan_remote_resume(node, remote));
        OK(p2pchan_remote_info(node, remote, &info));
        OK(p2pchan_remote_subject(node, remote, text, sizeof text, &count));
        OK(p2pchan_remote_set_userdata(node, remote, side));
        CHECK(p2pchan_remote_userdata(node, remote) == side);
    }
    if (called == DATA)
        OK(p2pchan_remote_end(node, remote));
    if (called == END)
        OK(p2pchan_remote_refuse(node, remote));
    FAILS(CLOSED, "request", p2pchan_discovery_done(node, 1 << 30, P2PCHAN_OK, NULL));
    FAILS(CLOSED, "request", p2pchan_discovery_found(node, 1 << 30, "127.0.0.1:9"));
    p2pchan_settings_free(settings);
}

static void every_other_call_is_legal_inside_a_callback(void)
{
    static side near, far;
    side_prepare(&near);
    side_prepare(&far);
    near.hook = far.hook = call_everything;
    side_pair_in(&near, &far, "thread");
    AWAIT(near.ended && far.ended && near.messages && far.messages);
    side_part(&near, &far);
}

static void *call_much(void *argument)
{
    side *side = argument;
    int i;
    for (i = 0; i < check_share(100); i++)
        call_everything(side, WRITABLE, side->remote, NULL, 0);
    return NULL;
}

static void every_call_is_legal_from_several_threads_at_once(void)
{
    static side near, far;
    pthread_t threads[4];
    int i;
    side_pair(&near, &far);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, call_much, &near);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    side_part(&near, &far);
}

static size_t entries(const char *path)
{
    DIR *folder = opendir(path);
    size_t count = 0;
    CHECK(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static size_t resident(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%*u %zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

struct held {
    size_t threads, descriptors, bytes, resident;
};

static struct held held(void)
{
    struct mallinfo2 info = mallinfo2();
    struct held held = {entries("/proc/self/task"), entries("/proc/self/fd"),
                        info.uordblks + info.hblkhd, resident()};
    return held;
}

/* The C library keeps what threads gave back for their next use, and counts it as used; not here. */
static void without_cache(const char *behaviour)
{
    if (getenv("GLIBC_TUNABLES") || getenv("CHECK_TOOL"))
        return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
    execl(check_program, check_program, behaviour, (char *)NULL);
}

/* What grows each time grows in each round, if only by a byte; a cache that grew once, as when threads
 * happened to meet, does not. Tools have a malloc of their own, and find leaks their own way. */
static void check_left(const char *what, void (*cycle)(int), int cycles)
{
    enum { ROUNDS = 4 };
    struct held before, after;
    int round, i, grew = 0;
    for (i = 0; i < 20 + cycles / 20; i++)
        cycle(i);
    for (round = 0; round < ROUNDS; round++) {
        before = held();
        for (i = 0; i < (cycles + ROUNDS - 1) / ROUNDS; i++)
            cycle(i);
        after = held();
        fprintf(stderr, "%d %s: %zu to %zu threads, %zu to %zu descriptors, %zu to %zu bytes, "
                "%zu to %zu kB resident\n", i, what, before.threads, after.threads, before.descriptors,
                after.descriptors, before.bytes, after.bytes, before.resident / 1024,
                after.resident / 1024);
        grew += after.threads > before.threads || after.descriptors > before.descriptors
                || (!getenv("CHECK_TOOL") && (after.bytes > before.bytes
                                              || after.resident > before.resident + (1 << 20)));
    }
    CHECK(grew < ROUNDS);
}

static void make_and_free(int number)
{
    p2pchan_node *node = check_node(NULL, NULL, number % 2 ? "thread" : "dispatch");
    if (number % 4)
        OK(p2pchan_node_start(node));
    if (number % 8 == 2)
        CHECK(p2pchan_node_event_fd(node) >= 0);
    OK(p2pchan_node_free(node));
}

static void ten_thousand_nodes_leave_no_thread_no_descriptor_and_no_byte(void)
{
    without_cache(__func__);
    check_left("nodes", make_and_free, check_share(10000));
}

static void talk_and_free(int number)
{
    static side near, far;
    side_prepare(&near);
    side_prepare(&far);
    side_pair_in(&near, &far, number % 2 ? "thread" : "dispatch");
    OK(side_send(&far, "hello", 5));
    AWAIT(near.bytes == 5);
    side_part(&near, &far);
}

static void nodes_that_have_talked_leave_nothing_either(void)
{
    without_cache(__func__);
    check_left("conversations", talk_and_free, check_share(1000));
}

MAIN(BEHAVIOUR(on_drop_comes_once_also_when_no_node_could_be_made),
     BEHAVIOUR(free_and_release_call_on_drop_once_at_any_stage),
     BEHAVIOUR(a_node_that_could_not_be_started_can_be_started_again),
     BEHAVIOUR(after_free_returns_no_callback_runs),
     BEHAVIOUR(free_runs_what_is_left_when_the_program_dispatches),
     BEHAVIOUR(release_without_dispatching_calls_nothing_but_on_drop),
     BEHAVIOUR(free_and_dispatch_inside_any_callback_answer_in_callback),
     BEHAVIOUR(free_and_dispatch_inside_a_dispatched_callback_answer_in_callback),
     BEHAVIOUR(release_is_legal_inside_a_callback_of_the_same_node),
     BEHAVIOUR(every_other_call_is_legal_inside_a_callback),
     BEHAVIOUR(every_call_is_legal_from_several_threads_at_once),
     BEHAVIOUR(ten_thousand_nodes_leave_no_thread_no_descriptor_and_no_byte),
     BEHAVIOUR(nodes_that_have_talked_leave_nothing_either))
