/* Asks one question and prints the answer: no threads, no loop of somebody else's, one thing after
 * the other. Callbacks come while this program waits in p2pchan_node_dispatch, and only then.
 *
 *     cc ask.c $(pkg-config --cflags --libs p2pchan) -o ask
 *     ./ask "An echo" 192.0.2.7:8099 "Anybody there?"        # echo.c answers */
#include <p2pchan.h>
#include <stdio.h>
#include <string.h>

typedef struct asking {
    const char *question;
    int over, answered;
} asking;

static void on_remote(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                      const p2pchan_info *info, const char *subject)
{
    asking *it = userdata;
    (void)info, (void)subject;
    p2pchan_remote_try_send(node, remote, P2PCHAN_TEXT, (const uint8_t *)it->question,
                            strlen(it->question));
}

static void on_data(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_kind kind,
                    const uint8_t *data, size_t len)
{
    asking *it = userdata;
    (void)kind;
    printf("%.*s\n", (int)len, (const char *)data);
    it->answered = 1;
    p2pchan_remote_end(node, remote); /* on_end comes when the other side knows, too */
}

static void on_end(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_result why,
                   const char *message)
{
    asking *it = userdata;
    (void)node, (void)remote;
    it->over = 1;
    if (!it->answered)
        fprintf(stderr, "ask: no answer: %s\n", why == P2PCHAN_OK ? "they left" : message);
}

/* How the dial went. */
static void on_result(void *userdata, p2pchan_node *node, uint64_t request, p2pchan_result result,
                      p2pchan_remote remote, const char *message)
{
    asking *it = userdata;
    (void)node, (void)request, (void)remote;
    if (result == P2PCHAN_OK)
        return;
    it->over = 1;
    fprintf(stderr, "ask: %s\n", message);
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node;
    uint64_t request;
    asking it = {NULL, 0, 0};
    if (argc != 4)
        return fprintf(stderr, "usage: ask SUBJECT ADDRESS QUESTION\n"), 2;
    it.question = argv[3];
    callbacks.userdata = &it;
    callbacks.on_remote = on_remote;
    callbacks.on_data = on_data;
    callbacks.on_end = on_end;
    callbacks.on_result = on_result;
    if (p2pchan_settings_set(settings, "callbacks", "dispatch")
        || p2pchan_node_new(settings, &callbacks, &node) || p2pchan_node_start(node)
        || p2pchan_discover(node, argv[1], NULL, NULL)
        || p2pchan_connect(node, argv[2], &request))
        return fprintf(stderr, "ask: %s\n", p2pchan_last_error()), 1;
    p2pchan_settings_free(settings);
    while (!it.over && p2pchan_node_dispatch(node, -1) == P2PCHAN_OK)
        continue;
    p2pchan_node_free(node);
    return it.answered ? 0 : 1;
}
