"""Rows about header fields: their syntax, and what Streamable HTTP and the gateway's rules say of their values."""

from __future__ import annotations

import uuid

from malformed import ANY, ENDED, EVENT, FOREIGN, MAX_HEADER, OLD, OTHER, PING, SESSION, Row, initialize, mcp, ping
from rawhttp import BOTH, JSON, SSE

INVALID, UNSUPPORTED = -32600, -32022
# A session that is gone: the client shall initialize again.
NO_SESSION = -32000


def listen(last_event_id: str | None = None, extra: str = "", session: str = SESSION) -> bytes:
    """A GET that opens or resumes a stream."""
    return mcp(method="GET", session=session, headers={"Last-Event-ID": last_event_id}, extra=extra)


SESSIONS: dict[str, str] = {
    "that was never made": str(uuid.uuid4()),
    "of version 1": str(uuid.uuid1()),
    "that is all zeros": "00000000-0000-0000-0000-000000000000",
    "that is no UUID": "nonsense",
    "without its dashes": uuid.uuid4().hex,
    "that is empty": "",
    "that is a path": "../../../../etc/passwd",
    "that is SQL": "' OR '1'='1",
    "of six thousand letters": "a" * 6_000,
    "that is a list of two": f"{SESSION}, {SESSION}",
    "in braces": "{" + SESSION + "}",
    "that ended": ENDED,
    "of another endpoint": OTHER,
    "that is not ASCII": "ü" * 36,
}

HOSTS: dict[str, str] = {
    "another name": "evil.example",
    "another name with the port": "evil.example:3001",
    "a name that begins like this machine": "127.0.0.1.evil.example",
    "a name that begins like localhost": "localhost.evil.example",
    "a name that ends like localhost": "evil-localhost",
    "a user name like this machine": "127.0.0.1@evil.example",
    "a port that is none": "127.0.0.1:evil",
    "a list": "127.0.0.1, evil.example",
    "another address": "192.0.2.1",
}

ORIGINS: dict[str, str] = {
    "another site": "http://evil.example",
    "null": "null",
    "a file": "file://",
    "a name that begins like this machine": "http://127.0.0.1.evil.example",
    "a user name like localhost": "http://localhost@evil.example",
    "a path like localhost": "http://evil.example/http://localhost",
    "a fragment like localhost": "http://evil.example#http://localhost",
    "a list": "http://localhost http://evil.example",
    "an empty value": "",
    "a port that is none": "http://localhost:evil.example",
}

ACCEPTS: dict[str, str | None] = {
    "nothing": None,
    "an empty value": "",
    "JSON alone": JSON,
    "events alone": SSE,
    "text alone": "text/html, text/plain",
    "JSON with weight 0": f"{JSON};q=0, {SSE}",
    "events with weight 0": f"{JSON}, {SSE};q=0.000",
    "everything but JSON": f"*/*, {JSON};q=0",
    "everything with weight 0": "*/*;q=0",
    "noise": ";;;,,,///",
}

CONTENT_TYPES: dict[str, str | None] = {
    "none": None,
    "empty": "",
    "text/plain": "text/plain",
    "a form": "application/x-www-form-urlencoded",
    "a form in parts": "multipart/form-data; boundary=x",
    "application/json5": "application/json5",
    "application/json-rpc": "application/json-rpc",
    "a list": "application/json, text/plain",
    "JSON as a parameter": "text/plain; application/json",
    "everything": "*/*",
}

EVENT_IDS: dict[str, tuple[str, int | tuple[int, ...]]] = {
    # An id that the gateway never makes gets 400, one that it does not have (any more) 404.
    "that is a word": ("nonsense", 400),
    "without a stream": (".5", 400),
    "without a number": (f"{EVENT}.", 400),
    "with a negative number": (f"{EVENT}.-1", 400),
    "with a signed number": (f"{EVENT}.+1", 400),
    "with a fraction": (f"{EVENT}.1.5", (400, 404)),
    "with a hexadecimal number": (f"{EVENT}.0x1", 400),
    "with a number beyond 64 bits": (f"{EVENT}.18446744073709551616", 400),
    "of a thousand letters": ("e" * 1000 + ".1", 400),
    "that is a path": ("../../events.1", 400),
    "that is SQL": ("e'; DROP TABLE events; --.1", 400),
    "of a stream that was never made": ("e222222222222.1", 400),
    "of another session": (f"{FOREIGN}.1", 400),
    "beyond the end": (f"{EVENT}.999999", (400, 404)),
    "far beyond the end": (f"{EVENT}.18446744073709551615", (400, 404)),
}

ONLY_ONCE: dict[str, tuple[str, str]] = {
    # Which of two counts would be anybody's guess, and a proxy in front may guess otherwise.
    "Host": ("evil.example", "127.0.0.1"),
    "Host with the same value": ("127.0.0.1", "127.0.0.1"),
    "Origin": ("http://evil.example", "http://localhost"),
    "Mcp-Session-Id": (SESSION, SESSION),
    "Content-Type": ("text/plain", JSON),
    "MCP-Protocol-Version": ("2025-03-26", "2025-11-25"),
}

BAD_FIELDS: dict[str, bytes] = {
    # RFC 9112 sections 2.2, 3.2, 5.1 and 5.2, RFC 9110 section 5.5.
    "a space before the colon": b"X-Odd : 1\r\n",
    "a tab before the colon": b"X-Odd\t: 1\r\n",
    "no colon": b"X-Odd\r\n",
    "no name": b": 1\r\n",
    "a space in the name": b"X Odd: 1\r\n",
    "a folded line": b"X-Odd: 1\r\n 2\r\n",
    "a folded Transfer-Encoding": b"Transfer-Encoding:\r\n chunked\r\n",
    "NUL in a value": b"X-Odd: a\x00b\r\n",
    "a bare CR in a value": b"X-Odd: a\rb\r\n",
    "a bare CR that hides a field": b"X-Odd: a\rTransfer-Encoding: chunked\r\n",
    "a bare LF that hides a field": b"X-Odd: a\nX-Session-ID: b\r\n",
    "NUL in a name": b"X\x00Odd: 1\r\n",
    "a control character in a name": b"X\x01Odd: 1\r\n",
    "a name that is not ASCII": "X-Ödd: 1\r\n".encode(),
    "a name in quotes": b'"X-Odd": 1\r\n',
}

ROWS = [
    *(Row(f"session: one {name}", ping(session=value), 404, NO_SESSION) for name, value in SESSIONS.items()),
    *(
        Row(f"session: GET with one {name}", listen(session=SESSIONS[name]), 404, NO_SESSION)
        for name in ("that was never made", "that ended", "of another endpoint")
    ),
    Row("session: DELETE with one that was never made", mcp(method="DELETE", session=str(uuid.uuid4())), 404, NO_SESSION, method="DELETE"),
    Row("session: GET without one", mcp(method="GET", session=None), 400, INVALID),
    Row("session: DELETE without one", mcp(method="DELETE", session=None), 400, INVALID),
    Row("session: one that the endpoint of a server did not make", ping(target="/servers/raw/mcp"), 404, NO_SESSION),
    *(
        # A version that nobody knows may be of a newer era: the answer lists those that are served.
        Row(f"version: {name}", ping(headers={"MCP-Protocol-Version": value}), 400, UNSUPPORTED, id=7, holds="supported")
        for name, value in {
            "one that does not exist": "2099-01-01", "a word": "latest", "an empty value": "", "a list": "2025-11-25, 2025-11-25",
            "a number": "1", "a date in another form": "2025/11/25",
        }.items()
    ),  # fmt: skip
    *(Row(f"event id: one {name}", listen(value), status, INVALID) for name, (value, status) in EVENT_IDS.items()),
    Row("event id: two", listen(f"{EVENT}.1", extra=f"Last-Event-ID: {EVENT}.2\r\n"), 400, INVALID),
    *(Row(f"host: {name}", ping(host=value), 403, INVALID) for name, value in HOSTS.items()),
    Row("host: none in HTTP/1.1", ping(host=None), 400, ANY, closes=None),
    Row("host: an empty value", ping(host=""), (400, 403), ANY, closes=None),
    *(Row(f"origin: {name}", ping(headers={"Origin": value}), 403, INVALID) for name, value in ORIGINS.items()),
    *(
        Row(f"origin: another site with {method}", mcp(method=method, headers={"Origin": "http://evil.example"}), 403, ANY, method=method)
        for method in ("GET", "DELETE", "OPTIONS", "HEAD")
    ),
    Row("origin: another site with initialize", mcp(initialize(), session=None, headers={"Origin": "http://evil.example"}), 403, INVALID),
    Row(
        "origin: another site at /health",
        mcp(method="GET", target="/health", headers={"Origin": "http://evil.example"}), 403, ANY, method="GET",
    ),
    # A probe asks by whatever address it has, and there is nothing to steal.
    Row("host: another name at /health", mcp(method="GET", target="/health", host="evil.example"), (200, 403), "either", method="GET"),
    Row("host: another name at a path that does not exist", mcp(method="GET", target="/nothing", host="evil.example"), 403, ANY),
    *(Row(f"accept: {name}", ping(headers={"Accept": value}), 406, INVALID) for name, value in ACCEPTS.items()),
    Row("accept: GET of JSON alone", mcp(method="GET", headers={"Accept": JSON}), 406, INVALID),
    Row("accept: two lines that are one list", ping(headers={"Accept": JSON}, extra=f"Accept: {SSE}\r\n"), 200, None, id=7),
    *(Row(f"content type: {name}", ping(headers={"Content-Type": value}), 415, INVALID) for name, value in CONTENT_TYPES.items()),
    *(
        # RFC 8259 section 11: JSON has no such parameter, it changes nothing.
        Row(f"content type: charset {charset} changes nothing", ping(headers={"Content-Type": f"{JSON}; charset={charset}"}), 200, None, id=7)
        for charset in ("utf-8", "utf-16", '"', "")
    ),
    *(
        Row(f"content encoding: {value}", ping(headers={"Content-Encoding": value}), 415, INVALID)
        for value in ("gzip", "br", "deflate", "zstd", "x-unknown", "gzip, gzip")
    ),
    Row("content encoding: identity", ping(headers={"Content-Encoding": "identity"}), 200, None, id=7),
    *(
        Row(f"twice: {name}", ping(headers={(field := name.split()[0]): None}, extra=f"{field}: {first}\r\n{field}: {second}\r\n"), 400, INVALID)
        for name, (first, second) in ONLY_ONCE.items()
    ),
    *(Row(f"field: {name}", ping(extra=field), 400, ANY, closes=True) for name, field in BAD_FIELDS.items()),
    Row(
        "field: white space before the first",
        b"POST /mcp HTTP/1.1\r\n X-Odd: 1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", 400, ANY, closes=True,
    ),
    Row("field: a control character in the session id", ping(session=SESSION + "\x01"), (400, 404), ANY, closes=None),
    Row("field: a value of tabs and spaces", ping(extra="X-Odd: \t \r\n"), 200, None, id=7),
    Row("field: white space around the session id", ping(session=f" \t{SESSION}\t "), 200, None, id=7),
    Row("field: a value beyond the limit", ping(extra=f"X-Odd: {'a' * MAX_HEADER}\r\n"), 431, ANY, closes=True),
    Row("field: a name beyond the limit", ping(extra=f"{'X' * MAX_HEADER}: a\r\n"), 431, ANY, closes=True),
    Row("field: many that together are beyond the limit", ping(extra="".join(f"X-{n}: {'a' * 80}\r\n" for n in range(99))), 431, ANY, closes=True),
    Row("field: thousands of small ones", ping(extra="".join(f"{n:x}:\r\n" for n in range(2000))), 431, ANY, closes=True),
    Row("field: a session id beyond the limit", ping(session="a" * MAX_HEADER), 431, ANY, closes=True),
    Row("field: a target beyond the limit", ping(target="/mcp?" + "a" * MAX_HEADER), (414, 431), ANY, closes=True),
    Row("field: a megabyte without an end", b"POST /mcp HTTP/1.1\r\nX-Odd: " + b"a" * (1 << 20), 431, ANY, closes=True),
    Row("field: a close that the client asks for", ping(headers={"Connection": "close"}), 200, None, id=7, closes=True),
    Row("field: an upgrade to HTTP/2", ping(headers={"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABk"}), 200, None, id=7, closes=True),
    Row("field: an upgrade to WebSocket", mcp(method="GET", headers={"Connection": "Upgrade", "Upgrade": "websocket", "Accept": "*/*;q=0"}), 406, INVALID, closes=True),
    Row("field: an upper-case session id names the same session", ping(session=SESSION, headers={"ACCEPT": BOTH.upper()}), 200, None, id=7),
    Row("field: the older revision's session is as good", mcp(PING, session=OLD), 200, None, id=7),
]  # fmt: skip
