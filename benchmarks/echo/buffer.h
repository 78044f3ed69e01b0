// A growable run of bytes with a read position: what is read from or waits to be written to a descriptor.
#ifndef MCP_ECHO_BUFFER_H
#define MCP_ECHO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct {
    char *bytes;
    size_t start;     // first byte that is not consumed
    size_t end;       // one past the last byte
    size_t capacity;
} Buffer;

static inline size_t buffer_count(const Buffer *buffer) { return buffer->end - buffer->start; }
static inline const char *buffer_head(const Buffer *buffer) { return buffer->bytes + buffer->start; }

// Makes room for `count` more bytes. Ends the process when memory is exhausted: nothing useful can follow.
void buffer_reserve(Buffer *buffer, size_t count);
void buffer_append(Buffer *buffer, const char *bytes, size_t count);
// `text` is a string literal or any other terminated string.
static inline void buffer_append_text(Buffer *buffer, const char *text) { buffer_append(buffer, text, strlen(text)); }
void buffer_append_number(Buffer *buffer, size_t number);
void buffer_consume(Buffer *buffer, size_t count);
void buffer_free(Buffer *buffer);

#endif
