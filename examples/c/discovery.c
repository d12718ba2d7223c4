/* A discovery service of one's own: programs that share a folder find each other there. Each leaves
 * its addresses in a file; a database, a web page or a pin-board works the same way.
 *
 *     cc discovery.c $(pkg-config --cflags --libs p2pchan) -o discovery
 *     ./discovery /srv/share "My Cool Service 1.0" 192.0.2.7:8099
 *
 * The last is where it listens, an address that the others can dial. The folder never sees the
 * subject: a file has the name of the subject's find_key and of the node's id. */
#include <dirent.h>
#include <p2pchan.h>
#include <stdio.h>
#include <string.h>

static void hex(char *out, const uint8_t *bytes, size_t count)
{
    while (count--)
        out += sprintf(out, "%02x", *bytes++);
}

/* Writes FOLDER/KEY.ID, where this node announces itself. */
static void own_file(char *out, size_t cap, const char *folder, p2pchan_node *node,
                     const p2pchan_topic *topic)
{
    p2pchan_peer_id id;
    char key[65], name[65];
    p2pchan_node_id(node, &id);
    hex(key, topic->find_key, sizeof topic->find_key);
    hex(name, id.bytes, sizeof id.bytes);
    snprintf(out, cap, "%s/%s.%s", folder, key, name);
}

static void announce(void *userdata, p2pchan_node *node, uint64_t request,
                     const p2pchan_topic *topic)
{
    char path[1024];
    FILE *file;
    own_file(path, sizeof path, userdata, node, topic);
    file = fopen(path, "w");
    if (file)
        fprintf(file, "%s\n", topic->addresses);
    if (file && fclose(file) == 0)
        p2pchan_discovery_done(node, request, P2PCHAN_OK, NULL);
    else
        p2pchan_discovery_done(node, request, P2PCHAN_ERR_IO, "cannot write to the folder");
}

/* Reports the addresses in all files for this subject; one's own among them does no harm. */
static void look_up(void *userdata, p2pchan_node *node, uint64_t request,
                    const p2pchan_topic *topic)
{
    char key[65], path[1024], address[96];
    DIR *folder = opendir(userdata);
    struct dirent *entry;
    FILE *file;
    hex(key, topic->find_key, sizeof topic->find_key);
    while (folder && (entry = readdir(folder))) {
        snprintf(path, sizeof path, "%s/%s", (char *)userdata, entry->d_name);
        if (strncmp(entry->d_name, key, 64) != 0 || !(file = fopen(path, "r")))
            continue;
        while (fscanf(file, "%95s", address) == 1)
            p2pchan_discovery_found(node, request, address);
        fclose(file);
    }
    if (folder)
        closedir(folder);
    p2pchan_discovery_done(node, request, folder ? P2PCHAN_OK : P2PCHAN_ERR_IO, NULL);
}

static void withdraw(void *userdata, p2pchan_node *node, uint64_t request,
                     const p2pchan_topic *topic)
{
    char path[1024];
    own_file(path, sizeof path, userdata, node, topic);
    remove(path);
    p2pchan_discovery_done(node, request, P2PCHAN_OK, NULL);
}

static void on_remote(void *userdata, p2pchan_node *node, p2pchan_remote remote,
                      const p2pchan_info *info, const char *subject)
{
    (void)userdata, (void)node, (void)remote, (void)subject;
    printf("found somebody at %s\n", info->address);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    p2pchan_callbacks callbacks = P2PCHAN_CALLBACKS_INIT;
    p2pchan_discovery folder = P2PCHAN_DISCOVERY_INIT;
    p2pchan_settings *settings = p2pchan_settings_new();
    p2pchan_node *node;
    if (argc != 4)
        return fprintf(stderr, "usage: discovery FOLDER SUBJECT LISTEN\n"), 2;
    callbacks.on_remote = on_remote;
    folder.name = "folder";
    folder.userdata = argv[1];
    folder.announce = announce;
    folder.look_up = look_up;
    folder.withdraw = withdraw;
    if (p2pchan_settings_set(settings, "listen", argv[3])
        || p2pchan_node_new(settings, &callbacks, &node)
        || p2pchan_node_add_discovery(node, &folder)
        || p2pchan_node_start(node) || p2pchan_discover(node, argv[2], NULL, NULL))
        return fprintf(stderr, "discovery: %s\n", p2pchan_last_error()), 1;
    p2pchan_settings_free(settings);
    while (getchar() != EOF) /* until the end of the input; then the announcement is withdrawn */
        continue;
    p2pchan_node_free(node);
    return 0;
}
