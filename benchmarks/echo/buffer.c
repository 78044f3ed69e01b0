#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>

void buffer_reserve(Buffer *buffer, size_t count) {
    if (buffer->capacity - buffer->end >= count) return;
    if (buffer->start > 0) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer_count(buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
        if (buffer->capacity - buffer->end >= count) return;
    }
    if (count > (size_t)-1 / 4 - buffer->end) {
        fprintf(stderr, "mcp-echo: a buffer of %zu bytes cannot grow by %zu\n", buffer->end, count);
        exit(1);
    }
    size_t capacity = buffer->capacity ? buffer->capacity : 4096;
    while (capacity - buffer->end < count) capacity *= 2;
    char *bytes = realloc(buffer->bytes, capacity);
    if (!bytes) {
        fprintf(stderr, "mcp-echo: no memory for a buffer of %zu bytes\n", capacity);
        exit(1);
    }
    buffer->bytes = bytes;
    buffer->capacity = capacity;
}

void buffer_append(Buffer *buffer, const char *bytes, size_t count) {
    if (count == 0) return;
    buffer_reserve(buffer, count);
    memcpy(buffer->bytes + buffer->end, bytes, count);
    buffer->end += count;
}

void buffer_append_number(Buffer *buffer, size_t number) {
    char digits[24];
    size_t position = sizeof digits;
    do {
        digits[--position] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(buffer, digits + position, sizeof digits - position);
}

void buffer_consume(Buffer *buffer, size_t count) {
    buffer->start += count;
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
}

void buffer_free(Buffer *buffer) {
    free(buffer->bytes);
    *buffer = (Buffer){0};
}
