/* The node, its remotes and their messages, and what callbacks tell of them. All of it is under one lock. */
#ifndef KNOWN_H
#define KNOWN_H
#include "lines.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

typedef struct message {
    struct message *next;
    p2pchan_kind kind;
    size_t length;
    uint8_t data[];
} message;

typedef struct remote {
    struct remote *next;
    p2pchan_remote handle;
    char *name; /* NULL until it has one */
    char *subject;
    p2pchan_info info;
    message *first, **end_of_list;
    int asked_for, has_ended, room;
    unsigned long long sent;
    p2pchan_result why;
    char reason[512];
} remote;

typedef struct {
    uint64_t request;
    p2pchan_result result;
    p2pchan_remote remote;
    char why[512];
} result;

static p2pchan_node *node;
static remote *remotes; /* in the order in which they came */
static result results[256];

static remote *by_handle(p2pchan_remote handle)
{
    remote *it;
    for (it = remotes; it && it->handle.id != handle.id; it = it->next)
        ;
    return it;
}

static void on_remote(void *userdata, p2pchan_node *of, p2pchan_remote handle,
                      const p2pchan_info *info, const char *subject)
{
    remote *new = calloc(1, sizeof *new), **end;
    (void)userdata;
    new->handle = handle;
    new->info = *info;
    new->subject = strdup(subject);
    new->end_of_list = &new->first;
    pthread_mutex_lock(&lock);
    /* Until somebody wants to read it. */
    p2pchan_remote_pause(of, handle);
    for (end = &remotes; *end; end = &(*end)->next)
        ;
    *end = new;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_data(void *userdata, p2pchan_node *of, p2pchan_remote handle, p2pchan_kind kind,
                    const uint8_t *data, size_t length)
{
    message *new = malloc(sizeof *new + length);
    remote *it;
    (void)userdata;
    new->next = NULL;
    new->kind = kind;
    new->length = length;
    memcpy(new->data, data, length);
    pthread_mutex_lock(&lock);
    p2pchan_remote_pause(of, handle);
    it = by_handle(handle);
    *it->end_of_list = new;
    it->end_of_list = &new->next;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_writable(void *userdata, p2pchan_node *of, p2pchan_remote handle)
{
    (void)userdata;
    (void)of;
    pthread_mutex_lock(&lock);
    by_handle(handle)->room = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_end(void *userdata, p2pchan_node *of, p2pchan_remote handle, p2pchan_result why,
                   const char *reason)
{
    remote *it;
    (void)userdata;
    (void)of;
    pthread_mutex_lock(&lock);
    it = by_handle(handle);
    it->has_ended = 1;
    it->why = why;
    snprintf(it->reason, sizeof it->reason, "%s", reason);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_result(void *userdata, p2pchan_node *of, uint64_t request, p2pchan_result code,
                      p2pchan_remote handle, const char *why)
{
    result *it = &results[request % 256];
    (void)userdata;
    (void)of;
    pthread_mutex_lock(&lock);
    it->request = request;
    it->result = code;
    it->remote = handle;
    snprintf(it->why, sizeof it->why, "%s", why);
    if (handle.id)
        by_handle(handle)->asked_for = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Waits for the answer to a request. */
static result await_result(uint64_t request)
{
    result *it = &results[request % 256], copy;
    pthread_mutex_lock(&lock);
    while (it->request != request)
        pthread_cond_wait(&changed, &lock);
    copy = *it;
    pthread_mutex_unlock(&lock);
    return copy;
}

/* Answers a call that gave a request, when the answer to that has come. */
static void conclude_request(const char *order, p2pchan_result code, uint64_t request)
{
    result result;
    if (code) {
        fail(order, code, p2pchan_last_error());
        return;
    }
    result = await_result(request);
    if (result.result)
        fail(order, result.result, result.why);
    else
        conclude(order, P2PCHAN_OK);
}
#endif
