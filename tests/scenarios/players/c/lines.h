/* Orders and answers: JSON objects, one on each line. An order has no spaces but those inside of texts. */
#ifndef LINES_H
#define LINES_H
#include <p2pchan.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* Behind a value. */
static const char *skip(const char *at)
{
    int depth = 0;
    do {
        if (*at == '"')
            for (at++; *at != '"'; at++)
                at += *at == '\\';
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at++;
    } while (depth || !strchr(",}]", *at));
    return at;
}

/* The value of a member, NULL if it is not there; everything is written without spaces. */
static const char *member(const char *object, const char *name)
{
    size_t length = strlen(name);
    const char *at = object + 1;
    while (*at == '"') {
        const char *value = strchr(at, ':') + 1;
        if (!strncmp(at + 1, name, length) && at[length + 1] == '"')
            return value;
        at = skip(value);
        at += *at == ',';
    }
    return NULL;
}

/* A copy of the value as it is written. */
static char *raw(const char *object, const char *name)
{
    const char *value = member(object, name);
    return value ? strndup(value, skip(value) - value) : NULL;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = code;
    } else if (code < 0x800) {
        *to++ = 0xc0 | code >> 6;
        *to++ = 0x80 | (code & 0x3f);
    } else {
        *to++ = 0xe0 | code >> 12;
        *to++ = 0x80 | (code >> 6 & 0x3f);
        *to++ = 0x80 | (code & 0x3f);
    }
    return to;
}

/* The text of a member, and its length, as it may hold NUL; NULL if it is not there. */
static char *text(const char *object, const char *name, size_t *length)
{
    static const char letters[] = "nrtbf", meant[] = "\n\r\t\b\f";
    const char *at = member(object, name);
    char *copy, *to;
    if (!at)
        return NULL;
    to = copy = malloc(skip(at) - at + 1);
    for (at++; *at != '"'; at++) {
        const char *letter;
        unsigned code;
        if (*at != '\\') {
            *to++ = *at;
        } else if (*++at == 'u') {
            sscanf(at + 1, "%4x", &code);
            to = put_utf8(to, code);
            at += 4;
        } else {
            letter = strchr(letters, *at);
            *to++ = letter ? meant[letter - letters] : *at;
        }
    }
    *to = 0;
    if (length)
        *length = to - copy;
    return copy;
}

static unsigned long long number(const char *object, const char *name, unsigned long long otherwise)
{
    const char *value = member(object, name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static void print_text(const char *text, size_t length)
{
    size_t i;
    putchar('"');
    for (i = 0; i < length; i++) {
        unsigned char byte = text[i];
        if (byte < 0x20)
            printf("\\u%04x", byte);
        else
            printf(byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    }
    putchar('"');
}

/* Answers: what is printed between answer and done is one line. */

static void answer(const char *order)
{
    pthread_mutex_lock(&output);
    printf("{\"order\":%llu", number(order, "order", 0));
}

static void done(void)
{
    puts("}");
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static const char *code_name(p2pchan_result code)
{
    static const char *names[] = {"OK",          "INVALID", "SETTINGS", "CLOSED", "TIMEOUT",
                                  "WOULD_BLOCK", "REFUSED", "AUTH",     "TOO_BIG", "IO",
                                  "IN_CALLBACK", "INTERNAL", "FORKED",  "PROTOCOL"};
    return code <= 0 && code >= P2PCHAN_ERR_PROTOCOL ? names[-code] : "UNKNOWN";
}

static void fail(const char *order, p2pchan_result code, const char *why)
{
    answer(order);
    printf(",\"error\":\"%s\",\"message\":", code_name(code));
    print_text(why, strlen(why));
    done();
}

/* Answers with nothing, or with why it failed. */
static void conclude(const char *order, p2pchan_result code)
{
    if (code) {
        fail(order, code, p2pchan_last_error());
    } else {
        answer(order);
        done();
    }
}
#endif
