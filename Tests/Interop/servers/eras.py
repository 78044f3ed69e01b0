"""Serves a server of the SDK in one era alone, or in both, as the SDK does by itself.

- `legacy`: as a server from before revision 2026-07-28. It knows `initialize` and sessions, and nothing of `server/discover`.
- `modern`: as a server that has left the handshake behind. It refuses `initialize` and names its versions.
- `dual`: the client decides: on stdio with its first request, over HTTP with the headers of each.
"""

from __future__ import annotations

import argparse
from typing import Any

import anyio
from mcp.server import runner
from mcp.server._streamable_http_modern import handle_modern_request
from mcp.server.stdio import stdio_server

ERAS = ("legacy", "modern", "dual")
VERSION_HEADER = b"mcp-protocol-version"
MODERN = "2026-07-28"


def is_modern(ctx: Any) -> bool:
    """Whether a request is of revision 2026-07-28."""
    return ctx.protocol_version == MODERN


def arguments(description: str | None = None) -> argparse.Namespace:
    """The command line that every server of two eras has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--http", type=int, metavar="PORT", help="serve Streamable HTTP on 127.0.0.1:PORT/mcp instead of stdio")
    parser.add_argument("--era", choices=ERAS, default="legacy")
    return parser.parse_args()


def serve(server: Any, era: str, port: int | None, options: Any) -> None:
    """Serves until the client leaves (stdio) or the process is told to stop (HTTP)."""
    if port is None:
        anyio.run(serve_stdio, server, era, options)
    else:
        serve_http(server, era, port)


async def serve_stdio(server: Any, era: str, options: Any) -> None:
    async with stdio_server() as (read_stream, write_stream):
        if era == "dual":
            return await server.run(read_stream, write_stream, options)
        async with server.lifespan(server) as state:
            if era == "legacy":
                await runner.serve_loop(server, read_stream, write_stream, lifespan_state=state, init_options=options)
            else:
                # The SDK enters it once it has seen a modern request; here there is nothing else to enter.
                await runner._serve_modern_stream(
                    server, read_stream, write_stream, lifespan_state=state, raise_exceptions=False
                )


def serve_http(server: Any, era: str, port: int) -> None:
    import uvicorn

    app = server.streamable_http_app()
    if era != "dual":
        app = OneEra(app, server, era)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


class OneEra:
    """Lets requests of one era alone through to an SDK app, which would choose by the header."""

    def __init__(self, app: Any, server: Any, era: str) -> None:
        self._app, self._server, self._era = app, server, era

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/mcp":
            return await self._app(scope, receive, send)
        if self._era == "legacy":
            # An old server knows no later version and no header that came with one.
            known = [pair for pair in scope["headers"] if pair != (VERSION_HEADER, MODERN.encode())]
            return await self._app({**scope, "headers": known}, receive, send)
        manager = self._server.session_manager
        await handle_modern_request(
            self._server, manager.security_settings, manager.json_response, manager._lifespan_state, scope, receive, send
        )
