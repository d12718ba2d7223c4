/* Errors that the tool has to find, or it is not in. Each ends well if nobody notices. */
#include "side.h"

static void use_after_free(void)
{
    char *data = malloc(8), *volatile gone = data;
    free(data);
    CHECK(p2pchan_settings_json(NULL, "{}") && gone[1] != 77);
}

/* The library reads what was given back: seen only if its own use of memory is watched. */
static void the_library_uses_after_free(void)
{
    p2pchan_settings *settings = p2pchan_settings_new();
    char *key = strdup("listen"), *volatile gone = key;
    free(key);
    p2pchan_settings_set(settings, gone, "127.0.0.1:0");
    p2pchan_settings_free(settings);
}

/* What the library has made, and nobody gave back. */
static void leak_of_settings(void)
{
    int i;
    /* Several, as a register may still hold the last. */
    for (i = 0; i < 16; i++)
        CHECK(p2pchan_settings_new());
}

static int counter;
static void *count(void *argument)
{
    (void)argument;
    counter++;
    return NULL;
}

static void race(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, count, NULL);
    counter++;
    pthread_join(thread, NULL);
}

static char text[64];
static void *write_text(void *argument)
{
    int i;
    (void)argument;
    for (i = 0; i < 63; i++)
        text[i] = 'x';
    return NULL;
}

/* The library reads text that another thread writes: seen only if its own code is instrumented. */
static void race_with_the_library(void)
{
    static side near, far;
    pthread_t thread;
    side_pair(&near, &far);
    pthread_create(&thread, NULL, write_text, NULL);
    p2pchan_remote_try_send(near.node, near.remote, P2PCHAN_TEXT, (uint8_t *)text, 63);
    pthread_join(thread, NULL);
    side_part(&near, &far);
}

static const behaviour memory[] = {BEHAVIOUR(use_after_free),
                                   BEHAVIOUR(the_library_uses_after_free),
                                   BEHAVIOUR(leak_of_settings)};
static const behaviour races[] = {BEHAVIOUR(race), BEHAVIOUR(race_with_the_library)};

int main(int argc, char **argv)
{
    int threads = argc > 2 && !strcmp(argv[2], "tsan");
    /* Listed for one tool, run for any. */
    if (argc > 2)
        return threads ? check_main(argc, argv, races, 2) : check_main(argc, argv, memory, 3);
    return check_main(argc, argv, races, 2) && check_main(argc, argv, memory, 3);
}
