/* A program that knows nothing but the installed header and library: two nodes on this machine, of
 * which one greets the other. The first argument is the setting "callbacks". */
#include <p2pchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char greeting[] = "hello from outside";
static volatile int heard;

static void check(p2pchan_result result, const char *what)
{
    if (result != P2PCHAN_OK) {
        fprintf(stderr, "%s: %s (%s)\n", what, p2pchan_strerror(result), p2pchan_last_error());
        exit(1);
    }
}
#define CHECK(call) check(call, #call)

static void greet(void *userdata, p2pchan_node *node, p2pchan_remote remote, const p2pchan_info *info,
                  const char *subject)
{
    (void)userdata, (void)info, (void)subject;
    CHECK(p2pchan_remote_try_send(node, remote, P2PCHAN_TEXT, (const uint8_t *)greeting, sizeof greeting - 1));
}

static void hear(void *userdata, p2pchan_node *node, p2pchan_remote remote, p2pchan_kind kind,
                 const uint8_t *data, size_t len)
{
    (void)userdata, (void)node, (void)remote;
    if (kind == P2PCHAN_TEXT && len == sizeof greeting - 1 && memcmp(data, greeting, len) == 0)
        heard = 1;
}

static p2pchan_node *start(const p2pchan_callbacks *callbacks, const char *how)
{
    p2pchan_node *node = NULL;
    p2pchan_settings *settings = p2pchan_settings_new();

    CHECK(p2pchan_settings_set(settings, "callbacks", how));
    CHECK(p2pchan_settings_set(settings, "listen", "127.0.0.1:0"));
    CHECK(p2pchan_node_new(settings, callbacks, &node));
    p2pchan_settings_free(settings);
    CHECK(p2pchan_node_start(node));
    CHECK(p2pchan_discover(node, "outside the tree", NULL, NULL));
    return node;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "thread";
    const int dispatch = strcmp(how, "dispatch") == 0;
    const time_t deadline = time(NULL) + 60;
    const struct timespec moment = {0, 10 * 1000 * 1000};
    p2pchan_callbacks greets = P2PCHAN_CALLBACKS_INIT, hears = P2PCHAN_CALLBACKS_INIT;
    p2pchan_node *first, *second;
    char addresses[256];
    size_t len;

    if (p2pchan_version_hex() != P2PCHAN_VERSION_HEX) {
        fprintf(stderr, "the header is not of the library %s\n", p2pchan_version());
        return 1;
    }
    greets.on_remote = greet;
    hears.on_data = hear;
    first = start(&greets, how);
    second = start(&hears, how);
    CHECK(p2pchan_node_addresses(second, addresses, sizeof addresses, &len));
    addresses[strcspn(addresses, "\n")] = '\0';
    CHECK(p2pchan_connect(first, addresses, NULL));
    while (!heard && time(NULL) < deadline) {
        if (dispatch) {
            CHECK(p2pchan_node_dispatch(first, 10));
            CHECK(p2pchan_node_dispatch(second, 10));
        } else
            nanosleep(&moment, NULL);
    }
    CHECK(p2pchan_node_free(first));
    CHECK(p2pchan_node_free(second));
    if (!heard)
        fprintf(stderr, "nothing was heard within 60 s\n");
    return heard ? 0 : 1;
}
