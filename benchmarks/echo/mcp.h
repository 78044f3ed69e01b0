// What an MCP server with one tool, `echo`, answers to one JSON-RPC message.
#ifndef MCP_ECHO_MCP_H
#define MCP_ECHO_MCP_H

#include "buffer.h"
#include "json.h"

typedef enum {
    mcp_nothing,      // a notification or a response: no answer was appended
    mcp_answer,       // an answer was appended
    mcp_initialized,  // the answer to `initialize` was appended
} McpOutcome;

// Appends the answer to `message`, without a line end, to `out`.
McpOutcome mcp_handle(Slice message, Buffer *out);

#endif
