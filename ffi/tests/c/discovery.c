/* Two nodes find each other through a discovery service that this program brings, and a third is
 * refused by on_newcomer. */
#include "check.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char board[256];        /* the address that was announced */
static uint8_t key[32];        /* under which key */
static uint64_t looking;       /* a look-up that waits for it */
static p2pchan_node *looker;
static int withdrawn, remotes, drops, ended, asked, refused;

static void announce(void *u, p2pchan_node *node, uint64_t request, const p2pchan_topic *topic)
{
    (void)u;
    CHECK(topic->struct_size == sizeof *topic && !strcmp(topic->subject, "c"));
    pthread_mutex_lock(&lock);
    if (*topic->addresses) {
        snprintf(board, sizeof board, "%s", topic->addresses);
        memcpy(key, topic->find_key, 32);
        if (looking) {
            /* The answer to a request comes late, from another callback. */
            OK(p2pchan_discovery_found(looker, looking, board));
            OK(p2pchan_discovery_done(looker, looking, P2PCHAN_OK, NULL));
            CHECK(p2pchan_discovery_done(looker, looking, P2PCHAN_OK, NULL) == P2PCHAN_ERR_CLOSED);
            looking = 0;
        }
    }
    pthread_mutex_unlock(&lock);
    CHECK(p2pchan_discovery_found(node, request, "192.0.2.7:1") == P2PCHAN_ERR_INVALID);
    OK(p2pchan_discovery_done(node, request, P2PCHAN_OK, NULL));
}

static void look_up(void *u, p2pchan_node *node, uint64_t request, const p2pchan_topic *topic)
{
    (void)u;
    pthread_mutex_lock(&lock);
    if (!*board) {
        looking = request;
        looker = node;
        pthread_mutex_unlock(&lock);
        return;
    }
    CHECK(!memcmp(key, topic->find_key, 32));
    OK(p2pchan_discovery_found(node, request, board));
    pthread_mutex_unlock(&lock);
    OK(p2pchan_discovery_done(node, request, P2PCHAN_OK, NULL));
}

static void withdraw(void *u, p2pchan_node *node, uint64_t request, const p2pchan_topic *topic)
{
    (void)u, (void)topic;
    withdrawn++;
    OK(p2pchan_discovery_done(node, request, P2PCHAN_ERR_IO, "the board is wet"));
}

static void on_service_drop(void *u) { (void)u; CHECK(drops++ % 2 == 0); }
static void on_drop(void *u) { (void)u; CHECK(drops++ % 2 == 1); }

static void on_remote(void *u, p2pchan_node *node, p2pchan_remote remote, const p2pchan_info *info,
                      const char *subject)
{
    (void)u, (void)node;
    CHECK(remote.id && info->struct_size == sizeof *info && !strcmp(subject, "c"));
    pthread_mutex_lock(&lock);
    remotes++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_end(void *u, p2pchan_node *n, p2pchan_remote r, p2pchan_result why, const char *m)
{
    (void)u, (void)n, (void)r, (void)why, (void)m;
    pthread_mutex_lock(&lock);
    ended++;
    pthread_mutex_unlock(&lock);
}

static int32_t on_newcomer(void *u, p2pchan_node *node, const p2pchan_newcomer *newcomer)
{
    (void)u, (void)node;
    CHECK(newcomer->struct_size == sizeof *newcomer && !strcmp(newcomer->subject, "c"));
    return asked++ > 0;
}

static void on_result(void *u, p2pchan_node *node, uint64_t request, p2pchan_result result,
                      p2pchan_remote remote, const char *message)
{
    (void)u, (void)node;
    CHECK(request == 1 && result == P2PCHAN_ERR_REFUSED && remote.id == 0 && *message);
    pthread_mutex_lock(&lock);
    refused = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static p2pchan_node *begin(const char *listen, int service, p2pchan_callbacks *callbacks)
{
    p2pchan_discovery discovery = P2PCHAN_DISCOVERY_INIT;
    p2pchan_node *node = check_node(callbacks, listen, "thread");
    discovery.name = "board";
    discovery.announce = announce;
    discovery.look_up = look_up;
    discovery.withdraw = withdraw;
    discovery.on_drop = on_service_drop;
    if (service)
        OK(p2pchan_node_add_discovery(node, &discovery));
    OK(p2pchan_node_start(node));
    OK(p2pchan_discover(node, "c", NULL, NULL));
    return node;
}

static void nodes_find_each_other_through_a_service_written_in_c(void)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT, third = P2PCHAN_CALLBACKS_INIT;
    p2pchan_node *near, *far, *late;
    uint64_t request;
    callbacks.on_remote = on_remote;
    callbacks.on_end = on_end;
    callbacks.on_drop = on_drop;
    far = begin(NULL, 1, &callbacks);
    callbacks.on_newcomer = on_newcomer;
    near = begin("tcp://127.0.0.1:0", 1, &callbacks);
    pthread_mutex_lock(&lock);
    while (remotes < 2)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);

    third.on_result = on_result;
    late = begin(NULL, 0, &third);
    OK(p2pchan_connect(late, board, &request));
    pthread_mutex_lock(&lock);
    while (!refused)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    OK(p2pchan_node_free(late));

    OK(p2pchan_node_free(far));
    OK(p2pchan_node_free(near));
    CHECK(withdrawn == 1 && ended == 2 && drops == 4 && asked == 2);
}

MAIN(BEHAVIOUR(nodes_find_each_other_through_a_service_written_in_c))
