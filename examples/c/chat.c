/* A chat: a line typed here appears at everybody who has the same subject.
 *
 *     cc chat.c $(pkg-config --cflags --libs p2pchan) -o chat
 *     ./chat "My Cool Service 1.0" listen=0.0.0.0:0 discovery.bittorrent.bootstrap=public */
#include <p2pchan.h>
#include <stdio.h>
#include <string.h>

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

/* The library calls this for everybody who is found, on a thread of its own. */
static void on_remote(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                      const p2pchan_info *info, const char *subject)
{
    (void)userdata, (void)subject;
    printf("+ %s at %s\n", name(node, remote), info->address);
}

/* And this for each message. The data is lent until this returns, and does not end with NUL. */
static void on_data(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_kind kind,
                    const uint8_t *data, size_t len)
{
    (void)userdata, (void)kind;
    printf("%s: %.*s\n", name(node, remote), (int)len, (const char *)data);
}

/* To everybody who is there, waiting up to a second for who reads slowly. */
static void say(p2pchan_node *node, const char *line)
{
    p2pchan_remote remotes[64];
    size_t count = 0, i;
    p2pchan_node_remotes(node, remotes, 64, &count);
    for (i = 0; i < count && i < 64; i++)
        if (p2pchan_remote_send(node, remotes[i], P2PCHAN_TEXT, (const uint8_t *)line,
                                strcspn(line, "\n"), 1000))
            fprintf(stderr, "chat: %s\n", p2pchan_last_error());
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node = NULL;
    char line[4096], *value;
    int i, failed = argc < 2;

    setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* line by line into a pipe, too */
    for (i = 2; i < argc && !failed; i++) {
        value = strtok(argv[i], "=") ? strtok(NULL, "") : NULL;
        failed = p2pchan_settings_set(settings, argv[i], value);
    }
    callbacks.on_remote = on_remote;
    callbacks.on_data = on_data;
    if (failed || p2pchan_node_new(settings, &callbacks, &node) || p2pchan_node_start(node)
        || p2pchan_discover(node, argv[1], NULL, NULL)) {
        fprintf(stderr, "chat SUBJECT [SETTING=VALUE]...\n%s\n", p2pchan_last_error());
        return 1;
    }
    while (fgets(line, sizeof line, stdin))
        say(node, line);
    p2pchan_node_free(node); /* what was sent still goes out */
    p2pchan_settings_free(settings);
    return 0;
}
