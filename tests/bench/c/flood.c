/* One end of a flood through the C interface. What is sent, and how both ends agree that it arrived,
 * is that of src/flood.rs and src/message.rs, so that the figures can be put beside those of Rust.
 *
 *     flood accept|dial batch|data|dispatch SIZE MILLISECONDS [ADDRESS]
 *
 * With "batch" and "data" callbacks come on the library's thread, through on_batch or on_data; with
 * "dispatch" inside this program's loop, through on_batch. */
#define _POSIX_C_SOURCE 200809L
#include <p2pchan.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OK(call) ((call) == P2PCHAN_OK ? (void)0 : failed(#call))
enum { LINE = 64, ANSWER = 24, BURST = 64 << 10, WARM_UP = 150, LONGEST = 60 };
static const uint64_t ODD = 0x9e3779b97f4a7c15;
__extension__ typedef unsigned __int128 wide;

typedef struct tally {
    uint64_t count, checksum;
} tally;

static p2pchan_node *node;
static p2pchan_remote remote;
static int dispatching;
static double processor_before;
static tally received;
static uint8_t answer[ANSWER];

static void failed(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, p2pchan_last_error());
    exit(1);
}

/* Seconds of a clock. */
static double now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* What the callbacks tell the main function. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int open_now, answered, writable, ended;

static void tell(int *what)
{
    pthread_mutex_lock(&lock);
    *what = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void await(int *what)
{
    if (dispatching) {
        while (!*what)
            OK(p2pchan_node_dispatch(node, -1));
        *what = 0;
        return;
    }
    pthread_mutex_lock(&lock);
    while (!*what)
        pthread_cond_wait(&changed, &lock);
    *what = 0;
    pthread_mutex_unlock(&lock);
}

/* The tally. */

static uint64_t scatter(uint64_t value)
{
    uint64_t product = (value ^ value >> 32) * ODD;
    return product ^ product >> 29;
}

static uint64_t weigh(const uint8_t *line)
{
    uint64_t sum = 0, words[8], i;
    memcpy(words, line, sizeof words);
    for (i = 0; i < 8; i++)
        sum += words[i] * (ODD * (2 * i + 1));
    return sum;
}

static uint64_t sample(const uint8_t *message, size_t len)
{
    uint64_t sum = len ^ weigh(message);
    size_t beyond = len - LINE, place = (size_t)((wide)scatter(sum) * (beyond + 1) >> 64);
    return beyond ? (sum << 9 | sum >> 55) ^ weigh(message + place) : sum;
}

static void add(tally *to, const uint8_t *message, size_t len)
{
    uint64_t turned = to->checksum << 7 | to->checksum >> 57;
    to->count++;
    to->checksum = scatter(turned ^ sample(message, len));
}

/* Callbacks of both ends: those that dial get nothing but answers. */

static void take(const uint8_t *message, size_t len)
{
    uint64_t nanoseconds;
    if (len >= LINE) {
        add(&received, message, len);
        return;
    }
    if (len == ANSWER) {
        memcpy(answer, message, ANSWER);
        tell(&answered);
        return;
    }
    nanoseconds = (uint64_t)((now(CLOCK_PROCESS_CPUTIME_ID) - processor_before) * 1e9);
    memcpy(answer, &received, sizeof received);
    memcpy(answer + sizeof received, &nanoseconds, sizeof nanoseconds);
    OK(p2pchan_remote_send(node, remote, P2PCHAN_BYTES, answer, ANSWER, -1));
    memset(&received, 0, sizeof received);
    processor_before = now(CLOCK_PROCESS_CPUTIME_ID);
}

static void on_remote(void *userdata, p2pchan_node *of, p2pchan_remote opened,
                      const p2pchan_info *info, const char *subject)
{
    (void)userdata, (void)of, (void)info, (void)subject;
    remote = opened;
    processor_before = now(CLOCK_PROCESS_CPUTIME_ID);
    tell(&open_now);
}

static void on_data(void *userdata, p2pchan_node *of, p2pchan_remote from, p2pchan_kind kind,
                    const uint8_t *data, size_t len)
{
    (void)userdata, (void)of, (void)from, (void)kind;
    take(data, len);
}

static void on_batch(void *userdata, p2pchan_node *of, p2pchan_remote from,
                     const p2pchan_message *messages, size_t count)
{
    size_t i;
    (void)userdata, (void)of, (void)from;
    for (i = 0; i < count; i++)
        take(messages[i].data, messages[i].len);
}

static void on_writable(void *userdata, p2pchan_node *of, p2pchan_remote to)
{
    (void)userdata, (void)of, (void)to;
    tell(&writable);
}

static void on_end(void *userdata, p2pchan_node *of, p2pchan_remote gone, p2pchan_result why,
                   const char *message)
{
    (void)userdata, (void)of, (void)gone, (void)why, (void)message;
    tell(&ended);
}

/* The dialling end. */

static void send_one(const uint8_t *message, size_t len)
{
    if (!dispatching) {
        OK(p2pchan_remote_send(node, remote, P2PCHAN_BYTES, message, len, -1));
        return;
    }
    for (;;) {
        p2pchan_result result = p2pchan_remote_try_send(node, remote, P2PCHAN_BYTES, message, len);
        if (result == P2PCHAN_OK)
            return;
        if (result != P2PCHAN_ERR_WOULD_BLOCK)
            failed("p2pchan_remote_try_send");
        await(&writable);
    }
}

static tally send_for(uint8_t *message, size_t size, double seconds)
{
    tally sent = {0, 0};
    size_t i, burst = size < BURST ? BURST / size : 1;
    double began = now(CLOCK_MONOTONIC);
    while (now(CLOCK_MONOTONIC) - began < seconds)
        for (i = 0; i < burst; i++) {
            memcpy(message, &sent.count, sizeof sent.count);
            add(&sent, message, size);
            send_one(message, size);
        }
    send_one((const uint8_t *)"end", 3);
    return sent;
}

static void flood(uint8_t *message, size_t size, long milliseconds, int measured)
{
    double began = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
    tally sent = send_for(message, size, (double)milliseconds / 1e3);
    double seconds, gigabytes = (double)sent.count * (double)size / 1e9;
    uint64_t nanoseconds;
    await(&answered);
    seconds = now(CLOCK_MONOTONIC) - began;
    processor = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
    if (memcmp(answer, &sent, sizeof sent) != 0) {
        fprintf(stderr, "flood: what arrived is not what was sent\n");
        exit(1);
    }
    memcpy(&nanoseconds, answer + sizeof sent, sizeof nanoseconds);
    if (measured)
        printf("{\"messages\":%.9g,\"megabytes\":%.9g,\"sending-processor\":%.9g,"
               "\"receiving-processor\":%.9g}\n",
               (double)sent.count / seconds, gigabytes * 1e3 / seconds, processor / gigabytes,
               (double)nanoseconds / 1e9 / gigabytes);
}

static void dial(const char *address, size_t size, long milliseconds)
{
    uint8_t *message = malloc(size);
    uint64_t i, word;
    if (!message)
        failed("malloc");
    for (i = 0; i < (size + 7) / 8; i++) {
        word = scatter(i + 1);
        memcpy(message + 8 * i, &word, size - 8 * i < 8 ? size - 8 * i : 8);
    }
    OK(p2pchan_connect(node, address, NULL));
    await(&open_now);
    flood(message, size, WARM_UP, 0);
    flood(message, size, milliseconds, 1);
    free(message);
}

static void accept_one(void)
{
    char addresses[256];
    size_t len;
    OK(p2pchan_node_addresses(node, addresses, sizeof addresses, &len));
    printf("\"%s\"\n", addresses);
    fflush(stdout);
    await(&ended);
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    uint8_t topic[32];
    int dialling = argc == 6;
    if (argc < 5)
        return 2;
    alarm(LONGEST); /* nobody waits longer; an end whose peer is gone ends by itself */
    dispatching = strcmp(argv[2], "dispatch") == 0;
    callbacks.on_remote = on_remote;
    callbacks.on_data = on_data;
    callbacks.on_batch = strcmp(argv[2], "data") == 0 ? NULL : on_batch;
    callbacks.on_writable = on_writable;
    callbacks.on_end = on_end;
    OK(p2pchan_settings_set(settings, "callbacks", dispatching ? "dispatch" : "thread"));
    OK(p2pchan_settings_set(settings, "listen", dialling ? NULL : "tcp://127.0.0.1:0"));
    OK(p2pchan_node_new(settings, &callbacks, &node));
    p2pchan_settings_free(settings);
    OK(p2pchan_node_start(node));
    memset(topic, 7, sizeof topic);
    OK(p2pchan_discover_topic(node, topic, NULL));
    if (dialling)
        dial(argv[5], (size_t)atol(argv[3]), atol(argv[4]));
    else
        accept_one();
    OK(p2pchan_node_free(node));
    return 0;
}
