"""Instances that answer as a test wants: for what NGINX does with answers that a real gateway rarely gives."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from command_line import free_port

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
HANDED_BACK = (
    b"HTTP/1.1 421 Misdirected Request\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n" + b'{"not":"here..."}'[:16]
)
RESET = b""
"""Reads the whole request and breaks off without an answer."""


@dataclass
class Seen:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for one, value in self.headers if one.lower() == name.lower()), None)


@dataclass
class ScriptedInstance:
    """Gives every request the same answer and keeps what it got."""

    answer: bytes = OK
    port: int = field(default_factory=free_port)
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            try:
                while (start := stream.readline()) != b"":
                    headers: list[tuple[str, str]] = []
                    while (line := stream.readline().strip()) != b"":
                        name, _, value = line.decode("latin-1").partition(":")
                        headers.append((name, value.strip()))
                    method, target, _ = start.decode().split(" ")
                    request = Seen(method, target, headers, b"")
                    request.body = stream.read(int(request.header("content-length") or 0))
                    self.seen.append(request)
                    if self.answer == RESET:
                        return
                    connection.sendall(self.answer)
            except OSError:
                return
