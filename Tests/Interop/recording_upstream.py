"""A Streamable HTTP server with one tool, in a thread, that keeps the headers and the body of every request it gets."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RecordingUpstream:
    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append(({name.lower(): value for name, value in self.headers.items()}, message))
                if (foreign := outer.foreign(message)) is not None:
                    return self.respond_with(*foreign)
                if "id" not in message:
                    return self.respond(202)
                self.respond(200, {"jsonrpc": "2.0", "id": message["id"], "result": outer.result(message)})

            def do_GET(self) -> None:
                self.respond(405)

            def do_DELETE(self) -> None:
                self.respond(405)

            def respond(self, status: int, body: dict[str, Any] | None = None) -> None:
                self.respond_with(status, b"" if body is None else json.dumps(body).encode(), "application/json")

            def respond_with(self, status: int, data: bytes, content_type: str) -> None:
                self.send_response(status)
                if data:
                    self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/mcp"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def foreign(self, message: dict[str, Any]) -> tuple[int, bytes, str] | None:
        """Status, body and content type for a request that this server answers in a way of its own; None for others."""
        return None

    @staticmethod
    def result(message: dict[str, Any]) -> dict[str, Any]:
        match message["method"]:
            case "initialize":
                return {
                    "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                    "serverInfo": {"name": "recording", "version": "0"},
                }  # fmt: skip
            case "tools/list":
                return {"tools": [{"name": "say", "inputSchema": {"type": "object"}}]}
            case "tools/call":
                return {"content": [{"type": "text", "text": "said"}]}
            case _:
                return {}

    def calls(self) -> list[tuple[dict[str, str], dict[str, Any]]]:
        """The headers and params of the calls it got."""
        return [(headers, message["params"]) for headers, message in self.requests if message.get("method") == "tools/call"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
