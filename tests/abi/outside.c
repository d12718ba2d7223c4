/* A program that knows nothing but the installed header and library. */
#include <p2pchan.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    p2pchan_settings *settings = p2pchan_settings_new();

    if (p2pchan_version_hex() != P2PCHAN_VERSION_HEX) {
        fprintf(stderr, "the header is not of the library %s\n", p2pchan_version());
        return 1;
    }
    if (p2pchan_settings_set(settings, "listen", "127.0.0.1:0") != P2PCHAN_OK) {
        fprintf(stderr, "%s\n", p2pchan_last_error());
        return 1;
    }
    if (p2pchan_settings_set(settings, "lissten", "127.0.0.1:0") != P2PCHAN_ERR_SETTINGS
        || strstr(p2pchan_last_error(), "listen") == NULL) {
        fprintf(stderr, "a key that does not exist: %s\n", p2pchan_last_error());
        return 1;
    }
    p2pchan_settings_free(settings);
    return 0;
}
