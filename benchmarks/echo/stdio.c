#include "mcp.h"
#include "transports.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { read_bytes = 64 << 10 };

static bool write_all(Buffer *out) {
    while (buffer_count(out) > 0) {
        ssize_t count = write(STDOUT_FILENO, buffer_head(out), buffer_count(out));
        if (count >= 0) buffer_consume(out, (size_t)count);
        else if (errno != EINTR) return false;
    }
    return true;
}

static void handle_line(const char *line, size_t count, Buffer *out) {
    if (count > 0 && line[count - 1] == '\r') count--;
    if (count == 0) return;
    if (mcp_handle((Slice){line, count}, out) != mcp_nothing) buffer_append(out, "\n", 1);
}

int serve_stdio(void) {
    Buffer in = {0}, out = {0};
    size_t scanned = 0;   // unconsumed bytes that are known to hold no line end: a long line is searched once
    for (;;) {
        buffer_reserve(&in, read_bytes);
        ssize_t count = read(STDIN_FILENO, in.bytes + in.end, in.capacity - in.end);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) {
            perror("mcp-echo: cannot read stdin");
            return 1;
        }
        if (count == 0) break;
        in.end += (size_t)count;
        for (;;) {
            const char *head = buffer_head(&in);
            const char *end = memchr(head + scanned, '\n', buffer_count(&in) - scanned);
            if (!end) break;
            handle_line(head, (size_t)(end - head), &out);
            buffer_consume(&in, (size_t)(end - head) + 1);
            scanned = 0;
            if (buffer_count(&in) == 0) break;
        }
        scanned = buffer_count(&in);
        // One write answers everything that one read brought.
        if (!write_all(&out)) return 0;   // the reader has gone
        if (scanned > maximum_message_bytes) {
            fprintf(stderr, "mcp-echo: a line is longer than %d bytes\n", maximum_message_bytes);
            return 1;
        }
    }
    if (buffer_count(&in) > 0) handle_line(buffer_head(&in), buffer_count(&in), &out);
    write_all(&out);
    buffer_free(&in);
    buffer_free(&out);
    return 0;
}
