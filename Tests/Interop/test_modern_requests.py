"""What a server of 2026-07-28 must refuse, and with which status and code: the SDK's server alone, and the gateway in front of servers
of either era (basic/transports/streamable-http, "Server Validation"; basic/index, "_meta")."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from conformance import META, MODERN
from conftest import check_conformance
from modern import ModernClient, header_value
from rawhttp import BOTH, JSON, SSE
from upstreams import http_server, stdio

SERVERS = {"modern": stdio("everything.py", "modern"), "legacy": stdio("everything.py", "legacy", isolation="session")}
ROUTES = ["directly", pytest.param("modern", marks=pytest.mark.binary), pytest.param("legacy", marks=pytest.mark.binary)]
VERSION, CAPABILITIES = f"{META}protocolVersion", f"{META}clientCapabilities"
ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}
MISMATCH, INVALID, UNSUPPORTED, UNKNOWN = -32020, -32602, -32022, -32601


@pytest.fixture(scope="module")
def direct() -> Iterator[str]:
    with http_server("everything.py", "modern") as url:
        yield url


@pytest.fixture(params=ROUTES)
async def client(request: pytest.FixtureRequest, _module_gateways: list[Any]) -> AsyncIterator[ModernClient]:
    route = request.param
    url = request.getfixturevalue("direct") if route == "directly" else request.getfixturevalue("gateway").server_url(route)
    async with ModernClient(url) as client:
        yield client
    check_conformance(_module_gateways)


async def refusal(client: ModernClient, message: Any, **headers: str | None) -> tuple[int, int | None]:
    """The status and the code of what comes back; an error has the id of its request."""
    response = await client.post(message, **headers)
    body = response.json() if response.content else {}
    if isinstance(message, dict) and "error" in body and body.get("id") is not None:
        assert body["id"] == message.get("id"), body
    return response.status_code, body.get("error", {}).get("code")


def with_meta(client: ModernClient, **changes: Any) -> dict[str, Any]:
    """A good request with some of its `_meta` changed; `None` removes."""
    message = client.message("tools/list")
    meta = message["params"]["_meta"] | {f"{META}{name}": value for name, value in changes.items()}
    message["params"]["_meta"] = {name: value for name, value in meta.items() if value is not None}
    return message


# Headers.


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"mcp_method": None}, id="no Mcp-Method"),
        pytest.param({"mcp_method": "tools/list"}, id="another Mcp-Method"),
        pytest.param({"mcp_method": "TOOLS/CALL"}, id="Mcp-Method in another case"),
        pytest.param({"mcp_method": ""}, id="an empty Mcp-Method"),
        pytest.param({"mcp_name": None}, id="no Mcp-Name"),
        pytest.param({"mcp_name": "echo"}, id="another Mcp-Name"),
        pytest.param({"mcp_name": "Add"}, id="Mcp-Name in another case"),
        pytest.param({"mcp_name": "=?base64?ZWNobw==?="}, id="another Mcp-Name in Base64"),
        pytest.param({"mcp_name": "=?base64?!!!?="}, id="Mcp-Name in what is no Base64"),
        pytest.param({"mcp_name": "=?base64?YWRk?"}, id="Mcp-Name with half a mark"),
    ],
)
async def test_headers_that_are_not_the_bodys_are_refused(client: ModernClient, headers: dict[str, str | None]) -> None:
    assert await refusal(client, client.message("tools/call", ADD), **headers) == (400, MISMATCH)


async def test_another_version_in_the_header_than_in_the_body_is_refused(client: ModernClient) -> None:
    other = with_meta(client, protocolVersion="2027-01-01")
    assert await refusal(client, other, mcp_protocol_version=MODERN) == (400, MISMATCH)
    good = client.message("tools/list")
    assert await refusal(client, good, mcp_protocol_version="2027-01-01") == (400, MISMATCH)


async def test_a_header_that_stands_twice_is_refused(client: ModernClient) -> None:
    message = client.message("tools/call", ADD)
    for name, value in (("mcp-name", "echo"), ("mcp-method", "tools/list")):
        headers = [*client.headers(message).items(), (name, value)]
        response = await client.http.post(client.url, content=json.dumps(message), headers=headers)
        # A header that may stand once is malformed twice; whether it then also mismatches is a matter of taste.
        assert response.status_code == 400 and response.json()["error"]["code"] in (MISMATCH, -32600)


@pytest.mark.parametrize("name", ["=?base64?YWRk?=", "add"])
async def test_a_name_in_base64_is_the_name(client: ModernClient, name: str) -> None:
    reply = await client.exchange("tools/call", ADD, mcp_name=name)
    assert reply.result["structuredContent"] == {"sum": 3}


async def test_names_outside_ascii_pass_in_base64(client: ModernClient) -> None:
    reply = await client.exchange("tools/call", {"name": "größe", "arguments": {}})
    assert reply.error is not None and reply.error["code"] == INVALID
    uri = "everything://item/größe"
    reply = await client.exchange("resources/read", {"uri": uri})
    assert reply.result["contents"][0]["uri"] == uri


# Parameters in headers.


ROUTED = {"name": "routed", "arguments": {"region": "Zürich", "level": 3, "dry": True, "where": {"zone": "a"}}}
MIRRORED: dict[str, str | None] = {
    "mcp_param_region": header_value("Zürich"), "mcp_param_level": "3", "mcp_param_dry_run": "true", "mcp_param_zone": "a",
}  # fmt: skip


@pytest.mark.parametrize("level", ["3", "3.0", header_value("3")])
async def test_parameters_are_mirrored_in_headers(client: ModernClient, level: str) -> None:
    reply = await client.exchange("tools/call", ROUTED, **(MIRRORED | {"mcp_param_level": level}))
    assert reply.result["structuredContent"]["arguments"] == ROUTED["arguments"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"mcp_param_region": None}, id="one is missing"),
        pytest.param({"mcp_param_region": "Bern"}, id="another value"),
        pytest.param({"mcp_param_region": "=?base64?QmVybg==?="}, id="another value in Base64"),
        pytest.param({"mcp_param_region": "=?base64?%%%?="}, id="no Base64"),
        pytest.param({"mcp_param_level": "4"}, id="another number"),
        pytest.param({"mcp_param_level": "three"}, id="no number"),
        pytest.param({"mcp_param_dry_run": "True"}, id="a boolean that is not written so"),
        pytest.param({"mcp_param_zone": "b"}, id="another value of a nested parameter"),
    ],
)
async def test_parameters_in_headers_that_are_not_the_bodys_are_refused(
    client: ModernClient, headers: dict[str, str | None]
) -> None:
    assert await refusal(client, client.message("tools/call", ROUTED), **(MIRRORED | headers)) == (400, MISMATCH)


@pytest.mark.parametrize("arguments", [{}, {"region": None}])
async def test_a_parameter_in_a_header_that_the_body_does_not_have_is_refused(
    client: ModernClient, arguments: dict[str, Any]
) -> None:
    message = client.message("tools/call", {"name": "routed", "arguments": arguments})
    assert await refusal(client, message, mcp_param_region="Bern") == (400, MISMATCH)
    assert (await client.call("routed", arguments))["structuredContent"]["arguments"] == arguments


async def test_a_parameter_in_a_header_that_no_tool_asks_for_is_ignored(client: ModernClient) -> None:
    reply = await client.exchange("tools/call", ADD, mcp_param_nonsense="x")
    assert reply.result["structuredContent"] == {"sum": 3}


# _meta.


async def test_a_request_without_meta_is_refused(client: ModernClient) -> None:
    for params in ({}, {"_meta": {}}, {"_meta": None}, {"_meta": "x"}, {"_meta": []}):
        message = {"jsonrpc": "2.0", "id": "m", "method": "tools/list", "params": params}
        assert await refusal(client, message) == (400, INVALID), params
    assert await refusal(client, {"jsonrpc": "2.0", "id": "m", "method": "tools/list"}) == (400, INVALID)


async def test_a_request_that_does_not_say_what_it_must_is_refused(client: ModernClient) -> None:
    for missing in ("protocolVersion", "clientCapabilities"):
        assert await refusal(client, with_meta(client, **{missing: None})) == (400, INVALID), missing


async def test_a_client_need_not_say_who_it_is(client: ModernClient) -> None:
    reply = client.reply(await client.post(with_meta(client, clientInfo=None)))
    assert reply.status == 200 and reply.result["tools"]


async def test_an_unsupported_version_is_told_the_supported_ones(client: ModernClient) -> None:
    for version in ("2099-01-01", "v999.0.0", "draft"):
        response = await client.post(with_meta(client, protocolVersion=version), mcp_protocol_version=version)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, UNSUPPORTED)
        assert error["data"]["requested"] == version and MODERN in error["data"]["supported"]


# Methods.


@pytest.mark.parametrize(
    "method",
    ["x/unknown", "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list", ""],
)
async def test_an_unknown_method_is_not_found(client: ModernClient, method: str) -> None:
    assert await refusal(client, client.message(method, {"uri": "everything://text", "level": "info"})) == (404, UNKNOWN)


async def test_an_unknown_tool_prompt_and_resource_are_invalid_params(client: ModernClient) -> None:
    for method, params in (
        ("tools/call", {"name": "nothing", "arguments": {}}),
        ("prompts/get", {"name": "nothing"}),
        ("resources/read", {"uri": "everything://nothing"}),
    ):
        reply = await client.exchange(method, params)
        assert reply.error is not None and reply.error["code"] == INVALID, method


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_nothing_but_post(client: ModernClient, method: str) -> None:
    response = await client.http.request(method, client.url, headers={"accept": SSE, "mcp-protocol-version": MODERN})
    assert response.status_code == 405 and "POST" in response.headers["allow"]


# Messages.


async def test_a_notification_is_accepted(client: ModernClient) -> None:
    for method in ("notifications/cancelled", "notifications/x/custom"):
        response = await client.post({"jsonrpc": "2.0", "method": method, "params": {"requestId": 1}})
        assert response.status_code == 202 and response.content == b""


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"nonsense", id="no JSON"),
        pytest.param(b"[]", id="an empty batch"),
        pytest.param(b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', id="a batch"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{}}', id="a response"),
        pytest.param(b'{"jsonrpc":"2.0","id":1}', id="neither"),
        pytest.param(b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', id="a null id"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', id="another JSON-RPC"),
    ],
)
async def test_what_is_not_one_request_is_refused(client: ModernClient, payload: bytes) -> None:
    response = await client.http.post(
        client.url,
        content=payload,
        headers={"accept": BOTH, "content-type": JSON, "mcp-protocol-version": MODERN, "mcp-method": "tools/list"},
    )
    assert response.status_code == 400 and response.json()["error"]["code"] in (-32700, -32600)


# Answers.


async def test_no_session_is_made_and_none_is_known(client: ModernClient) -> None:
    reply = await client.exchange("tools/call", ADD, mcp_session_id="nonsense")
    assert reply.result["structuredContent"] == {"sum": 3} and "mcp-session-id" not in reply.headers


async def test_a_stream_has_no_event_ids_and_is_not_to_be_buffered(client: ModernClient) -> None:
    message = client.message("tools/call", {"name": "progress", "arguments": {"steps": 3}, "_meta": {"progressToken": "p"}})
    async with client.stream(message) as stream:
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert "mcp-session-id" not in stream.response.headers
        events = [event async for event in stream]
    assert all(event.id is None and event.data for event in events)
    methods = [event.message.get("method", "result") for event in events]
    assert methods == ["notifications/progress"] * 3 + ["result"]


async def test_ids_may_be_texts_and_come_back_as_they_were(client: ModernClient) -> None:
    for id in ("ü \" \\", "", 0, -7, 2**53 - 1):
        assert (await client.exchange("tools/call", ADD, id=id)).final["id"] == id


async def test_a_log_level_that_is_none_is_refused(client: ModernClient) -> None:
    reply = await client.exchange("tools/call", {**ADD, "_meta": {f"{META}logLevel": "loud"}})
    assert reply.error is not None and reply.error["code"] == INVALID


async def test_how_long_a_result_may_be_kept_is_for_the_server_to_say(client: ModernClient) -> None:
    result = await client.request("resources/read", {"uri": "everything://text"})
    # A legacy server says nothing of it, which means: not at all, and not for others.
    expected = (0, "private") if client.url.endswith("/servers/legacy/mcp") else (5_000, "private")
    assert (result["ttlMs"], result["cacheScope"]) == expected
    for method in ("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"):
        listed = await client.request(method)
        assert listed["ttlMs"] >= 0 and listed["cacheScope"] in ("public", "private"), method


async def test_another_origin_is_forbidden(client: ModernClient) -> None:
    response = await client.post(client.message("server/discover"), origin="http://evil.example.com")
    assert response.status_code == 403


async def test_a_legacy_session_and_a_modern_request_live_beside_each_other(client: ModernClient) -> None:
    if client.url.endswith("/servers/modern/mcp") or client.url.endswith("/servers/legacy/mcp"):
        async with httpx.AsyncClient() as http:
            initialize = {
                "jsonrpc": "2.0", "id": 1, "method": "initialize",
                "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}},
            }  # fmt: skip
            response = await http.post(client.url, json=initialize, headers={"accept": BOTH})
            session = {"accept": BOTH, "mcp-session-id": response.headers["mcp-session-id"]}
            assert (await client.call("add", {"a": 2, "b": 2}))["structuredContent"] == {"sum": 4}
            assert (await http.post(client.url, json={"jsonrpc": "2.0", "id": 2, "method": "ping"}, headers=session)).json()["result"] == {}
