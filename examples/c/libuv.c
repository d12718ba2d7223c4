/* A clock in a program whose loop is libuv's: every second it says the time to everybody who has
 * the same subject, and it prints what they say. Ctrl-C ends it.
 *
 *     cc libuv.c $(pkg-config --cflags --libs p2pchan libuv) -o clock
 *     ./clock "What time is it?" 0.0.0.0:8099 192.0.2.7:8099
 *
 * The last two are where it listens, and whom it asks first (discovery.seeds). */
#define _POSIX_C_SOURCE 200809L /* uv.h asks for it, with a compiler that is told -std=c99 */
#include <p2pchan.h>
#include <stdio.h>
#include <time.h>
#include <uv.h>

static p2pchan_node *node;
static uv_poll_t callbacks_due;
static uv_timer_t second;
static uv_signal_t interrupt;

static void on_data(void *userdata, p2pchan_node *from, p2pchan_remote remote, p2pchan_kind kind,
                    const uint8_t *data, size_t len)
{
    (void)userdata, (void)from, (void)remote, (void)kind;
    printf("somebody says: %.*s\n", (int)len, (const char *)data);
}

/* The node's descriptor is readable: its callbacks run now, on this thread, between libuv's. Once
 * the node has stopped and its last callback has returned, nothing is left to watch. */
static void on_readable(uv_poll_t *handle, int status, int events)
{
    (void)events;
    if (status < 0 || p2pchan_node_dispatch(node, 0) != P2PCHAN_OK)
        uv_close((uv_handle_t *)handle, NULL);
}

static void on_second(uv_timer_t *handle)
{
    p2pchan_remote remotes[64];
    size_t count = 0, i;
    char text[32];
    time_t now = time(NULL);
    size_t len = strftime(text, sizeof text, "%H:%M:%S", localtime(&now));
    (void)handle;
    p2pchan_node_remotes(node, remotes, 64, &count);
    for (i = 0; i < count && i < 64; i++) /* a loop must not wait: without room it is missed */
        p2pchan_remote_try_send(node, remotes[i], P2PCHAN_TEXT, (const uint8_t *)text, len);
}

/* Asks the node to end. uv_run returns when on_readable has closed the last handle. */
static void on_interrupt(uv_signal_t *handle, int number)
{
    (void)number;
    uv_close((uv_handle_t *)handle, NULL);
    uv_close((uv_handle_t *)&second, NULL);
    p2pchan_node_stop(node);
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    if (argc != 4)
        return fprintf(stderr, "usage: clock SUBJECT LISTEN SEED\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    callbacks.on_data = on_data;
    if (p2pchan_settings_set(settings, "callbacks", "dispatch")
        || p2pchan_settings_set(settings, "listen", argv[2])
        || p2pchan_settings_set(settings, "discovery.seeds", argv[3])
        || p2pchan_node_new(settings, &callbacks, &node) || p2pchan_node_start(node)
        || p2pchan_discover(node, argv[1], NULL, NULL))
        return fprintf(stderr, "clock: %s\n", p2pchan_last_error()), 1;
    p2pchan_settings_free(settings);

    uv_poll_init(uv_default_loop(), &callbacks_due, p2pchan_node_event_fd(node));
    uv_poll_start(&callbacks_due, UV_READABLE, on_readable);
    uv_timer_init(uv_default_loop(), &second);
    uv_timer_start(&second, on_second, 0, 1000);
    uv_signal_init(uv_default_loop(), &interrupt);
    uv_signal_start(&interrupt, on_interrupt, SIGINT);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    p2pchan_node_free(node);
    return uv_loop_close(uv_default_loop());
}
