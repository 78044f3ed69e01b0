"""Rows about the body of a POST to /mcp: JSON, JSON-RPC, MCP."""

from __future__ import annotations

import gzip

from malformed import MAX_BATCH, MAX_DEPTH, OLD, PING, Row, call, initialize, mcp

PARSE, INVALID, NO_METHOD, PARAMS = -32700, -32600, -32601, -32602


def params(value: bytes) -> bytes:
    """A call of `raw__echo` with these bytes as its arguments."""
    return b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"raw__echo","arguments":' + value + b"}}"


NOT_JSON: dict[str, bytes] = {
    "nothing": b"",
    "white space alone": b" \r\n\t ",
    "an object that does not end": PING[:-1],
    "a string that does not end": b'{"jsonrpc":"2.0","id":7,"method":"pin',
    "an opening brace": b"{",
    "bytes after the message": PING + b"}",
    "two messages": PING + PING,
    "two messages on two lines": PING + b"\n" + PING,
    "a comma after the last member": b'{"jsonrpc":"2.0","id":7,"method":"ping",}',
    "a comma after the last element": params(b"[1,2,]"),
    "a comma before the first element": params(b"[,1]"),
    "a missing colon": b'{"jsonrpc" "2.0","id":7,"method":"ping"}',
    "a missing comma": b'{"jsonrpc":"2.0" "id":7,"method":"ping"}',
    "a missing value": params(b'{"a":}'),
    "single quotes": PING.replace(b'"', b"'"),
    "a key without quotes": b'{jsonrpc:"2.0","id":7,"method":"ping"}',
    "a number as a key": params(b'{1:"a"}'),
    "a line comment": b"// ping\n" + PING,
    "a block comment": b"/* ping */" + PING,
    "NaN": params(b'{"a":NaN}'),
    "Infinity": params(b'{"a":-Infinity}'),
    "undefined": params(b'{"a":undefined}'),
    "a capital True": params(b'{"a":True}'),
    "half a literal": params(b'{"a":tru}'),
    "a hexadecimal number": params(b'{"a":0x10}'),
    "a leading zero": params(b'{"a":007}'),
    "a leading plus": params(b'{"a":+1}'),
    "a minus without digits": params(b'{"a":-}'),
    "a number that ends with its point": params(b'{"a":1.}'),
    "a number that begins with its point": params(b'{"a":.5}'),
    "an exponent without digits": params(b'{"a":1e+}'),
    "an unknown escape": params(b'{"a":"\\x41"}'),
    "a short escape": params(b'{"a":"\\u12"}'),
    "an escape with other letters": params(b'{"a":"\\u12G4"}'),
    "a backslash at the end": b'{"jsonrpc":"2.0","id":7,"method":"ping\\',
    "a line break in a string": params(b'{"a":"1\n2"}'),
    "a tab in a string": params(b'{"a":"1\t2"}'),
    "NUL in a string": params(b'{"a":"1\x002"}'),
    "NUL after the message": PING + b"\x00",
    "a byte order mark": b"\xef\xbb\xbf" + PING,
    "UTF-16, little end first": PING.decode().encode("utf-16-le"),
    "UTF-16 with its mark": PING.decode().encode("utf-16"),
    "UTF-16, big end first": PING.decode().encode("utf-16-be"),
    "UTF-32": PING.decode().encode("utf-32"),
    "a byte that UTF-8 does not have": params(b'{"a":"\xff"}'),
    "a lone continuation byte": params(b'{"a":"\x80"}'),
    "an overlong NUL": params(b'{"a":"\xc0\x80"}'),
    "an overlong slash": params(b'{"a":"\xe0\x80\xaf"}'),
    "a surrogate in UTF-8": params(b'{"a":"\xed\xa0\x80"}'),
    "a character beyond U+10FFFF": params(b'{"a":"\xf4\x90\x80\x80"}'),
    "a character that is cut off": params(b'{"a":"\xe2\x82"}'),
    "Latin-1": params('{"a":"ü"}'.encode("latin-1")),
    "arrays deeper than the limit": params(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH),
    "ten thousand open arrays": b"[" * 10_000,
    "five thousand open objects": b'{"a":' * 5_000,
    "a key that stands twice": b'{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/list"}',
    "an id that stands twice": b'{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}',
    "a key that stands twice, once escaped": b'{"jsonrpc":"2.0","id":7,"\\u0069d":8,"method":"ping"}',
    "XML": b'<?xml version="1.0"?><methodCall><methodName>ping</methodName></methodCall>',
    "a form": b"jsonrpc=2.0&id=7&method=ping",
    "gzip without Content-Encoding": gzip.compress(PING),
    "a batch that does not end": b"[" + PING,
    "a batch with a bad element": b"[" + PING + b',{"jsonrpc":}]',
}

ODD_JSON: dict[str, tuple[bytes, str]] = {
    # Strange, but JSON: it goes through as it is.
    "a lone surrogate as an escape": (params(b'{"a":"\\ud800"}'), "\\ud800"),
    "a pair of surrogates the wrong way round": (params(b'{"a":"\\udc00\\ud800"}'), "\\udc00\\ud800"),
    "NUL as an escape": (params(b'{"a":"\\u0000"}'), "\\u0000"),
    "a number beyond every double": (params(b'{"a":1e999999}'), "1e999999"),
    "a number with four hundred digits": (params(b'{"a":' + b"9" * 400 + b"}"), "9" * 400),
    "a double key in the arguments": (params(b'{"a":1,"a":2}'), '{"a":1,"a":2}'),
    "an empty key": (params(b'{"":{"":[]}}'), '{"":{"":[]}}'),
    "white space everywhere": (PING.replace(b":", b" :\r\n\t ").replace(b",", b"\n,\n"), '"result":{}'),
    "an escaped method": (b'{"jsonrpc":"2.0","id":7,"method":"\\u0070ing"}', '"result":{}'),
    "unknown members of the message": (b'{"jsonrpc":"2.0","id":7,"method":"ping","extra":[{}]}', '"result":{}'),
    "arrays as deep as the limit": (params(b"[" * (MAX_DEPTH - 2) + b"]" * (MAX_DEPTH - 2)), "[[[[[["),
}

NOT_A_MESSAGE: dict[str, tuple[bytes, int | str | None]] = {
    # With the id that the answer must have.
    "a number": (b"1", None),
    "a string": (b'"ping"', None),
    "null": (b"null", None),
    "true": (b"true", None),
    "an empty object": (b"{}", None),
    "no jsonrpc": (b'{"id":7,"method":"ping"}', 7),
    "jsonrpc 1.0": (b'{"jsonrpc":"1.0","id":7,"method":"ping"}', 7),
    "jsonrpc as a number": (b'{"jsonrpc":2.0,"id":7,"method":"ping"}', 7),
    "jsonrpc null": (b'{"jsonrpc":null,"id":7,"method":"ping"}', 7),
    "jsonrpc with white space": (b'{"jsonrpc":" 2.0","id":7,"method":"ping"}', 7),
    "id an object": (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', None),
    "id an array": (b'{"jsonrpc":"2.0","id":[7],"method":"ping"}', None),
    "id true": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None),
    "id null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None),
    "id with a fraction": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None),
    "id with an exponent": (b'{"jsonrpc":"2.0","id":1e2,"method":"ping"}', None),
    "neither method nor result": (b'{"jsonrpc":"2.0","id":7}', 7),
    "method a number": (b'{"jsonrpc":"2.0","id":7,"method":5}', 7),
    "method null": (b'{"jsonrpc":"2.0","id":7,"method":null}', 7),
    "method an array": (b'{"jsonrpc":"2.0","id":7,"method":["ping"]}', 7),
    "params an array": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', 7),
    "params a string": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":"a"}', 7),
    "params null": (b'{"jsonrpc":"2.0","id":7,"method":"ping","params":null}', 7),
    "params a number": (b'{"jsonrpc":"2.0","method":"notifications/x","params":1}', None),
    "both method and result": (b'{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}', 7),
    "both result and error": (b'{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"m"}}', 7),
    "an error that is no object": (b'{"jsonrpc":"2.0","id":7,"error":"no"}', 7),
    "a result without an id": (b'{"jsonrpc":"2.0","result":{}}', None),
    "a result with the id null": (b'{"jsonrpc":"2.0","id":null,"result":{}}', None),
    "a batch, which the revision does not have": (b"[" + PING + b"]", None),
    "an empty batch": (b"[]", None),
}

BATCHES: dict[str, bytes] = {
    # In a session of 2025-03-26.
    "an empty batch": b"[]",
    "a batch of numbers": b"[1,2,3]",
    "a batch in a batch": b"[[" + PING + b"]]",
    "a batch that is too big": b"[" + b",".join([PING.replace(b"7", b"%d" % n) for n in range(MAX_BATCH + 1)]) + b"]",
    "a batch with initialize": b"[" + PING + b',{"jsonrpc":"2.0","id":8,"method":"initialize","params":{}}]',
    "a batch with one wrong message": b"[" + PING + b',{"jsonrpc":"2.0","id":8}]',
}

ACCEPTED: dict[str, bytes] = {
    # Not for us to answer, whatever it says.
    "a result for no request": b'{"jsonrpc":"2.0","id":"never asked","result":{}}',
    "an error for no request": b'{"jsonrpc":"2.0","id":99,"error":{"code":-1,"message":"no"}}',
    "an error with the id null": b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}',
    "an unknown notification": b'{"jsonrpc":"2.0","method":"notifications/unheard-of"}',
    "a cancellation without params": b'{"jsonrpc":"2.0","method":"notifications/cancelled"}',
    "a cancellation without an id": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}',
    "a cancellation of an object": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{"a":1}}}',
    "a cancellation of no request": b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12345}}',
    "progress of nothing": b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":"x"}}',
    "initialize as a notification": b'{"jsonrpc":"2.0","method":"initialize","params":{}}',
    "initialized twice": b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
}

WRONG_CALLS: dict[str, tuple[bytes | dict, int]] = {
    # Good JSON-RPC, so the answer is one: 200, with the error in it.
    "an unknown method": (call(7, "tools/destroy"), NO_METHOD),
    "an empty method": (call(7, ""), NO_METHOD),
    "a method of ten thousand letters": (call(7, "m" * 10_000), NO_METHOD),
    "a reserved method": (call(7, "rpc.discover"), NO_METHOD),
    "a method with a lone surrogate": (b'{"jsonrpc":"2.0","id":7,"method":"\\ud800"}', NO_METHOD),
    "a method with line breaks": (call(7, "a\r\ndata: x\r\n\r\n"), NO_METHOD),
    "a notification with an id": (call(7, "notifications/initialized"), NO_METHOD),
    "a tool that does not exist": (call(7, "tools/call", {"name": "nothing"}), PARAMS),
    "a tool that its server does not have": (call(7, "tools/call", {"name": "raw__nothing"}), PARAMS),
    "a tool of no server": (call(7, "tools/call", {"name": "nobody__echo"}), PARAMS),
    "a tool whose name is a prefix": (call(7, "tools/call", {"name": "raw__"}), PARAMS),
    "a tool whose name is empty": (call(7, "tools/call", {"name": ""}), PARAMS),
    "a tool whose name is a number": (call(7, "tools/call", {"name": 5}), PARAMS),
    "a tool whose name is null": (call(7, "tools/call", {"name": None}), PARAMS),
    "a tool whose name is an object": (call(7, "tools/call", {"name": {"a": 1}}), PARAMS),
    "a tool without a name": (call(7, "tools/call", {"arguments": {}}), PARAMS),
    "a tool with line breaks": (call(7, "tools/call", {"name": "a\r\nb\u2028c"}), PARAMS),
    "a call without params": (call(7, "tools/call"), PARAMS),
    "a cursor that is a number": (call(7, "tools/list", {"cursor": 5}), PARAMS),
    "a cursor that is an object": (call(7, "tools/list", {"cursor": {}}), PARAMS),
    "a cursor of nobody": (call(7, "tools/list", {"cursor": "bm9uc2Vuc2U="}), PARAMS),
    "an unknown log level": (call(7, "logging/setLevel", {"level": "loud"}), PARAMS),
    "a log level that is a number": (call(7, "logging/setLevel", {"level": 3}), PARAMS),
    "no log level": (call(7, "logging/setLevel", {}), PARAMS),
    "a resource without a URI": (call(7, "resources/read", {}), PARAMS),
    "a resource whose URI is a number": (call(7, "resources/read", {"uri": 1}), PARAMS),
    "a subscription without a URI": (call(7, "resources/subscribe"), PARAMS),
    "an unknown prompt": (call(7, "prompts/get", {"name": "nothing"}), PARAMS),
    "a prompt whose name is an array": (call(7, "prompts/get", {"name": []}), PARAMS),
    "a completion without a reference": (call(7, "completion/complete", {"argument": {"name": "a", "value": ""}}), PARAMS),
    "a completion of an odd reference": (call(7, "completion/complete", {"ref": 5}), PARAMS),
}

WRONG_INITIALIZE: dict[str, dict] = {
    "no params": call(1, "initialize"),
    "no protocolVersion": initialize(protocolVersion=None),
    "protocolVersion a number": initialize(protocolVersion=20251125),
    "no capabilities": initialize(capabilities=None),
    "capabilities an array": initialize(capabilities=[]),
    "no clientInfo": initialize(clientInfo=None),
    "clientInfo a string": initialize(clientInfo="raw"),
    "clientInfo without a name": initialize(clientInfo={"version": "1"}),
    "clientInfo whose name is a number": initialize(clientInfo={"name": 5, "version": "1"}),
}

ROWS = [
    *(Row(f"json: {name}", mcp(body), 400, PARSE) for name, body in NOT_JSON.items()),
    *(Row(f"json: {name} is passed on", mcp(body), 200, None, id=7, holds=holds) for name, (body, holds) in ODD_JSON.items()),
    *(Row(f"json-rpc: {name}", mcp(body), 400, INVALID, id=id) for name, (body, id) in NOT_A_MESSAGE.items()),
    *(Row(f"json-rpc, 2025-03-26: {name}", mcp(body, session=OLD), 400, INVALID, id="any") for name, body in BATCHES.items()),
    *(Row(f"json-rpc: {name} is taken and not answered", mcp(body), 202) for name, body in ACCEPTED.items()),
    *(Row(f"mcp: {name}", mcp(body), 200, code, id=7) for name, (body, code) in WRONG_CALLS.items()),
    *(Row(f"mcp: initialize with {name}", mcp(body, session=None), 400, PARAMS, id=1) for name, body in WRONG_INITIALIZE.items()),
    Row("mcp: a call before initialize", mcp(PING, session=None), 400, INVALID, id="any"),
    Row(
        "mcp: initialize without an id and without a session",
        mcp(b'{"jsonrpc":"2.0","method":"initialize"}', session=None),
        400,
        INVALID,
    ),
    Row("mcp: initialize in a session that is initialized", mcp(initialize()), 400, INVALID, id=1),
    Row(
        "json-rpc: an id with forty digits keeps them",
        mcp(b'{"jsonrpc":"2.0","id":1234567890123456789012345678901234567890,"method":"ping"}'),
        200,
        None,
        id=1234567890123456789012345678901234567890,
    ),  # fmt: skip
    Row("json-rpc: an empty id", mcp(b'{"jsonrpc":"2.0","id":"","method":"ping"}'), 200, None, id=""),
    Row("json-rpc: an id with line breaks", mcp(call("a\r\n\u2028b", "ping")), 200, None, id="a\r\n\u2028b"),
    Row("json-rpc: a long id", mcp(call("i" * 30_000, "ping")), 200, None, id="i" * 30_000),
    Row(
        "json-rpc, 2025-03-26: a batch of notifications", mcp(b'[{"jsonrpc":"2.0","method":"notifications/x"}]', session=OLD), 202
    ),
]
