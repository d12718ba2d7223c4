/* What a call answers that cannot be right: a code, a sentence, and nothing changed. */
#include "side.h"
#include <pthread.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static p2pchan_remote remote;
static const p2pchan_remote strange = {0x7fffffffff000001};

/* The output that a failing call got is as it was. */
#define UNTOUCHED(output, call)                                                                    \
    do {                                                                                           \
        unsigned char before[sizeof(output)];                                                      \
        memset(&(output), 0x5a, sizeof(output));                                                   \
        memset(before, 0x5a, sizeof before);                                                       \
        call;                                                                                      \
        CHECK(!memcmp(before, &(output), sizeof before));                                          \
    } while (0)
#define IS_NULL(name, call) FAILS(INVALID, name " is NULL", call)

static void null_for_any_pointer_is_an_error_that_names_it(void)
{
    static side near, far;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_discovery discovery = P2PCHAN_DISCOVERY_INIT;
    p2pchan_node *out, *fresh = check_node(NULL, NULL, "dispatch");
    p2pchan_info info;
    p2pchan_peer_id id;
    p2pchan_message message = {P2PCHAN_BYTES, NULL, 1};
    uint64_t request;
    size_t len;
    char text[64];
    side_pair(&near, &far);
    remote = near.remote;

    IS_NULL("settings", p2pchan_settings_set(NULL, "listen", "127.0.0.1:0"));
    IS_NULL("key", p2pchan_settings_set(settings, NULL, "127.0.0.1:0"));
    IS_NULL("settings", p2pchan_settings_load(NULL, "/dev/null"));
    IS_NULL("path", p2pchan_settings_load(settings, NULL));
    IS_NULL("settings", p2pchan_settings_json(NULL, "{}"));
    IS_NULL("json", p2pchan_settings_json(settings, NULL));
    p2pchan_settings_free(NULL);

    IS_NULL("out", p2pchan_node_new(settings, &callbacks, NULL));
    UNTOUCHED(out, CHECK(p2pchan_node_new(NULL, &(p2pchan_callbacks){0}, &out) ==
                         P2PCHAN_ERR_INVALID));
    IS_NULL("node", p2pchan_node_add_discovery(NULL, &discovery));
    IS_NULL("p2pchan_discovery", p2pchan_node_add_discovery(fresh, NULL));
    IS_NULL("name", p2pchan_node_add_discovery(fresh, &discovery));
    IS_NULL("node", p2pchan_node_start(NULL));
    IS_NULL("node", p2pchan_node_stop(NULL));
    OK(p2pchan_node_free(NULL));
    p2pchan_node_release(NULL);
    CHECK(p2pchan_node_event_fd(NULL) == -1 && strstr(p2pchan_last_error(), "node is NULL"));
    IS_NULL("node", p2pchan_node_dispatch(NULL, 0));

    UNTOUCHED(id, IS_NULL("node", p2pchan_node_id(NULL, &id)));
    IS_NULL("out", p2pchan_node_id(near.node, NULL));
    UNTOUCHED(request, IS_NULL("node", p2pchan_node_update(NULL, settings, &request)));
    UNTOUCHED(request, IS_NULL("settings", p2pchan_node_update(near.node, NULL, &request)));
    UNTOUCHED(request, IS_NULL("node", p2pchan_node_reload(NULL, &request)));

#define TEXTS(function, node, ...)                                                                 \
    UNTOUCHED(text, UNTOUCHED(len, IS_NULL("node", function(NULL, __VA_ARGS__ text, 64, &len))));  \
    UNTOUCHED(len, IS_NULL("out", function(node, __VA_ARGS__ NULL, 1, &len)));                     \
    UNTOUCHED(text, IS_NULL("len", function(node, __VA_ARGS__ text, 64, NULL)));                   \
    OK(function(node, __VA_ARGS__ NULL, 0, &len))
    TEXTS(p2pchan_node_addresses, near.node, );
    TEXTS(p2pchan_node_settings, near.node, );
    TEXTS(p2pchan_node_status, near.node, );
#define COMMA ,
    TEXTS(p2pchan_node_explain, near.node, "127.0.0.1:9" COMMA);
    TEXTS(p2pchan_remote_subject, near.node, remote COMMA);
    IS_NULL("what", p2pchan_node_explain(near.node, NULL, text, 64, &len));

    UNTOUCHED(request, IS_NULL("node", p2pchan_discover(NULL, "c", NULL, &request)));
    UNTOUCHED(request, IS_NULL("subject", p2pchan_discover(near.node, NULL, NULL, &request)));
    UNTOUCHED(request, IS_NULL("node", p2pchan_discover_topic(NULL, side_topic, &request)));
    UNTOUCHED(request, IS_NULL("topic", p2pchan_discover_topic(near.node, NULL, &request)));
    IS_NULL("node", p2pchan_stop_discover(NULL, "c"));
    IS_NULL("subject", p2pchan_stop_discover(near.node, NULL));
    IS_NULL("node", p2pchan_stop_discover_topic(NULL, side_topic));
    IS_NULL("topic", p2pchan_stop_discover_topic(near.node, NULL));
    UNTOUCHED(request, IS_NULL("node", p2pchan_connect(NULL, "127.0.0.1:9", &request)));
    UNTOUCHED(request, IS_NULL("address", p2pchan_connect(near.node, NULL, &request)));

    IS_NULL("node", p2pchan_remote_try_send(NULL, remote, 0, (const uint8_t *)"x", 1));
    IS_NULL("data", p2pchan_remote_try_send(near.node, remote, 0, NULL, 1));
    IS_NULL("node", p2pchan_remote_send(NULL, remote, 0, (const uint8_t *)"x", 1, 0));
    IS_NULL("data", p2pchan_remote_send(near.node, remote, 0, NULL, 1, 0));
    UNTOUCHED(len, IS_NULL("node", p2pchan_remote_try_send_batch(NULL, remote, &message, 1, &len)));
    UNTOUCHED(len,
              IS_NULL("messages", p2pchan_remote_try_send_batch(near.node, remote, NULL, 1, &len)));
    IS_NULL("sent", p2pchan_remote_try_send_batch(near.node, remote, &message, 1, NULL));
    IS_NULL("data", p2pchan_remote_try_send_batch(near.node, remote, &message, 1, &len));
    CHECK(len == 0);
    IS_NULL("node", p2pchan_remote_pause(NULL, remote));
    IS_NULL("node", p2pchan_remote_resume(NULL, remote));
    IS_NULL("node", p2pchan_remote_end(NULL, remote));
    IS_NULL("node", p2pchan_remote_refuse(NULL, remote));
    info.struct_size = sizeof info;
    IS_NULL("node", p2pchan_remote_info(NULL, remote, &info));
    IS_NULL("info", p2pchan_remote_info(near.node, remote, NULL));
    IS_NULL("node", p2pchan_remote_set_userdata(NULL, remote, NULL));
    OK(p2pchan_remote_set_userdata(near.node, remote, NULL));
    CHECK(!p2pchan_remote_userdata(NULL, remote) && strstr(p2pchan_last_error(), "node is NULL"));
    UNTOUCHED(len, IS_NULL("node", p2pchan_node_remotes(NULL, NULL, 0, &len)));
    UNTOUCHED(len, IS_NULL("out", p2pchan_node_remotes(near.node, NULL, 1, &len)));
    IS_NULL("count", p2pchan_node_remotes(near.node, &remote, 1, NULL));
    IS_NULL("node", p2pchan_discovery_found(NULL, 1, "127.0.0.1:9"));
    IS_NULL("address", p2pchan_discovery_found(near.node, 1, NULL));
    IS_NULL("node", p2pchan_discovery_done(NULL, 1, P2PCHAN_OK, NULL));
    OK(p2pchan_set_log(P2PCHAN_LOG_TRACE, NULL, NULL));

    p2pchan_settings_free(settings);
    OK(p2pchan_node_free(fresh));
    side_part(&near, &far);
}

static void a_call_that_fails_leaves_its_outputs_untouched(void)
{
    static side near;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *fresh = check_node(NULL, NULL, "thread"), *out;
    p2pchan_info info;
    p2pchan_peer_id id;
    p2pchan_message message = {P2PCHAN_BYTES, (const uint8_t *)"x", 1};
    p2pchan_remote one;
    uint64_t request;
    size_t len;
    char text[2], path[] = "/tmp/p2pchan-XXXXXX";
    side_prepare(&near);
    side_start(&near, NULL, "thread");

    /* Before the start. */
    UNTOUCHED(id, FAILS(INVALID, "p2pchan_node_start", p2pchan_node_id(fresh, &id)));
    UNTOUCHED(text, UNTOUCHED(len, CHECK(p2pchan_node_status(fresh, text, 2, &len))));
    UNTOUCHED(text, UNTOUCHED(len, CHECK(p2pchan_node_addresses(fresh, text, 2, &len))));
    UNTOUCHED(text, UNTOUCHED(len, CHECK(p2pchan_node_settings(fresh, text, 2, &len))));
    UNTOUCHED(text, UNTOUCHED(len, CHECK(p2pchan_node_explain(fresh, "127.0.0.1:9", text, 2, &len))));
    UNTOUCHED(request, FAILS(INVALID, "p2pchan_node_start", p2pchan_discover(fresh, "c", NULL, &request)));
    UNTOUCHED(request, FAILS(INVALID, "p2pchan_node_start", p2pchan_connect(fresh, "127.0.0.1:9", &request)));
    UNTOUCHED(request, FAILS(INVALID, "p2pchan_node_start", p2pchan_node_update(fresh, settings, &request)));
    UNTOUCHED(request, FAILS(INVALID, "p2pchan_node_start", p2pchan_node_reload(fresh, &request)));
    /* What can never be right. */
    UNTOUCHED(request, FAILS(INVALID, "256", p2pchan_discover(near.node, "", NULL, &request)));
    UNTOUCHED(request, FAILS(INVALID, "UTF-8", p2pchan_discover(near.node, "\xff", NULL, &request)));
    UNTOUCHED(request, FAILS(INVALID, "nowhere", p2pchan_connect(near.node, "nowhere", &request)));
    UNTOUCHED(text, UNTOUCHED(len, FAILS(INVALID, "?", p2pchan_node_explain(near.node, "?", text, 2, &len))));
    /* No such remote. */
    UNTOUCHED(info, FAILS(INVALID, "struct_size", p2pchan_remote_info(near.node, strange, &info)));
    memset(&info, 0x5a, sizeof info);
    info.struct_size = sizeof info;
    FAILS(CLOSED, "ended", p2pchan_remote_info(near.node, strange, &info));
    CHECK(info.rtt == 0x5a5a5a5a5a5a5a5a && info.address[0] == 0x5a);
    UNTOUCHED(text, UNTOUCHED(len, FAILS(CLOSED, "ended", p2pchan_remote_subject(near.node, strange, text, 2, &len))));
    UNTOUCHED(len, FAILS(CLOSED, "ended", p2pchan_remote_try_send_batch(near.node, strange, &message, 1, &len)));
    /* Text that does not fit: only its length. */
    UNTOUCHED(text, OK(p2pchan_node_status(near.node, text, 2, &len)));
    CHECK(len > 2);
    UNTOUCHED(one, OK(p2pchan_node_remotes(near.node, &one, 1, &len)));
    CHECK(len == 0);
    /* A node that cannot be. */
    close(mkstemp(path));
    OK(p2pchan_settings_load(settings, path));
    unlink(path);
    UNTOUCHED(out, FAILS(IO, path, p2pchan_node_new(settings, NULL, &out)));
    p2pchan_settings_free(settings);

    OK(p2pchan_node_free(fresh));
    side_free(&near);
}

static void settings_that_are_wrong_name_the_key_the_value_and_the_nearest_key(void)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    char *first = NULL;
    FAILS(SETTINGS, "listen", p2pchan_settings_set(settings, "lisen", "127.0.0.1:0"));
    FAILS(SETTINGS, "callbacks", p2pchan_settings_set(settings, "calbacks", "thread"));
    FAILS(SETTINGS, "limits.window", p2pchan_settings_set(settings, "limits.windw", "1MiB"));
    FAILS(SETTINGS, "4TiB", p2pchan_settings_set(settings, "limits.window", "4TiB"));
    FAILS(SETTINGS, "timeouts.close", p2pchan_settings_set(settings, "timeouts.close", "5"));
    FAILS(SETTINGS, "dispatch", p2pchan_settings_set(settings, "callbacks", "none"));
    FAILS(INVALID, "UTF-8", p2pchan_settings_set(settings, "\xff", "1"));
    FAILS(INVALID, "JSON", p2pchan_settings_json(settings, "{"));
    FAILS(SETTINGS, "limits.dials", p2pchan_settings_json(settings, "{\"limits\":{\"dial\":4}}"));
    FAILS(SETTINGS, "timeouts.dial",
          p2pchan_settings_json(settings, "{\"callbacks\":\"dispatch\",\"timeouts\":{\"dial\":true}}"));
    FAILS(IO, "/nowhere/at.all", p2pchan_settings_load(settings, "/nowhere/at.all"));
    /* None of this was kept. */
    p2pchan_node *node = NULL;
    OK(p2pchan_node_new(settings, NULL, &node));
    CHECK(p2pchan_node_event_fd(node) == -1);
    OK(p2pchan_node_start(node));
    size_t len;
    OK(p2pchan_node_settings(node, NULL, 0, &len));
    first = malloc(len + 1);
    OK(p2pchan_node_settings(node, first, len + 1, &len));
    CHECK(strstr(first, "\"callbacks\":\"thread\""));
    /* What it says of itself can be read again. */
    OK(p2pchan_settings_json(settings, first));
    free(first);
    p2pchan_settings_free(settings);
    OK(p2pchan_node_free(node));
}

static void *fails(void *argument)
{
    (void)argument;
    CHECK(!*p2pchan_last_error());
    CHECK(p2pchan_node_start(NULL) == P2PCHAN_ERR_INVALID);
    CHECK(strstr(p2pchan_last_error(), "node"));
    return NULL;
}

static void each_thread_has_a_last_error_of_its_own_which_success_leaves(void)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    pthread_t thread;
    CHECK(!*p2pchan_last_error());
    FAILS(SETTINGS, "lisen", p2pchan_settings_set(settings, "lisen", "1"));
    pthread_create(&thread, NULL, fails, NULL);
    pthread_join(thread, NULL);
    OK(p2pchan_settings_set(settings, "limits.dials", "4"));
    CHECK(strstr(p2pchan_last_error(), "lisen"));
    p2pchan_settings_free(settings);
}

static void data_that_cannot_travel_as_what_it_is_said_to_be_is_refused(void)
{
    static side near, far;
    const char *json = "{\"a\":[1,2]}";
    p2pchan_message two[2] = {{P2PCHAN_TEXT, (const uint8_t *)"good", 4},
                              {P2PCHAN_TEXT, (const uint8_t *)"\xff", 1}};
    size_t sent = 9;
    side_pair(&near, &far);
    p2pchan_node *node = near.node;
    remote = near.remote;
#define SEND(kind, text, len) p2pchan_remote_try_send(node, remote, kind, (const uint8_t *)text, len)
    FAILS(INVALID, "UTF-8", SEND(P2PCHAN_TEXT, "a\xff", 2));
    FAILS(INVALID, "JSON", SEND(P2PCHAN_JSON, "{", 1));
    FAILS(INVALID, "null", SEND(P2PCHAN_JSON, " null", 5));
    FAILS(INVALID, "kind 3", SEND(3, "a", 1));
    FAILS(INVALID, "kind -1", SEND(-1, "a", 1));
    FAILS(INVALID, "memory", SEND(P2PCHAN_BYTES, "a", SIZE_MAX));
    FAILS(INVALID, "UTF-8", p2pchan_remote_try_send_batch(node, remote, two, 2, &sent));
    CHECK(sent == 1);
    OK(SEND(P2PCHAN_JSON, json, strlen(json)));
    OK(SEND(P2PCHAN_BYTES, NULL, 0));
    AWAIT(far.messages == 3 && far.bytes == 4 + strlen(json));
    side_part(&near, &far);
}

/* From now on this thread makes no further ones: the system says so to whoever asks. */
static void *start_without_threads(void *node)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    FAILS(INTERNAL, "thread", p2pchan_node_start(node));
    return NULL;
}

/* tokio panics when it can make no thread. */
static void a_panic_becomes_internal_and_what_panicked_can_be_tried_again(void)
{
    p2pchan_node *node = check_node(NULL, NULL, "dispatch");
    pthread_t thread;
    if (getenv("CHECK_TOOL")) {
        puts("SKIPPED: a panic of tokio, which loses memory, and tools report that");
        OK(p2pchan_node_free(node));
        return;
    }
    CHECK(!pthread_create(&thread, NULL, start_without_threads, node));
    pthread_join(thread, NULL);
    OK(p2pchan_node_start(node));
    OK(p2pchan_node_free(node));
}

static void structures_of_other_versions_are_understood_or_refused(void)
{
    static side near, far;
    struct {
        p2pchan_callbacks known;
        void *later;
    } callbacks;
    p2pchan_info info;
    p2pchan_node *node;
    memset(&callbacks, 0, sizeof callbacks);
    callbacks.known.struct_size = sizeof callbacks;
    OK(p2pchan_node_new(NULL, &callbacks.known, &node));
    OK(p2pchan_node_free(node));
    callbacks.later = &callbacks;
    FAILS(INVALID, "newer", p2pchan_node_new(NULL, &callbacks.known, &node));
    callbacks.known.struct_size = offsetof(p2pchan_callbacks, on_remote);
    OK(p2pchan_node_new(NULL, &callbacks.known, &node));
    OK(p2pchan_node_free(node));
    side_pair(&near, &far);
    memset(&info, 0x5a, sizeof info);
    info.struct_size = offsetof(p2pchan_info, rtt);
    OK(p2pchan_remote_info(near.node, near.remote, &info));
    CHECK(!strcmp(info.transport, "tcp") && !info.relayed && !info.reason);
    CHECK(info.rtt == 0x5a5a5a5a5a5a5a5a);
    side_part(&near, &far);
}

static void every_code_has_a_phrase(void)
{
    int code;
    for (code = -20; code <= 3; code++)
        CHECK(p2pchan_strerror(code) && *p2pchan_strerror(code));
    CHECK(!strcmp(p2pchan_strerror(-99), p2pchan_strerror(99)));
    for (code = P2PCHAN_ERR_PROTOCOL; code <= P2PCHAN_OK; code++)
        CHECK(strcmp(p2pchan_strerror(code), p2pchan_strerror(-99)));
    CHECK(p2pchan_version_hex() == P2PCHAN_VERSION_HEX && *p2pchan_version());
}

MAIN(BEHAVIOUR(null_for_any_pointer_is_an_error_that_names_it),
     BEHAVIOUR(a_call_that_fails_leaves_its_outputs_untouched),
     BEHAVIOUR(settings_that_are_wrong_name_the_key_the_value_and_the_nearest_key),
     BEHAVIOUR(each_thread_has_a_last_error_of_its_own_which_success_leaves),
     BEHAVIOUR(data_that_cannot_travel_as_what_it_is_said_to_be_is_refused),
     BEHAVIOUR(a_panic_becomes_internal_and_what_panicked_can_be_tried_again),
     BEHAVIOUR(structures_of_other_versions_are_understood_or_refused),
     BEHAVIOUR(every_code_has_a_phrase))
