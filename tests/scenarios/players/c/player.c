/* The player in C: see the page in the folder above. Callbacks come on the library's thread, and each order
 * has a thread of its own. `lines.h` reads orders and writes answers, `known.h` keeps what callbacks tell. */
#include "known.h"

#define SHORT 256 /* text that is not longer is shown as it is */

/* ---- Orders for the node ---- */

/* What a call writes into a buffer that is large enough. */
static char *whole(p2pchan_result (*call)(const p2pchan_node *, char *, size_t, size_t *))
{
    size_t capacity = 1 << 20, length;
    char *buffer = calloc(1, capacity);
    if (call(node, buffer, capacity, &length) || length >= capacity)
        snprintf(buffer, capacity, "{}");
    return buffer;
}

static void print_addresses(void)
{
    char *all = whole(p2pchan_node_addresses), *address = all;
    printf(",\"addresses\":[");
    while (*address) {
        size_t length = strcspn(address, "\n");
        printf("%s", address == all ? "" : ",");
        print_text(address, length);
        address += length + (address[length] == '\n');
    }
    printf("]");
    free(all);
}

static void addresses(const char *order)
{
    answer(order);
    print_addresses();
    done();
}

/* The settings of an order; NULL, and the order is answered, if they are wrong. */
static p2pchan_settings *settings_of(const char *order)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    char *json = raw(order, "settings");
    p2pchan_result code = p2pchan_settings_json(settings, json);
    free(json);
    if (!code)
        return settings;
    fail(order, code, p2pchan_last_error());
    p2pchan_settings_free(settings);
    return NULL;
}

static void start(const char *order)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_settings *settings = settings_of(order);
    p2pchan_node *made = NULL;
    p2pchan_peer_id id;
    p2pchan_result code;
    int i;
    if (!settings)
        return;
    callbacks.on_remote = on_remote;
    callbacks.on_data = on_data;
    callbacks.on_writable = on_writable;
    callbacks.on_end = on_end;
    callbacks.on_result = on_result;
    code = p2pchan_node_new(settings, &callbacks, &made);
    p2pchan_settings_free(settings);
    if (code || (code = p2pchan_node_start(made)) || (code = p2pchan_node_id(made, &id))) {
        fail(order, code, p2pchan_last_error());
        p2pchan_node_free(made);
        return;
    }
    node = made;
    answer(order);
    printf(",\"id\":\"");
    for (i = 0; i < 32; i++)
        printf("%02x", id.bytes[i]);
    printf("\"");
    print_addresses();
    done();
}

static void stop(const char *order)
{
    p2pchan_result code = p2pchan_node_free(node);
    node = NULL;
    /* Orders may still read them: they stay until the process ends. */
    pthread_mutex_lock(&lock);
    remotes = NULL;
    memset(results, 0, sizeof results);
    pthread_mutex_unlock(&lock);
    conclude(order, code);
}

static void status(const char *order)
{
    char *document = whole(p2pchan_node_status);
    answer(order);
    printf(",\"status\":%s", document);
    done();
    free(document);
}

static void explain(const char *order)
{
    size_t capacity = 1 << 20, length;
    char *target = text(order, "target", NULL), *document = calloc(1, capacity);
    p2pchan_result code = p2pchan_node_explain(node, target, document, capacity, &length);
    if (code) {
        fail(order, code, p2pchan_last_error());
    } else {
        answer(order);
        printf(",\"explanation\":%s", document);
        done();
    }
    free(target);
    free(document);
}

static void update(const char *order)
{
    p2pchan_settings *settings = settings_of(order);
    uint64_t request = 0;
    p2pchan_result code;
    if (!settings)
        return;
    code = p2pchan_node_update(node, settings, &request);
    p2pchan_settings_free(settings);
    conclude_request(order, code, request);
}

/* Reads so many bytes of hexadecimal digits; NULL if there are no digits. */
static uint8_t *bytes(const char *order, const char *name, size_t *length)
{
    char *digits = text(order, name, length);
    uint8_t *bytes = digits ? calloc(1, *length / 2 + 1) : NULL;
    size_t i;
    if (!digits)
        return NULL;
    *length /= 2;
    for (i = 0; i < *length; i++)
        sscanf(digits + 2 * i, "%2hhx", &bytes[i]);
    free(digits);
    return bytes;
}

static void discover(const char *order)
{
    size_t length;
    char *subject = text(order, "subject", NULL), *secret = text(order, "secret", NULL);
    uint8_t *topic = bytes(order, "topic", &length);
    uint64_t request = 0;
    p2pchan_result code = topic ? p2pchan_discover_topic(node, topic, &request)
                                : p2pchan_discover(node, subject, secret, &request);
    conclude_request(order, code, request);
    free(subject);
    free(secret);
    free(topic);
}

static void forget(const char *order)
{
    size_t length;
    char *subject = text(order, "subject", NULL);
    uint8_t *topic = bytes(order, "topic", &length);
    conclude(order, topic ? p2pchan_stop_discover_topic(node, topic)
                          : p2pchan_stop_discover(node, subject));
    free(subject);
    free(topic);
}

/* ---- Orders that give a remote its name ---- */

/* Names a remote and tells of it. */
static void name(const char *order, remote *it)
{
    int i;
    pthread_mutex_lock(&lock);
    it->name = text(order, "remote", NULL);
    pthread_mutex_unlock(&lock);
    answer(order);
    printf(",\"peer\":\"");
    for (i = 0; i < 32; i++)
        printf("%02x", it->info.peer.bytes[i]);
    printf("\",\"address\":\"%s\",\"transport\":\"%s\",\"subject\":", it->info.address,
           it->info.transport);
    print_text(it->subject, strlen(it->subject));
    done();
}

static void dial(const char *order)
{
    char *address = text(order, "address", NULL);
    uint64_t request = 0;
    p2pchan_result code = p2pchan_connect(node, address, &request);
    remote *it;
    free(address);
    if (code) {
        fail(order, code, p2pchan_last_error());
    } else {
        result result = await_result(request);
        pthread_mutex_lock(&lock);
        it = by_handle(result.remote);
        pthread_mutex_unlock(&lock);
        if (result.result)
            fail(order, result.result, result.why);
        else
            name(order, it);
    }
}

/* The first remote that came by itself, has no name and this subject, if one is given. */
static remote *nameless(const char *subject)
{
    remote *it;
    for (it = remotes; it; it = it->next)
        if (!it->name && !it->asked_for && (!subject || !strcmp(subject, it->subject)))
            return it;
    return NULL;
}

static void await_remote(const char *order)
{
    char *subject = text(order, "subject", NULL);
    remote *it;
    pthread_mutex_lock(&lock);
    while (!(it = nameless(subject)))
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    name(order, it);
    free(subject);
}

static void waiting(const char *order)
{
    remote *it;
    int count = 0;
    pthread_mutex_lock(&lock);
    for (it = remotes; it; it = it->next)
        count += !it->name && !it->asked_for;
    pthread_mutex_unlock(&lock);
    answer(order);
    printf(",\"count\":%d", count);
    done();
}

/* ---- Orders for a remote ---- */

static remote *named(const char *order)
{
    char *name = text(order, "remote", NULL);
    remote *it;
    pthread_mutex_lock(&lock);
    for (it = remotes; it && (!it->name || strcmp(it->name, name)); it = it->next)
        ;
    pthread_mutex_unlock(&lock);
    free(name);
    return it;
}

/* What a call on a remote answers after its end has been told: why it ended. */
static p2pchan_result why_closed(remote *it, p2pchan_result code, const char **why)
{
    *why = p2pchan_last_error();
    pthread_mutex_lock(&lock);
    if (code == P2PCHAN_ERR_CLOSED && it->has_ended && it->why) {
        code = it->why;
        *why = it->reason;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

/* Sends as soon as there is room. */
static p2pchan_result put(remote *it, p2pchan_kind kind, const void *data, size_t length)
{
    p2pchan_result code;
    do {
        pthread_mutex_lock(&lock);
        it->room = 0;
        pthread_mutex_unlock(&lock);
        code = p2pchan_remote_try_send(node, it->handle, kind, data, length);
        pthread_mutex_lock(&lock);
        while (code == P2PCHAN_ERR_WOULD_BLOCK && !it->room && !it->has_ended)
            pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
    } while (code == P2PCHAN_ERR_WOULD_BLOCK);
    return code;
}

static void conclude_put(const char *order, remote *it, p2pchan_result code)
{
    const char *why;
    if (code) {
        code = why_closed(it, code, &why);
        fail(order, code, why);
    } else {
        conclude(order, P2PCHAN_OK);
    }
}

/* The first bytes of a message of a flood. */
static uint8_t *flood_message(unsigned long long number, size_t length)
{
    uint8_t *message = malloc(length + 4);
    size_t i;
    for (i = 0; i < 4; i++)
        message[i] = number >> (24 - 8 * i);
    for (i = 4; i < length; i++)
        message[i] = i - 4;
    return message;
}

static void send_one(const char *order, remote *it)
{
    p2pchan_kind kind = P2PCHAN_BYTES;
    size_t length = 0;
    void *data = bytes(order, "hex", &length);
    if (member(order, "size")) {
        length = number(order, "size", 0);
        data = flood_message(0, length);
    } else if (member(order, "text")) {
        kind = P2PCHAN_TEXT;
        data = text(order, "text", &length);
    } else if (member(order, "json")) {
        kind = P2PCHAN_JSON;
        data = text(order, "json", &length);
    }
    conclude_put(order, it, put(it, kind, data, length));
    free(data);
}

static void flood(const char *order, remote *it)
{
    unsigned long long i, count = number(order, "count", 0), size = number(order, "size", 0);
    p2pchan_result code = P2PCHAN_OK;
    for (i = 0; i < count && !code; i++) {
        size_t length = i * 7919 % (size + 1);
        uint8_t *message = flood_message(i, length);
        code = put(it, P2PCHAN_BYTES, message, length);
        free(message);
        pthread_mutex_lock(&lock);
        it->sent += !code;
        pthread_mutex_unlock(&lock);
    }
    conclude_put(order, it, code);
}

static void progress(const char *order, remote *it)
{
    pthread_mutex_lock(&lock);
    answer(order);
    printf(",\"sent\":%llu", it->sent);
    done();
    pthread_mutex_unlock(&lock);
}

/* Takes a message; NULL when the remote has ended. */
static message *take(remote *it)
{
    message *message;
    pthread_mutex_lock(&lock);
    if (!it->first && !it->has_ended)
        p2pchan_remote_resume(node, it->handle);
    while (!it->first && !it->has_ended)
        pthread_cond_wait(&changed, &lock);
    message = it->first;
    if (message && !(it->first = message->next))
        it->end_of_list = &it->first;
    pthread_mutex_unlock(&lock);
    return message;
}

/* The CRC-32 of zlib. */
static uint32_t add_crc(uint32_t crc, const uint8_t *data, size_t length)
{
    static uint32_t table[256];
    uint32_t value, bit;
    size_t i;
    for (i = 0; !table[255] && i < 256; i++) {
        for (value = i, bit = 0; bit < 8; bit++)
            value = value & 1 ? 0xedb88320 ^ value >> 1 : value >> 1;
        table[i] = value;
    }
    for (crc = ~crc, i = 0; i < length; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc;
}

static void receive(const char *order, remote *it)
{
    message *message = take(it);
    if (!message) {
        fail(order, it->why ? it->why : P2PCHAN_ERR_CLOSED, it->reason);
        return;
    }
    answer(order);
    if (message->kind == P2PCHAN_JSON)
        printf(",\"kind\":\"json\"");
    else
        printf(",\"kind\":\"%s\",\"length\":%zu,\"crc\":%u",
               message->kind == P2PCHAN_TEXT ? "text" : "bytes", message->length,
               add_crc(0, message->data, message->length));
    if (message->kind == P2PCHAN_JSON
        || (message->kind == P2PCHAN_TEXT && message->length <= SHORT)) {
        printf(",\"value\":");
        print_text((char *)message->data, message->length);
    }
    done();
    free(message);
}

static void drain(const char *order, remote *it)
{
    unsigned long long count = 0, most = number(order, "count", -1);
    uint32_t crc = 0;
    message *message = NULL;
    while (count < most && (message = take(it))) {
        crc = add_crc(crc, message->data, message->length);
        free(message);
        count++;
    }
    answer(order);
    printf(",\"count\":%llu,\"crc\":%u", count, crc);
    if (count < most)
        printf(",\"end\":\"%s\"", code_name(it->why));
    done();
}

static void finish(const char *order, remote *it)
{
    conclude(order, p2pchan_remote_end(node, it->handle));
}

static void end(const char *order, remote *it)
{
    p2pchan_result code = p2pchan_remote_end(node, it->handle);
    message *message;
    while ((message = take(it)))
        free(message);
    if (!code && it->why)
        fail(order, it->why, it->reason);
    else
        conclude(order, code);
}

static void refuse(const char *order, remote *it)
{
    conclude(order, p2pchan_remote_refuse(node, it->handle));
}

/* ---- Which order is which ---- */

static const struct {
    const char *name;
    void (*obey)(const char *order);
} for_node[] = {
    {"start", start},       {"stop", stop},       {"addresses", addresses}, {"status", status},
    {"explain", explain},   {"update", update},   {"discover", discover},   {"forget", forget},
    {"connect", dial},      {"remote", await_remote}, {"waiting", waiting},
};

static const struct {
    const char *name;
    void (*obey)(const char *order, remote *it);
} for_remote[] = {
    {"send", send_one}, {"flood", flood},   {"progress", progress}, {"recv", receive},
    {"drain", drain},   {"finish", finish}, {"end", end},           {"refuse", refuse},
};

static void *obey(void *line)
{
    char *order = line, *verb = text(order, "do", NULL);
    remote *it;
    size_t i;
    for (i = 0; i < sizeof for_node / sizeof *for_node; i++)
        if (!strcmp(verb, for_node[i].name))
            for_node[i].obey(order);
    for (i = 0; i < sizeof for_remote / sizeof *for_remote; i++)
        if (!strcmp(verb, for_remote[i].name)) {
            it = named(order);
            if (it)
                for_remote[i].obey(order, it);
            else
                fail(order, P2PCHAN_ERR_INVALID, "there is no remote of that name");
        }
    free(verb);
    free(order);
    return NULL;
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    pthread_t thread;
    while (getline(&line, &capacity, stdin) > 0) {
        if (pthread_create(&thread, NULL, obey, strdup(line)))
            return 1;
        pthread_detach(thread);
    }
    free(line);
    /* Exit writes what is buffered without asking who is at it. */
    pthread_mutex_lock(&output);
    return 0;
}
