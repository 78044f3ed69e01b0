"""Speaks MCP with a process over its stdin and stdout, by hand, and checks what it sends where it is the gateway."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from calls import Calls
from conformance import LATEST_LEGACY, Conversation
from rawhttp import RPCError


class StdioPeer(Calls):
    """A process that serves MCP on its stdin and stdout."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self.process = process
        self.conversation = Conversation()
        self.notifications: list[dict[str, Any]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.ended = anyio.Event()
        self._waiting: dict[Any, tuple[anyio.Event, list[dict[str, Any]]]] = {}
        self._changed = anyio.Event()
        self._ids = itertools.count(1)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        buffer = b""
        with contextlib.suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            while True:
                *lines, buffer = (buffer + await self.process.stdout.receive()).split(b"\n")
                for line in lines:
                    self.conversation.gateway_sent_text(line.decode())
                    await self._handle(json.loads(line))
        self.ended.set()
        for event, _ in self._waiting.values():
            event.set()

    async def _handle(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            event, box = self._waiting.pop(json.dumps(message.get("id")), (anyio.Event(), []))
            box.append(message)
            event.set()
        elif "id" in message:
            answer = self.answers.get(message["method"])
            result = {"result": answer(message.get("params", {}))} if answer else {"error": {"code": -32601, "message": "no"}}
            await self.send({"jsonrpc": "2.0", "id": message["id"], **result})
        else:
            self.notifications.append(message)
            self._changed.set()
            self._changed = anyio.Event()

    async def send(self, message: Any) -> None:
        self.conversation.client_sent(message)
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    async def request(
        self, method: str, params: dict[str, Any] | None = None, id: Any = None, timeout: float = 30
    ) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": next(self._ids) if id is None else id, "method": method}
        if params is not None:
            message["params"] = params
        event, box = self._waiting[json.dumps(message["id"])] = (anyio.Event(), [])
        await self.send(message)
        with anyio.fail_after(timeout):
            await event.wait()
        assert box, f"the process ended before it answered {method}"
        if "error" in box[0]:
            raise RPCError(box[0]["error"])
        return box[0]["result"]

    async def initialize(self, capabilities: dict[str, Any] | None = None, revision: str = LATEST_LEGACY) -> dict[str, Any]:
        result = await self.request(
            "initialize",
            {"protocolVersion": revision, "capabilities": capabilities or {}, "clientInfo": {"name": "stdio-peer", "version": "1"}},
        )
        await self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return result

    async def notification(self, method: str, timeout: float = 15) -> dict[str, Any]:
        """Waits for a notification and takes it."""
        with anyio.fail_after(timeout):
            while True:
                for index, message in enumerate(self.notifications):
                    if message["method"] == method:
                        return self.notifications.pop(index)
                await self._changed.wait()

    def assert_conformant(self) -> None:
        assert self.conversation.checked > 0
        assert self.conversation.violations == [], "\n".join(self.conversation.violations)


@contextlib.asynccontextmanager
async def stdio_peer(
    command: list[str], environment: dict[str, str] | None = None, directory: Path | None = None, stderr: Any = subprocess.DEVNULL
) -> AsyncIterator[StdioPeer]:
    """Runs a process for the time of a block; at the end closes its stdin and waits for it."""
    env = {**os.environ, **(environment or {})}
    process = await anyio.open_process(command, stderr=stderr, env=env, cwd=directory)
    peer = StdioPeer(process)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(peer._read)
            try:
                yield peer
                if process.stdin is not None:
                    await process.stdin.aclose()
                with anyio.fail_after(20):
                    await process.wait()
            finally:
                group.cancel_scope.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()
