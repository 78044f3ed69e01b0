"""A bare client of Streamable HTTP, for what an SDK would hide: headers, status codes, event ids, broken connections."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

JSON = "application/json"
SSE = "text/event-stream"
BOTH = f"{JSON}, {SSE}"


class RPCError(Exception):
    """A JSON-RPC error as the answer to a request."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data = error.get("data")


@dataclass
class Event:
    """One server-sent event."""

    id: str | None = None
    data: str = ""
    retry: int | None = None
    name: str | None = None

    @property
    def message(self) -> dict[str, Any]:
        return json.loads(self.data)


@dataclass
class Stream:
    """An open response with server-sent events."""

    response: httpx.Response
    comments: int = 0
    last_id: str | None = None
    events: list[Event] = field(default_factory=list)

    async def __aiter__(self) -> AsyncIterator[Event]:
        event, seen = Event(), False
        # Not httpx' aiter_lines: it would also split at U+2028.
        buffer = b""
        async for chunk in self.response.aiter_raw():
            *lines, buffer = (buffer + chunk).split(b"\n")
            for raw in lines:
                line = raw.removesuffix(b"\r").decode()
                if line == "":
                    if seen:
                        if event.id is not None:
                            self.last_id = event.id
                        self.events.append(event)
                        yield event
                    event, seen = Event(), False
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = line.partition(":")
                    value = value.removeprefix(" ")
                    seen = True
                    if name == "data":
                        event.data += value if not event.data else "\n" + value
                    elif name == "id":
                        event.id = value
                    elif name == "retry":
                        event.retry = int(value)
                    elif name == "event":
                        event.name = value

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """The events that carry a message: not the priming ones."""
        async for event in self:
            if event.data:
                yield event.message


class RawSession:
    """A session, spoken by hand."""

    def __init__(self, url: str, revision: str = "2025-11-25", first_id: int = 1) -> None:
        self.url = url
        self.revision = revision
        self.session_id: str | None = None
        self.initialize_result: dict[str, Any] = {}
        self.http = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None))
        self._ids = itertools.count(first_id)

    async def __aenter__(self) -> RawSession:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    def next_id(self) -> int:
        return next(self._ids)

    def headers(self, accept: str | None = BOTH, **more: str | None) -> dict[str, str]:
        """The headers of a good request; a `None` removes one (names with underscores)."""
        headers = {"accept": accept}
        if self.session_id is not None:
            headers["mcp-session-id"] = self.session_id
            if self.revision > "2025-03-26":
                headers["mcp-protocol-version"] = self.revision
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        return {name: value for name, value in headers.items() if value is not None}

    def message(self, method: str, params: dict[str, Any] | None = None, id: Any = None) -> dict[str, Any]:
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": self.next_id() if id is None else id, "method": method}
        if params is not None:
            message["params"] = params
        return message

    async def post(self, payload: Any, **headers: str | None) -> httpx.Response:
        """Posts a message, a batch or bytes, and reads the whole answer."""
        content = payload if isinstance(payload, (bytes, str)) else json.dumps(payload, ensure_ascii=False)
        if isinstance(content, str):
            content = content.encode()
        return await self.http.post(self.url, content=content, headers=self.headers(**{"content_type": JSON, **headers}))

    async def initialize(self, capabilities: dict[str, Any] | None = None, name: str = "raw-client") -> dict[str, Any]:
        response = await self.post(self.message("initialize", self.initialize_params(capabilities, name)))
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        self.initialize_result = self.answer(response)
        self.session_id = response.headers["mcp-session-id"]
        self.revision = self.initialize_result["protocolVersion"]
        response = await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert response.status_code == 202, f"{response.status_code} {response.text}"
        return self.initialize_result

    def initialize_params(self, capabilities: dict[str, Any] | None = None, name: str = "raw-client") -> dict[str, Any]:
        return {
            "protocolVersion": self.revision,
            "capabilities": capabilities or {},
            "clientInfo": {"name": name, "version": "1"},
        }

    @staticmethod
    def messages(response: httpx.Response) -> list[dict[str, Any]]:
        """All messages of a complete response, of either content type."""
        if response.headers["content-type"].startswith(SSE):
            blocks = response.text.replace("\r\n", "\n").split("\n\n")
            lines = ([line for line in block.split("\n") if line.startswith("data:")] for block in blocks)
            texts = ("\n".join(line.removeprefix("data:").removeprefix(" ") for line in block) for block in lines)
            return [json.loads(text) for text in texts if text]
        body = response.json()
        return body if isinstance(body, list) else [body]

    @classmethod
    def answer(cls, response: httpx.Response) -> dict[str, Any]:
        """The result in a complete response; raises its error."""
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        final = [message for message in cls.messages(response) if "method" not in message]
        assert len(final) == 1, response.text
        if "error" in final[0]:
            raise RPCError(final[0]["error"])
        return final[0]["result"]

    async def request(self, method: str, params: dict[str, Any] | None = None, id: Any = None) -> dict[str, Any]:
        message = self.message(method, params, id)
        response = await self.post(message)
        result = self.answer(response)
        assert [m["id"] for m in self.messages(response) if "method" not in m] == [message["id"]]
        return result

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        return await self.request("tools/call", {"name": tool, "arguments": arguments or {}, **params})

    async def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        response = await self.post(message)
        assert response.status_code == 202, f"{response.status_code} {response.text}"

    async def respond(self, id: Any, result: dict[str, Any]) -> None:
        response = await self.post({"jsonrpc": "2.0", "id": id, "result": result})
        assert response.status_code == 202, f"{response.status_code} {response.text}"

    @contextlib.asynccontextmanager
    async def post_stream(self, message: dict[str, Any]) -> AsyncIterator[Stream]:
        """Posts a request and gives the stream of its answer."""
        async with self.http.stream(
            "POST", self.url, content=json.dumps(message), headers=self.headers(content_type=JSON)
        ) as response:
            assert response.status_code == 200, f"{response.status_code} {await response.aread()!r}"
            assert response.headers["content-type"].startswith(SSE), response.headers
            yield Stream(response)

    @contextlib.asynccontextmanager
    async def get_stream(self, last_event_id: str | None = None) -> AsyncIterator[Stream]:
        """Opens a GET stream, or resumes the one that the event id belongs to."""
        async with self.http.stream("GET", self.url, headers=self.headers(accept=SSE, last_event_id=last_event_id)) as response:
            if response.headers.get("server") == "nginx" and response.status_code in (502, 503):
                raise httpx.ConnectError("the proxy says that the gateway is away")
            assert response.status_code == 200, f"{response.status_code} {await response.aread()!r}"
            assert response.headers["content-type"].startswith(SSE), response.headers
            yield Stream(response)

    async def delete(self) -> httpx.Response:
        return await self.http.delete(self.url, headers=self.headers(accept=None))


async def first_message(stream: Stream, method: str, timeout: float = 15) -> dict[str, Any]:
    """Reads a stream until a message with this method comes."""
    with anyio.fail_after(timeout):
        async for message in stream.messages():
            if message.get("method") == method:
                return message
    raise AssertionError(f"the stream ended without {method}")


class ResilientCall:
    """A request whose client does as the specification says: when the connection breaks, it resumes the stream until it has the
    answer. `events` is all that came, over all connections."""

    def __init__(self, session: RawSession, message: dict[str, Any]) -> None:
        self.session = session
        self.message = message
        self.events: list[Event] = []
        self.connections = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [event.message for event in self.events if event.data]

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if "method" not in message]

    @property
    def progress(self) -> list[float]:
        return [m["params"]["progress"] for m in self.messages if m.get("method") == "notifications/progress"]

    @property
    def last_id(self) -> str | None:
        identifiers = [event.id for event in self.events if event.id]
        return identifiers[-1] if identifiers else None

    async def run(self, timeout: float = 60) -> dict[str, Any]:
        """Gives the answer."""
        with anyio.fail_after(timeout):
            await self._attempt(self.session.post_stream(self.message))
            while not self.answers:
                assert self.last_id is not None, "the stream broke before its first event id"
                await anyio.sleep(0.05)
                await self._attempt(self.session.get_stream(self.last_id))
        return self.answers[0]

    async def read_some(self, progress: int) -> None:
        """Reads until so much progress came, then leaves."""
        async with self.session.post_stream(self.message) as stream:
            self.connections += 1
            async for event in stream:
                self.events.append(event)
                if len(self.progress) == progress:
                    return

    async def _attempt(self, opening: contextlib.AbstractAsyncContextManager[Stream]) -> None:
        try:
            async with opening as stream:
                self.connections += 1
                async for event in stream:
                    self.events.append(event)
        except httpx.TransportError:
            # The gateway is away; whoever runs it starts it again.
            pass
