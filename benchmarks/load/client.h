// HTTP/1.1 connections on one thread: each has at most one request in flight, or is an event stream.
#ifndef MCP_BENCH_LOAD_CLIENT_H
#define MCP_BENCH_LOAD_CLIENT_H

#include "response.h"

#include <stdint.h>

enum { request_bytes = 1024 };

typedef struct {
    int descriptor;       // -1: not connected
    unsigned number;
    bool waiting;         // for a response
    bool wants_stream;    // the request is for an event stream: its head is the response
    bool streaming;       // the head of an event stream has come; what follows is counted and dropped
    unsigned step;        // the mode's own
    uint64_t id;          // the mode's own: of the JSON-RPC request in flight
    uint64_t sent_at;     // nanoseconds
    char session[session_id_bytes + 1];
    char *in;
    size_t in_count, in_capacity;
} Connection;

typedef struct Client {
    uint16_t port;
    uint64_t timeout;     // nanoseconds for one response
    int poll;
    Connection *connections;
    unsigned count;
    uint64_t checked_at;
    size_t streams_open;
    void *context;        // of the mode
    // A response is complete, or, for an event stream, its head.
    void (*on_response)(struct Client *client, Connection *connection, const Response *response, uint64_t now);
} Client;

uint64_t now_nanoseconds(void);

// `count` connections that are not yet connected. Their addresses stay valid.
void client_start(Client *client, unsigned count);
void client_connect(Client *client, Connection *connection);
void client_close(Client *client, Connection *connection);
void client_send(Client *client, Connection *connection, const char *request, size_t count);
// Waits up to `milliseconds` and calls `on_response` for what came. Returns whether stdin has something to read.
bool client_poll(Client *client, int milliseconds);
// Makes client_poll look at stdin too.
void client_watch_stdin(Client *client);

#endif
