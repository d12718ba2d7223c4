/* What the test programs share. Each is a list of behaviours:
 *
 *     program             runs all, each in a process of its own
 *     program --list      says their names, one on each line
 *     program NAME        runs one
 *
 * CHECK_SHARE, 1 to 100 (percent), makes slow ones shorter under tools that slow everything down. */
#ifndef CHECK_H
#define CHECK_H
#include <p2pchan.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef LAST_ERROR
#define LAST_ERROR p2pchan_last_error
#endif
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition,         \
                    LAST_ERROR());                                                         \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)
#define OK(call) CHECK((call) == P2PCHAN_OK)
/* The call fails with this code, and the last error says something that has such a word in it. */
#define FAILS(code, word, call)                                                                    \
    do {                                                                                           \
        CHECK((call) == P2PCHAN_ERR_##code);                                                       \
        CHECK(strstr(p2pchan_last_error(), word));                                                 \
    } while (0)

/* Generous: it only has to be shorter than the patience of whoever runs the tests. */
#define DEADLINE_SECONDS 120

/* Waits for something that no callback tells of. */
#define POLL(condition)                                                                            \
    do {                                                                                           \
        int left = DEADLINE_SECONDS * 1000;                                                        \
        while (!(condition)) {                                                                     \
            CHECK(left-- > 0 && #condition);                                                       \
            usleep(1000);                                                                          \
        }                                                                                          \
    } while (0)

/* How often, when everything is slow. */
static inline int check_share(int times)
{
    const char *share = getenv("CHECK_SHARE");
    int scaled = share ? times * atoi(share) / 100 : times;
    return scaled > 0 ? scaled : 1;
}

/* A node that is not started. NULL for listen: it does not. */
static inline p2pchan_node *check_node(const p2pchan_callbacks *callbacks, const char *listen,
                                       const char *mode)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node = NULL;
    OK(p2pchan_settings_set(settings, "callbacks", mode));
    OK(p2pchan_settings_set(settings, "listen", listen));
    OK(p2pchan_node_new(settings, callbacks, &node));
    p2pchan_settings_free(settings);
    return node;
}

/* Waits for a child, which has to end well and in time. */
static inline void check_child(pid_t child)
{
    int status = -1;
    pid_t ended = 0;
    POLL((ended = waitpid(child, &status, WNOHANG)) != 0);
    CHECK(ended == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return;
    fprintf(stderr, "the child ended with %s %d\n", WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    _exit(1);
}

/* Where this program is, to run it again. */
static char *check_program;

typedef struct {
    const char *name;
    void (*run)(void);
} behaviour;
#define BEHAVIOUR(name) {#name, name}

static inline void check_all(const behaviour *all, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(check_program, check_program, all[i].name, (char *)NULL);
            _exit(1);
        }
        fprintf(stderr, "%s\n", all[i].name);
        check_child(child);
    }
}

static inline int check_main(int argc, char **argv, const behaviour *all, size_t count)
{
    size_t i;
    check_program = argv[0];
    if (argc == 1) {
        check_all(all, count);
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (!strcmp(argv[1], "--list"))
            puts(all[i].name);
        if (!strcmp(argv[1], all[i].name)) {
            all[i].run();
            return 0;
        }
    }
    return strcmp(argv[1], "--list") != 0;
}
#define MAIN(...)                                                                                  \
    static const behaviour behaviours[] = {__VA_ARGS__};                                           \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return check_main(argc, argv, behaviours, sizeof behaviours / sizeof *behaviours);         \
    }
#endif
