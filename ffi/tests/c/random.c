/* Calls everything in random order from several threads and from inside callbacks: random [SEED [STEPS]]
 *
 * Rule 1 is the only one that the program keeps by itself: a lock for each node, taken for writing to
 * make and free it. All else is left to chance: remotes that have ended or belong to another node, calls
 * before the start and after the stop, services that answer late, twice or never. Whatever a call answers,
 * it must be a code that the header knows; nothing may crash, hang or be told out of order. */
#include "side.h"

#define NODES 3
#define THREADS 4
#define REMOTES 64

static struct place {
    pthread_rwlock_t lock;
    side *side; /* NULL: there is none */
} places[NODES];
static uint64_t remotes[REMOTES], requests[REMOTES]; /* atomic: any that were ever seen */
static char addresses[NODES][128];                   /* under the lock of sides */
static int steps;                                    /* atomic: how many are left */
static unsigned long seed;

static uint64_t next(uint64_t *state)
{
    /* splitmix64 */
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static int below(uint64_t *state, int count) { return (int)(next(state) % (uint64_t)count); }

static void keep(uint64_t *seen, uint64_t *state, uint64_t value)
{
    __atomic_store_n(&seen[below(state, REMOTES)], value, __ATOMIC_RELAXED);
}

static uint64_t any(uint64_t *seen, uint64_t *state)
{
    uint64_t value = __atomic_load_n(&seen[below(state, REMOTES)], __ATOMIC_RELAXED);
    return below(state, 20) ? value : next(state);
}

static void known(p2pchan_result result)
{
    CHECK(result <= P2PCHAN_OK && result >= P2PCHAN_ERR_PROTOCOL);
    CHECK(result != P2PCHAN_ERR_INTERNAL && result != P2PCHAN_ERR_FORKED);
    CHECK(result == P2PCHAN_OK || *p2pchan_last_error());
}

static void use_remote(p2pchan_node *node, uint64_t *state)
{
    static const uint8_t data[8192];
    p2pchan_remote remote = {any(remotes, state)};
    p2pchan_message messages[8];
    p2pchan_info info;
    size_t len = (size_t)below(state, (int)sizeof data), i;
    char text[128];
    switch (below(state, 12)) {
    case 0: known(p2pchan_remote_pause(node, remote)); break;
    case 1: case 2: known(p2pchan_remote_resume(node, remote)); break;
    case 3: if (!below(state, 10)) known(p2pchan_remote_end(node, remote)); break;
    case 4: if (!below(state, 10)) known(p2pchan_remote_refuse(node, remote)); break;
    case 5:
        info.struct_size = sizeof info;
        known(p2pchan_remote_info(node, remote, &info));
        break;
    case 6: known(p2pchan_remote_subject(node, remote, text, sizeof text, &len)); break;
    case 7: known(p2pchan_remote_set_userdata(node, remote, text)); break;
    case 8: p2pchan_remote_userdata(node, remote); break;
    case 9: known(p2pchan_remote_send(node, remote, below(state, 4), data, len, below(state, 5))); break;
    case 10:
        for (i = 0; i < 8; i++) {
            messages[i].kind = P2PCHAN_BYTES;
            messages[i].data = data;
            messages[i].len = len;
        }
        known(p2pchan_remote_try_send_batch(node, remote, messages, 8, &len));
        break;
    default: known(p2pchan_remote_try_send(node, remote, P2PCHAN_BYTES, data, len));
    }
}

static void use_settings(p2pchan_node *node, uint64_t *state)
{
    static const char *const pairs[][2] = {
        {"listen", "tcp://127.0.0.1:0"}, {"listen", NULL}, {"limits.dials", "2"}, {"paused", "true"},
        {"paused", NULL}, {"limits.high_water", "4KiB"}, {"limits.low_water", "8GiB"},
        {"lisen", "1"}, {"limits.remotes", "2"}, {"limits.remotes", NULL}, {"callbacks", "thread"},
        {"discovery.lookup_interval_alone", "100ms"}, {"stats.interval", "10ms"}};
    p2pchan_settings *settings = p2pchan_settings_new();
    int i;
    for (i = below(state, 3); i >= 0; i--) {
        const char *const *pair = pairs[below(state, sizeof pairs / sizeof *pairs)];
        known(p2pchan_settings_set(settings, pair[0], pair[1]));
    }
    known(p2pchan_node_update(node, settings, NULL));
    p2pchan_settings_free(settings);
}

static void use_node(p2pchan_node *node, uint64_t *state)
{
    p2pchan_remote all[4] = {{0}};
    p2pchan_peer_id id;
    uint8_t topic[32] = {7};
    uint64_t request = 0;
    size_t len;
    char text[512];
    topic[0] = (uint8_t)(7 + below(state, 3));
    switch (below(state, 14)) {
    case 0: known(p2pchan_node_start(node)); break;
    case 1: if (!below(state, 10)) known(p2pchan_node_stop(node)); break;
    case 2: known(p2pchan_node_id(node, &id)); break;
    case 3: known(p2pchan_node_status(node, text, sizeof text, &len)); break;
    case 4: known(p2pchan_node_settings(node, text, sizeof text, &len)); break;
    case 5: known(p2pchan_node_explain(node, "127.0.0.1:9", text, sizeof text, &len)); break;
    case 6: use_settings(node, state); break;
    case 7: known(p2pchan_node_reload(node, &request)); break;
    case 8: known(p2pchan_discover_topic(node, topic, below(state, 2) ? &request : NULL)); break;
    case 9: if (!below(state, 4)) known(p2pchan_stop_discover_topic(node, topic)); break;
    case 10:
        known(p2pchan_node_remotes(node, all, 4, &len));
        if (all[0].id)
            keep(remotes, state, all[0].id);
        break;
    case 11: known(p2pchan_discovery_found(node, any(requests, state), "127.0.0.1:9")); break;
    case 12:
        known(p2pchan_discovery_done(node, any(requests, state), -below(state, 16), NULL));
        break;
    default:
        pthread_mutex_lock(&side_lock);
        memcpy(text, addresses[below(state, NODES)], sizeof *addresses);
        pthread_mutex_unlock(&side_lock);
        known(p2pchan_connect(node, *text ? text : "127.0.0.1:9", &request));
    }
}

/* Inside callbacks too. */
static void on_called(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                      size_t len)
{
    uint64_t state = seed ^ (uint64_t)len ^ remote.id << 8 ^ (uint64_t)side->events << 40;
    (void)data;
    if (called == REMOTE)
        keep(remotes, &state, remote.id);
    if (called == DROP || __atomic_load_n(&steps, __ATOMIC_RELAXED) <= 0)
        return;
    CHECK(p2pchan_node_free(side->node) == P2PCHAN_ERR_IN_CALLBACK);
    if (!below(&state, 4))
        use_remote(side->node, &state);
    if (called != EVENT && !below(&state, 8))
        use_node(side->node, &state);
}

static int32_t on_newcomer(void *userdata, p2pchan_node *node, const p2pchan_newcomer *newcomer)
{
    CHECK(node == ((side *)userdata)->node && *newcomer->subject);
    return newcomer->peer.bytes[0] % 4 == 0;
}

static void asked(void *userdata, p2pchan_node *node, uint64_t request, const p2pchan_topic *topic)
{
    uint64_t state = seed ^ request;
    CHECK(node == ((side *)userdata)->node && topic->struct_size == sizeof *topic);
    keep(requests, &state, request);
    if (below(&state, 3))
        known(p2pchan_discovery_done(node, request, -below(&state, 3), "so it is"));
}

static void cancelled(void *userdata, p2pchan_node *node, uint64_t request)
{
    CHECK(node == ((side *)userdata)->node && request);
}

static void make(struct place *place, uint64_t *state)
{
    p2pchan_discovery service = P2PCHAN_DISCOVERY_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    side *side = malloc(sizeof *side);
    size_t len;
    int number = (int)(place - places);
    side_prepare(side);
    side->hook = on_called;
    if (below(state, 2))
        side->callbacks.on_batch = side_on_batch;
    if (below(state, 2))
        side->callbacks.on_newcomer = on_newcomer;
    OK(p2pchan_settings_set(settings, "callbacks", below(state, 2) ? "thread" : "dispatch"));
    OK(p2pchan_settings_set(settings, "listen", "tcp://127.0.0.1:0"));
    /* Services do not answer, and nobody should wait long for that. */
    OK(p2pchan_settings_set(settings, "timeouts.close", "100ms"));
    OK(p2pchan_node_new(settings, &side->callbacks, &side->node));
    p2pchan_settings_free(settings);
    if (below(state, 2)) {
        service.name = "random";
        service.userdata = side;
        service.announce = service.look_up = service.withdraw = asked;
        service.cancel = cancelled;
        OK(p2pchan_node_add_discovery(side->node, &service));
    }
    if (below(state, 8)) {
        OK(p2pchan_node_start(side->node));
        OK(p2pchan_discover_topic(side->node, side_topic, NULL));
        pthread_mutex_lock(&side_lock);
        OK(p2pchan_node_addresses(side->node, addresses[number], sizeof *addresses, &len));
        pthread_mutex_unlock(&side_lock);
    }
    place->side = side;
}

static void give_back(struct place *place)
{
    OK(p2pchan_node_free(place->side->node));
    CHECK(place->side->drops == 1 && place->side->ended == place->side->opened);
    free(place->side);
    place->side = NULL;
}

static void step(uint64_t *state)
{
    struct place *place = &places[below(state, NODES)];
    int action = below(state, 100);
    if (action < 2) {
        pthread_rwlock_wrlock(&place->lock);
        if (place->side)
            give_back(place);
        else
            make(place, state);
        pthread_rwlock_unlock(&place->lock);
        return;
    }
    pthread_rwlock_rdlock(&place->lock);
    if (place->side && action < 20)
        known(p2pchan_node_dispatch(place->side->node, below(state, 3)));
    else if (place->side && action < 60)
        use_node(place->side->node, state);
    else if (place->side)
        use_remote(place->side->node, state);
    pthread_rwlock_unlock(&place->lock);
}

static void *walk(void *number)
{
    uint64_t state = seed * 1000 + (uint64_t)(uintptr_t)number;
    while (__atomic_fetch_sub(&steps, 1, __ATOMIC_RELAXED) > 0)
        step(&state);
    return NULL;
}

static void run(int count)
{
    pthread_t threads[THREADS];
    uint64_t state = seed;
    int i;
    __atomic_store_n(&steps, count, __ATOMIC_RELAXED);
    for (i = 0; i < NODES; i++) {
        pthread_rwlock_init(&places[i].lock, NULL);
        make(&places[i], &state);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, walk, (void *)(uintptr_t)(i + 1)));
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < NODES; i++) {
        if (places[i].side)
            give_back(&places[i]);
        pthread_rwlock_destroy(&places[i].lock);
    }
}

static void calls_in_random_order_from_several_threads_break_nothing(void)
{
    run(check_share(20000));
}

static const behaviour all[] = {
    BEHAVIOUR(calls_in_random_order_from_several_threads_break_nothing)};

int main(int argc, char **argv)
{
    int replay = argc > 1 && *argv[1] >= '0' && *argv[1] <= '9';
    seed = replay ? strtoul(argv[1], NULL, 10) : (unsigned long)time(NULL) * 1000 + getpid() % 1000;
    if (!replay && argc > 1 && !strcmp(argv[1], "--list"))
        return check_main(argc, argv, all, 1);
    /* With it the same calls are made again; how the threads meet is up to the system. */
    fprintf(stderr, "seed %lu\n", seed);
    if (!replay)
        return check_main(argc, argv, all, 1);
    run(argc > 2 ? atoi(argv[2]) : 20000);
    return 0;
}
