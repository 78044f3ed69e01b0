// mcp-echo: a native MCP server with one tool that costs next to nothing, so that a benchmark measures what is in front of it.
#include "transports.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: mcp-echo               MCP over stdin and stdout\n"
    "       mcp-echo --http PORT   MCP over HTTP POST on 127.0.0.1 (0: a free port, printed)\n";

int main(int count, char **arguments) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 1) return serve_stdio();
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (count == 3 && strcmp(arguments[1], "--http") == 0) {
        char *end;
        unsigned long port = strtoul(arguments[2], &end, 10);
        if (arguments[2][0] >= '0' && arguments[2][0] <= '9' && *end == '\0' && port <= 65535) return serve_http((uint16_t)port);
        fprintf(stderr, "mcp-echo: %s is not a port (0 to 65535)\n", arguments[2]);
    }
    fputs(usage, stderr);
    return 2;
}
