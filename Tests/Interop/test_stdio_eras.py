"""`mcp-gateway stdio` and `mcp-gateway connect` for clients of 2026-07-28, beside those that say initialize."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
import pytest
from clients import Seen, sdk_client, texts
from conformance import META, MODERN
from gateway import CommandLine, Gateway, everything, raw
from mcp import StdioServerParameters
from modern import ALL_CAPABILITIES, ModernClient, answers
from rawhttp import RPCError
from stdio_peer import StdioPeer, stdio_peer
from test_stdio_and_connect import assert_no_children, write_config
from upstreams import http_server, stdio

pytestmark = pytest.mark.binary
Start = Callable[..., Gateway]
WAYS = ["stdio", "connect"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return request.param


class Commands:
    """The command of a client, for each way to a gateway with the same servers."""

    def __init__(self, tmp_path: Path, start_gateway: Start) -> None:
        self.tmp_path = tmp_path
        self.start_gateway = start_gateway
        self.gateway: Gateway | None = None

    def make(self, way: str, servers: dict[str, Any]) -> list[str]:
        if way == "connect":
            self.gateway = self.start_gateway(servers)
            return CommandLine.connect(self.gateway.url)
        return CommandLine.stdio(write_config(self.tmp_path, servers), self.tmp_path / "data")


@pytest.fixture
def commands(tmp_path: Path, start_gateway: Start) -> Commands:
    return Commands(tmp_path, start_gateway)


class ModernPeer:
    """Requests of 2026-07-28 over a process's stdin and stdout."""

    def __init__(self, peer: StdioPeer, capabilities: dict[str, Any] | None = None, log_level: str | None = None) -> None:
        self.peer = peer
        self.client = ModernClient("", capabilities or {}, log_level)

    async def request(self, method: str, params: dict[str, Any] | None = None, id: Any = None) -> dict[str, Any]:
        message = self.client.message(method, params, id)
        return await self.peer.request(method, message["params"], id=message["id"])

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        return await self.request("tools/call", {"name": tool, "arguments": arguments or {}, **more})

    async def send(self, method: str, params: dict[str, Any] | None, id: Any) -> None:
        await self.peer.send(self.client.message(method, params, id))

    async def cancel(self, id: Any) -> None:
        await self.peer.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})

    def answered(self, id: Any) -> list[Any]:
        return [m for m in self.peer.conversation.sent_by_gateway if isinstance(m, dict) and m.get("id") == id]


# The official SDK.


async def test_the_sdk_speaks_the_modern_revision(commands: Commands, way: str) -> None:
    command, *arguments = commands.make(way, {"everything": everything(isolation="session")})
    seen = Seen()
    async with sdk_client(StdioServerParameters(command=command, args=arguments), seen, mode="auto") as client:
        assert client.protocol_version == MODERN
        assert "everything__add" in {tool.name for tool in (await client.list_tools()).tools}
        assert (await client.call_tool("everything__add", {"a": 1, "b": 1})).structured_content == {"sum": 2}
        await client.call_tool("everything__progress", {"steps": 3}, progress_callback=seen.on_progress)
        assert [progress for progress, _, _ in seen.progress] == [1, 2, 3]
        assert texts(await client.call_tool("everything__ask-model", {"prompt": "hi"})) == ["answer to hi"]


async def test_the_sdk_hears_of_changes(commands: Commands, way: str) -> None:
    command, *arguments = commands.make(way, {"everything": everything(isolation="shared")})
    async with sdk_client(StdioServerParameters(command=command, args=arguments), Seen(), mode="auto") as client:
        async with client.listen(resource_subscriptions=["everything://counter"]) as subscription:
            await client.call_tool("everything__touch")
            with anyio.fail_after(15):
                event = await anext(aiter(subscription))
            assert "everything://counter" in str(event)


@pytest.mark.parametrize("revision", ["legacy", "auto"])
async def test_the_sdk_in_either_era_gets_the_same_tools(commands: Commands, way: str, revision: str) -> None:
    command, *arguments = commands.make(way, {"raw": raw()})
    async with sdk_client(StdioServerParameters(command=command, args=arguments), mode=revision) as client:
        assert {"raw__echo", "get-development-environment-status"} <= {tool.name for tool in (await client.list_tools()).tools}


# By hand.


async def test_both_eras_live_side_by_side(commands: Commands, way: str) -> None:
    command = commands.make(way, {"shared": raw(), "own": raw(isolation="session")})
    async with stdio_peer(command) as peer:
        modern = ModernPeer(peer)
        assert MODERN in (await modern.request("server/discover"))["supportedVersions"]
        assert (await modern.call("shared__count"))["resultType"] == "complete"
        result = await peer.initialize()
        assert result["protocolVersion"] == "2025-11-25"
        assert "resultType" not in await peer.call("shared__count")
        assert (await peer.call("own__count"))["content"][0]["text"] == "1"
        assert (await modern.call("shared__count"))["content"][0]["text"] == "3"
        assert await peer.request("ping") == {}
        with pytest.raises(RPCError) as raised:
            await modern.request("ping")
        assert raised.value.code == -32601
    assert peer.process.returncode == 0


async def test_modern_messages_keep_to_their_schema(commands: Commands, way: str) -> None:
    command = commands.make(way, {"shared": raw(), "own": raw(isolation="session")})
    async with stdio_peer(command) as peer:
        modern = ModernPeer(peer, ALL_CAPABILITIES, log_level="debug")
        await modern.request("server/discover")
        await modern.request("tools/list")
        await modern.call("shared__progress", {"steps": 3}, _meta={"progressToken": "p"})
        assert [n["params"]["progress"] for n in peer.notifications if n["method"] == "notifications/progress"] == [1, 2, 3]
        params = {"name": "own__ask", "arguments": {"method": "roots/list"}}
        asked = await modern.request("tools/call", params)
        assert asked["resultType"] == "input_required"
        done = await modern.request("tools/call", ModernClient.retry(params, asked, answers()))
        assert done["structuredContent"]["answer"]["result"]["roots"]
    peer.assert_conformant()


async def test_a_cancelled_request_gets_no_answer_and_its_server_is_told(commands: Commands, way: str, tmp_path: Path) -> None:
    record = tmp_path / "record"
    command = commands.make(way, {"shared": raw(env={"RAW_RECORD": str(record)})})
    async with stdio_peer(command) as peer:
        modern = ModernPeer(peer)
        await modern.request("server/discover")
        await modern.send("tools/call", {"name": "shared__wait", "arguments": {"seconds": 60}}, id="slow")
        with anyio.fail_after(15):
            while '"wait"' not in (record.read_text() if record.exists() else ""):
                await anyio.sleep(0.02)
            await modern.cancel("slow")
            while "notifications/cancelled" not in record.read_text():
                await anyio.sleep(0.02)
        assert (await modern.call("shared__count"))["content"]
        assert modern.answered("slow") == []
        # What is not known is nothing to worry about.
        await modern.cancel("nothing")
        assert (await modern.call("shared__count"))["content"]
    assert peer.process.returncode == 0


async def test_listening_shares_the_channel_until_it_is_taken_back(commands: Commands, way: str) -> None:
    command = commands.make(way, {"shared": raw()})
    async with stdio_peer(command) as peer:
        modern = ModernPeer(peer)
        await modern.request("server/discover")
        await modern.send("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=7)
        acknowledged = await peer.notification("notifications/subscriptions/acknowledged")
        assert acknowledged["params"]["_meta"][f"{META}subscriptionId"] == 7
        await modern.cancel(7)
        assert (await modern.call("shared__count"))["content"]
        assert modern.answered(7) == []
        # And once more, with the same id.
        await modern.send("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id=7)
        await peer.notification("notifications/subscriptions/acknowledged")
        # A client that goes away while it listens does not hold up the end.
        assert peer.process.stdin is not None
        await peer.process.stdin.aclose()
        with anyio.fail_after(5):
            await peer.process.wait()
    assert peer.process.returncode == 0


async def test_what_is_wrong_with_a_request_is_said_in_its_era(commands: Commands, way: str) -> None:
    command = commands.make(way, {"shared": raw()})
    async with stdio_peer(command) as peer:
        modern = ModernPeer(peer)
        meta = modern.client.meta()
        for change, code in [({f"{META}protocolVersion": "1900-01-01"}, -32022), ({f"{META}clientCapabilities": 1}, -32602)]:
            with pytest.raises(RPCError) as raised:
                await peer.request("tools/list", {"_meta": {**meta, **change}})
            assert raised.value.code == code
            if code == -32022:
                assert MODERN in raised.value.data["supported"]
        with pytest.raises(RPCError) as raised:
            await modern.request("no/such/method")
        assert raised.value.code == -32601


async def test_stdio_tells_listeners_when_it_is_stopped(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"shared": raw()})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        modern = ModernPeer(peer)
        await modern.send("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="l")
        await peer.notification("notifications/subscriptions/acknowledged")
        peer.process.send_signal(signal.SIGTERM)
        with anyio.fail_after(10):
            await peer.ended.wait()
        assert [m["result"]["resultType"] for m in modern.answered("l")] == ["complete"]
    assert_no_children(tmp_path)


async def test_a_request_of_the_modern_era_alone_needs_its_meta(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"shared": raw()})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        with pytest.raises(RPCError) as raised:
            await peer.request("server/discover")
        assert raised.value.code == -32602
        with pytest.raises(RPCError) as raised:
            await peer.request("tools/list")
        assert raised.value.code == -32600 and MODERN in raised.value.message


async def test_more_requests_at_once_than_may_be_are_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"shared": raw()}, {"limits": {"maxConcurrentPerSession": 2}})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        modern = ModernPeer(peer)
        for id in (1, 2):
            await modern.send("subscriptions/listen", {"notifications": {}}, id=f"l{id}")
            await peer.notification("notifications/subscriptions/acknowledged")
        with pytest.raises(RPCError) as raised:
            await modern.call("shared__count")
        assert "limits.maxConcurrentPerSession" in raised.value.message
        await modern.cancel("l1")
        assert (await modern.call("shared__count"))["content"]


# connect: what the bridge makes of requests over HTTP.


async def test_connect_sends_modern_requests_as_the_revision_wants_them(start_gateway: Start) -> None:
    gateway = start_gateway({"shared": raw()})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        modern = ModernPeer(peer)
        await modern.call("shared__echo", {"n": 1})
        await modern.send("tools/call", {"name": "shared__wait", "arguments": {"seconds": 60}}, id="slow")
        with anyio.fail_after(15):
            while not any(b'"slow"' in r.request_body for r in gateway.recorder.records):
                await anyio.sleep(0.02)
            await modern.cancel("slow")
            while (last := gateway.recorder.records[-1]).complete:
                await anyio.sleep(0.02)
    assert b'"slow"' in last.request_body, "the cancellation was sent as a message"
    headers = next(r.request.headers for r in gateway.recorder.records if b"shared__echo" in r.request_body)
    assert headers["mcp-protocol-version"] == MODERN
    assert headers["mcp-method"] == "tools/call" and headers["mcp-name"] == "shared__echo"
    assert "mcp-session-id" not in headers


async def test_a_call_through_connect_has_the_header_fields_that_its_tool_wants(start_gateway: Start) -> None:
    gateway = start_gateway({"everything": stdio("everything.py", "legacy", isolation="shared")})
    arguments = {"region": "Zürich", "level": 3, "dry": True, "where": {"zone": "a"}, "body": "b"}
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        modern = ModernPeer(peer)
        # Answered when the server has started.
        await modern.request("server/discover")
        # Without having asked for the list: the bridge does, when the call is refused.
        assert (await modern.call("everything__routed", arguments))["structuredContent"]["arguments"] == arguments
        calls = [r for r in gateway.recorder.records if b"everything__routed" in r.request_body]
        assert [r.response.status for r in calls if r.response] == [400, 200]
        assert calls[1].request.headers["mcp-param-region"] == "=?base64?WsO8cmljaA==?="
        assert calls[1].request.headers["mcp-param-level"] == "3"
        await modern.call("everything__routed", arguments)
        assert [r.response.status for r in gateway.recorder.records[-1:] if r.response] == [200]
    peer.assert_conformant()


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_a_modern_client_lives_through_a_restart_behind_connect(start_gateway: Start, how: str) -> None:
    gateway = start_gateway({"everything": everything(isolation="shared")})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        modern = ModernPeer(peer)
        listen = {"notifications": {"resourceSubscriptions": ["everything://counter"]}}
        await modern.send("subscriptions/listen", listen, id="l")
        await peer.notification("notifications/subscriptions/acknowledged")
        await anyio.to_thread.run_sync(gateway.restart, how)
        await modern.call("everything__add", {"a": 1, "b": 1})
        if how == "terminate":
            # An orderly end is told, and the client's to answer.
            assert modern.answered("l")[0]["result"]["resultType"] == "complete"
            return
        # Nobody knows when the bridge listens again.
        with anyio.fail_after(20):
            while not any(n["method"] == "notifications/resources/updated" for n in peer.notifications):
                await modern.call("everything__touch")
                await anyio.sleep(0.1)
        assert not any("acknowledged" in n["method"] for n in peer.notifications)
    peer.assert_conformant()


@pytest.mark.parametrize(("era", "version"), [("modern", MODERN), ("legacy", "2025-11-25"), ("dual", MODERN)])
async def test_the_sdk_finds_out_the_era_of_a_server_behind_connect(era: str, version: str) -> None:
    seen = Seen()
    with http_server("everything.py", era) as url:
        command, *arguments = CommandLine.connect(url)
        async with sdk_client(StdioServerParameters(command=command, args=arguments), seen, mode="auto") as client:
            assert client.protocol_version == version
            assert (await client.call_tool("add", {"a": 1, "b": 1})).structured_content == {"sum": 2}
            assert texts(await client.call_tool("ask-model", {"prompt": "hi"})) == ["answer to hi"]
            await client.call_tool("progress", {"steps": 3}, progress_callback=seen.on_progress)
            assert [progress for progress, _, _ in seen.progress] == [1, 2, 3]


async def test_a_legacy_client_behind_connect_gets_the_refusal_of_a_modern_server() -> None:
    with http_server("everything.py", "modern") as url:
        async with stdio_peer(CommandLine.connect(url)) as peer:
            with pytest.raises(RPCError) as raised:
                await peer.initialize()
            assert f"{META}protocolVersion" in raised.value.message
