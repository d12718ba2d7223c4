/* A node that keeps what it is told, and checks at every callback that rule 5 holds: none runs at the
 * same time as another of the same node, each in its place, and none after on_drop. */
#ifndef SIDE_H
#define SIDE_H
#include "check.h"
#include <poll.h>
#include <pthread.h>

enum called { REMOTE, DATA, WRITABLE, END, RESULT, EVENT, NEWCOMER, DROP };
#define MOST_REMOTES 4096

typedef struct side side;
struct side {
    p2pchan_node *node;
    p2pchan_callbacks callbacks;
    /* What else a test does in each callback, if set before the start. Without the lock. */
    void (*hook)(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                 size_t len);
    void *own;
    int inside; /* atomic: callbacks that run */
    /* Under the lock: */
    p2pchan_remote remote; /* the last that has opened */
    int opened, ended, writable, results, events, stopped, drops;
    size_t messages, batches, bytes;
    p2pchan_result why;
    char message[512]; /* of the last end or answer */
    /* The last answers, each in the place of its request. */
    struct {
        uint64_t request;
        p2pchan_result result;
        p2pchan_remote remote;
    } answers[1024];
    struct {
        uint64_t id;
        int ended;
    } known[MOST_REMOTES];
    /* Who dispatches, if the program does. */
    int dispatched;
    pthread_t dispatcher;
};

static pthread_mutex_t side_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t side_changed = PTHREAD_COND_INITIALIZER;

/* Waits, for what callbacks change. */
#define AWAIT(condition)                                                                           \
    do {                                                                                           \
        struct timespec until;                                                                     \
        clock_gettime(CLOCK_REALTIME, &until);                                                     \
        until.tv_sec += DEADLINE_SECONDS;                                                          \
        pthread_mutex_lock(&side_lock);                                                            \
        while (!(condition))                                                                       \
            CHECK(!pthread_cond_timedwait(&side_changed, &side_lock, &until) && #condition);       \
        pthread_mutex_unlock(&side_lock);                                                          \
    } while (0)

static inline side *side_enter(void *userdata)
{
    side *side = userdata;
    CHECK(__atomic_fetch_add(&side->inside, 1, __ATOMIC_SEQ_CST) == 0);
    pthread_mutex_lock(&side_lock);
    CHECK(!side->drops && !side->stopped);
    return side;
}

static inline void side_leave(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                       size_t len)
{
    pthread_cond_broadcast(&side_changed);
    pthread_mutex_unlock(&side_lock);
    if (side->hook)
        side->hook(side, called, remote, data, len);
    CHECK(__atomic_fetch_sub(&side->inside, 1, __ATOMIC_SEQ_CST) == 1);
}

static inline int *side_ended(side *side, p2pchan_remote remote)
{
    int i;
    for (i = side->opened - 1; i >= 0; i--)
        if (side->known[i % MOST_REMOTES].id == remote.id)
            return &side->known[i % MOST_REMOTES].ended;
    return NULL;
}

static inline void side_on_remote(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                           const p2pchan_info *info, const char *subject)
{
    side *side = side_enter(userdata);
    CHECK(node == side->node && remote.id && info->struct_size == sizeof *info && *subject);
    CHECK(!side_ended(side, remote));
    side->known[side->opened % MOST_REMOTES].id = remote.id;
    side->known[side->opened % MOST_REMOTES].ended = 0;
    side->opened++;
    side->remote = remote;
    side_leave(side, REMOTE, remote, NULL, 0);
}

static inline void side_on_data(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                         p2pchan_kind kind, const uint8_t *data, size_t len)
{
    side *side = side_enter(userdata);
    int *ended = side_ended(side, remote);
    CHECK(node == side->node && ended && !*ended && data && kind >= 0 && kind <= 2);
    side->messages++;
    side->bytes += len;
    side_leave(side, DATA, remote, data, len);
}

static inline void side_on_batch(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                          const p2pchan_message *messages, size_t count)
{
    side *side = userdata;
    size_t i;
    CHECK(count >= 1 && count <= 256);
    for (i = 0; i < count; i++)
        side_on_data(userdata, node, remote, messages[i].kind, messages[i].data, messages[i].len);
    pthread_mutex_lock(&side_lock);
    side->batches++;
    pthread_mutex_unlock(&side_lock);
}

static inline void side_on_writable(void *userdata, p2pchan_node *node, p2pchan_remote remote)
{
    side *side = side_enter(userdata);
    int *ended = side_ended(side, remote);
    CHECK(node == side->node && ended && !*ended);
    side->writable++;
    side_leave(side, WRITABLE, remote, NULL, 0);
}

static inline void side_on_end(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                        p2pchan_result why, const char *message)
{
    side *side = side_enter(userdata);
    int *ended = side_ended(side, remote);
    CHECK(node == side->node && ended && !*ended && *message);
    *ended = 1;
    side->ended++;
    side->why = why;
    snprintf(side->message, sizeof side->message, "%s", message);
    side_leave(side, END, remote, NULL, 0);
}

static inline void side_on_result(void *userdata, p2pchan_node *node, uint64_t request,
                           p2pchan_result result, p2pchan_remote remote, const char *message)
{
    side *side = side_enter(userdata);
    CHECK(node == side->node && request && (result == P2PCHAN_OK) == !*message);
    CHECK(!remote.id || side_ended(side, remote));
    side->results++;
    side->answers[request % 1024].request = request;
    side->answers[request % 1024].result = result;
    side->answers[request % 1024].remote = remote;
    snprintf(side->message, sizeof side->message, "%s", message);
    side_leave(side, RESULT, remote, NULL, 0);
}

static inline void side_on_event(void *userdata, p2pchan_node *node, const char *name, const char *json)
{
    side *side = side_enter(userdata);
    p2pchan_remote none = {0};
    CHECK(node == side->node && *name && *json == '{');
    side->events++;
    side->stopped = !strcmp(name, "stopped");
    side_leave(side, EVENT, none, (const uint8_t *)json, strlen(json));
}

static inline void side_on_drop(void *userdata)
{
    side *side = userdata;
    p2pchan_remote none = {0};
    CHECK(__atomic_fetch_add(&side->inside, 1, __ATOMIC_SEQ_CST) == 0);
    pthread_mutex_lock(&side_lock);
    CHECK(!side->drops);
    side->drops++;
    side_leave(side, DROP, none, NULL, 0);
}

/* What loops for as long as a node lives, when a program dispatches by itself. */
static inline void *side_dispatch(void *argument)
{
    side *side = argument;
    struct pollfd watched = {p2pchan_node_event_fd(side->node), POLLIN, 0};
    p2pchan_result result = P2PCHAN_OK;
    CHECK(watched.fd >= 0);
    while (result == P2PCHAN_OK) {
        CHECK(poll(&watched, 1, DEADLINE_SECONDS * 1000) == 1);
        result = p2pchan_node_dispatch(side->node, 0);
    }
    CHECK(result == P2PCHAN_ERR_CLOSED);
    return NULL;
}

static inline void side_prepare(side *side)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    memset(side, 0, sizeof *side);
    callbacks.userdata = side;
    callbacks.on_remote = side_on_remote;
    callbacks.on_data = side_on_data;
    callbacks.on_writable = side_on_writable;
    callbacks.on_end = side_on_end;
    callbacks.on_result = side_on_result;
    callbacks.on_event = side_on_event;
    callbacks.on_drop = side_on_drop;
    side->callbacks = callbacks;
}

/* The subject of all tests. A raw topic, as stretching a phrase takes its time. */
static const uint8_t side_topic[32] = {7};

static inline void side_start(side *side, const char *listen, const char *mode)
{
    side->node = check_node(&side->callbacks, listen, mode);
    side->dispatched = !strcmp(mode, "dispatch");
    OK(p2pchan_node_start(side->node));
    OK(p2pchan_discover_topic(side->node, side_topic, NULL));
    if (side->dispatched)
        CHECK(!pthread_create(&side->dispatcher, NULL, side_dispatch, side));
}

static inline void side_free(side *side)
{
    int dispatched = side->dispatched;
    if (dispatched) {
        OK(p2pchan_node_stop(side->node));
        pthread_join(side->dispatcher, NULL);
    }
    OK(p2pchan_node_free(side->node));
    pthread_mutex_lock(&side_lock);
    CHECK(side->drops == 1 && side->ended == side->opened);
    pthread_mutex_unlock(&side_lock);
}

/* The answer to a request, when it has come. */
static inline p2pchan_result side_answer(side *side, uint64_t request)
{
    p2pchan_result result;
    AWAIT(side->answers[request % 1024].request == request);
    pthread_mutex_lock(&side_lock);
    result = side->answers[request % 1024].result;
    pthread_mutex_unlock(&side_lock);
    return result;
}

/* Dials from one to the other, and waits for both to have the remote. */
static inline void side_connect(side *from, side *to)
{
    char address[256];
    size_t len;
    uint64_t request = 0;
    int opened;
    OK(p2pchan_node_addresses(to->node, address, sizeof address, &len));
    CHECK(len && len < sizeof address && strlen(address) == len);
    address[strcspn(address, "\n")] = 0;
    pthread_mutex_lock(&side_lock);
    opened = to->opened;
    pthread_mutex_unlock(&side_lock);
    OK(p2pchan_connect(from->node, address, &request));
    CHECK(side_answer(from, request) == P2PCHAN_OK);
    AWAIT(to->opened > opened);
    CHECK(from->answers[request % 1024].remote.id == from->remote.id);
}

/* Two nodes with a remote between them. */
static inline void side_pair_in(side *near, side *far, const char *mode)
{
    side_start(near, "tcp://127.0.0.1:0", mode);
    side_start(far, NULL, mode);
    side_connect(far, near);
}

static inline void side_pair(side *near, side *far)
{
    side_prepare(near);
    side_prepare(far);
    side_pair_in(near, far, "thread");
}

/* Waits until both have told the end, and gives both back. */
static inline void side_part(side *near, side *far)
{
    side_free(far);
    side_free(near);
}

static inline p2pchan_result side_send(side *side, const void *data, size_t len)
{
    return p2pchan_remote_try_send(side->node, side->remote, P2PCHAN_BYTES, data, len);
}
#endif
