/* p2pchan.h - find others who share a subject, and talk to them over encrypted channels.
 *
 * Generated from the sources in ffi/ by tests/abi/record; do not edit.
 *
 * The rules. Every function obeys them; its own comment says only what differs.
 *  1 A p2pchan_node is made by p2pchan_node_new and given back once, by p2pchan_node_free or
 *    p2pchan_node_release, when no other call on it is under way or follows. Freeing NULL does
 *    nothing.
 *  2 A p2pchan_remote is a number, not a pointer: copy it freely, never free it. Once its channel has
 *    ended and on_end has returned, every call on it answers P2PCHAN_ERR_CLOSED, for ever: numbers
 *    are not used again.
 *  3 What you pass in is copied before the call returns. What a callback is lent is valid until the
 *    callback returns. Text is UTF-8 and ends with NUL; data is a pointer and a length.
 *  4 Any function may be called from any thread, also from inside a callback, save p2pchan_node_free
 *    and p2pchan_node_dispatch: inside any callback they answer P2PCHAN_ERR_IN_CALLBACK.
 *  5 Callbacks of one node never run at the same time. For one remote they come in this order:
 *    on_remote, then on_data (or on_batch) and on_writable, then on_end. on_drop is the node's last.
 *  6 With the setting callbacks = "thread" (the default) they run on one thread of the library; with
 *    callbacks = "dispatch" they run only inside p2pchan_node_dispatch and p2pchan_node_free.
 *  7 No call waits for the network or for other programs, save p2pchan_remote_send (as long as you
 *    say), p2pchan_node_dispatch (as long as you say) and p2pchan_node_free. No call ends the process:
 *    a defect of the library answers P2PCHAN_ERR_INTERNAL.
 *  8 A call that fails leaves its outputs untouched, and p2pchan_last_error says why, for this thread.
 *  9 After fork() the child gets P2PCHAN_ERR_FORKED from every call on a node of its parent. It may
 *    make nodes of its own; the parent's go on in the parent.
 * 10 Structures that begin with struct_size may get further members at their end. Set it to the
 *    structure's sizeof (the _INIT macros do), and programs and libraries of different age fit.
 * 11 A callback must not let a C++ exception out.
 */


#ifndef P2PCHAN_H
#define P2PCHAN_H

#include <stddef.h>
#include <stdint.h>
/** The version of this header: major << 16 | minor << 8 | patch. */
#define P2PCHAN_VERSION_HEX 0x000100

/** Stands before every function; define it to your compiler's word for an import if it needs one. */
#ifndef P2PCHAN_API
#define P2PCHAN_API
#endif

/** What p2pchan_callbacks begin with: p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT; */
#define P2PCHAN_CALLBACKS_INIT \
    {sizeof(p2pchan_callbacks), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/** What p2pchan_discovery begins with. */
#define P2PCHAN_DISCOVERY_INIT \
    {sizeof(p2pchan_discovery), NULL, NULL, NULL, NULL, NULL, NULL, NULL}


/**
 * Nothing is logged.
 */
#define P2PCHAN_LOG_OFF 0

/**
 * Defects of the library.
 */
#define P2PCHAN_LOG_ERROR 1

/**
 * What works differently from what was probably meant.
 */
#define P2PCHAN_LOG_WARN 2

/**
 * What happens.
 */
#define P2PCHAN_LOG_INFO 3

/**
 * What helps to find out why.
 */
#define P2PCHAN_LOG_DEBUG 4

/**
 * Everything.
 */
#define P2PCHAN_LOG_TRACE 5

/**
 * A node: one identity, with its listeners, discovery services and remotes.
 */
typedef struct p2pchan_node p2pchan_node;

/**
 * A table of settings: text keys and their values, for p2pchan_node_new and p2pchan_node_update.
 */
typedef struct p2pchan_settings p2pchan_settings;

/**
 * How a call went: P2PCHAN_OK, or what went wrong. Later versions may have further codes.
 */
typedef int32_t p2pchan_result;

/**
 * What a discovery service may know of a subject. It is lent, for the length of the call.
 */
typedef struct p2pchan_topic {
    /**
     * sizeof(p2pchan_topic), so that later versions can add members at the end.
     */
    size_t struct_size;
    /**
     * The phrase, or NULL for a raw topic. Never send it anywhere: use find_key.
     */
    const char *subject;
    /**
     * The key to announce and look up in the service's network: the same for all who share the
     * subject, different for each name of a service, and useless for guessing the subject's proof.
     * A network with shorter keys takes its first bytes.
     */
    uint8_t find_key[32];
    /**
     * Where this node accepts connections, one address on each line; "" if it does not listen. An
     * unspecified IP address, such as 0.0.0.0, stands for all addresses of this machine of its family.
     */
    const char *addresses;
} p2pchan_topic;

/**
 * A discovery service of the program's own. Begin with P2PCHAN_DISCOVERY_INIT; any function may be
 * NULL, and then there is nothing to do for it. They are callbacks like those of p2pchan_callbacks, in
 * turn with them. Each request is answered by p2pchan_discovery_done, before or after the call
 * returns, from any thread. The verbs of one subject come one at a time.
 */
typedef struct p2pchan_discovery {
    /**
     * sizeof(p2pchan_discovery), so that later versions can add members at the end.
     */
    size_t struct_size;
    /**
     * A short name, such as "bulletin": the source of what it finds, in events and status.
     */
    const char *name;
    /**
     * Handed to every function.
     */
    void *userdata;
    /**
     * Tell others that this node can be reached at topic->addresses, and no longer at what was
     * announced before. Done when the announcement stands; if it fails, it is asked for again.
     */
    void (*announce)(void *userdata,
                     struct p2pchan_node *node,
                     uint64_t request,
                     const struct p2pchan_topic *topic);
    /**
     * Look once, and report each address by p2pchan_discovery_found. Done when the look-up is over; a
     * service that is told of newcomers may go on as long as it likes.
     */
    void (*look_up)(void *userdata,
                    struct p2pchan_node *node,
                    uint64_t request,
                    const struct p2pchan_topic *topic);
    /**
     * Take the announcement back, as far as the network lets you. Given timeouts.close.
     */
    void (*withdraw)(void *userdata,
                     struct p2pchan_node *node,
                     uint64_t request,
                     const struct p2pchan_topic *topic);
    /**
     * Nobody waits for the answer to a request any more; stop working on it.
     */
    void (*cancel)(void *userdata, struct p2pchan_node *node, uint64_t request);
    /**
     * Called exactly once, when none of the others will be called any more and before the on_drop of
     * the node: also if p2pchan_node_add_discovery fails, unless the structure itself cannot be read.
     */
    void (*on_drop)(void *userdata);
} p2pchan_discovery;

/**
 * A line of the log: its level, and one line of text without a line end.
 */
typedef void (*p2pchan_log)(void *userdata, int level, const char *line);

/**
 * A live, encrypted channel to one peer for one subject: a number, never 0 and never used again.
 */
typedef struct p2pchan_remote {
    /**
     * The number.
     */
    uint64_t id;
} p2pchan_remote;

/**
 * Who a peer is: its Ed25519 public key. As text: 64 lower-case hexadecimal digits.
 */
typedef struct p2pchan_peer_id {
    /**
     * The public key.
     */
    uint8_t bytes[32];
} p2pchan_peer_id;

/**
 * What is known of a remote.
 */
typedef struct p2pchan_info {
    /**
     * sizeof(p2pchan_info), so that later versions can add members at the end.
     */
    size_t struct_size;
    /**
     * The peer's identity, proved.
     */
    struct p2pchan_peer_id peer;
    /**
     * The address that was dialled, or the one that the peer dialled from, such as
     * "tcp://192.0.2.7:8099".
     */
    char address[96];
    /**
     * How the peer is connected: "tcp" or "quic".
     */
    char transport[16];
    /**
     * 1 if a third peer relays the connection, else 0.
     */
    int32_t relayed;
    /**
     * P2PCHAN_OK while it has not ended, and after a clean end; else why it has.
     */
    p2pchan_result reason;
    /**
     * The smoothed round trip time in microseconds; -1 until it was measured.
     */
    int64_t rtt;
    /**
     * Bytes that wait to be sent.
     */
    size_t queued;
} p2pchan_info;

/**
 * How data is marked, so that it arrives in the other language as what it was.
 */
typedef int32_t p2pchan_kind;

/**
 * A message: lent to on_batch, or to be sent.
 */
typedef struct p2pchan_message {
    /**
     * How it is marked.
     */
    p2pchan_kind kind;
    /**
     * Its bytes.
     */
    const uint8_t *data;
    /**
     * How many.
     */
    size_t len;
} p2pchan_message;

/**
 * Somebody who has proved a subject. It is lent, for the length of the call.
 */
typedef struct p2pchan_newcomer {
    /**
     * sizeof(p2pchan_newcomer), so that later versions can add members at the end.
     */
    size_t struct_size;
    /**
     * Who.
     */
    struct p2pchan_peer_id peer;
    /**
     * The address that was dialled, or the one that the peer dialled from.
     */
    const char *address;
    /**
     * For which subject: the phrase, or a raw topic as 64 hexadecimal digits.
     */
    const char *subject;
} p2pchan_newcomer;

/**
 * What the library calls. Begin with P2PCHAN_CALLBACKS_INIT and set those that you need; any may be
 * NULL. The rules at the top say when and where they run. The node is the one that calls; userdata is
 * the member of the same name.
 */
typedef struct p2pchan_callbacks {
    /**
     * sizeof(p2pchan_callbacks), so that later versions can add members at the end.
     */
    size_t struct_size;
    /**
     * Handed to every callback.
     */
    void *userdata;
    /**
     * A remote has opened: a live channel to a peer, for a subject that both have. The information is
     * that of p2pchan_remote_info; a raw topic stands as 64 hexadecimal digits.
     */
    void (*on_remote)(void *userdata,
                      struct p2pchan_node *node,
                      struct p2pchan_remote remote,
                      const struct p2pchan_info *info,
                      const char *subject);
    /**
     * A message has come. The data is lent, without a copy; NULL is never lent. Text and JSON are
     * checked to be UTF-8, and are not followed by NUL; that JSON is JSON is not checked.
     */
    void (*on_data)(void *userdata,
                    struct p2pchan_node *node,
                    struct p2pchan_remote remote,
                    p2pchan_kind kind,
                    const uint8_t *data,
                    size_t len);
    /**
     * As on_data, which is not called when this is set, for all messages that are there, up to 256:
     * one call for many.
     */
    void (*on_batch)(void *userdata,
                     struct p2pchan_node *node,
                     struct p2pchan_remote remote,
                     const struct p2pchan_message *messages,
                     size_t count);
    /**
     * There is room again: called once after p2pchan_remote_try_send has answered
     * P2PCHAN_ERR_WOULD_BLOCK.
     */
    void (*on_writable)(void *userdata, struct p2pchan_node *node, struct p2pchan_remote remote);
    /**
     * A remote has ended: P2PCHAN_OK if both sides have ended it and read everything, else why, with
     * a sentence for people. Its number stands for nothing from the return of this call on.
     */
    void (*on_end)(void *userdata,
                   struct p2pchan_node *node,
                   struct p2pchan_remote remote,
                   p2pchan_result why,
                   const char *message);
    /**
     * The answer to a request: a call that gave you a number. The remote is that of p2pchan_connect,
     * else 0. The message says why it failed; it is "" if it did not.
     */
    void (*on_result)(void *userdata,
                      struct p2pchan_node *node,
                      uint64_t request,
                      p2pchan_result result,
                      struct p2pchan_remote remote,
                      const char *message);
    /**
     * Something has happened that has a name; the particulars are a JSON object. docs/status.md
     * lists them. "stopped", after p2pchan_node_stop, is the last.
     */
    void (*on_event)(void *userdata, struct p2pchan_node *node, const char *name, const char *json);
    /**
     * Somebody has proved a subject and would get a remote: 0 lets it in, everything else refuses it.
     * It waits for the answer; without one within timeouts.handshake it is refused.
     */
    int32_t (*on_newcomer)(void *userdata,
                           struct p2pchan_node *node,
                           const struct p2pchan_newcomer *newcomer);
    /**
     * Called exactly once, when nothing else will be called any more: also if p2pchan_node_new fails,
     * unless the structure itself cannot be read (NULL, or a struct_size that is none).
     */
    void (*on_drop)(void *userdata);
} p2pchan_callbacks;

/**
 * Any bytes.
 */
#define P2PCHAN_BYTES 0

/**
 * One JSON value in UTF-8.
 */
#define P2PCHAN_JSON 1

/**
 * UTF-8 text.
 */
#define P2PCHAN_TEXT 2

/**
 * It worked.
 */
#define P2PCHAN_OK 0

/**
 * An argument can never be right. Nothing changed; correct the call.
 */
#define P2PCHAN_ERR_INVALID -1

/**
 * A setting is unknown, of the wrong type or out of range. Nothing changed.
 */
#define P2PCHAN_ERR_SETTINGS -2

/**
 * The node, remote or request has ended.
 */
#define P2PCHAN_ERR_CLOSED -3

/**
 * The other side or the network did not answer in time.
 */
#define P2PCHAN_ERR_TIMEOUT -4

/**
 * The send buffer is full; nothing was queued. on_writable comes once there is room.
 */
#define P2PCHAN_ERR_WOULD_BLOCK -5

/**
 * The other side, or this node's own list, callback or limit, does not want it.
 */
#define P2PCHAN_ERR_REFUSED -6

/**
 * The peer could not prove its identity or a common subject.
 */
#define P2PCHAN_ERR_AUTH -7

/**
 * A message is larger than this node or the peer takes. Nothing was queued.
 */
#define P2PCHAN_ERR_TOO_BIG -8

/**
 * The operating system refused: a port in use, an unreadable file, no route.
 */
#define P2PCHAN_ERR_IO -9

/**
 * The call would wait for the callback that makes it. Call it from elsewhere.
 */
#define P2PCHAN_ERR_IN_CALLBACK -10

/**
 * A defect of the library. Please report it.
 */
#define P2PCHAN_ERR_INTERNAL -11

/**
 * The process was forked; the node belongs to the parent. Make a new one.
 */
#define P2PCHAN_ERR_FORKED -12

/**
 * The peer broke the protocol. Its fault, or a different version.
 */
#define P2PCHAN_ERR_PROTOCOL -13

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Adds a discovery service of the program's own, before p2pchan_node_start; at most 16.
 *
 * Ownership: the structure and its name are copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a
 * name that is not of 1 to 64 bytes, or after p2pchan_node_start; P2PCHAN_ERR_REFUSED beyond 16. If it
 * fails, on_drop of the service has been called before it returns.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_add_discovery(struct p2pchan_node *node,
                                          const struct p2pchan_discovery *discovery);

/**
 * Reports an address that a look-up has found, such as "192.0.2.7:8099"; any number of times before
 * p2pchan_discovery_done. Reporting one twice, or this node's own, does no harm.
 *
 * Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is no address, or
 * a request that is no look-up; P2PCHAN_ERR_CLOSED if the request has been answered or cancelled.
 */
P2PCHAN_API
p2pchan_result p2pchan_discovery_found(struct p2pchan_node *node,
                                       uint64_t request,
                                       const char *address);

/**
 * Answers a request of a discovery service: P2PCHAN_OK, or an error code with a message for people,
 * which may be NULL.
 *
 * Ownership: the message is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a result that is no
 * code; P2PCHAN_ERR_CLOSED if the request has been answered or cancelled.
 */
P2PCHAN_API
p2pchan_result p2pchan_discovery_done(struct p2pchan_node *node,
                                      uint64_t request,
                                      p2pchan_result result,
                                      const char *message);

/**
 * The version of the running library: major << 16 | minor << 8 | patch. P2PCHAN_VERSION_HEX is that
 * of the header.
 *
 * Threads: any. Errors: none.
 */
P2PCHAN_API uint32_t p2pchan_version_hex(void);

/**
 * The version of the running library as text, such as "0.1.0".
 *
 * Ownership: static text; never freed. Threads: any. Errors: none, never NULL.
 */
P2PCHAN_API const char *p2pchan_version(void);

/**
 * Sends the log of all nodes of the process to a function of the program: lines of this level and
 * below. The log never holds messages or subjects. Replaces what was set before; NULL, or the level
 * P2PCHAN_LOG_OFF, ends it. At first there is none.
 *
 * The function is called from any thread of the library, perhaps from several at once, and must not
 * call the library. It is no callback of a node: rules 4 to 6 do not count for it.
 *
 * Ownership: the function and its userdata must stay usable as long as the process lives, as another
 * thread may be about to call them. Threads: any. Errors: P2PCHAN_ERR_INVALID for an unknown level.
 */
P2PCHAN_API
p2pchan_result p2pchan_set_log(int level,
                               p2pchan_log log,
                               void *userdata);

/**
 * Makes a node; nothing is opened and nobody called before p2pchan_node_start. NULL for settings
 * means that all have their defaults; NULL for callbacks means none.
 *
 * Ownership: the node written to out is the caller's, see rule 1; settings and callbacks are copied
 * and may be given back at once. Threads: any. Errors: P2PCHAN_ERR_SETTINGS and P2PCHAN_ERR_IO for
 * settings that are wrong, or contradict each other; P2PCHAN_ERR_INVALID. If it fails, on_drop has
 * been called before it returns.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_new(const struct p2pchan_settings *settings,
                                const struct p2pchan_callbacks *callbacks,
                                struct p2pchan_node **out);

/**
 * Opens what the settings name, and nothing else. It reads files, but does not wait for the network.
 *
 * Threads: any. Errors: P2PCHAN_ERR_SETTINGS naming the key and the value; P2PCHAN_ERR_IO if
 * something cannot be opened, or a file not be read; then nothing is left open, and it may be started
 * again. P2PCHAN_ERR_INVALID if it was started already, P2PCHAN_ERR_CLOSED if it was stopped.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_start(struct p2pchan_node *node);

/**
 * Asks the node to end: announcements are withdrawn, what was sent goes out, remotes end (on_end
 * comes for each), and last on_event says "stopped". Nothing waits for that here. A node cannot be
 * started again.
 *
 * Threads: any. Errors: none beyond those of the rules.
 */
P2PCHAN_API p2pchan_result p2pchan_node_stop(struct p2pchan_node *node);

/**
 * Gives a node back: stops it and waits until all is closed and the last callback, on_drop, has
 * returned; timeouts.close and 6 s at most, and as long as callbacks take. With
 * callbacks = "dispatch" it runs the remaining ones itself. NULL is allowed.
 *
 * Ownership: the node is gone, unless it fails. Threads: any, see rule 1. Errors:
 * P2PCHAN_ERR_IN_CALLBACK; use p2pchan_node_release there.
 */
P2PCHAN_API p2pchan_result p2pchan_node_free(struct p2pchan_node *node);

/**
 * Gives a node back without waiting, from anywhere, also inside its own callbacks: for finalisers.
 * It ends in the background as with p2pchan_node_stop; with callbacks = "dispatch" no callback but
 * on_drop comes any more. on_drop comes last: on a thread of the library, or before this returns if
 * the node was not started. NULL is allowed.
 *
 * Ownership: the node is gone. Threads: any, see rule 1. Errors: none; in a forked child it does
 * nothing.
 */
P2PCHAN_API void p2pchan_node_release(struct p2pchan_node *node);

/**
 * A descriptor for poll, epoll and the like: readable while p2pchan_node_dispatch would find
 * something to do. Watch it for reading (level-triggered), and do nothing else with it.
 *
 * Ownership: the node's; it is closed with it. Threads: any. Errors: -1 if callbacks is not
 * "dispatch", or the operating system has no descriptor left.
 */
P2PCHAN_API int p2pchan_node_event_fd(const struct p2pchan_node *node);

/**
 * Runs callbacks: waits until there is something to do, at most so many milliseconds (0: not at all,
 * negative: for ever), and then does what there is to do at that moment. If another thread is in this
 * call, waits for that first.
 *
 * Threads: any, one at a time. Errors: P2PCHAN_OK also if time ran out; P2PCHAN_ERR_CLOSED once the
 * node has been stopped and the last callback but on_drop has returned; P2PCHAN_ERR_IN_CALLBACK;
 * P2PCHAN_ERR_INVALID if callbacks is not "dispatch".
 */
P2PCHAN_API
p2pchan_result p2pchan_node_dispatch(struct p2pchan_node *node,
                                     int timeout_ms);

/**
 * Writes the node's identity.
 *
 * Ownership: out is yours. Threads: any. Errors: P2PCHAN_ERR_INVALID before p2pchan_node_start.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_id(const struct p2pchan_node *node,
                               struct p2pchan_peer_id *out);

/**
 * Writes the addresses at which the node accepts connections at this moment, one on each line. `len`
 * gets the length without NUL; they are written to `out` only if they fit with a NUL into `cap`
 * bytes.
 *
 * Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_INVALID
 * before p2pchan_node_start.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_addresses(const struct p2pchan_node *node,
                                      char *out,
                                      size_t cap,
                                      size_t *len);

/**
 * Sends a message if there is room for it, without waiting. If there is none, on_writable comes once
 * there is.
 *
 * Ownership: the data is copied; NULL is allowed if it has no bytes. Threads: any. Errors:
 * P2PCHAN_ERR_WOULD_BLOCK, and then nothing was queued; P2PCHAN_ERR_TOO_BIG beyond limits.message of
 * either side; P2PCHAN_ERR_INVALID for text that is not UTF-8, for JSON that is none, and for JSON
 * null, which cannot travel by itself; P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_try_send(struct p2pchan_node *node,
                                       struct p2pchan_remote remote,
                                       p2pchan_kind kind,
                                       const uint8_t *data,
                                       size_t len);

/**
 * Sends messages in their order, without waiting, until there is no room for the next: one call for
 * many. How many were sent is written to `sent`, also if it fails; if it fails with
 * P2PCHAN_ERR_WOULD_BLOCK, on_writable comes once there is room.
 *
 * Ownership: the messages are copied. Threads: any. Errors: as p2pchan_remote_try_send, for the first
 * message that was not sent.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_try_send_batch(struct p2pchan_node *node,
                                             struct p2pchan_remote remote,
                                             const struct p2pchan_message *messages,
                                             size_t count,
                                             size_t *sent);

/**
 * Sends a message, and waits for room at most so many milliseconds; for ever if it is negative. It
 * may be called inside a callback, but holds up all other callbacks of the node while it waits.
 *
 * Ownership: the data is copied; NULL is allowed if it has no bytes. Threads: any. Errors: as
 * p2pchan_remote_try_send, but P2PCHAN_ERR_TIMEOUT if there was no room in time; then nothing was
 * queued.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_send(struct p2pchan_node *node,
                                   struct p2pchan_remote remote,
                                   p2pchan_kind kind,
                                   const uint8_t *data,
                                   size_t len,
                                   int32_t timeout_ms);

/**
 * Takes no more messages from a remote: the peer may send until its window is full, then it waits.
 * Nothing comes of a paused remote, not even its end. A message that is being told on another thread
 * may still come.
 *
 * Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_pause(struct p2pchan_node *node,
                                    struct p2pchan_remote remote);

/**
 * Takes messages again.
 *
 * Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_resume(struct p2pchan_node *node,
                                     struct p2pchan_remote remote);

/**
 * Says that no more messages follow: what was sent goes out, then the peer learns it. What the peer
 * still sends is told as before; on_end comes when the peer has ended too and both have read
 * everything, or when for one to two times timeouts.close nothing was sent, received or taken.
 *
 * Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_end(struct p2pchan_node *node,
                                  struct p2pchan_remote remote);

/**
 * Ends a remote at once, whatever is under way, and tells the peer that this program does not want
 * it. on_end comes with P2PCHAN_ERR_REFUSED.
 *
 * Threads: any. Errors: P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_refuse(struct p2pchan_node *node,
                                     struct p2pchan_remote remote);

/**
 * Writes what is known of a remote at this moment. Set info->struct_size before.
 *
 * Ownership: info is yours. Threads: any. Errors: P2PCHAN_ERR_INVALID for a struct_size that is none,
 * P2PCHAN_ERR_CLOSED once the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_info(const struct p2pchan_node *node,
                                   struct p2pchan_remote remote,
                                   struct p2pchan_info *info);

/**
 * Writes the subject of a remote: the phrase, or a raw topic as 64 hexadecimal digits. `len` gets its
 * length without NUL; it is written to `out` only if it fits with its NUL into `cap` bytes.
 *
 * Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_CLOSED once
 * the remote has ended.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_subject(const struct p2pchan_node *node,
                                      struct p2pchan_remote remote,
                                      char *out,
                                      size_t cap,
                                      size_t *len);

/**
 * Attaches a pointer of the program to a remote. It is never followed; what it points to is the
 * program's, to be given back in on_end.
 *
 * Ownership: the pointer stays the program's. Threads: any. Errors: P2PCHAN_ERR_CLOSED once the
 * remote has ended and on_end has returned.
 */
P2PCHAN_API
p2pchan_result p2pchan_remote_set_userdata(struct p2pchan_node *node,
                                           struct p2pchan_remote remote,
                                           void *userdata);

/**
 * The pointer that was attached to a remote, also inside on_end.
 *
 * Ownership: the program's. Threads: any. Errors: NULL if none was, and once the remote has ended
 * and on_end has returned.
 */
P2PCHAN_API
void *p2pchan_remote_userdata(const struct p2pchan_node *node,
                              struct p2pchan_remote remote);

/**
 * Writes the remotes that are open to `out`, as many as fit into `cap` places, and to `count` how
 * many there are.
 *
 * Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: none beyond those of
 * the rules.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_remotes(const struct p2pchan_node *node,
                                    struct p2pchan_remote *out,
                                    size_t cap,
                                    size_t *count);

/**
 * A short English phrase for a code, also for one that this version does not know.
 *
 * Ownership: static text; never freed. Threads: any. Errors: none, never NULL.
 */
P2PCHAN_API const char *p2pchan_strerror(p2pchan_result code);

/**
 * Why the last call that failed on this thread failed: a sentence that names the thing, the value
 * and the fix; "" if none has failed yet. Calls that work do not change it.
 *
 * Ownership: the library's; valid until the next call on this thread that fails. Threads: any, each
 * has its own. Errors: none, never NULL.
 */
P2PCHAN_API const char *p2pchan_last_error(void);

/**
 * An empty table: every setting has its default.
 *
 * Ownership: the caller's, given back by p2pchan_settings_free. Threads: any. Errors: NULL if it
 * cannot be made.
 */
P2PCHAN_API struct p2pchan_settings *p2pchan_settings_new(void);

/**
 * Sets a key of the table of settings (docs/settings.md), such as "listen", to a value as text, such
 * as "0.0.0.0:8099", "16MiB", "5s" or "a, b". NULL sets it back to its default. One key exists in C
 * only: "callbacks", either "thread" (the default) or "dispatch"; see rule 6.
 *
 * Ownership: key and value are copied. Threads: any. Errors: P2PCHAN_ERR_SETTINGS, naming the key,
 * the value and what is allowed, or the nearest key; then the table is as it was.
 */
P2PCHAN_API
p2pchan_result p2pchan_settings_set(struct p2pchan_settings *settings,
                                    const char *key,
                                    const char *value);

/**
 * Reads settings from a TOML file as well; those set by p2pchan_settings_set or p2pchan_settings_json
 * stand above it. The file is read now, to check it, again by p2pchan_node_start, and whenever
 * p2pchan_node_reload is called. A second file takes the place of the first. "callbacks" does not
 * stand in files.
 *
 * Ownership: the path is copied. Threads: any. Errors: P2PCHAN_ERR_IO naming the file if it cannot be
 * read, P2PCHAN_ERR_SETTINGS naming the file and the line; then the table is as it was.
 */
P2PCHAN_API
p2pchan_result p2pchan_settings_load(struct p2pchan_settings *settings,
                                     const char *path);

/**
 * Sets all keys of a JSON object: nested objects are dotted keys, null sets a key back to its
 * default.
 *
 * Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is not JSON,
 * P2PCHAN_ERR_SETTINGS as p2pchan_settings_set; then nothing of it is set.
 */
P2PCHAN_API
p2pchan_result p2pchan_settings_json(struct p2pchan_settings *settings,
                                     const char *json);

/**
 * Gives a table back. Nodes made with it are not touched. NULL is allowed.
 *
 * Ownership: the table is gone. Threads: any, while no other call uses the table. Errors: none.
 */
P2PCHAN_API void p2pchan_settings_free(struct p2pchan_settings *settings);

/**
 * Writes all that the node has open and under way, as JSON; docs/status.md lists its names. `len`
 * gets the length without NUL; it is written to `out` only if it fits with its NUL into `cap` bytes.
 * It may have grown when you ask again with more room.
 *
 * Ownership: out is yours; NULL is allowed if cap is 0. Threads: any. Errors: P2PCHAN_ERR_INVALID
 * before p2pchan_node_start.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_status(const struct p2pchan_node *node,
                                   char *out,
                                   size_t cap,
                                   size_t *len);

/**
 * Writes all that is known of a peer or an address, as JSON: who found it, how each of the last dials
 * went, what is going on now (docs/status.md). `what` is a peer id, the first 8 or more digits of one,
 * or an address. Of what is not known it says so.
 *
 * Ownership, `out`, `cap`, `len`: as p2pchan_node_status. Threads: any. Errors: P2PCHAN_ERR_INVALID
 * for anything else, and before p2pchan_node_start.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_explain(const struct p2pchan_node *node,
                                    const char *what,
                                    char *out,
                                    size_t cap,
                                    size_t *len);

/**
 * Writes the settings of this moment as a JSON object that p2pchan_settings_json reads: every key with
 * its value, null where nothing is set. It holds the seed if identity is one.
 *
 * Ownership, `out`, `cap`, `len`: as p2pchan_node_status. Threads: any. Errors: P2PCHAN_ERR_INVALID
 * before p2pchan_node_start.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_settings(const struct p2pchan_node *node,
                                     char *out,
                                     size_t cap,
                                     size_t *len);

/**
 * Changes the settings while the node runs: those keys that were set in the table, no others; a key
 * set to NULL returns to what the settings file says, or to its default. What the settings name no
 * more is closed, what is new is opened, whatever stays is not touched. Updates are made one after the
 * other.
 *
 * Request: NULL, or where to write a number; on_result with it says how it went: P2PCHAN_ERR_SETTINGS
 * and P2PCHAN_ERR_IO leave everything as it was. Ownership: the settings are copied. Threads: any.
 * Errors: P2PCHAN_ERR_SETTINGS if the table names a settings file, or another value of callbacks;
 * P2PCHAN_ERR_INVALID before p2pchan_node_start; P2PCHAN_ERR_CLOSED once the node was stopped.
 */
P2PCHAN_API
p2pchan_result p2pchan_node_update(struct p2pchan_node *node,
                                   const struct p2pchan_settings *settings,
                                   uint64_t *request);

/**
 * Reads the settings file again (p2pchan_settings_load): what it says now replaces what it said
 * before. What the program has set stands above it.
 *
 * Request: as p2pchan_node_update; on_result also says P2PCHAN_ERR_SETTINGS if there is no settings
 * file, and P2PCHAN_ERR_IO if it cannot be read. Threads: any. Errors: P2PCHAN_ERR_INVALID before
 * p2pchan_node_start; P2PCHAN_ERR_CLOSED once the node was stopped.
 */
P2PCHAN_API p2pchan_result p2pchan_node_reload(struct p2pchan_node *node, uint64_t *request);

/**
 * Announces a subject, a phrase of 1 to 256 bytes, and looks for others who have it: on_remote comes
 * for each. With a secret, of the same form, only those who have that too get a remote; NULL for none.
 * Discovering a subject again changes nothing.
 *
 * Request: NULL, or where to write a number; on_result with it comes when others can find this node.
 * Ownership: the texts are copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a malformed subject,
 * or one that is discovered with another secret; P2PCHAN_ERR_REFUSED beyond limits.subjects, or if
 * 4096 requests wait for their answers (then the subject is discovered all the same);
 * P2PCHAN_ERR_CLOSED once the node was stopped.
 */
P2PCHAN_API
p2pchan_result p2pchan_discover(struct p2pchan_node *node,
                                const char *subject,
                                const char *secret,
                                uint64_t *request);

/**
 * As p2pchan_discover, for 32 bytes that are as strong as a key.
 *
 * Request, ownership, threads, errors: as p2pchan_discover.
 */
P2PCHAN_API
p2pchan_result p2pchan_discover_topic(struct p2pchan_node *node,
                                      const uint8_t *topic,
                                      uint64_t *request);

/**
 * Withdraws a subject's announcement and stops looking, unless the setting subjects names it too.
 * Open remotes live on. A subject that is not discovered is left so.
 *
 * Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for a malformed subject.
 */
P2PCHAN_API p2pchan_result p2pchan_stop_discover(struct p2pchan_node *node, const char *subject);

/**
 * As p2pchan_stop_discover, for the 32 bytes of p2pchan_discover_topic.
 *
 * Ownership: the bytes are copied. Threads: any. Errors: as p2pchan_stop_discover.
 */
P2PCHAN_API
p2pchan_result p2pchan_stop_discover_topic(struct p2pchan_node *node,
                                           const uint8_t *topic);

/**
 * Dials an address now, such as "192.0.2.7:8099" or "tcp://192.0.2.7:8099", and offers all
 * subjects of this node. What comes of it is told by on_remote, as for all remotes.
 *
 * Request: NULL, or where to write a number; on_result with it comes when the remote is open
 * (after on_remote), or says why it could not be: P2PCHAN_ERR_SETTINGS if no subject is discovered or
 * the node is paused, P2PCHAN_ERR_CLOSED if the peer is connected already, P2PCHAN_ERR_AUTH if no
 * subject is common, P2PCHAN_ERR_TIMEOUT, P2PCHAN_ERR_IO and so on if it cannot be reached.
 * Ownership: the text is copied. Threads: any. Errors: P2PCHAN_ERR_INVALID for what is no address,
 * P2PCHAN_ERR_REFUSED if 4096 requests wait for their answers.
 */
P2PCHAN_API
p2pchan_result p2pchan_connect(struct p2pchan_node *node,
                               const char *address,
                               uint64_t *request);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* P2PCHAN_H */
