// The two ways to reach the echo server. Each returns the exit code of the process.
#ifndef MCP_ECHO_TRANSPORTS_H
#define MCP_ECHO_TRANSPORTS_H

#include <stddef.h>
#include <stdint.h>

// The longest message that is taken, in bytes.
enum { maximum_message_bytes = 64 << 20 };

// Newline-delimited JSON-RPC on stdin and stdout until stdin ends.
int serve_stdio(void);

// HTTP/1.1 with keep-alive on 127.0.0.1: each POST carries one message. Port 0 lets the system choose; the line
// `listening on 127.0.0.1:PORT` on stdout tells which.
int serve_http(uint16_t port);

#endif
