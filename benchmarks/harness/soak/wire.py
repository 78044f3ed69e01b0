"""A bare HTTP/1.1 client: whoever stalls, sends halves or vanishes needs the socket itself."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator

HOST = "127.0.0.1"


class Unexpected(Exception):
    """The gateway did what it must not. The text says what."""


class Response:
    """The head of a response; the body is read from the connection when it is asked for."""

    def __init__(self, status: int, headers: dict[str, str], reader: asyncio.StreamReader):
        self.status, self.headers = status, headers
        self._reader = reader

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    async def pieces(self) -> AsyncIterator[bytes]:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readexactly(2)
        elif length := int(self.headers.get("content-length", 0)):
            yield await self._reader.readexactly(length)

    async def body(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])

    async def json(self) -> dict:
        return json.loads(await self.body())

    async def events(self) -> AsyncIterator[dict[str, str]]:
        """Server-sent events as their fields. Comments, and blocks without data, are no events."""
        rest = b""
        async for piece in self.pieces():
            *blocks, rest = (rest + piece).split(b"\n\n")
            for block in blocks:
                fields = dict(line.partition(": ")[::2] for line in block.decode().split("\n") if not line.startswith(":"))
                if "data" in fields:
                    yield fields


class Connection:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, receive_buffer: int | None = None) -> "Connection":
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
        except BaseException:
            sock.close()
            raise
        # A stream reader stops to take from the socket when twice its limit is in it.
        return cls(*await asyncio.open_connection(sock=sock, limit=1 << 20 if receive_buffer is None else 1024))

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def vanish(self) -> None:
        """Ends the connection as a process that crashes does: with a reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    @staticmethod
    def bytes_of(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[bytes, bytes]:
        """Head and body of a request."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers.items())]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode(), body

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        self.writer.write(b"".join(self.bytes_of(method, path, headers, body)))

    async def response(self) -> Response:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return Response(int(head[0].split(" ")[1]), headers, self.reader)

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Response:
        self.send(method, path, headers, body)
        return await self.response()

    async def until_closed(self, seconds: float) -> bytes:
        """What still comes before the gateway closes the connection, which it must do within `seconds`."""
        received = b""
        try:
            async with asyncio.timeout(seconds):
                while piece := await self.reader.read(1 << 16):
                    received = (received + piece)[-4096:]
        except ConnectionError:
            pass
        except TimeoutError:
            raise Unexpected(f"the gateway kept a connection for {seconds:.0f} s that it must close") from None
        return received
