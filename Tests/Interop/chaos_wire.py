"""What passes between the SDK's client and NGINX, read along: failed requests, and the events of every stream with their ids."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2

PASSING = {421, 429, 502, 503, 504}
"""Statuses of which the gateway and NGINX say: again in a moment, or perhaps executed."""


@dataclass
class WireStream:
    """One stream of the gateway's, over all connections that carried it."""

    stream: str
    call: int | None
    """The call that it answers; None: a GET stream of its own."""
    sequences: list[int] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    sure: int = 0
    """The newest progress that came with an id."""
    logs: list[tuple[int, int]] = field(default_factory=list)
    """Process and number of each message of `own`."""
    replayed: int = 0
    """Events that came over a resumption's connection."""
    unlogged: int = 0
    """Events that came without an id, because the log could not take them."""

    def take(self, message: dict[str, Any], has_id: bool) -> None:
        params = message.get("params") or {}
        if message.get("method") == "notifications/progress":
            progress = int(params["progress"])
            if has_id:
                # What came without an id whoever works on the call again does not know of, and tells again.
                if self.sure < progress:
                    self.progress = [one for one in self.progress if one < progress]
                self.sure = progress
            self.progress.append(progress)
        elif message.get("method") == "notifications/message" and params.get("logger") == "ledger":
            self.logs.append((params["data"]["pid"], params["data"]["count"]))

    def problems(self, may_lose: bool = False) -> list[str]:
        found = []
        gaps = sum(right - left - 1 for left, right in zip(self.sequences, self.sequences[1:]))
        if self.sequences != sorted(set(self.sequences)) or gaps > self.unlogged and not may_lose:
            found.append(f"stream {self.stream} (call {self.call}): events {self.sequences}, and {self.unlogged} without id")
        if self.progress != list(range(1, len(self.progress) + 1)):
            found.append(f"stream {self.stream} (call {self.call}): progress {self.progress}")
        if len(set(self.logs)) != len(self.logs) or any(
            left[0] == right[0] and left[1] > right[1] for left, right in zip(self.logs, self.logs[1:])
        ):
            found.append(f"stream {self.stream}: messages out of order or twice: {self.logs}")
        return found


@dataclass
class Failure:
    """A request that was not answered as it should be."""

    at: float
    method: str
    what: str
    """Of the JSON-RPC message."""
    how: str


class Wire:
    """One client's side of the wire."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.requests = 0
        self.failures: list[Failure] = []
        self.streams: dict[str, WireStream] = {}
        self.session_id: str | None = None
        self.not_found: list[str] = []

    def note(self, sent: float, method: str, what: str, how: str) -> None:
        self.failures.append(Failure(sent, method, what, how))

    def event(self, identifier: str | None, data: str, current: WireStream, resumed: bool) -> WireStream:
        """Takes one event of a connection whose stream is `current`; gives the stream that it is of."""
        if identifier is None:
            current.unlogged += bool(data)
        else:
            name, _, number = identifier.rpartition(".")
            if current.stream != name:
                # Until the first id comes, nobody knows the stream's name.
                current.stream = name
                current = self.streams.setdefault(name, current)
            if number != "0":
                current.sequences.append(int(number))
        if data:
            current.replayed += resumed
            current.take(json.loads(data), identifier is not None)
        return current


class EventParser:
    """Server-sent events out of chunks."""

    def __init__(self, wire: Wire, stream: WireStream, resumed: bool) -> None:
        self._wire, self._stream, self._resumed = wire, stream, resumed
        self._buffer = b""

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        *blocks, self._buffer = self._buffer.replace(b"\r\n", b"\n").split(b"\n\n")
        for block in blocks:
            fields = [line.partition(b":")[::2] for line in block.split(b"\n") if line and not line.startswith(b":")]
            found = {name.decode(): value.removeprefix(b" ").decode() for name, value in fields}
            self._stream = self._wire.event(found.get("id"), found.get("data", ""), self._stream, self._resumed)


class _Read(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, parser: EventParser) -> None:
        self._inner, self._parser = inner, parser

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._parser.feed(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


class WatchedTransport(httpx2.AsyncBaseTransport):
    """Sends as always and keeps an account. What is no call (answers, notifications, opening and resuming streams, DELETE) is sent once more
    when it failed, as the answer asks for: the SDK does not do that, and would silently go without."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._inner = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=None))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else {}
        is_call = request.method == "POST" and "method" in body and "id" in body
        last_id = request.headers.get("last-event-id")
        what = body.get("method", "answer") if request.method == "POST" else f"resume {last_id}" if last_id else "stream"
        response = await self._send(request, what, raises=is_call)
        if not is_call and (response is None or response.status_code in PASSING):
            pause = float(response.headers.get("retry-after", 0.5)) if response is not None else 0.5
            if response is not None:
                await response.aclose()
            await anyio.sleep(min(pause, 2))
            response = await self._send(request, f"{what} (again)", raises=True)
        assert response is not None
        self._wire.session_id = response.headers.get("mcp-session-id") or self._wire.session_id
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            call = ((body.get("params") or {}).get("arguments") or {}).get("call")
            stream = self._wire.streams.get(last_id.rpartition(".")[0]) if last_id else None
            parser = EventParser(self._wire, stream or WireStream("", call), last_id is not None)
            response.stream = _Read(response.stream, parser)  # type: ignore[arg-type]
        return response

    async def _send(self, request: httpx2.Request, what: str, raises: bool) -> httpx2.Response | None:
        self._wire.requests += 1
        sent = time.monotonic()
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            self._wire.note(sent, request.method, what, repr(error))
            if raises:
                raise
            return None
        if response.status_code >= 400 and response.status_code != 405:
            text = (await _body(response))[:300]
            self._wire.note(sent, request.method, what, f"{response.status_code} {text}")
            if response.status_code == 404:
                self._wire.not_found.append(f"{request.method} {what}: {text}")
        return response


async def _body(response: httpx2.Response) -> str:
    await response.aread()
    text = response.text
    # It was read, and is to be read once more.
    response.stream = httpx2.ByteStream(response.content)
    return text
