"""The rules of Streamable HTTP about methods, headers and status codes, in every revision."""

from __future__ import annotations

import json
import uuid
from typing import Any

import anyio
import httpx
import pytest
from gateway import Gateway, raw
from rawhttp import BOTH, JSON, SSE, RawSession

SERVERS = {"raw": raw()}
SETTINGS = {"limits": {"maxBodyBytes": "1MiB"}}
REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]
PING = {"jsonrpc": "2.0", "id": 7, "method": "ping"}


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    """The JSON-RPC error that belongs to every refusal."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"].startswith(JSON), response.headers
    body = response.json()
    assert body["jsonrpc"] == "2.0" and isinstance(body["error"]["code"], int) and body["error"]["message"], body
    return body


async def started(gateway: Gateway, revision: str = "2025-11-25", path: str | None = None) -> RawSession:
    session = RawSession(path or gateway.url, revision)
    await session.initialize()
    return session


@pytest.mark.parametrize("revision", REVISIONS)
async def test_initialize_negotiates_the_revision_and_gives_a_session_id(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        assert session.initialize_result["protocolVersion"] == revision
        identifier = uuid.UUID(session.session_id)
        assert identifier.version == 4
        assert await session.request("ping") == {}


async def test_an_unknown_revision_is_answered_with_one_that_the_gateway_has(gateway: Gateway) -> None:
    for unknown in ("2099-01-01", "1.0", ""):
        async with await started(gateway, unknown) as session:
            assert session.initialize_result["protocolVersion"] == "2025-11-25"


async def test_every_session_gets_another_id(gateway: Gateway) -> None:
    identifiers = set()
    for _ in range(5):
        async with await started(gateway) as session:
            identifiers.add(session.session_id)
    assert len(identifiers) == 5


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_request_without_a_session_is_refused_with_400(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        error_of(await session.post(PING, mcp_session_id=None), 400)
        response = await session.http.get(session.url, headers=session.headers(accept=SSE, mcp_session_id=None))
        error_of(response, 400)
        error_of(await session.http.delete(session.url, headers=session.headers(mcp_session_id=None)), 400)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_an_unknown_session_is_answered_with_404(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        for unknown in (str(uuid.uuid4()), "nonsense", session.session_id[:-1] + ("0" if session.session_id[-1] != "0" else "1")):
            error_of(await session.post(PING, mcp_session_id=unknown), 404)
            response = await session.http.get(session.url, headers=session.headers(accept=SSE, mcp_session_id=unknown))
            error_of(response, 404)
            error_of(await session.http.delete(session.url, headers=session.headers(mcp_session_id=unknown)), 404)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_deleted_session_is_gone(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        assert (await session.delete()).status_code in (200, 204)
        error_of(await session.post(PING), 404)
        error_of(await session.delete(), 404)


async def test_deleting_a_session_ends_its_streams(gateway: Gateway) -> None:
    async with await started(gateway) as session, session.get_stream() as stream:
        assert (await session.delete()).status_code in (200, 204)
        async for _ in stream.messages():
            pytest.fail("a message after the session's end")


@pytest.mark.parametrize("version", ["2099-01-01", "nonsense", "1.0"])
async def test_an_unknown_protocol_version_header_is_refused_with_400(gateway: Gateway, version: str) -> None:
    async with await started(gateway) as session:
        error_of(await session.post(PING, mcp_protocol_version=version), 400)


async def test_the_protocol_version_header_may_be_absent(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        assert session.answer(await session.post(PING, mcp_protocol_version=None)) == {}


@pytest.mark.parametrize("accept", [JSON, SSE, "text/html", "application/xml, image/png"])
async def test_a_post_that_does_not_accept_both_types_is_refused_with_406(gateway: Gateway, accept: str) -> None:
    async with await started(gateway) as session:
        error_of(await session.post(PING, accept=accept), 406)


@pytest.mark.parametrize(
    "accept", [BOTH, f"{SSE}, {JSON}", "*/*", "application/*, text/*", f"{JSON};q=0.9, {SSE};q=0.8", f"{JSON.upper()},{SSE}"]
)
async def test_every_way_to_accept_both_types_is_accepted(gateway: Gateway, accept: str) -> None:
    async with await started(gateway) as session:
        assert session.answer(await session.post(PING, accept=accept)) == {}


async def test_a_get_that_does_not_accept_events_is_refused_with_406(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        error_of(await session.http.get(session.url, headers=session.headers(accept=JSON)), 406)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", None])
async def test_a_post_of_another_content_type_is_refused_with_415(gateway: Gateway, content_type: str | None) -> None:
    async with await started(gateway) as session:
        error_of(await session.post(PING, content_type=content_type), 415)


async def test_a_content_type_may_have_parameters(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        for content_type in ("application/json; charset=utf-8", "Application/JSON"):
            assert session.answer(await session.post(PING, content_type=content_type)) == {}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_other_methods_are_refused_with_405(gateway: Gateway, method: str) -> None:
    async with await started(gateway) as session:
        response = await session.http.request(method, session.url, json=PING, headers=session.headers())
        error_of(response, 405)
        allowed = {name.strip() for name in response.headers["allow"].split(",")}
        assert {"GET", "POST", "DELETE"} <= allowed


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1.evil.example", "null", "http://localhost.evil.example:80"]
)
async def test_a_foreign_origin_is_refused_with_403(gateway: Gateway, origin: str) -> None:
    async with await started(gateway) as session:
        error_of(await session.post(PING, origin=origin), 403)
        error_of(await session.http.get(session.url, headers=session.headers(accept=SSE, origin=origin)), 403)


async def test_an_origin_of_this_machine_is_accepted(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        for origin in (gateway.base_url, "http://localhost:6274", "http://127.0.0.1:6274", "http://[::1]:80"):
            assert session.answer(await session.post(PING, origin=origin)) == {}


async def test_a_foreign_host_is_refused(gateway: Gateway) -> None:
    """DNS rebinding: a page of evil.example whose name now points to this machine."""
    async with await started(gateway) as session:
        error_of(await session.post(PING, host="evil.example"), 403)


async def test_a_body_that_is_too_large_is_refused_with_413(gateway: Gateway) -> None:
    async with await started(gateway) as session:

        def body(size: int) -> str:
            return json.dumps({**PING, "params": {"x": "y" * size}})

        assert session.answer(await session.post(body((1 << 20) - 1000))) == {}
        error_of(await session.post(body(1 << 20)), 413)
        try:
            error_of(await session.post(body(40 << 20)), 413)
        except httpx.TransportError:
            # So much was on its way that the connection was closed before the answer could be read.
            pass
        assert await session.request("ping") == {}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b'{"jsonrpc":"2.0","id":1,"method":"ping"', b'{"jsonrpc":"2.0","id":1,"method":"ping"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"raw__echo","arguments":{"x":tru}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}', b"\x00",
    ],
)  # fmt: skip
async def test_malformed_json_is_refused_wherever_it_is(gateway: Gateway, body: bytes) -> None:
    async with await started(gateway) as session:
        assert error_of(await session.post(body), 400)["error"]["code"] == -32700


@pytest.mark.parametrize(
    "body",
    [
        b"1", b'"text"', b"null", b"{}", b'{"jsonrpc":"1.0","id":1,"method":"ping"}', b'{"id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}', b'{"jsonrpc":"2.0","id":{},"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":5}', b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    ],
)  # fmt: skip
async def test_json_that_is_no_message_is_refused(gateway: Gateway, body: bytes) -> None:
    async with await started(gateway) as session:
        assert error_of(await session.post(body), 400)["error"]["code"] in (-32600, -32700)


async def test_notifications_and_responses_are_accepted_with_202_and_no_body(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        for message in (
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 12345}},
            {"jsonrpc": "2.0", "method": "notifications/x/custom"},
            {"jsonrpc": "2.0", "id": 99, "result": {}},
            {"jsonrpc": "2.0", "id": 99, "error": {"code": -1, "message": "no"}},
        ):
            response = await session.post(message)
            assert response.status_code == 202 and response.content == b"", (message, response.status_code, response.content)


async def test_a_session_of_one_server_is_not_one_of_another_endpoint(gateway: Gateway) -> None:
    async with await started(gateway, path=gateway.server_url("raw")) as session:
        names = [tool["name"] for tool in (await session.request("tools/list"))["tools"]]
        assert "echo" in names and not any("__" in name for name in names)


async def test_an_unknown_server_or_path_is_answered_with_404(gateway: Gateway) -> None:
    async with httpx.AsyncClient() as http:
        for path in ("/servers/nobody/mcp", "/servers//mcp", "/nowhere", "/"):
            response = await http.post(gateway.base_url + path, json=PING, headers={"accept": BOTH})
            assert response.status_code == 404, f"{path}: {response.status_code}"


async def test_health_tells_that_the_gateway_is_up(gateway: Gateway) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.get(f"{gateway.base_url}/health")
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(JSON)
        assert response.json()["status"]


async def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        head = "".join(f"{name}: {value}\r\n" for name, value in session.headers().items())
        wire = b""
        for number, method in enumerate(["ping", "tools/list", "ping", "tools/list"], 100):
            body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method})
            wire += (
                f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode()
        wire += b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        stream = await anyio.connect_tcp("127.0.0.1", gateway.recorder.port)
        received = b""
        async with stream:
            await stream.send(wire)
            with anyio.fail_after(10):
                try:
                    while True:
                        received += await stream.receive()
                except anyio.EndOfStream:
                    pass
        positions = [received.find(f'"id":{number}'.encode()) for number in range(100, 104)]
        assert -1 not in positions and positions == sorted(positions), received[:2000]
        assert received.count(b"HTTP/1.1 200") == 5
