/* An echo: sends back all that comes, many messages with one call, and never holds more of them in
 * memory than one batch for each remote, however slowly they are read there.
 *
 *     cc echo.c $(pkg-config --cflags --libs p2pchan) -o echo
 *     ./echo "An echo" 0.0.0.0:8099
 *
 * What a remote has no room for is kept, and the remote paused, until on_writable. Meanwhile its
 * peer cannot send either: slowness reaches back to where it came from. */
#include <p2pchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages that wait for room, in one piece of memory with their bytes. */
typedef struct kept {
    size_t count, next;
    p2pchan_message messages[];
} kept;

static kept *keep(const p2pchan_message *messages, size_t count)
{
    size_t size = sizeof(kept) + count * sizeof *messages, i;
    kept *waiting;
    uint8_t *bytes;
    for (i = 0; i < count; i++)
        size += messages[i].len;
    waiting = malloc(size);
    if (!waiting)
        abort();
    waiting->count = count;
    waiting->next = 0;
    bytes = (uint8_t *)(waiting->messages + count);
    for (i = 0; i < count; i++) {
        waiting->messages[i] = messages[i];
        waiting->messages[i].data = memcpy(bytes, messages[i].data, messages[i].len);
        bytes += messages[i].len;
    }
    return waiting;
}

static void on_batch(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                     const p2pchan_message *messages, size_t count)
{
    size_t sent = 0;
    (void)userdata;
    if (p2pchan_remote_try_send_batch(node, remote, messages, count, &sent)
        == P2PCHAN_ERR_WOULD_BLOCK) {
        p2pchan_remote_set_userdata(node, remote, keep(messages + sent, count - sent));
        p2pchan_remote_pause(node, remote);
    }
}

static void on_writable(void *userdata, p2pchan_node *node, p2pchan_remote remote)
{
    kept *waiting = p2pchan_remote_userdata(node, remote);
    size_t sent = 0;
    (void)userdata;
    if (p2pchan_remote_try_send_batch(node, remote, waiting->messages + waiting->next,
                                      waiting->count - waiting->next, &sent)
        == P2PCHAN_ERR_WOULD_BLOCK) {
        waiting->next += sent; /* on_writable comes again */
        return;
    }
    p2pchan_remote_set_userdata(node, remote, NULL);
    free(waiting);
    p2pchan_remote_resume(node, remote);
}

static void on_end(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_result why,
                   const char *message)
{
    (void)userdata, (void)why, (void)message;
    free(p2pchan_remote_userdata(node, remote));
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node;
    char addresses[1024] = "";
    size_t len;
    if (argc != 3)
        return fprintf(stderr, "usage: echo SUBJECT LISTEN\n"), 2;
    callbacks.on_batch = on_batch;
    callbacks.on_writable = on_writable;
    callbacks.on_end = on_end;
    if (p2pchan_settings_set(settings, "listen", argv[2])
        || p2pchan_node_new(settings, &callbacks, &node) || p2pchan_node_start(node)
        || p2pchan_discover(node, argv[1], NULL, NULL)
        || p2pchan_node_addresses(node, addresses, sizeof addresses, &len))
        return fprintf(stderr, "echo: %s\n", p2pchan_last_error()), 1;
    p2pchan_settings_free(settings);
    printf("listening at %s\n", addresses);
    fflush(stdout);
    while (getchar() != EOF) /* until the end of the input; the library's thread does the work */
        continue;
    p2pchan_node_free(node);
    return 0;
}
