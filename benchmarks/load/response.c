#include "response.h"

#include "failure.h"

#include <string.h>
#include <strings.h>

typedef struct {
    bool chunked, has_length;
    size_t length;
} Framing;

static bool is_name(const char *name, size_t count, const char *expected) {
    return strlen(expected) == count && strncasecmp(name, expected, count) == 0;
}

static bool parse_decimal(const char *text, size_t count, size_t *number) {
    *number = 0;
    for (size_t index = 0; index < count; index++) {
        if (text[index] < '0' || text[index] > '9' || *number > (1u << 30)) return false;
        *number = *number * 10 + (size_t)(text[index] - '0');
    }
    return count > 0;
}

static bool parse_field(const char *name, size_t name_count, const char *value, size_t count, Response *response, Framing *framing) {
    if (is_name(name, name_count, "content-length")) {
        framing->has_length = true;
        return parse_decimal(value, count, &framing->length);
    }
    if (is_name(name, name_count, "transfer-encoding")) {
        framing->chunked = is_name(value, count, "chunked");
        return framing->chunked;
    }
    if (is_name(name, name_count, "connection")) response->closes = is_name(value, count, "close");
    if (is_name(name, name_count, "content-type")) {
        response->is_event_stream = count >= 17 && strncasecmp(value, "text/event-stream", 17) == 0;
    }
    if (is_name(name, name_count, "mcp-session-id")) {
        if (count > session_id_bytes) return false;
        memcpy(response->session, value, count);
        response->session[count] = '\0';
    }
    return true;
}

// `bytes` is the head with the empty line that ends it.
static bool parse_head(const char *bytes, size_t count, Response *response, Framing *framing) {
    const char *end = bytes + count - 2;
    if (count < 15 || memcmp(bytes, "HTTP/1.1 ", 9) != 0) return false;
    size_t status;
    if (!parse_decimal(bytes + 9, 3, &status)) return false;
    response->status = (int)status;
    const char *line = (const char *)memchr(bytes, '\n', count) + 1;
    while (line < end) {
        const char *line_end = memchr(line, '\r', (size_t)(end - line));
        if (!line_end) return false;
        const char *colon = memchr(line, ':', (size_t)(line_end - line));
        if (!colon) return false;
        const char *value = colon + 1;
        while (value < line_end && *value == ' ') value++;
        const char *value_end = line_end;
        while (value_end > value && value_end[-1] == ' ') value_end--;
        if (!parse_field(line, (size_t)(colon - line), value, (size_t)(value_end - value), response, framing)) return false;
        line = line_end + 2;
    }
    response->has_head = true;
    return true;
}

// Where chunks are put together; one response is looked at at a time.
static char *chunks;
static size_t chunks_capacity;

static ResponseState parse_chunks(const char *body, size_t count, size_t head_count, Response *response) {
    const char *at = body, *end = body + count;
    response->body_count = 0;
    if (chunks_capacity < count) {
        chunks_capacity = count * 2;
        chunks = grow(chunks, chunks_capacity, 1);
    }
    response->body = chunks;
    for (;;) {
        size_t size = 0, digits = 0;
        for (; at < end && digits <= 7; at++, digits++) {
            unsigned digit = *at >= '0' && *at <= '9' ? (unsigned)(*at - '0')
                : (*at | 32) >= 'a' && (*at | 32) <= 'f' ? (unsigned)((*at | 32) - 'a' + 10)
                : 16u;
            if (digit == 16) break;
            size = size * 16 + digit;
        }
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line_end) return response_incomplete;
        if (digits == 0 || digits > 7) return response_malformed;
        at = line_end + 1;
        if ((size_t)(end - at) < size + 2) return response_incomplete;
        // Trailers are not expected: the last chunk is followed by the empty line.
        if (at[size] != '\r' || at[size + 1] != '\n') return response_malformed;
        memcpy(chunks + response->body_count, at, size);
        response->body_count += size;
        at += size + 2;
        if (size == 0) {
            response->total_count = head_count + (size_t)(at - body);
            return response_complete;
        }
    }
}

ResponseState response_parse(const char *bytes, size_t count, bool ended, Response *response) {
    *response = (Response){0};
    const char *blank = memmem(bytes, count, "\r\n\r\n", 4);
    if (!blank) return ended ? response_malformed : response_incomplete;
    size_t head_count = (size_t)(blank - bytes) + 4;
    Framing framing = {0};
    if (!parse_head(bytes, head_count, response, &framing)) return response_malformed;
    const char *body = bytes + head_count;
    size_t available = count - head_count;
    if (framing.chunked) {
        ResponseState state = parse_chunks(body, available, head_count, response);
        return state == response_incomplete && ended ? response_malformed : state;
    }
    if (response->status == 204 || response->status == 304) framing.length = 0, framing.has_length = true;
    if (!framing.has_length) {
        framing.length = available;
        response->closes = true;
        if (!ended) return response_incomplete;
    }
    if (available < framing.length) return ended ? response_malformed : response_incomplete;
    response->body = body;
    response->body_count = framing.length;
    response->total_count = head_count + framing.length;
    return response_complete;
}
