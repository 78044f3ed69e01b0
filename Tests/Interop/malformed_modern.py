"""Rows about requests of 2026-07-28: what they say of themselves in `_meta`, and what their headers repeat of their bodies."""

from __future__ import annotations

import json
from typing import Any

from conformance import META, MODERN
from malformed import ANY, MAX_BODY, MAX_HEADER, SESSION, Row, mcp
from modern import ModernClient, header_value
from rawhttp import BOTH, JSON

PARSE, INVALID, PARAMS, UNKNOWN = -32700, -32600, -32602, -32601
MISMATCH, UNSUPPORTED = -32020, -32022
NAMES = {"protocolVersion": MODERN, "clientCapabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
TOOL = {"name": "raw__echo", "arguments": {}}
ID = "m"


def message(method: str = "tools/list", params: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    """A good request; what is given of `_meta` takes the place of what is there, and None removes."""
    fields = {f"{META}{name}": value for name, value in {**NAMES, **meta}.items() if value is not None}
    return {"jsonrpc": "2.0", "id": ID, "method": method, "params": {"_meta": fields, **(params or {})}}


def modern(body: Any, extra: str = "", **headers: str | None) -> bytes:
    """A request with the headers that belong to its body, but for those that are given; None removes."""
    fields: dict[str, str | None] = dict.fromkeys(("accept", "content-type"), None)
    fields |= ModernClient.headers(body) | {name.replace("_", "-"): value for name, value in headers.items()}
    return mcp(body, session=headers.get("mcp_session_id"), headers=fields, extra=extra)


def list_with(**meta: Any) -> bytes:
    version = meta.get("protocolVersion")
    return modern(message(**meta), mcp_protocol_version=version if isinstance(version, str) else MODERN)


def raw(body: bytes) -> bytes:
    return modern(body, mcp_method="tools/list")


def call(**headers: str | None) -> bytes:
    return modern(message("tools/call", TOOL), **headers)


def text(members: str) -> bytes:
    """A request of whose params the members are given."""
    return b'{"jsonrpc":"2.0","id":"m","method":"tools/call","params":{%s}}' % members.encode()


GOOD_META = '"_meta":' + json.dumps(message()["params"]["_meta"])

HEADERS: dict[str, dict[str, str | None]] = {
    "no version": {"mcp_protocol_version": None},
    "another version": {"mcp_protocol_version": "2027-01-01"},
    "a legacy version": {"mcp_protocol_version": "2025-11-25"},
    "an empty version": {"mcp_protocol_version": ""},
    "no method": {"mcp_method": None},
    "an empty method": {"mcp_method": ""},
    "another method": {"mcp_method": "tools/list"},
    "the method in capitals": {"mcp_method": "TOOLS/CALL"},
    "the method in Base64": {"mcp_method": "=?base64?dG9vbHMvY2FsbA==?="},
    "a method that begins like the body's": {"mcp_method": "tools/call/x"},
    "no name": {"mcp_name": None},
    "an empty name": {"mcp_name": ""},
    "another name": {"mcp_name": "raw__count"},
    "the name in capitals": {"mcp_name": "RAW__ECHO"},
    "the name of the tool at its server": {"mcp_name": "echo"},
    "a name in Base64 that is not padded": {"mcp_name": "=?base64?cmF3X19lY2hv=?="},
    "a name in Base64 with odd bits": {"mcp_name": "=?base64?cmF3X19lY2hoYR==?="},
    "a name in Base64 that is no UTF-8": {"mcp_name": "=?base64?/w==?="},
    "a name in Base64 with white space": {"mcp_name": "=?base64?cmF3 X19lY2hv?="},
    "a name in Base64 in capitals": {"mcp_name": "=?BASE64?cmF3X19lY2hv?="},
    "a name that is not ASCII": {"mcp_name": "raw__echö"},
    "a name of six thousand letters": {"mcp_name": "a" * 6_000},
}

META_VALUES: dict[str, dict[str, Any]] = {
    "no version": {"protocolVersion": None},
    "a number as version": {"protocolVersion": 20260728},
    "a list as version": {"protocolVersion": [MODERN]},
    "no capabilities": {"clientCapabilities": None},
    "a list as capabilities": {"clientCapabilities": []},
    "a text as client": {"clientInfo": "raw"},
    "a number as level": {"logLevel": 1},
    "an unknown level": {"logLevel": "loud"},
}

PAYLOADS: dict[str, tuple[bytes, int]] = {
    "no JSON": (b"nonsense", PARSE),
    "half a message": (b'{"jsonrpc":"2.0","id":1,"method":"tools/l', PARSE),
    "nothing": (b"", PARSE),
    "an empty batch": (b"[]", INVALID),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', INVALID),
    "a text": (b'"tools/list"', INVALID),
    "no JSON-RPC": (b'{"method":"tools/list"}', INVALID),
}

TWICE = {
    "name": f'{GOOD_META},"name":"raw__echo","n\\u0061me":"raw__count"',
    "arguments": f'{GOOD_META},"name":"raw__echo","arguments":{{}},"argum\\u0065nts":{{"a":1}}',
    "requestState": f'{GOOD_META},"name":"raw__echo","requestState":"a","requestState":"b"',
    "_meta": f'{GOOD_META},{GOOD_META},"name":"raw__echo"',
}

ROWS = [
    Row("modern: a good request", call(), 200, None, id=ID),
    Row("modern: a good request with a session id", call(mcp_session_id=SESSION), 200, None, id=ID),
    Row("modern: a good request with an old Last-Event-ID", call(last_event_id="x.1"), 200, None, id=ID),
    Row("modern: a name in Base64", call(mcp_name="=?base64?cmF3X19lY2hv?="), 200, None, id=ID),
    Row("modern: a parameter that no tool has", call(mcp_param_odd="=?base64?!!!?="), 200, None, id=ID),
    *(Row(f"modern header: {name}", call(**headers), 400, MISMATCH, id=ID) for name, headers in HEADERS.items()),
    *(
        Row(f"modern header: {name} twice", modern(message("tools/call", TOOL), extra=f"{name}: {value}\r\n"), 400, code, id=id)
        for name, value, code, id in (
            ("Mcp-Method", "tools/call", MISMATCH, ID), ("Mcp-Name", "raw__echo", MISMATCH, ID),
            # Before the era is known.
            ("MCP-Protocol-Version", MODERN, INVALID, None),
        )
    ),
    Row("modern header: names beyond the limit", modern(message(), extra="".join(f"Mcp-Param-{n}: 1\r\n" for n in range(MAX_HEADER // 16))), 431, ANY, closes=True),
    Row("modern header: the names of many parameters", modern(message(), extra="".join(f"Mcp-Param-X: {n}\r\n" for n in range(200))), 200, None, id=ID),
    *(Row(f"modern: {name}", list_with(**meta), 400, PARAMS, id=ID) for name, meta in META_VALUES.items()),
    *(Row(f"modern: {name} twice", raw(text(members)).replace(b"mcp-method: tools/list", b"mcp-method: tools/call"), 400, PARSE) for name, members in TWICE.items()),
    *(
        Row(f"modern: version {version!r}", list_with(protocolVersion=version), 400, UNSUPPORTED, id=ID, holds=MODERN)
        for version in ("2099-01-01", "draft", "1", "2025-11-25", "a" * 1000)
    ),
    Row("modern: params without _meta", modern({"jsonrpc": "2.0", "id": ID, "method": "tools/list", "params": {}}), 400, PARAMS, id=ID),
    Row("modern: no params", modern({"jsonrpc": "2.0", "id": ID, "method": "tools/list"}), 400, PARAMS, id=ID),
    *(Row(f"modern: {name} as a body", raw(body), 400, code) for name, (body, code) in PAYLOADS.items()),
    Row("modern: a response", modern({"jsonrpc": "2.0", "id": ID, "result": {}}), 400, INVALID),
    Row("modern: a body beyond the limit", modern(message(params={"pad": "x" * MAX_BODY})), 413, INVALID),
    Row("modern: a notification", modern({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": ID}}), 202),
    Row("modern: a notification of an unknown version", modern({"jsonrpc": "2.0", "method": "x"}, mcp_protocol_version="2099-01-01"), 400, UNSUPPORTED),
    *(
        Row(f"modern: method {method!r}", modern(message(method)), 404, UNKNOWN, id=ID)
        for method in ("x/unknown", "initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/result", "")
    ),
    Row("modern: a method that is not ASCII", modern(message("tools/lïst"), mcp_method="tools/lïst"), 400, MISMATCH, id=ID),
    Row("modern: a name that is not ASCII", modern(message("tools/call", {"name": "ö"}), mcp_name=header_value("ö")), (200, 400), PARAMS, id=ID),
    *(
        Row(f"modern: {method} is not there", mcp(method=method, headers={"MCP-Protocol-Version": MODERN, "Accept": BOTH}), 405, INVALID, method=method)
        for method in ("GET", "DELETE")
    ),
    Row("modern: another origin", call(origin="http://evil.example"), 403, INVALID),
    Row("modern: JSON alone accepted", call(accept=JSON), 406, INVALID),
    Row("modern: text/plain", call(content_type="text/plain"), 415, INVALID),
]  # fmt: skip
