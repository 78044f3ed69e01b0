"""Rows about the REST API: its bodies, sessions, paths and methods."""

from __future__ import annotations

import uuid
from typing import Any

from malformed import ANY, ENDED, MAX_BODY, MAX_DEPTH, SESSION, Row
from wire import chunked, request

CREATE, VALIDATE, DELETE, SESSIONS = "/api/session/create", "/api/session/validate", "/api/session", "/api/sessions"
TICKET, TOOLS, CALL, EVENTS = "/api/session/ticket", "/api/mcp/tools", "/api/mcp/call", "/sse/events"
OPENAPI = "/api/openapi.json"

# Every route, with the one method it has.
ROUTES = {
    CREATE: "POST", VALIDATE: "POST", DELETE: "DELETE", SESSIONS: "GET", TICKET: "POST", TOOLS: "GET", CALL: "POST", EVENTS: "GET",
    OPENAPI: "GET",
}  # fmt: skip
# Those that need a session.
WITH_SESSION = [VALIDATE, DELETE, TICKET, TOOLS, CALL, EVENTS]
GOOD_BODY: dict[str, Any] = {CREATE: {"clientId": "malformed"}, CALL: {"name": "raw__count"}}


def rest(
    target: str, body: Any = None, *, session: str | None = SESSION, headers: dict[str, str | None] | None = None, **how: Any
) -> bytes:
    """A request to the REST API, good but for what is given."""
    path = target.partition("?")[0]
    how.setdefault("method", ROUTES.get(path, "GET"))
    if body is None and how["method"] == "POST":
        body = GOOD_BODY.get(path, b"")
    return request(body, target=target, headers={"X-Session-ID": session, **(headers or {})}, **how)


NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "half an object": b'{"clientId":"a"',
    "bytes after it": b'{"clientId":"a"}{}',
    "a comma too many": b'{"clientId":"a",}',
    "single quotes": b"{'clientId':'a'}",
    "a bad escape": b'{"clientId":"\\x41"}',
    "invalid UTF-8": b'{"clientId":"\xff"}',
    "UTF-16": '{"clientId":"a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"clientId":"a"}',
    "NUL": b'{"clientId":"a\x00"}',
    "NaN": b'{"clientId":"a","metadata":{"a":NaN}}',
    "a comment": b'{"clientId":"a"} // me',
    "too many levels": b'{"clientId":"a","metadata":{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}}",
    "ten thousand open arrays": b"[" * 10_000,
    "a form": b"clientId=a",
}

WRONG_CREATE: dict[str, Any] = {
    "an array": [],
    "a string": b'"a"',
    "null": b"null",
    "no clientId": {},
    "clientId null": {"clientId": None},
    "clientId a number": {"clientId": 5},
    "clientId an object": {"clientId": {}},
    "clientId empty": {"clientId": ""},
    "clientId of 256 characters": {"clientId": "a" * 256},
    "metadata a string": {"clientId": "a", "metadata": "b"},
    "metadata an array": {"clientId": "a", "metadata": []},
    "metadata a number": {"clientId": "a", "metadata": 1},
    "metadata true": {"clientId": "a", "metadata": True},
}

WRONG_CALL: dict[str, Any] = {
    "an array": [],
    "no name": {"arguments": {}},
    "name a number": {"name": 5},
    "name null": {"name": None},
    "arguments an array": {"name": "raw__count", "arguments": []},
    "arguments a string": {"name": "raw__count", "arguments": "{}"},
    "arguments a number": {"name": "raw__count", "arguments": 1},
    "_meta a number": {"name": "raw__count", "_meta": 1},
    "_meta an array": {"name": "raw__count", "_meta": []},
}

BAD_SESSIONS: dict[str, str] = {
    "that was never made": str(uuid.uuid4()),
    "that is no UUID": "nonsense",
    "that ended": ENDED,
    "of six thousand letters": "a" * 6_000,
    "that is a list of two": f"{SESSION}, {SESSION}",
    "that is not ASCII": "ü" * 36,
}

UNKNOWN = [
    "/", "/api", "/api/", "/api/nothing", "/api/session", "/api/session/create/", "/api//session/create", "/API/session/create",
    "/api/session/create/more", "/api/mcp", "/api/mcp/call/raw__count", "/api/%2e%2e/health", "/api/session%2fcreate", "/sse/",
    "/sse/events/", "/api/openapi", "/favicon.ico", "/.env", "/robots.txt",
]  # fmt: skip

ROWS = [
    *(Row(f"rest: create with {name}", rest(CREATE, body), 400, "invalid_json") for name, body in NOT_JSON.items()),
    *(Row(f"rest: create with {name}", rest(CREATE, body), 400, "invalid_request") for name, body in WRONG_CREATE.items()),
    Row("rest: create with clientId twice", rest(CREATE, b'{"clientId":"a","clientId":"b"}'), 400, ANY),
    Row("rest: create with too much metadata", rest(CREATE, {"clientId": "a", "metadata": {"a": "b" * 1024}}), 413, "too_large"),
    Row("rest: create with a body over the limit", rest(CREATE, b"a" * (MAX_BODY + 1)), 413, "too_large", closes=None),
    Row("rest: create with sixteen megabytes", rest(CREATE, b"a" * (16 << 20)), 413, "too_large", closes=None),
    Row("rest: create with an exabyte", rest(CREATE, b"", length=1 << 60), 413, "too_large", closes=True),
    Row(
        "rest: create with a body over the limit in chunks",
        rest(CREATE, b"", headers={"Content-Length": None}, extra="Transfer-Encoding: chunked\r\n") + chunked(*[b"a" * 1024] * 65),
        413, "too_large", closes=None,
    ),
    *(
        Row(f"rest: create as {name}", rest(CREATE, headers={"Content-Type": value}), 415, "unsupported_media_type")
        for name, value in {"nothing": None, "text": "text/plain", "a form": "application/x-www-form-urlencoded", "JSON5": "application/json5"}.items()
    ),
    Row("rest: create in gzip", rest(CREATE, headers={"Content-Encoding": "gzip"}), 415, "unsupported_media_type"),
    Row("rest: create with two content types", rest(CREATE, headers={"Content-Type": None}, extra="Content-Type: text/plain\r\nContent-Type: application/json\r\n"), (400, 415), ANY),
    *(Row(f"rest: call with {name}", rest(CALL, body), 400, "invalid_json") for name, body in list(NOT_JSON.items())[:6]),
    *(Row(f"rest: call with {name}", rest(CALL, body), 400, "invalid_request") for name, body in WRONG_CALL.items()),
    Row("rest: call with an empty name", rest(CALL, {"name": ""}), (400, 404), ANY),
    Row("rest: call of an unknown tool", rest(CALL, {"name": "nothing"}), 404, "unknown_tool"),
    Row("rest: call of a tool of no server", rest(CALL, {"name": "nobody__echo"}), 404, "unknown_tool"),
    Row("rest: call of a tool that its server does not have", rest(CALL, {"name": "raw__nothing"}), 404, "unknown_tool"),
    Row("rest: call as text", rest(CALL, headers={"Content-Type": "text/plain"}), 415, "unsupported_media_type"),
    Row("rest: call with a body over the limit", rest(CALL, b"a" * (MAX_BODY + 1)), 413, "too_large", closes=None),
    *(Row(f"rest: {path} without a session", rest(path, session=None), 401, "session_required") for path in WITH_SESSION),
    *(
        Row(f"rest: {path} with a session {name}", rest(path, session=value), 401, "invalid_session")
        for path in WITH_SESSION
        for name, value in (BAD_SESSIONS if path == VALIDATE else {"that was never made": str(uuid.uuid4())}).items()
    ),
    Row("rest: validate with an empty session", rest(VALIDATE, session=""), 401, ANY),
    Row("rest: validate with two sessions", rest(VALIDATE, extra=f"X-Session-ID: {SESSION}\r\n"), 400, ANY),
    Row("rest: validate with the session in the query", rest(f"{VALIDATE}?X-Session-ID={SESSION}", session=None), 401, "session_required"),
    Row("rest: validate with a body that is ignored", rest(VALIDATE, b'{"a":', headers={"Content-Type": "text/plain"}), 200),
    Row("rest: sessions of nobody in particular", rest(SESSIONS), 400, "invalid_request"),
    Row("rest: sessions of an empty client", rest(f"{SESSIONS}?clientId="), 400, "invalid_request"),
    Row("rest: sessions of a client of 256 characters", rest(f"{SESSIONS}?clientId={'a' * 256}"), (200, 400), "either"),
    Row("rest: sessions with a bad escape", rest(f"{SESSIONS}?clientId=%zz"), (200, 400), "either"),
    *(
        Row(f"rest: events with a ticket {name}", rest(f"{EVENTS}?ticket={value}", session=None), 401, "invalid_ticket" if value.isalnum() else ANY)
        for name, value in {"that was never made": "a" * 43, "that is empty": "", "of a thousand letters": "a" * 1000, "that is a session": str(uuid.uuid4()), "with a bad escape": "%zz"}.items()
    ),
    *(Row(f"rest: {path} does not exist", rest(path), 404, "not_found") for path in UNKNOWN if path not in ROUTES),
    *(
        Row(f"rest: {method} {path}", rest(path, method=method), 405, "method_not_allowed", method=method)
        for path, right in ROUTES.items()
        for method in ("POST" if right == "GET" else "GET", "PUT")
    ),
    Row("rest: HEAD of a route that has none", rest(CREATE, method="HEAD"), 405, ANY, method="HEAD"),
    *(Row(f"rest: {path} from another site", rest(path, headers={"Origin": "http://evil.example"}), 403, "forbidden_origin") for path in ROUTES),
    *(Row(f"rest: {path} of another host", rest(path, host="evil.example"), 403, ANY) for path in ROUTES),
    Row("rest: a preflight from another site", rest(CREATE, method="OPTIONS", headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}), 403, "forbidden_origin"),
    Row("rest: two origins", rest(CREATE, extra="Origin: http://localhost\r\nOrigin: http://evil.example\r\n"), (400, 403), ANY),
    Row("rest: no host", rest(CREATE, host=None), 400, ANY, closes=None),
    Row("rest: both Content-Length and Transfer-Encoding", rest(CREATE, extra="Transfer-Encoding: chunked\r\n"), 400, ANY, closes=True),
    Row("rest: a bad chunk", rest(CREATE, b"", headers={"Content-Length": None}, extra="Transfer-Encoding: chunked\r\n") + b"zz\r\n", 400, ANY, closes=True),
    Row("rest: a header beyond the limit", rest(CREATE, headers={"X-Odd": "a" * (16 << 10)}), 431, "header_too_large", closes=True),
]  # fmt: skip
