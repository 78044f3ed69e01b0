// The requests of an MCP client as HTTP bytes. Each function returns the length of what it wrote into `out`.
#ifndef MCP_BENCH_LOAD_REQUESTS_H
#define MCP_BENCH_LOAD_REQUESTS_H

#include "client.h"

typedef struct {
    const char *path;
    uint16_t port;
    const char *tool;
} Endpoint;

size_t request_get(char out[request_bytes], const Endpoint *endpoint, const char *accept, const char *session);
size_t request_initialize(char out[request_bytes], const Endpoint *endpoint);
size_t request_initialized(char out[request_bytes], const Endpoint *endpoint, const char *session);
size_t request_list(char out[request_bytes], const Endpoint *endpoint, const char *session);
// Calls the tool with the message `message <connection>-<id>`.
size_t request_call(char out[request_bytes], const Endpoint *endpoint, const Connection *connection);

// Each ends the process when the response is not the one that the specification asks for.
void check_initialize(Connection *connection, const Response *response);   // and keeps the session id
void check_initialized(const Connection *connection, const Response *response);
void check_list(const Connection *connection, const Response *response);
void check_call(const Connection *connection, const Response *response);
void check_status(const Connection *connection, const Response *response, int status);

#endif
