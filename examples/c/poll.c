/* The chat of chat.c in a program that has a loop of its own: the node's descriptor stands beside
 * standard input in poll(2), and callbacks run only where the program says so, without locks.
 *
 *     cc poll.c $(pkg-config --cflags --libs p2pchan) -o poll
 *     ./poll "My Cool Service 1.0" listen=0.0.0.0:8099 discovery.bittorrent.bootstrap=public
 *
 * With epoll, kqueue or select: watch the descriptor for reading, level-triggered, and dispatch. */
#include <p2pchan.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What to call somebody: the first digits of the peer's id. */
static const char *name(p2pchan_node *node, p2pchan_remote remote)
{
    static char digits[9]; /* shared, as callbacks never run at the same time */
    p2pchan_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    p2pchan_remote_info(node, remote, &info);
    snprintf(digits, sizeof digits, "%02x%02x%02x%02x", info.peer.bytes[0], info.peer.bytes[1],
             info.peer.bytes[2], info.peer.bytes[3]);
    return digits;
}

static void on_remote(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                      const p2pchan_info *info, const char *subject)
{
    (void)userdata, (void)subject;
    printf("+ %s at %s\n", name(node, remote), info->address);
}

static void on_data(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_kind kind,
                    const uint8_t *data, size_t len)
{
    (void)userdata, (void)kind;
    printf("%s: %.*s\n", name(node, remote), (int)len, (const char *)data);
}

static void on_end(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_result why,
                   const char *message)
{
    (void)userdata, (void)why;
    printf("- %s: %s\n", name(node, remote), message);
}

static int failed(void)
{
    fprintf(stderr, "poll: %s\n", p2pchan_last_error());
    return 1;
}

/* To everybody. The loop must not wait: who reads too slowly for a chat misses the line. */
static void say(p2pchan_node *node, const char *line, size_t len)
{
    p2pchan_remote remotes[64];
    size_t count = 0, i;
    p2pchan_node_remotes(node, remotes, 64, &count);
    for (i = 0; i < count && i < 64; i++)
        if (p2pchan_remote_try_send(node, remotes[i], P2PCHAN_TEXT, (const uint8_t *)line, len))
            failed();
}

static int loop(p2pchan_node *node)
{
    struct pollfd watched[2];
    char line[4096];
    watched[0].fd = p2pchan_node_event_fd(node);
    watched[1].fd = STDIN_FILENO;
    watched[0].events = watched[1].events = POLLIN;
    for (;;) {
        if (poll(watched, 2, -1) < 0)
            return 1;
        if (watched[0].revents && p2pchan_node_dispatch(node, 0))
            return 0; /* the node has ended */
        if (watched[1].revents) {
            ssize_t len = read(STDIN_FILENO, line, sizeof line); /* a terminal gives whole lines */
            if (len <= 0)
                return 0;
            say(node, line, (size_t)(line[len - 1] == '\n' ? len - 1 : len));
        }
    }
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node;
    char addresses[1024] = "";
    size_t len;
    int i, status;
    if (argc < 2) {
        fprintf(stderr, "usage: poll SUBJECT [SETTING=VALUE]...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* line by line into a pipe, too */
    callbacks.on_remote = on_remote;
    callbacks.on_data = on_data;
    callbacks.on_end = on_end;
    p2pchan_settings_set(settings, "callbacks", "dispatch");
    for (i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value)
            *value++ = '\0';
        if (p2pchan_settings_set(settings, argv[i], value))
            return failed();
    }
    if (p2pchan_node_new(settings, &callbacks, &node) || p2pchan_node_start(node)
        || p2pchan_discover(node, argv[1], NULL, NULL)
        || p2pchan_node_addresses(node, addresses, sizeof addresses, &len))
        return failed();
    p2pchan_settings_free(settings);
    printf("listening at %s\n", addresses);
    status = loop(node);
    p2pchan_node_free(node);
    return status;
}
