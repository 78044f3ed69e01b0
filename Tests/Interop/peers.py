"""Clients of every revision and transport, all on the official SDK, for the matrix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp.client.session
import mcp_types as types
from clients import Seen, sdk_client
from conformance import MODERN, Conversation
from gateway import HERE, PYTHON, CommandLine
from mcp import StdioServerParameters
from mcp.client.extension import advertise
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "vendor=1"}


@dataclass(frozen=True)
class Kind:
    """A client: its revision, and how it reaches the gateway."""

    name: str
    revision: str
    transport: str

    @property
    def is_modern(self) -> bool:
        return self.revision == MODERN


KINDS = {
    kind.name: kind
    for kind in (
        Kind("sse-2024-11-05", "2024-11-05", "sse"),
        Kind("http-2025-03-26", "2025-03-26", "http"),
        Kind("http-2025-06-18", "2025-06-18", "http"),
        Kind("http-2025-11-25", "2025-11-25", "http"),
        Kind("http-2026-07-28", MODERN, "http"),
        Kind("connect-2025-11-25", "2025-11-25", "connect"),
        Kind("connect-2026-07-28", MODERN, "connect"),
        Kind("stdio-2025-11-25", "2025-11-25", "stdio"),
        Kind("stdio-2026-07-28", MODERN, "stdio"),
    )
}


@contextmanager
def offering(revision: str) -> Iterator[None]:
    """Lets the SDK's client offer another revision than its latest in `initialize`; it has no setting for that."""
    before = mcp.client.session.LATEST_HANDSHAKE_VERSION
    mcp.client.session.LATEST_HANDSHAKE_VERSION = revision  # type: ignore[misc]
    try:
        yield
    finally:
        mcp.client.session.LATEST_HANDSHAKE_VERSION = before  # type: ignore[misc]


def through_tee(directory: Path, command: list[str]) -> StdioServerParameters:
    """A command whose wire is written down."""
    directory.mkdir(parents=True, exist_ok=True)
    return StdioServerParameters(command=PYTHON, args=["-S", "-E", str(HERE / "servers/tee.py"), str(directory), *command])


def recorded(directory: Path) -> list[list[tuple[str, dict[str, Any]]]]:
    """What tees wrote: for each process the messages, each with who sent it (the side of the pipe: `gateway` wrote to stdin)."""
    conversations = []
    for path in sorted(directory.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        conversations.append([(side, json.loads(line)) for side, line in rows if line.strip()])
    return conversations


@dataclass
class Peer:
    """A connected client. It lives in a task of its own, because many tests use it, each with cancel scopes of its own."""

    kind: Kind
    prefix: str = ""
    seen: Seen = field(default_factory=Seen)
    client: Any = None
    wire: Path | None = None
    _task: asyncio.Task[None] | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, server: Any, timeout: float = 40) -> Peer:
        ready = asyncio.Event()
        mode = "auto" if self.kind.is_modern else "legacy"
        # The SDK declares what it can whatever it offers; a client of before 2025-06-18 knows of no elicitation.
        options: dict[str, Any] = {"elicitation_callback": None} if self.kind.revision < "2025-06-18" else {}
        if self.kind.is_modern:
            options["extensions"] = [advertise("io.modelcontextprotocol/tasks")]
        info = types.Implementation(name=self.kind.name, version="1")
        client = sdk_client(server, self.seen, mode=mode, client_info=info, **options)

        async def live() -> None:
            async with client:
                self.client = client
                ready.set()
                await self._stop.wait()

        with offering(self.kind.revision if not self.kind.is_modern else "2025-11-25"):
            self._task = asyncio.create_task(live())
            with anyio.fail_after(timeout):
                waiting = asyncio.create_task(ready.wait())
                await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=20)
            self._task.cancel()

    def named(self, name: str) -> str:
        """The name of a tool or a prompt, where names are prefixed."""
        return self.prefix + name

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> Any:
        return await self.client.call_tool(self.named(tool), arguments or {}, **more)

    def violations(self) -> list[str]:
        """What was wrong with what the gateway sent over stdio."""
        found: list[str] = []
        for messages in recorded(self.wire) if self.wire is not None else []:
            conversation = Conversation()
            for side, message in messages:
                # To a client the process behind the tee is the gateway.
                (conversation.client_sent if side == "gateway" else conversation.gateway_sent)(message)
            found += conversation.violations
        return found


def address(kind: Kind, gateway: Any, upstream: str, directory: Path) -> tuple[Any, str, Path | None]:
    """Where a client connects to reach one server: what the SDK's client takes, the prefix of names, where the wire is recorded."""
    url = gateway.server_url(upstream)
    wire = directory / f"wire-{kind.name}-{upstream}"
    match kind.transport:
        case "http":
            return streamable_http_client(url), "", None
        case "sse":
            return sse_client(url.removesuffix("/mcp") + "/sse"), "", None
        case "connect":
            return through_tee(wire, CommandLine.connect(url)), "", wire
        case "stdio":
            # A gateway of its own for this client, with this one server.
            config = directory / f"stdio-{kind.name}-{upstream}.json"
            server = dict(gateway.servers[upstream]) if upstream in gateway.servers else None
            if server is not None and "command" in server:
                server["env"] = {**server.get("env", {}), "INTEROP_MARK": gateway.mark}
            content = {"mcpServers": {upstream: server} if server else {}, "gateway": gateway.settings}
            config.write_text(json.dumps(content))
            command = CommandLine.stdio(config, directory / f"data-{kind.name}-{upstream}")
            return through_tee(wire, command), f"{upstream}__" if server else "", wire
    raise AssertionError(kind)
