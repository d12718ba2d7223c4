/* What the test programs share. */
#ifndef CHECK_H
#define CHECK_H
#include <p2pchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition,         \
                    p2pchan_last_error());                                                         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define OK(call) CHECK((call) == P2PCHAN_OK)

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
#endif
