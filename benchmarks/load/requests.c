#include "requests.h"

#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// The ids of calls have this many digits, so that every call is as long as the others.
enum { first_call_id = 100000000, digits_of_id = 9 };

static size_t checked(int count) {
    if (count < 0 || count >= request_bytes) fail("a request is longer than %d bytes; shorten the path", request_bytes);
    return (size_t)count;
}

static size_t post(char *out, const Endpoint *endpoint, const char *session, const char *body, size_t body_count) {
    char session_fields[256] = "";
    if (session && *session) {
        checked(snprintf(session_fields, sizeof session_fields, "Mcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-11-25\r\n", session));
    } else if (session) {
        strcpy(session_fields, "MCP-Protocol-Version: 2025-11-25\r\n");
    }
    return checked(snprintf(
        out, request_bytes,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
        "%sContent-Length: %zu\r\n\r\n%.*s",
        endpoint->path, endpoint->port, session_fields, body_count, (int)body_count, body));
}

size_t request_get(char out[request_bytes], const Endpoint *endpoint, const char *accept, const char *session) {
    char session_fields[256] = "";
    if (session) snprintf(session_fields, sizeof session_fields, "Mcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-11-25\r\n", session);
    return checked(snprintf(
        out, request_bytes, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: %s\r\n%s\r\n", endpoint->path, endpoint->port, accept,
        session_fields));
}

size_t request_initialize(char out[request_bytes], const Endpoint *endpoint) {
    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
        "\"clientInfo\":{\"name\":\"mcp-bench-load\",\"version\":\"1.0.0\"}}}";
    return post(out, endpoint, NULL, body, sizeof body - 1);
}

size_t request_initialized(char out[request_bytes], const Endpoint *endpoint, const char *session) {
    static const char body[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    return post(out, endpoint, session, body, sizeof body - 1);
}

size_t request_list(char out[request_bytes], const Endpoint *endpoint, const char *session) {
    static const char body[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";
    return post(out, endpoint, session, body, sizeof body - 1);
}

size_t request_call(char out[request_bytes], const Endpoint *endpoint, const Connection *connection) {
    char body[512];
    uint64_t id = first_call_id + connection->id;
    size_t count = checked(snprintf(
        body, sizeof body,
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
        "\"arguments\":{\"message\":\"message %03u-%" PRIu64 "\"}}}",
        id, endpoint->tool, connection->number, id));
    return post(out, endpoint, connection->session, body, count);
}

__attribute__((noreturn)) static void refuse(const Connection *connection, const Response *response, const char *expected) {
    int shown = (int)(response->body_count < 400 ? response->body_count : 400);
    fail(
        "connection %u: expected %s, got status %d with the body: %.*s", connection->number, expected, response->status, shown,
        response->body ? response->body : "");
}

static bool body_has(const Response *response, const char *text) {
    return response->body_count > 0 && memmem(response->body, response->body_count, text, strlen(text));
}

void check_status(const Connection *connection, const Response *response, int status) {
    char expected[32];
    snprintf(expected, sizeof expected, "status %d", status);
    if (response->status != status) refuse(connection, response, expected);
}

void check_initialize(Connection *connection, const Response *response) {
    if (response->status != 200 || !body_has(response, "\"protocolVersion\"") || !response->session[0]) {
        refuse(connection, response, "status 200, a protocolVersion and an Mcp-Session-Id header");
    }
    memcpy(connection->session, response->session, sizeof connection->session);
}

void check_initialized(const Connection *connection, const Response *response) { check_status(connection, response, 202); }

void check_list(const Connection *connection, const Response *response) {
    if (response->status != 200 || !body_has(response, "\"inputSchema\"")) refuse(connection, response, "status 200 and the list of tools");
}

// Both the id and the message come back, and they are this call's. The message tells a mix-up of sessions, too.
void check_call(const Connection *connection, const Response *response) {
    char id[32], message[48];
    snprintf(id, sizeof id, "%" PRIu64, first_call_id + connection->id);
    snprintf(message, sizeof message, "\"message %03u-%s\"", connection->number, id);
    bool has_id = false;
    const char *at = response->body, *end = response->body + response->body_count;
    while (response->body_count > 0 && !has_id && (at = memmem(at, (size_t)(end - at), id, digits_of_id))) {
        const char *before = at - 1;
        while (before > response->body && *before == ' ') before--;
        has_id = before >= response->body && *before == ':';
        at += digits_of_id;
    }
    if (response->status != 200 || !has_id || !body_has(response, message) || body_has(response, "\"isError\":true")) {
        refuse(connection, response, "the echo of the call");
    }
}
