#include "json.h"

enum { maximum_depth = 512 };

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

// `at` is behind the opening quote; returns the position behind the closing one, or NULL.
static const char *skip_string(const char *at, const char *end) {
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote) return NULL;
        const char *escape = memchr(at, '\\', (size_t)(quote - at));
        if (!escape) return quote + 1;
        if (end - escape < 2) return NULL;
        at = escape + 2;
    }
    return NULL;
}

static const char *skip_scalar(const char *at, const char *end) {
    const char *start = at;
    while (at < end && ((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || *at == '-' || *at == '+' || *at == '.' || *at == 'E')) at++;
    return at == start ? NULL : at;
}

static const char *skip_value(const char *at, const char *end) {
    if (at == end) return NULL;
    if (*at == '"') return skip_string(at + 1, end);
    if (*at != '{' && *at != '[') return skip_scalar(at, end);
    char open[maximum_depth];
    size_t depth = 0;
    while (at < end) {
        char byte = *at++;
        switch (byte) {
            case '"':
                at = skip_string(at, end);
                if (!at) return NULL;
                break;
            case '{':
            case '[':
                if (depth == maximum_depth) return NULL;
                open[depth++] = byte;
                break;
            case '}':
            case ']':
                // The brackets of each kind are two apart in ASCII.
                if (open[--depth] + 2 != byte) return NULL;
                if (depth == 0) return at;
                break;
            default:
                break;
        }
    }
    return NULL;
}

bool json_members(Slice text, Member *members, size_t count) {
    for (size_t index = 0; index < count; index++) members[index].value = (Slice){0};
    const char *end = text.bytes + text.count;
    const char *at = skip_space(text.bytes, end);
    if (at == end || *at++ != '{') return false;
    at = skip_space(at, end);
    if (at < end && *at == '}') return skip_space(at + 1, end) == end;
    while (at < end) {
        if (*at != '"') return false;
        const char *key = at + 1;
        at = skip_string(key, end);
        if (!at) return false;
        size_t key_count = (size_t)(at - 1 - key);
        at = skip_space(at, end);
        if (at == end || *at++ != ':') return false;
        const char *value = skip_space(at, end);
        at = skip_value(value, end);
        if (!at) return false;
        for (size_t index = 0; index < count; index++) {
            if (strlen(members[index].name) == key_count && memcmp(members[index].name, key, key_count) == 0) {
                members[index].value = (Slice){value, (size_t)(at - value)};
            }
        }
        at = skip_space(at, end);
        if (at == end) return false;
        if (*at == '}') return skip_space(at + 1, end) == end;
        if (*at++ != ',') return false;
        at = skip_space(at, end);
    }
    return false;
}
