"""Rows about HTTP/1.1 itself: the request line, where a body ends, attempts to smuggle a request behind another, sizes, Expect."""

from __future__ import annotations

import gzip

from malformed import ANY, MAX_BODY, PING, Row, mcp, ping
from wire import chunked

INVALID, PARSE = -32600, -32700
# What an attacker wants to be taken for a request of its own.
SMUGGLED = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"


def coded(body: bytes, coding: str | None = "chunked", extra: bytes = b"", **how: object) -> bytes:
    """A request whose body is framed by Transfer-Encoding, or by whatever `extra` says."""
    line = b"" if coding is None else f"Transfer-Encoding: {coding}\r\n".encode("latin-1")
    return mcp(None, extra=b"Content-Type: application/json\r\n" + line + extra, **how) + body


def sized(length: str, body: bytes = PING) -> bytes:
    return coded(body, None, f"Content-Length: {length}\r\n".encode("latin-1"))


def line(text: str) -> bytes:
    """A ping with another request line."""
    good = ping()
    return text.encode("latin-1") + good[good.index(b"\r\n") :]


GOOD_CHUNKS = chunked(PING)
LENGTH = f"Content-Length: {len(PING)}\r\n".encode()

AMBIGUOUS: dict[str, bytes] = {
    # RFC 9112 sections 6.1 to 6.3: the framing is faulty, so nothing that follows may be read as a request.
    "both Content-Length and Transfer-Encoding": coded(GOOD_CHUNKS, extra=LENGTH),
    "both, the other way round": coded(GOOD_CHUNKS, None, LENGTH + b"Transfer-Encoding: chunked\r\n"),
    "both, with a request between them": coded(b"0\r\n\r\n" + SMUGGLED, extra=b"Content-Length: 5\r\n"),
    "two different Content-Length": coded(PING + SMUGGLED, None, LENGTH + b"Content-Length: 999\r\n"),
    "two equal Content-Length": coded(PING, None, LENGTH + LENGTH),
    "Content-Length a list of different": sized(f"{len(PING)}, 999"),
    "Content-Length a list of equal": sized(f"{len(PING)}, {len(PING)}"),
    "Content-Length with a plus": sized(f"+{len(PING)}"),
    "Content-Length with a minus": sized("-1"),
    "Content-Length with minus zero": sized("-0", b""),
    "Content-Length in hexadecimal": sized("0x28"),
    "Content-Length with a space in it": sized("4 0"),
    "Content-Length with a fraction": sized("40.0"),
    "Content-Length with an exponent": sized("4e1"),
    "Content-Length with other digits": sized("\xb9\xb2"),
    "Content-Length beyond 64 bits": sized("18446744073709551656"),
    "Content-Length of thirty digits": sized("9" * 30),
    "Content-Length empty": sized(""),
    "Content-Length a word": sized("many"),
    "Content-Length with NUL": sized("40\x00"),
    "Transfer-Encoding chunked, identity": coded(GOOD_CHUNKS, "chunked, identity"),
    "Transfer-Encoding identity": coded(GOOD_CHUNKS, "identity"),
    "Transfer-Encoding xchunked": coded(GOOD_CHUNKS, "xchunked"),
    "Transfer-Encoding chunkedx": coded(GOOD_CHUNKS, "chunkedx"),
    "Transfer-Encoding with a control character": coded(GOOD_CHUNKS, "\x0bchunked"),
    "Transfer-Encoding in quotes": coded(GOOD_CHUNKS, '"chunked"'),
    "Transfer-Encoding empty": coded(GOOD_CHUNKS, ""),
    "Transfer-Encoding chunked;q=1": coded(GOOD_CHUNKS, "chunked;q=1"),
    "Transfer-Encoding gzip alone": coded(gzip.compress(PING), "gzip"),
    "Transfer-Encoding twice": coded(GOOD_CHUNKS, extra=b"Transfer-Encoding: chunked\r\n"),
    "Transfer-Encoding chunked twice in one": coded(GOOD_CHUNKS, "chunked, chunked"),
    "Transfer-Encoding twice, the second odd": coded(GOOD_CHUNKS, extra=b"Transfer-Encoding: cow\r\n"),
    "Transfer-Encoding with a space before the colon": coded(GOOD_CHUNKS, None, b"Transfer-Encoding : chunked\r\n"),
}

BAD_CHUNKS: dict[str, bytes] = {
    "a size that is no number": b"zz\r\nab\r\n0\r\n\r\n",
    "a size that is missing": b"\r\n" + PING + b"\r\n0\r\n\r\n",
    "a negative size": b"-28\r\n" + PING + b"\r\n0\r\n\r\n",
    "a size with a plus": b"+28\r\n" + PING + b"\r\n0\r\n\r\n",
    "a size with 0x": b"0x28\r\n" + PING + b"\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000028\r\n" + PING + b"\r\n0\r\n\r\n",
    "a size of a hundred digits": b"f" * 100 + b"\r\n" + PING + b"\r\n0\r\n\r\n",
    "a space before the size": b" 28\r\n" + PING + b"\r\n0\r\n\r\n",
    "no line end after the data": b"28\r\n" + PING + b"0\r\n\r\n",
    "more data than the size": b"27\r\n" + PING + b"\r\n0\r\n\r\n",
    "a size line that ends with LF": b"28\n" + PING + b"\r\n0\r\n\r\n",
    "data that ends with LF": b"28\r\n" + PING + b"\n0\r\n\r\n",
    "a bare CR in an extension": b"28;a\rb\r\n" + PING + b"\r\n0\r\n\r\n",
    "a bare LF in an extension": b"28;a\nb\r\n" + PING + b"\r\n0\r\n\r\n",
    "NUL in an extension": b"28;a\x00b\r\n" + PING + b"\r\n0\r\n\r\n",
    "an extension without its semicolon": b"28 ext\r\n" + PING + b"\r\n0\r\n\r\n",
    "a trailer without a colon": b"28\r\n" + PING + b"\r\n0\r\nX-Odd\r\n\r\n",
    "a folded trailer": b"28\r\n" + PING + b"\r\n0\r\nX-Odd: 1\r\n 2\r\n\r\n",
}

BAD_LINES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "no version": (b"POST /mcp\r\n\r\n", (400,)),
    "HTTP/0.9": (b"GET /mcp\r\n\r\n", (400,)),
    "a space in the target": (line("POST /m cp HTTP/1.1"), (400,)),
    "a tab for a space": (line("POST\t/mcp\tHTTP/1.1"), (400,)),
    "white space at the end": (line("POST /mcp HTTP/1.1 "), (400,)),
    "white space at the beginning": (line(" POST /mcp HTTP/1.1"), (400,)),
    "no target": (line("POST HTTP/1.1"), (400,)),
    "no method": (line("/mcp HTTP/1.1"), (400,)),
    "a target without its slash": (line("POST mcp HTTP/1.1"), (400, 404)),
    "another protocol": (line("POST /mcp ICY/1.1"), (400,)),
    "a version in lower case": (line("POST /mcp http/1.1"), (400,)),
    "HTTP/1": (line("POST /mcp HTTP/1"), (400,)),
    "HTTP/1.10": (line("POST /mcp HTTP/1.10"), (400, 505)),
    "HTTP/2.0": (line("POST /mcp HTTP/2.0"), (400, 505)),
    "HTTP/3.7": (line("POST /mcp HTTP/3.7"), (400, 505)),
    "HTTP/-1.1": (line("POST /mcp HTTP/-1.1"), (400,)),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", (400, 505)),
    "a TLS hello": (bytes.fromhex("16030100c8010000c40303") + b"\x00" * 60 + b"\r\n\r\n", (400,)),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", (400,)),
    "SMTP": (b"EHLO evil.example\r\n\r\n", (400,)),
    "JSON without HTTP": (PING + b"\r\n\r\n", (400,)),
    "NUL": (b"\x00" * 64 + b"\r\n\r\n", (400,)),
    "a control character in the target": (line("POST /mcp\x01 HTTP/1.1"), (400,)),
    "NUL in the target": (line("POST /mcp\x00 HTTP/1.1"), (400,)),
    "a bare CR in the target": (line("POST /mcp\r HTTP/1.1"), (400,)),
    "a method with odd characters": (line("PO(ST /mcp HTTP/1.1"), (400,)),
    "a method that nobody knows": (line("FROBNICATE /mcp HTTP/1.1"), (400, 405, 501)),
    "a method in lower case": (line("post /mcp HTTP/1.1"), (400, 405, 501)),
    "line ends without CR": (ping().replace(b"\r\n", b"\n"), (400,)),
    "line ends of CR alone": (ping().replace(b"\r\n", b"\r"), (400,)),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", (400, 403, 404, 405, 501)),
}

METHODS: dict[str, tuple[bytes, int | tuple[int, ...]]] = {
    "PUT": (mcp(PING, method="PUT"), 405),
    "PATCH": (mcp(PING, method="PATCH"), 405),
    "TRACE": (mcp(method="TRACE"), 405),
    "HEAD": (mcp(method="HEAD"), 405),
    "PROPFIND": (mcp(method="PROPFIND"), 405),
}

PATHS: dict[str, str] = {
    "with a slash at the end": "/mcp/",
    "with two slashes": "//mcp",
    "in capitals": "/MCP",
    "with a dot": "/./mcp",
    "with two dots": "/nothing/../mcp",
    "with an encoded dot": "/%2e/mcp",
    "with encoded dots": "/nothing/%2e%2e/mcp",
    "with an encoded slash": "/%2fmcp",
    "with an encoded letter": "/%6dcp",
    "with NUL": "/mcp%00",
    "with a bad escape": "/mcp%zz",
    "with a semicolon": "/mcp;a=b",
    "that goes on": "/mcp/tools",
    "of no server": "/servers/nobody/mcp",
    "of a server with an empty name": "/servers//mcp",
    "of a server with encoded dots": "/servers/%2e%2e/mcp",
    "of a server with a slash": "/servers/raw/other/mcp",
    "that is a file": "/../../../../etc/passwd",
}

ROWS = [
    *(Row(f"smuggling: {name}", sent, 400, ANY, closes=True) for name, sent in AMBIGUOUS.items()),
    Row("smuggling: Transfer-Encoding gzip, chunked", coded(chunked(gzip.compress(PING)), "gzip, chunked"), (400, 501), ANY, closes=True),
    Row("smuggling: Transfer-Encoding in HTTP/1.0", coded(GOOD_CHUNKS, version="HTTP/1.0"), (200, 400), "either", id=7, closes=True),
    Row("smuggling: a body that GET does not need", mcp(PING, method="GET", headers={"Accept": "text/plain"}), 406, INVALID),
    *(Row(f"chunks: {name}", coded(body), 400, ANY, closes=True) for name, body in BAD_CHUNKS.items()),
    Row("chunks: one", coded(GOOD_CHUNKS), 200, None, id=7),
    Row("chunks: of one byte each", coded(chunked(*(PING[n : n + 1] for n in range(len(PING))))), 200, None, id=7),
    Row("chunks: a size with zeros before it", coded(b"000028\r\n" + PING + b"\r\n0\r\n\r\n"), 200, None, id=7),
    Row("chunks: an extension", coded(b'28;a=b;c="d;e"\r\n' + PING + b"\r\n0;last\r\n\r\n"), 200, None, id=7),
    Row("chunks: an extension of two megabytes", coded(b"28;" + b"a" * (2 << 20) + b"\r\n" + PING + b"\r\n0\r\n\r\n"), (400, 413, 431), ANY, closes=True),
    Row("chunks: trailers", coded(chunked(PING, trailers=b"X-Odd: 1\r\nX-Sum: 2\r\n")), 200, None, id=7),
    Row("chunks: trailers that would change the request", coded(chunked(PING, trailers=b"Host: evil.example\r\nMcp-Session-Id: x\r\n")), 200, None, id=7),
    Row("chunks: a length in the trailers", coded(chunked(PING, trailers=b"Content-Length: 5\r\n")), (200, 400), "either", id=7, closes=None),
    Row("chunks: a coding in the trailers", coded(chunked(PING, trailers=b"Transfer-Encoding: chunked\r\n")), (200, 400), "either", id=7, closes=None),
    Row("chunks: trailers beyond the limit", coded(chunked(PING, trailers=b"X-Odd: " + b"a" * (64 << 10) + b"\r\n")), (400, 431), ANY, closes=True),
    Row("chunks: coding in other letters", coded(GOOD_CHUNKS, "ChUnKeD"), 200, None, id=7),
    Row("chunks: nothing", coded(b"0\r\n\r\n"), 400, PARSE),
    *(Row(f"line: {name}", sent, status, ANY, closes=True) for name, (sent, status) in BAD_LINES.items()),
    *(Row(f"method: {name}", sent, status, INVALID, method=name) for name, (sent, status) in METHODS.items()),
    *(Row(f"path: one {name}", ping(target=path), (400, 404), ANY) for name, path in PATHS.items()),
    Row("line: two spaces", line("POST  /mcp HTTP/1.1"), (200, 400), "either", id=7, closes=None),
    Row("line: an asterisk that is not for OPTIONS", line("POST * HTTP/1.1"), (400, 404), ANY, closes=None),
    # Section 3.2.2: a server must take the absolute form, and its host counts, not that of the header.
    Row("line: the absolute form", ping(target="http://127.0.0.1/mcp"), 200, None, id=7),
    Row("line: the absolute form of another host", ping(target="http://evil.example/mcp"), 403, INVALID),
    Row("line: a query", ping(target="/mcp?session=1&a=/mcp"), 200, None, id=7),
    Row("line: an empty line before it", b"\r\n" + ping(), 200, None, id=7),
    Row("line: HTTP/1.0 without a host", ping(version="HTTP/1.0", host=None), 200, None, id=7, closes=True),
    Row("size: a body over the limit", mcp(b'"' + b"a" * MAX_BODY + b'"'), 413, INVALID, closes=None),
    Row("size: a body over the limit in chunks", coded(chunked(*[b"a" * 1024] * 65)), 413, INVALID, closes=None),
    Row("size: a body of a megabyte in chunks", coded(chunked(*[b"a" * (1 << 16)] * 16)), 413, INVALID, closes=None),
    Row("size: a body of sixteen megabytes", mcp(b"a" * (16 << 20)), 413, INVALID, closes=True),
    Row("size: an exabyte is announced", mcp(None, length=1 << 60, extra="Content-Type: application/json\r\n"), 413, INVALID, closes=True),
    Row("size: a chunk of an exabyte is announced", coded(b"f" * 15 + b"\r\n" + b"a" * (MAX_BODY + 1)), 413, INVALID, closes=True),
    Row("size: a body over the limit of a request that is refused anyway", ping(host="evil.example", length=1 << 40), (403, 413), INVALID, closes=True),
    Row("expect: 100-continue with a body that is too large", mcp(b"", length=1 << 30, headers={"Expect": "100-continue"}), 413, INVALID, closes=True),
    Row("expect: 100-continue with another content type", mcp(b"", length=10, headers={"Expect": "100-continue", "Content-Type": "text/plain"}), 415, INVALID, closes=True),
    Row("expect: 100-continue from another site", mcp(b"", length=10, headers={"Expect": "100-continue", "Origin": "http://evil.example"}), 403, INVALID, closes=True),
    Row("expect: something else", ping(headers={"Expect": "200-ok"}), (200, 417), "either", id=7, closes=None),
]  # fmt: skip
