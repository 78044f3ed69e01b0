"""A TCP proxy between clients and the gateway that reads along and checks every message against its schema.

It forwards bytes as they are and parses a copy. The clients know only its port, so nothing reaches them unseen.
Its port stays the same while the gateway behind it is killed and restarted.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conformance import REVISIONS, Conversation


@dataclass
class Head:
    """The start line and the headers (names in lower case) of an HTTP/1.1 message."""

    start: str
    headers: dict[str, str]

    @property
    def method(self) -> str:
        return self.start.split(" ", 1)[0]

    @property
    def path(self) -> str:
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])


class HTTPParser:
    """Parses one direction of an HTTP/1.1 connection and reports heads, body pieces and ends."""

    def __init__(self, on_head: Callable[[Head], bool], on_body: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        # `on_head` answers whether a body may follow (there is none after HEAD, 204, 202 without length and so on).
        self._on_head, self._on_body, self._on_end = on_head, on_body, on_end
        self._buffer = bytearray()
        self._state = self._head
        self._left = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self._state():
            pass

    def _take_line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line.decode("latin-1")

    def _finish(self) -> bool:
        self._state = self._head
        self._on_end()
        return True

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        has_body = self._on_head(Head(lines[0], headers))
        if headers.get("transfer-encoding", "").lower() == "chunked" and has_body:
            self._state = self._chunk_size
        elif has_body and int(headers.get("content-length", 0)) > 0:
            self._left = int(headers["content-length"])
            self._state = self._sized
        else:
            return self._finish()
        return True

    def _sized(self) -> bool:
        if not self._buffer:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        self._on_body(piece)
        return self._finish() if self._left == 0 else True

    def _chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        self._left = int(line.split(";")[0], 16)
        self._state = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        if len(self._buffer) < self._left + 2:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: self._left + 2]
        self._on_body(piece)
        self._state = self._chunk_size
        return True

    def _trailer(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        return self._finish() if line == "" else True


class EventParser:
    """Server-sent events; reports the data of each complete event."""

    def __init__(self, on_event: Callable[[str | None, str], None]) -> None:
        self._on_event = on_event
        self._buffer = b""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r").decode()
            if line == "":
                if self._data:
                    self._on_event(self._id, "\n".join(self._data))
                self._data, self._id = [], None
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                self._data.append(value)
            elif name == "id":
                self._id = value


@dataclass
class Record:
    """One HTTP exchange."""

    request: Head
    request_body: bytearray = field(default_factory=bytearray)
    response: Head | None = None
    response_body: bytearray = field(default_factory=bytearray)
    events: list[tuple[str | None, str]] = field(default_factory=list)
    complete: bool = False


class Recorder:
    """The proxy. `port` is where clients connect; `records` and `conversations` are what it saw."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = 0
        self.records: list[Record] = []
        self.conversations: dict[str, Conversation] = {}
        self.problems: list[str] = []
        self.messages = 0
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True, name="recorder")
        self._thread.start()
        started.wait()

    # What tests ask.

    def violations(self) -> list[str]:
        """Everything that was wrong so far; forgets it, so that each test answers for itself."""
        found, self.problems = self.problems, []
        for conversation in self.conversations.values():
            found += conversation.violations
            conversation.violations = []
        return found

    def drop_connections(self) -> None:
        """Cuts every open connection, as a network would."""

        def cut() -> None:
            for writer in list(self._writers):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def sent_to(self, session: str | None, method: str) -> list[dict[str, Any]]:
        """The messages with this method that the gateway sent to a session, on whatever stream."""
        assert session is not None
        messages = self.conversation(session).sent_by_gateway
        return [message for message in messages if isinstance(message, dict) and message.get("method") == method]

    # The proxy.

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port, limit=2**20)
        except OSError:
            writer.transport.abort()
            return
        listener = _Connection(self)
        self._writers |= {writer, up_writer}
        pumps = [
            asyncio.ensure_future(self._pump(reader, up_writer, listener.from_client)),
            asyncio.ensure_future(self._pump(up_reader, writer, listener.from_gateway)),
        ]
        try:
            # A client that only closed its sending side still gets its answer; one that still sends may finish, as it may without this proxy.
            await pumps[1]
            if not writer.is_closing():
                try:
                    writer.write_eof()
                except OSError:
                    # The client was faster.
                    return
                await asyncio.wait([pumps[0]], timeout=5)
        finally:
            pumps[0].cancel()
            for one in (writer, up_writer):
                self._writers.discard(one)
                one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listen: Callable[[bytes], None]) -> None:
        try:
            while data := await reader.read(65536):
                try:
                    listen(data)
                except Exception as error:
                    self.problems.append(f"the gateway's HTTP could not be read: {error!r} in {data[:200]!r}")
                writer.write(data)
                await writer.drain()
            if listen.__name__ == "from_client":
                # The client is gone (SDKs close streams this way): the gateway must see it too.
                writer.close()
        except (ConnectionError, OSError):
            writer.transport.abort()

    # What was recorded.

    def conversation(self, session: str) -> Conversation:
        return self.conversations.setdefault(session, Conversation())


class _Connection:
    """Reads both directions of one connection and pairs requests with responses."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._pending: deque[Record] = deque()
        self._request = HTTPParser(self._request_head, self._request_body, self._request_end)
        self._response = HTTPParser(self._response_head, self._response_body, self._response_end)
        self._receiving: Record | None = None
        self._events: EventParser | None = None
        self._conversation: Conversation | None = None
        self._interim = False

    def from_client(self, data: bytes) -> None:
        self._request.feed(data)

    def from_gateway(self, data: bytes) -> None:
        self._response.feed(data)

    def _request_head(self, head: Head) -> bool:
        record = Record(head)
        self._receiving = record
        self._pending.append(record)
        self._recorder.records.append(record)
        return True

    def _request_body(self, data: bytes) -> None:
        assert self._receiving is not None
        self._receiving.request_body += data

    def _request_end(self) -> None:
        record, self._receiving = self._receiving, None
        assert record is not None
        session = record.request.headers.get("mcp-session-id") or self._session_of_messages(record)
        if session is not None:
            # At once, because its answer may come on another connection's stream.
            self._note_request(self._recorder.conversation(session), record)

    def _response_head(self, head: Head) -> bool:
        self._interim = 100 <= head.status < 200
        if self._interim:
            return False
        if not self._pending:
            raise ValueError(f"a response without a request: {head.start}")
        record = self._pending[0]
        record.response = head
        if self._is_mcp(record):
            self._conversation = self._find_conversation(record)
        self._events = None
        if head.headers.get("content-type", "").startswith("text/event-stream"):
            self._events = EventParser(self._event)
        if head.status in (204, 304) or record.request.method == "HEAD":
            return False
        return "content-length" in head.headers or "transfer-encoding" in head.headers

    def _response_body(self, data: bytes) -> None:
        record = self._pending[0]
        record.response_body += data
        if self._events is not None:
            self._events.feed(data)

    def _response_end(self) -> None:
        if self._interim:
            return
        record = self._pending.popleft()
        record.complete = True
        conversation, self._conversation = self._conversation, None
        if conversation is None or record.response is None or self._events is not None:
            return
        status, body = record.response.status, bytes(record.response_body)
        if status == 202 and body:
            self._recorder.problems.append(f"202 with a body: {body[:200]!r}")
        elif status >= 400:
            # The issue asks for a JSON-RPC error body with each of these.
            self._check_text(conversation, body, record)
            try:
                if "error" not in json.loads(body):
                    raise ValueError
            except (ValueError, TypeError):
                self._recorder.problems.append(f"{record.request.start} → {status} without a JSON-RPC error: {body[:200]!r}")
        elif body:
            self._check_text(conversation, body, record)

    def _event(self, identifier: str | None, data: str) -> None:
        record = self._pending[0]
        record.events.append((identifier, data))
        if self._conversation is None and self._is_sse(record):
            # The first event of HTTP+SSE names the endpoint, and in it the session.
            self._conversation = self._recorder.conversation(data.partition("sessionId=")[2])
            return
        if data and self._conversation is not None:
            self._check_text(self._conversation, data.encode(), record)

    def _check_text(self, conversation: Conversation, body: bytes, record: Record) -> None:
        before = conversation.checked
        conversation.gateway_sent_text(body.decode("utf-8"))
        self._recorder.messages += conversation.checked - before

    @staticmethod
    def _is_mcp(record: Record) -> bool:
        path = record.request.path.partition("?")[0]
        return path == "/mcp" or re.fullmatch(r"/servers/[^/]+/mcp", path) is not None

    @staticmethod
    def _is_sse(record: Record) -> bool:
        return re.fullmatch(r"(/servers/[^/]+)?/sse", record.request.path) is not None

    @staticmethod
    def _session_of_messages(record: Record) -> str | None:
        """The session that a POST of HTTP+SSE is for."""
        found = re.fullmatch(r"(?:/servers/[^/]+)?/messages\?sessionId=(.+)", record.request.path)
        return found and found[1]

    def _find_conversation(self, record: Record) -> Conversation:
        """The session's conversation; a request without one gets its own."""
        assert record.response is not None
        session = record.response.headers.get("mcp-session-id") or record.request.headers.get("mcp-session-id")
        conversation = self._recorder.conversation(session or f"none-{len(self._recorder.records)}-{id(record)}")
        if conversation.revision is None:
            stated = record.request.headers.get("mcp-protocol-version")
            if stated in REVISIONS:
                conversation.revision = stated
        self._note_request(conversation, record)
        return conversation

    @staticmethod
    def _note_request(conversation: Conversation, record: Record) -> None:
        if record.request_body:
            try:
                conversation.client_sent(json.loads(record.request_body))
            except ValueError:
                pass
