/* p2pchan.h - find others who share a subject, and talk to them over encrypted channels.
 *
 * Generated from the sources in ffi/ by `make header`; do not edit.
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
 * A table of settings: text keys and their values, for p2pchan_node_new and p2pchan_node_update.
 */
typedef struct p2pchan_settings p2pchan_settings;

/**
 * How a call went: P2PCHAN_OK, or what went wrong. Later versions may have further codes.
 */
typedef int32_t p2pchan_result;

/**
 * A line of the log: its level, and one line of text without a line end.
 */
typedef void (*p2pchan_log)(void *userdata, int level, const char *line);

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

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* P2PCHAN_H */
