"""HTTP/1.1 on a bare socket: sends exactly the bytes it is given and reads answers strictly.

For what no HTTP library would send, and for what every one would forgive.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class Closed(Exception):
    """The peer closed the connection where an answer was due."""


@dataclass
class Answer:
    """One response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    version: str = "HTTP/1.1"
    # Statuses of interim responses (100) before it.
    interim: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The value of a header; fails when it is there twice."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) <= 1, f"{name} stands {len(values)} times: {self.headers}"
        return values[0] if values else None

    @property
    def announces_close(self) -> bool:
        tokens = [token.strip().lower() for token in (self.header("connection") or "").split(",")]
        return "close" in tokens or (self.version == "HTTP/1.0" and "keep-alive" not in tokens)

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A connection. Every wait has a deadline."""

    def __init__(self, port: int, timeout: float = 10, receive_buffer: int | None = None) -> None:
        self.timeout = timeout
        self._buffer = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Closes with a reset, as a crashed client's system does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._socket.close()

    # Sending.

    def send(self, data: bytes) -> None:
        """Sends all of it. That the gateway has closed already is no error here: its answer says why."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def send_without_blocking(self, data: bytes, total: int, patience: float) -> int:
        """Sends it again and again until so much is sent, or the peer takes nothing for `patience` seconds, or closes."""
        self._socket.setblocking(False)
        sent = 0
        try:
            while sent < total and select.select([], [self._socket], [], patience)[1]:
                sent += self._socket.send(data[sent % len(data) :])
        except (BrokenPipeError, ConnectionResetError):
            pass
        self._socket.setblocking(True)
        return sent

    def finish_sending(self) -> None:
        """Half closes."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def drip(self, data: bytes, interval: float = 0.05) -> int:
        """Sends byte by byte until something comes back; how many bytes went out."""
        for count, byte in enumerate(data):
            if self._is_readable(0 if count == 0 else interval):
                return count
            self.send(bytes([byte]))
        return len(data)

    def _is_readable(self, timeout: float) -> bool:
        return bool(self._buffer) or bool(select.select([self._socket], [], [], timeout)[0])

    # Receiving.

    def _receive(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._socket], [], [], left)[0]:
            raise AssertionError(f"nothing came within {self.timeout} s; received so far: {self._buffer[:500]!r}")
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            return b""

    def _until(self, mark: bytes, deadline: float) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            data = self._receive(deadline)
            if not data:
                raise Closed(f"closed after {self._buffer[:500]!r}")
            self._buffer += data
        found, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return found

    def _exactly(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            data = self._receive(deadline)
            if not data:
                raise Closed(f"closed after {len(self._buffer)} of {count} bytes")
            self._buffer += data
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def read_head(self, deadline: float | None = None) -> Answer:
        """The next head; interim ones are noted and passed over."""
        deadline = deadline or time.monotonic() + self.timeout
        interim: list[int] = []
        while True:
            lines = self._until(b"\r\n\r\n", deadline).split(b"\r\n")
            version, status, _ = (lines[0] + b" ").split(b" ", 2)
            assert version in (b"HTTP/1.1", b"HTTP/1.0") and status.isdigit(), f"no status line: {lines[0]!r}"
            headers = []
            for line in lines[1:]:
                name, colon, value = line.partition(b":")
                assert colon and name == name.strip(), f"a bad header line: {line!r}"
                headers.append((name.decode(), value.strip().decode("latin-1")))
            answer = Answer(int(status), headers, version=version.decode(), interim=interim)
            if answer.status >= 200:
                return answer
            interim.append(answer.status)

    def read_exactly(self, count: int) -> bytes:
        return self._exactly(count, time.monotonic() + self.timeout)

    def read_some(self, count: int) -> bytes:
        """What is there, at most so much; waits if there is nothing."""
        if not self._buffer:
            if not select.select([self._socket], [], [], self.timeout)[0]:
                raise AssertionError(f"nothing came within {self.timeout} s")
            self._buffer = self._socket.recv(count)
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def read_interim(self) -> int:
        """The status of an interim response."""
        lines = self._until(b"\r\n\r\n", time.monotonic() + self.timeout).split(b"\r\n")
        return int(lines[0].split(b" ")[1])

    def read(self, method: str = "POST") -> Answer:
        """The next answer, to its end; to a stream, to the stream's."""
        deadline = time.monotonic() + self.timeout
        answer = self.read_head(deadline)
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        if (answer.header("transfer-encoding") or "").lower() == "chunked":
            assert answer.header("content-length") is None, answer.headers
            for chunk in self.chunks(deadline):
                answer.body += chunk
        elif (length := answer.header("content-length")) is not None:
            answer.body = self._exactly(int(length), deadline)
        else:
            assert answer.announces_close, f"no length, and the connection goes on: {answer}"
            answer.body = self._buffer + self.drain()
            self._buffer = b""
        return answer

    def chunks(self, deadline: float | None = None) -> Iterator[bytes]:
        """The chunks of a body, to its last."""
        deadline = deadline or time.monotonic() + self.timeout
        while size := int(self._until(b"\r\n", deadline).split(b";")[0], 16):
            yield self._exactly(size, deadline)
            assert self._until(b"\r\n", deadline) == b""
        while self._until(b"\r\n", deadline):
            pass

    def drain(self) -> bytes:
        """Everything until the peer closes."""
        deadline = time.monotonic() + self.timeout
        received = b""
        while data := self._receive(deadline):
            received += data
        return received

    def is_closed(self, within: float = 5) -> bool:
        """Whether the peer closes in time, with nothing left to say."""
        if self._buffer:
            return False
        if not select.select([self._socket], [], [], within)[0]:
            return False
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return True
        self._buffer += data
        return not data

    def says_nothing(self, for_: float = 0.1) -> bool:
        """Whether nothing came so far, not even the end."""
        return not self._is_readable(for_)


def request(
    body: bytes | str | dict[str, Any] | list[Any] | None = None,
    *,
    method: str = "POST",
    target: str = "/mcp",
    version: str = "HTTP/1.1",
    host: str | None = "127.0.0.1",
    headers: dict[str, str | None] | None = None,
    extra: str | bytes = b"",
    length: int | str | None = None,
) -> bytes:
    """The bytes of a request. `headers` replace those of a good one, `None` removes; `extra` is header lines as they are."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body, ensure_ascii=False)
    if isinstance(body, str):
        body = body.encode()
    fields: dict[str, str | None] = {"Host": host}
    if body is not None:
        fields["Content-Type"] = "application/json"
        fields["Content-Length"] = str(len(body) if length is None else length)
    elif length is not None:
        fields["Content-Length"] = str(length)
    known = {name.lower(): name for name in fields}
    for name, value in (headers or {}).items():
        fields[known.get(name.lower(), name)] = value
    head = f"{method} {target} {version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items() if v is not None)
    extra = extra.encode("latin-1") if isinstance(extra, str) else extra
    return head.encode("latin-1") + extra + b"\r\n" + (body or b"")


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """A body in chunks, each with its right size."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def pace(seconds: float) -> None:
    """The time between two steps of a client that is slow on purpose. Nothing is waited for with it."""
    select.select([], [], [], seconds)
