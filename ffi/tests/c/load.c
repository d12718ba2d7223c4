/* The library as a plug-in has it: loaded and unloaded while the process runs. */
#include <dlfcn.h>
#define LAST_ERROR dlerror
#include "check.h"

static void *opened(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    CHECK(library);
    return library;
}

static int dropped;
static void on_drop(void *userdata) { (void)userdata, dropped++; }

static p2pchan_result (*node_new)(const p2pchan_settings *, const p2pchan_callbacks *,
                                  p2pchan_node **);
static p2pchan_result (*node_start)(p2pchan_node *);
static p2pchan_result (*node_free)(p2pchan_node *);

static void find(void *library)
{
    *(void **)&node_new = dlsym(library, "p2pchan_node_new");
    *(void **)&node_start = dlsym(library, "p2pchan_node_start");
    *(void **)&node_free = dlsym(library, "p2pchan_node_free");
    CHECK(node_new && node_start && node_free);
}

static p2pchan_node *made(void)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_node *node = NULL;
    callbacks.on_drop = on_drop;
    CHECK(!node_new(NULL, &callbacks, &node) && !node_start(node));
    return node;
}

static int is_mapped(void)
{
    char line[4096];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, "libp2pchan") != NULL;
    fclose(maps);
    return found;
}

static void a_library_that_is_unloaded_stays_and_so_do_its_nodes(void)
{
    int round;
    CHECK(!is_mapped());
    for (round = 0; round < 20; round++) {
        void *library = opened();
        find(library);
        p2pchan_node *node = made();
        dlclose(library);
        CHECK(is_mapped());
        /* Its threads run on, and what was found in it still works. */
        CHECK(!node_free(node) && dropped == 2 * round + 1);
        node = made();
        CHECK(!node_free(node) && dropped == 2 * round + 2);
    }
}

static void a_process_may_end_after_it_unloaded_a_library_with_a_live_node(void)
{
    void *library = opened();
    find(library);
    made();
    dlclose(library);
}

MAIN(BEHAVIOUR(a_library_that_is_unloaded_stays_and_so_do_its_nodes),
     BEHAVIOUR(a_process_may_end_after_it_unloaded_a_library_with_a_live_node))
