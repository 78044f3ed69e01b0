"""Malformed and hostile requests: what goes out on the socket and what must come back.

The rows are in `malformed_messages.py` (JSON, JSON-RPC, MCP), `malformed_headers.py`, `malformed_framing.py`,
`malformed_rest.py` and `malformed_modern.py`.
Where RFC 9110, RFC 9112 or the MCP specification fixes the status, it is that; else 400. Where they leave a choice, the row lists it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rawhttp import BOTH, SSE
from wire import request

# Any error: the request was refused before it was known which API it is for.
ANY = "any error"

# Limits of the gateway that the rows are sent to.
MAX_BODY = 64 << 10
MAX_HEADER = 8 << 10
MAX_DEPTH = 64
MAX_BATCH = 10
SETTINGS = {
    "limits": {"maxBodyBytes": MAX_BODY, "maxHeaderBytes": MAX_HEADER, "maxNestingDepth": MAX_DEPTH, "maxBatchSize": MAX_BATCH},
    "api": {"maxMetadataBytes": "1KiB"},
}

# Placeholders, replaced by what the test made: ids have 36 bytes, so they go into headers only.
SESSION = "@SESSION@"  # a session of 2025-11-25
OLD = "@OLD@"  # one of 2025-03-26, which has batches
OTHER = "@OTHER@"  # one of /servers/other/mcp
ENDED = "@ENDED@"  # one that was deleted
EVENT = "@EVENT@"  # a stream of the session, without its sequence number
FOREIGN = "@FOREIGN@"  # a stream of another session


@dataclass(frozen=True)
class Row:
    """A request and its answer."""

    name: str
    sent: bytes
    # The status, or those that are right.
    status: int | tuple[int, ...]
    # The error's code: a number of JSON-RPC, a word of the REST API, ANY, or None for no error.
    code: int | str | None = None
    # The id in the answer to a JSON-RPC request.
    id: Any = None
    # Whether the connection ends with the answer; None where both are right.
    closes: bool | None = False
    # Of the request, where the answer depends on it.
    method: str = "POST"
    # Text that must be in the body.
    holds: str = ""

    @property
    def statuses(self) -> tuple[int, ...]:
        return self.status if isinstance(self.status, tuple) else (self.status,)


def mcp(body: Any = None, *, session: str | None = SESSION, headers: dict[str, str | None] | None = None, **how: Any) -> bytes:
    """A request to /mcp, good but for what is given."""
    method = how.get("method", "POST")
    fields: dict[str, str | None] = {"Accept": SSE if method == "GET" else BOTH, "Mcp-Session-Id": session}
    for name, value in (headers or {}).items():
        fields = {key: old for key, old in fields.items() if key.lower() != name.lower()}
        fields[name] = value
    return request(body, headers=fields, **how)


PING = b'{"jsonrpc":"2.0","id":7,"method":"ping"}'


def ping(**how: Any) -> bytes:
    """A good request, but for what is given."""
    return mcp(PING, **how)


def call(id: Any, method: str, params: Any = None) -> dict[str, Any]:
    """A JSON-RPC request."""
    message = {"jsonrpc": "2.0", "id": id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def initialize(**params: Any) -> dict[str, Any]:
    """An initialize request, good but for what is given; None removes."""
    good = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    return call(1, "initialize", {key: value for key, value in {**good, **params}.items() if value is not None})
