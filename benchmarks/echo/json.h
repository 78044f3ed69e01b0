// Finds members of JSON objects as raw bytes. It checks the structure that it walks over, not the whole grammar.
#ifndef MCP_ECHO_JSON_H
#define MCP_ECHO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

// Raw bytes of a JSON value; `bytes` is NULL when there is none.
typedef struct {
    const char *bytes;
    size_t count;
} Slice;

typedef struct {
    const char *name;
    Slice value;   // filled by json_members
} Member;

// Looks up `members` in the object that `text` holds, in one pass; the last of duplicate keys wins, keys are compared unescaped.
// Returns false when `text` is not one well-nested object.
bool json_members(Slice text, Member *members, size_t count);

// Whether `value` is the JSON string `text`, which must need no escapes.
static inline bool json_is(Slice value, const char *text) {
    size_t count = strlen(text);
    return value.bytes && value.count == count + 2 && value.bytes[0] == '"' && memcmp(value.bytes + 1, text, count) == 0;
}

static inline bool json_is_string(Slice value) { return value.bytes && value.count >= 2 && value.bytes[0] == '"'; }

#endif
