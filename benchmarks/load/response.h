// Reads one HTTP/1.1 response out of the bytes that have come so far.
#ifndef MCP_BENCH_LOAD_RESPONSE_H
#define MCP_BENCH_LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

enum { session_id_bytes = 128 };

typedef struct {
    int status;
    bool has_head;                // status and headers are valid, though the body may still be coming
    bool closes;                  // the server closes the connection after it
    bool is_event_stream;
    char session[session_id_bytes + 1];   // of Mcp-Session-Id; empty when there is none
    const char *body;             // without chunk framing; valid until the next call
    size_t body_count;
    size_t total_count;           // bytes of the whole response
} Response;

typedef enum { response_incomplete, response_complete, response_malformed } ResponseState;

// `ended`: the server has closed its side, so that a body without a length is complete.
ResponseState response_parse(const char *bytes, size_t count, bool ended, Response *response);

#endif
