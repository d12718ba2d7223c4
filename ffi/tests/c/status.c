/* What a node tells of itself, and other settings while it runs. */
#include "side.h"
#include <ctype.h>

/* Whether text is one JSON value, and nothing else: a reader of twenty lines, which is not ours. */
static const char *value(const char *json);

static const char *spaces(const char *json)
{
    while (isspace((unsigned char)*json))
        json++;
    return json;
}

static const char *string(const char *json)
{
    CHECK(*json == '"');
    for (json++; *json != '"'; json++) {
        CHECK((unsigned char)*json >= ' ');
        json += *json == '\\';
    }
    return json + 1;
}

static const char *items(const char *json, char end, int named)
{
    json = spaces(json + 1);
    while (*json != end) {
        if (named) {
            json = spaces(string(json));
            CHECK(*json == ':');
            json = spaces(json + 1);
        }
        json = spaces(value(json));
        CHECK(*json == ',' || *json == end);
        if (*json == ',') {
            json = spaces(json + 1);
            CHECK(*json != end);
        }
    }
    return json + 1;
}

static const char *value(const char *json)
{
    size_t len;
    if (*json == '{')
        return items(json, '}', 1);
    if (*json == '[')
        return items(json, ']', 0);
    if (*json == '"')
        return string(json);
    len = strspn(json, "-+.eE0123456789");
    if (!strncmp(json, "null", 4) || !strncmp(json, "true", 4))
        len = 4;
    if (!strncmp(json, "false", 5))
        len = 5;
    CHECK(len);
    return json + len;
}

static void check_json(const char *json)
{
    CHECK(*json == '{' && !*spaces(value(json)));
}

static char text[1 << 16];

static void status_explain_settings_and_events_are_json(void)
{
    static side near, far;
    const char *both[2];
    char address[128];
    p2pchan_peer_id id;
    p2pchan_settings *settings = p2pchan_settings_new();
    size_t len, i;
    side_pair(&near, &far);
    OK(p2pchan_node_status(near.node, text, sizeof text, &len));
    CHECK(strlen(text) == len);
    check_json(text);
    CHECK(strstr(text, "127.0.0.1"));
    OK(p2pchan_node_id(far.node, &id));
    for (i = 0; i < 32; i++)
        snprintf(address + 2 * i, 3, "%02x", id.bytes[i]);
    both[0] = address;
    both[1] = "192.0.2.7:8099";
    for (i = 0; i < 2; i++) {
        OK(p2pchan_node_explain(near.node, both[i], text, sizeof text, &len));
        check_json(text);
    }
    FAILS(INVALID, "nonsense", p2pchan_node_explain(near.node, "nonsense", text, 9, &len));
    OK(p2pchan_node_settings(near.node, text, sizeof text, &len));
    check_json(text);
    CHECK(strstr(text, "\"timeouts.close\"") || strstr(text, "\"timeouts\""));
    OK(p2pchan_settings_json(settings, text));
    p2pchan_settings_free(settings);
    side_part(&near, &far);
}

static void check_event(side *side, enum called called, p2pchan_remote remote, const uint8_t *data,
                        size_t len)
{
    (void)side, (void)remote, (void)len;
    if (called == EVENT)
        check_json((const char *)data);
}

static void events_come_in_between_and_stopped_is_the_last(void)
{
    static side near, far;
    side_prepare(&near);
    side_prepare(&far);
    near.hook = far.hook = check_event;
    side_pair_in(&near, &far, "thread");
    AWAIT(near.events > 3);
    side_part(&near, &far);
    CHECK(near.stopped && far.stopped);
}

static void an_update_says_how_it_went_and_one_that_fails_changes_nothing(void)
{
    static side near, far;
    p2pchan_settings *settings = p2pchan_settings_new();
    char taken[128], addresses[128];
    uint64_t request, last;
    size_t len;
    side_pair(&near, &far);
    OK(p2pchan_node_addresses(near.node, taken, sizeof taken, &len));
    OK(p2pchan_settings_set(settings, "listen", taken));
    OK(p2pchan_node_update(far.node, settings, &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_IO && strstr(far.message, "127.0.0.1"));
    OK(p2pchan_node_addresses(far.node, addresses, sizeof addresses, &len));
    CHECK(!*addresses);
    OK(p2pchan_settings_set(settings, "listen", "tcp://127.0.0.1:0"));
    last = request;
    OK(p2pchan_node_update(far.node, settings, &request));
    CHECK(request > last && side_answer(&far, request) == P2PCHAN_OK);
    OK(p2pchan_node_addresses(far.node, addresses, sizeof addresses, &len));
    CHECK(!strncmp(addresses, "tcp://127.0.0.1:", 16));
    /* What cannot change while it runs. */
    OK(p2pchan_settings_set(settings, "runtime.threads", "3"));
    OK(p2pchan_node_update(far.node, settings, &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_SETTINGS);
    CHECK(strstr(far.message, "runtime.threads"));
    OK(p2pchan_settings_set(settings, "callbacks", "dispatch"));
    FAILS(SETTINGS, "callbacks", p2pchan_node_update(far.node, settings, &request));
    OK(p2pchan_node_reload(far.node, &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_SETTINGS);
    /* Without anybody who wants to know. */
    OK(p2pchan_node_reload(far.node, NULL));
    CHECK(!far.ended && !near.ended);
    p2pchan_settings_free(settings);
    side_part(&near, &far);
}

static void write_file(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(content, file) >= 0 && !fclose(file));
}

static void a_reload_takes_what_the_file_says_now_and_names_what_is_wrong(void)
{
    static side side;
    p2pchan_settings *settings = p2pchan_settings_new();
    char path[] = "/tmp/p2pchan-XXXXXX", addresses[128];
    uint64_t request;
    size_t len;
    close(mkstemp(path));
    write_file(path, "lisen = []\n");
    FAILS(SETTINGS, "listen", p2pchan_settings_load(settings, path));
    write_file(path, "timeouts.close = \"1s\"\n");
    OK(p2pchan_settings_load(settings, path));
    side_prepare(&side);
    OK(p2pchan_node_new(settings, &side.callbacks, &side.node));
    OK(p2pchan_node_start(side.node));
    write_file(path, "timeouts.close = \"1s\"\nlisten = [\"tcp://127.0.0.1:0\"]\n");
    OK(p2pchan_node_reload(side.node, &request));
    CHECK(side_answer(&side, request) == P2PCHAN_OK);
    OK(p2pchan_node_addresses(side.node, addresses, sizeof addresses, &len));
    CHECK(!strncmp(addresses, "tcp://127.0.0.1:", 16));
    write_file(path, "listen = 7\n");
    OK(p2pchan_node_reload(side.node, &request));
    CHECK(side_answer(&side, request) == P2PCHAN_ERR_SETTINGS && strstr(side.message, path));
    unlink(path);
    OK(p2pchan_node_reload(side.node, &request));
    CHECK(side_answer(&side, request) == P2PCHAN_ERR_IO && strstr(side.message, path));
    FAILS(SETTINGS, "p2pchan_node_reload", p2pchan_node_update(side.node, settings, NULL));
    p2pchan_settings_free(settings);
    side_free(&side);
}

static void a_connect_says_why_it_failed(void)
{
    static side near, far;
    char address[128];
    uint64_t request;
    size_t len;
    side_pair(&near, &far);
    OK(p2pchan_node_addresses(near.node, address, sizeof address, &len));
    OK(p2pchan_connect(far.node, address, &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_CLOSED);
    OK(p2pchan_stop_discover_topic(far.node, side_topic));
    OK(p2pchan_connect(far.node, "tcp://127.0.0.1:1", &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_SETTINGS);
    OK(p2pchan_discover_topic(far.node, side_topic, &request));
    CHECK(side_answer(&far, request) == P2PCHAN_OK);
    OK(p2pchan_connect(far.node, "tcp://127.0.0.1:1", &request));
    CHECK(side_answer(&far, request) == P2PCHAN_ERR_IO);
    side_part(&near, &far);
}

static void requests_after_a_stop_answer_closed(void)
{
    static side side;
    p2pchan_settings *settings = p2pchan_settings_new();
    uint64_t request = 7;
    side_prepare(&side);
    side_start(&side, NULL, "thread");
    OK(p2pchan_node_stop(side.node));
    AWAIT(side.stopped);
    FAILS(CLOSED, "stopped", p2pchan_node_update(side.node, settings, &request));
    FAILS(CLOSED, "stopped", p2pchan_node_reload(side.node, &request));
    CHECK(p2pchan_discover_topic(side.node, side_topic, &request) == P2PCHAN_ERR_CLOSED);
    CHECK(p2pchan_connect(side.node, "127.0.0.1:9", &request) == P2PCHAN_ERR_CLOSED);
    CHECK(request == 7);
    OK(p2pchan_node_stop(side.node));
    p2pchan_settings_free(settings);
    side_free(&side);
}

MAIN(BEHAVIOUR(status_explain_settings_and_events_are_json),
     BEHAVIOUR(events_come_in_between_and_stopped_is_the_last),
     BEHAVIOUR(an_update_says_how_it_went_and_one_that_fails_changes_nothing),
     BEHAVIOUR(a_reload_takes_what_the_file_says_now_and_names_what_is_wrong),
     BEHAVIOUR(a_connect_says_why_it_failed),
     BEHAVIOUR(requests_after_a_stop_answer_closed))
