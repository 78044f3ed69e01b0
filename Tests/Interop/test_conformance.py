"""The checker itself: a check that cannot fail is none."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conformance import Conversation
from conformance_upstream import UpstreamConversation
from recorder import Recorder


def conversation(revision: str, request: dict[str, Any] | None = None) -> Conversation:
    result = Conversation(revision)
    if request is not None:
        result.client_sent({"jsonrpc": "2.0", "id": 1, **request})
    return result


LIST_TOOLS = {"method": "tools/list"}
CALL = {"method": "tools/call", "params": {"name": "x"}}
REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}),
        (LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no"}}),
        (CALL, {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": ""}]}}),
        ({"method": "x/custom"}, {"jsonrpc": "2.0", "id": 1, "result": {"anything": 1}}),
        (None, {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no"}}),
        (None, {"jsonrpc": "2.0", "error": {"code": -32700, "message": "no"}}),
        (None, {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 0.5}}),
        (None, {"jsonrpc": "2.0", "method": "notifications/x/custom", "params": {}}),
        (None, {"jsonrpc": "2.0", "id": "a", "method": "roots/list"}),
    ],
)
def test_a_good_message_passes(revision: str, request_: dict[str, Any] | None, message: dict[str, Any]) -> None:
    checked = conversation(revision, request_)
    checked.gateway_sent(message)
    assert checked.violations == [] and checked.checked == 1


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "result": {}}, id="no tools in the result of tools/list"),
        pytest.param(
            LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "x"}]}}, id="a tool without inputSchema"
        ),
        pytest.param(LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "result": {"tools": [], "nextCursor": None}}, id="a null cursor"),
        pytest.param(LIST_TOOLS, {"id": 1, "result": {"tools": []}}, id="no jsonrpc"),
        pytest.param(LIST_TOOLS, {"jsonrpc": "2.0", "id": "1", "result": {"tools": []}}, id="an id of another type"),
        pytest.param(LIST_TOOLS, {"jsonrpc": "2.0", "id": 2, "result": {"tools": []}}, id="an id that nobody asked with"),
        pytest.param(
            LIST_TOOLS, {"jsonrpc": "2.0", "id": 1, "error": {"code": "x", "message": "no"}}, id="a code that is no number"
        ),
        pytest.param(
            LIST_TOOLS, {"jsonrpc": "2.0", "id": 2, "error": {"code": 1, "message": "no"}}, id="an error nobody asked for"
        ),
        pytest.param(CALL, {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "image"}]}}, id="an image without data"),
        pytest.param(
            None, {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}, id="no progressToken"
        ),
        pytest.param(None, {"jsonrpc": "2.0", "method": "notifications/initialized"}, id="a notification of clients"),
        pytest.param(None, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, id="a request of clients"),
        pytest.param(
            None, {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {}}, id="sampling without messages"
        ),
        pytest.param(None, {"jsonrpc": "2.0"}, id="neither method nor result"),
        pytest.param(None, "text", id="not an object"),
    ],
)
def test_a_broken_message_is_found(revision: str, request_: dict[str, Any] | None, message: Any) -> None:
    checked = conversation(revision, request_)
    checked.gateway_sent(message)
    assert len(checked.violations) >= 1


def test_what_an_older_revision_does_not_have_is_found() -> None:
    elicitation = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "elicitation/create",
        "params": {"message": "?", "requestedSchema": {"type": "object", "properties": {}}},
    }
    for revision, expected in [("2025-03-26", 1), ("2025-06-18", 0), ("2025-11-25", 0)]:
        checked = conversation(revision)
        checked.gateway_sent(elicitation)
        assert len(checked.violations) == expected, revision
        checked = conversation(revision, LIST_TOOLS)
        checked.gateway_sent([{"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}])
        assert len(checked.violations) == (0 if revision == "2025-03-26" else 1), revision


def test_a_task_is_only_the_result_of_a_call_that_asked_for_one() -> None:
    now = "2025-11-25T00:00:00Z"
    task = {"taskId": "t", "status": "working", "createdAt": now, "lastUpdatedAt": now, "ttl": None}
    message = {"jsonrpc": "2.0", "id": 1, "result": {"task": task}}
    for call, expected in [({**CALL, "params": {"name": "x", "task": {}}}, 0), (CALL, 1)]:
        checked = conversation("2025-11-25", call)
        checked.gateway_sent(message)
        assert len(checked.violations) == expected


class _Canned(socketserver.StreamRequestHandler):
    """Reads requests and sends canned responses."""

    responses: list[bytes] = []

    def handle(self) -> None:
        for response in self.responses:
            length = 0
            while (line := self.rfile.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            self.wfile.write(response)


@pytest.fixture
def canned() -> Iterator[Any]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Canned)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    recorder = Recorder(server.server_address[1])

    def serve(*responses: bytes) -> Recorder:
        _Canned.responses = list(responses)
        return recorder

    yield serve
    recorder.close()
    server.shutdown()
    server.server_close()


def http(status: str, content_type: str, body: bytes, session: str | None = "s") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    if session:
        head += f"Mcp-Session-Id: {session}\r\n"
    return head.encode() + b"\r\n" + body


def post(recorder: Recorder, client: httpx.Client, message: dict[str, Any]) -> httpx.Response:
    return client.post(f"http://127.0.0.1:{recorder.port}/mcp", json=message, headers={"mcp-session-id": "s"})


def test_the_recorder_passes_bytes_on_and_finds_a_broken_message_in_json(canned: Any) -> None:
    good = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}).encode()
    bad = json.dumps({"jsonrpc": "2.0", "id": 2, "result": {"tools": 1}}).encode()
    recorder = canned(http("200 OK", "application/json", good), http("200 OK", "application/json", bad))
    with httpx.Client() as client:
        assert post(recorder, client, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).content == good
        assert recorder.violations() == []
        assert post(recorder, client, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).content == bad
    assert len(recorder.violations()) == 1
    assert recorder.violations() == []
    assert recorder.messages == 2


def test_the_recorder_finds_a_broken_message_in_a_chunked_event_stream(canned: Any) -> None:
    def chunk(data: bytes) -> bytes:
        return f"{len(data):x}\r\n".encode() + data + b"\r\n"

    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    prime, half, rest = b"id: 1\ndata:\n\n", b'id: 2\ndata: {"jsonrpc":"2.0","method":', b'"notifications/progress"}\n\n'
    recorder = canned(head + chunk(prime) + chunk(half) + chunk(rest) + chunk(b""))
    with httpx.Client() as client:
        assert post(recorder, client, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).content == prime + half + rest
    assert len(recorder.violations()) == 1
    assert recorder.records[-1].events == [("1", ""), ("2", '{"jsonrpc":"2.0","method":"notifications/progress"}')]


def test_the_recorder_wants_a_json_rpc_error_in_the_body_of_an_error(canned: Any) -> None:
    recorder = canned(http("404 Not Found", "text/plain", b"Not Found"), http("404 Not Found", "application/json", b""))
    with httpx.Client() as client:
        for _ in range(2):
            assert post(recorder, client, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == 404
            assert len(recorder.violations()) >= 1


# Revision 2026-07-28, with what its schema cannot say.

MODERN = "2026-07-28"
LISTEN = {"method": "subscriptions/listen"}
TAGGED = {"_meta": {"io.modelcontextprotocol/subscriptionId": 1}}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"method": "x/custom"}, {"id": 1, "result": {"resultType": "complete"}}),
        (LIST_TOOLS, {"id": 1, "result": {"tools": [], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}}),
        (CALL, {"id": 1, "result": {"content": [], "resultType": "complete"}}),
        (CALL, {"id": 1, "result": {"resultType": "input_required", "requestState": "x"}}),
        (CALL, {"id": 1, "result": {"resultType": "task", "taskId": "x"}}),
        (CALL, {"id": 1, "error": {"code": -32021, "message": "no", "data": {"requiredCapabilities": {"sampling": {}}}}}),
        (LISTEN, {"method": "notifications/tools/list_changed", "params": TAGGED}),
        (LISTEN, {"id": 1, "result": {"resultType": "complete", **TAGGED}}),
        (
            {"method": "tools/call", "params": {"name": "x", "_meta": {"progressToken": "p"}}},
            {"method": "notifications/progress", "params": {"progressToken": "p", "progress": 1}},
        ),
    ],
)
def test_a_good_message_of_2026_07_28_passes(request_: dict[str, Any], message: dict[str, Any]) -> None:
    checked = conversation(MODERN, request_)
    checked.gateway_sent({"jsonrpc": "2.0", **message})
    assert checked.violations == [] and checked.checked == 1


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        pytest.param(LIST_TOOLS, {"id": 1, "result": {"tools": []}}, id="no resultType"),
        pytest.param(LIST_TOOLS, {"id": 1, "result": {"tools": [], "resultType": "complete"}}, id="no ttlMs"),
        pytest.param(LIST_TOOLS, {"id": 1, "result": {"resultType": "input_required", "requestState": "x"}}, id="input for a list"),
        pytest.param(CALL, {"id": 1, "result": {"resultType": "input_required"}}, id="input of nothing"),
        pytest.param(CALL, {"id": 1, "error": {"code": -32021, "message": "no"}}, id="-32021 without data"),
        pytest.param(CALL, {"id": 1, "error": {"code": -32022, "message": "no", "data": {}}}, id="-32022 without versions"),
        pytest.param(CALL, {"id": 2, "method": "sampling/createMessage", "params": {}}, id="a request"),
        pytest.param(CALL, {"method": "notifications/message", "params": {"level": "info", "data": 1}}, id="a log message"),
        pytest.param(CALL, {"method": "notifications/progress", "params": {"progressToken": "p", "progress": 1}}, id="a foreign token"),
        pytest.param(CALL, {"method": "notifications/tools/list_changed"}, id="a change that nobody listens to"),
        pytest.param(LISTEN, {"method": "notifications/tools/list_changed"}, id="a change without the id of its subscription"),
    ],
)
def test_a_broken_message_of_2026_07_28_is_found(request_: dict[str, Any], message: dict[str, Any]) -> None:
    checked = conversation(MODERN, request_)
    checked.gateway_sent({"jsonrpc": "2.0", **message})
    assert len(checked.violations) >= 1


# What goes to servers.

META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


def test_a_good_conversation_with_a_server_passes() -> None:
    legacy = UpstreamConversation()
    legacy.gateway_sent({"jsonrpc": "2.0", "id": 0, "method": "server/discover", "params": {"_meta": META}})
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    legacy.gateway_sent({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info})
    legacy.gateway_sent({"jsonrpc": "2.0", "method": "notifications/initialized"})
    legacy.server_sent({"jsonrpc": "2.0", "id": "r", "method": "roots/list"})
    legacy.gateway_sent({"jsonrpc": "2.0", "id": "r", "result": {"roots": []}})
    modern = UpstreamConversation()
    modern.gateway_sent({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}})
    assert legacy.violations + modern.violations == []


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        pytest.param("2025-11-25", {"id": 1, "method": "tools/call", "params": {}}, id="a call without a name"),
        pytest.param("2025-11-25", {"id": 1, "method": "subscriptions/listen", "params": {"notifications": {}}}, id="listen"),
        pytest.param("2025-11-25", {"id": 1, "method": "tools/list", "params": {"_meta": META}}, id="a modern request"),
        pytest.param("2025-11-25", {"id": 9, "result": {}}, id="a result for nothing"),
        pytest.param(MODERN, {"id": 1, "method": "tools/list"}, id="no _meta"),
        pytest.param(MODERN, {"id": 1, "method": "ping", "params": {"_meta": META}}, id="ping"),
        pytest.param(MODERN, {"id": 1, "result": {}}, id="a response"),
    ],
)
def test_a_broken_message_to_a_server_is_found(revision: str, message: dict[str, Any]) -> None:
    checked = UpstreamConversation()
    checked.revision = revision
    checked.gateway_sent({"jsonrpc": "2.0", **message})
    assert len(checked.violations) >= 1
