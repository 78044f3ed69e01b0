"""HTTP+SSE, the transport of 2024-11-05: the SDK's and fastmcp's clients, and clients that misbehave."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import fastmcp
import httpx
import mcp_types as types
import pytest
from clients import Seen, all_pages, fastmcp_client, sdk_client, texts
from fastmcp.client.transports import SSETransport
from gateway import Gateway, everything, raw
from mcp import ClientSession
from mcp.client.sse import sse_client
from metrics import Metrics
from processes import wait_until
from rawhttp import JSON, SSE, Stream
from wire import Wire, request

Start = Callable[..., Gateway]

SERVERS = {"everything": everything(isolation="session"), "raw": raw(isolation="shared")}
REVISIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


def sse_url(gateway: Gateway, server: str | None = None) -> str:
    return f"{gateway.base_url}/sse" if server is None else f"{gateway.base_url}/servers/{server}/sse"


class SSEClient:
    """A client of the transport, spoken by hand."""

    def __init__(self, http: httpx.AsyncClient, base: str, stream: Stream) -> None:
        self.http = http
        self.base = base
        self.events = aiter(stream)
        self.endpoint = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, gateway: Gateway, path: str = "/sse") -> AsyncIterator[SSEClient]:
        base = gateway.base_url
        async with httpx.AsyncClient(timeout=30) as http, http.stream("GET", base + path, headers={"accept": SSE}) as response:
            assert response.status_code == 200 and response.headers["content-type"].startswith(SSE)
            client = cls(http, base, Stream(response))
            with anyio.fail_after(10):
                first = await anext(client.events)
            assert first.name == "endpoint"
            client.endpoint = first.data
            yield client

    async def post(self, message: Any, **headers: str) -> httpx.Response:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post(self.base + self.endpoint, content=content, headers={"content-type": JSON, **headers})

    async def next(self) -> dict[str, Any]:
        with anyio.fail_after(15):
            event = await anext(self.events)
        assert event.name == "message" and event.id is None
        return event.message

    async def request(self, method: str, params: dict[str, Any] | None = None, id: Any = 1) -> dict[str, Any]:
        response = await self.post({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}})
        assert response.status_code == 202, response.text
        while "method" in (message := await self.next()):
            # Of a server that was ready only then.
            assert message["method"].endswith("/list_changed")
        assert message["id"] == id
        return message

    async def initialize(self, revision: str = "2024-11-05", name: str = "by-hand") -> dict[str, Any]:
        params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": name, "version": "1"}}
        result = (await self.request("initialize", params, id=0))["result"]
        assert (await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})).status_code == 202
        return result


# The official SDK.


@contextlib.asynccontextmanager
async def sdk_session(url: str, seen: Seen, revision: str) -> AsyncIterator[ClientSession]:
    """A session of the SDK over its SSE transport that asks for a revision."""
    async with (
        sse_client(url) as (read, write),
        ClientSession(
            read,
            write,
            logging_callback=seen.on_log,
            message_handler=seen.on_message,
            sampling_callback=seen.on_sampling,
            elicitation_callback=seen.on_elicitation,
            list_roots_callback=seen.on_roots,
        ) as session,
    ):
        params = types.InitializeRequestParams(
            protocol_version=revision,
            capabilities=types.ClientCapabilities(sampling=types.SamplingCapability(), roots=types.RootsCapability()),
            client_info=types.Implementation(name="sdk", version="1"),
        )
        result = await session.send_request(types.InitializeRequest(params=params), types.InitializeResult)
        assert result.protocol_version == revision
        await session.send_notification(types.InitializedNotification())
        yield session


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_sdk_over_sse_in_each_revision(gateway: Gateway, revision: str) -> None:
    seen = Seen()
    async with sdk_session(sse_url(gateway), seen, revision) as session:
        names = {tool.name for tool in (await session.list_tools()).tools}
        assert {"everything__add", "raw__echo", "get-development-environment-status"} <= names
        added = await session.call_tool("everything__add", {"a": 2, "b": 3})
        assert not added.is_error
        await session.call_tool("everything__progress", {"steps": 3}, progress_callback=seen.on_progress)
        assert [step for step, _, _ in seen.progress] == [1, 2, 3]
        assert texts(await session.call_tool("everything__ask-model", {"prompt": "why"})) == ["answer to why"]
        assert (await session.read_resource("everything://text")).contents[0].text == "text"
        assert (await session.get_prompt("everything__greet", {"name": "Bo"})).messages[0].content.text == "Hello, Bo"


async def test_the_sdks_client_over_sse(gateway: Gateway) -> None:
    seen = Seen()
    checked = gateway.recorder.messages
    async with sdk_client(sse_client(sse_url(gateway)), seen) as client:
        assert "everything__add" in {tool.name for tool in await all_pages(client.list_tools, "tools")}
        assert texts(await client.call_tool("everything__ask-model", {"prompt": "how"})) == ["answer to how"]
    assert gateway.recorder.messages > checked


async def test_the_sdk_at_the_endpoint_of_one_server(gateway: Gateway) -> None:
    async with sdk_client(sse_client(sse_url(gateway, "everything"))) as client:
        assert "add" in {tool.name for tool in (await client.list_tools()).tools}


async def test_a_changed_list_reaches_the_sdk(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    seen = Seen()
    async with sdk_client(sse_client(sse_url(gateway)), seen) as client:
        await client.list_tools()
        gateway.write_config({"raw": raw(isolation="shared", env={"RAW_TOOL": "extra"})})
        await seen.wait_for(types.ToolListChangedNotification)


# fastmcp.


async def test_fastmcp_over_sse(gateway: Gateway) -> None:
    seen = Seen()
    async with fastmcp_client(SSETransport(sse_url(gateway)), seen) as client:
        assert (await client.call_tool("everything__add", {"a": 2, "b": 3})).data.sum == 5
        await client.call_tool("everything__progress", {"steps": 4})
        assert [step for step, _, _ in seen.progress] == [1, 2, 3, 4]
        assert (await client.call_tool("everything__ask-model", {"prompt": "why"})).content[0].text == "answer to why"


async def test_fastmcp_chooses_sse_by_the_path(gateway: Gateway) -> None:
    async with fastmcp.Client({"mcpServers": {"gateway": {"url": sse_url(gateway), "transport": "sse"}}}) as client:
        assert await client.list_tools()


# By hand.


async def test_a_message_is_taken_with_202_and_answered_on_the_stream(gateway: Gateway) -> None:
    async with SSEClient.connect(gateway) as client:
        assert client.endpoint.startswith("/messages?sessionId=")
        result = await client.initialize()
        assert result["protocolVersion"] == "2024-11-05"
        answer = await client.request("tools/call", {"name": "raw__count", "arguments": {}}, id="a")
        assert answer["result"]["content"]


async def test_what_is_in_progress_is_cancelled_when_the_stream_breaks(gateway: Gateway) -> None:
    async with SSEClient.connect(gateway) as client:
        await client.initialize()
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "raw__wait", "arguments": {"seconds": 60}}}
        assert (await client.post(message)).status_code == 202
        endpoint = client.endpoint
        before = Metrics(gateway).value("mcp_requests_total", outcome="cancelled")
    await anyio.to_thread.run_sync(
        lambda: wait_until(
            "the call is cancelled", lambda: Metrics(gateway).value("mcp_requests_total", outcome="cancelled") == before + 1, 10
        )
    )
    gone = httpx.post(f"http://127.0.0.1:{gateway.port}{endpoint}", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert gone.status_code == 404


async def test_a_stream_ends_in_an_orderly_way_when_the_gateway_drains(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    async with SSEClient.connect(gateway) as client:
        await client.initialize()
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "raw__wait", "arguments": {"seconds": 1}}}
        assert (await client.post(message)).status_code == 202
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, gateway.terminate)
            assert (await client.next())["result"]["content"][0]["text"] == "waited"
            with anyio.fail_after(10):
                assert [event async for event in client.events] == []


async def test_the_session_id_is_in_no_log(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"log": {"level": "trace"}})
    async with SSEClient.connect(gateway) as client:
        await client.initialize()
        await client.request("tools/call", {"name": "raw__count", "arguments": {}})
        await client.post(b"{")
        session = client.endpoint.partition("=")[2]
    wait_until("the end of the session is logged", lambda: "/messages" in gateway.log(), 10)
    assert session not in gateway.log()
    assert session[:8] in gateway.log()


async def test_the_transport_can_be_switched_off(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"enableLegacySSE": False})
    base = f"http://127.0.0.1:{gateway.port}"
    for path in ("/sse", "/servers/raw/sse", "/messages?sessionId=x"):
        assert httpx.get(base + path).status_code == 404
    assert httpx.get(f"{base}/mcp", headers={"accept": SSE}).status_code == 400


@pytest.mark.parametrize(
    ("target", "headers", "body", "status"),
    [
        ("/messages", {}, b"{}", 400),
        ("/messages?sessionId=00000000-0000-4000-8000-000000000000", {}, b"{}", 404),
        ("/messages?sessionId=%00", {}, b"{}", 404),
        ("{endpoint}", {"Content-Type": "text/plain"}, b"{}", 415),
        ("{endpoint}", {"Content-Encoding": "gzip"}, b"{}", 415),
        ("{endpoint}", {"Origin": "https://evil.example"}, b"{}", 403),
        ("{endpoint}", {"Host": "evil.example"}, b"{}", 403),
        ("{endpoint}", {}, b"\xff\xfe", 400),
        ("{endpoint}", {}, b"[]", 400),
        ("{endpoint}", {}, b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400),
        ("{endpoint}", {}, b" " * (1 << 16), 413),
    ],
)
async def test_hostile_messages_are_refused_and_the_stream_goes_on(
    start_gateway: Start, target: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxBodyBytes": "32KiB"}})
    async with SSEClient.connect(gateway) as client:
        await client.initialize()
        with Wire(gateway.port) as wire:
            wire.send(request(body, target=target.replace("{endpoint}", client.endpoint), headers=headers))
            answer = await anyio.to_thread.run_sync(wire.read)
            assert answer.status == status
            assert "error" in answer.json()
        assert "result" in await client.request("ping", id=99)


async def test_clients_that_open_streams_and_leave_cost_nothing(gateway: Gateway) -> None:
    async def come_and_go() -> None:
        async with SSEClient.connect(gateway):
            pass

    sessions = Metrics(gateway).value("mcp_active_sessions")
    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(come_and_go)
    wait_until("no stream is open", lambda: Metrics(gateway).value("mcp_sse_connections") == 0, 10)
    assert Metrics(gateway).value("mcp_active_sessions") == sessions
