"""`mcp-gateway stdio`, and `mcp-gateway connect`, the bridge for clients that know only stdio."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import mcp_types as types
import pytest
from clients import Seen, sdk_client, texts
from gateway import CommandLine, Gateway, everything, raw
from mcp import StdioServerParameters
from processes import is_running, marked, wait_until
from rawhttp import RPCError
from stdio_peer import stdio_peer

pytestmark = pytest.mark.binary
Start = Callable[..., Gateway]
MARK = "INTEROP_MARK_OF_STDIO"


def write_config(directory: Path, servers: dict[str, Any], settings: dict[str, Any] | None = None) -> Path:
    marked_servers = {
        name: {**server, "env": {**server.get("env", {}), "INTEROP_MARK": f"{MARK}-{directory}"}}
        for name, server in servers.items()
    }
    path = directory / "mcp-gateway.json"
    path.write_text(json.dumps({"mcpServers": marked_servers, "gateway": settings or {}}))
    return path


def assert_no_children(directory: Path) -> None:
    wait_until("every child is gone", lambda: not marked(f"{MARK}-{directory}"))


# stdio.


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_the_same_gateway_is_served_over_stdio(tmp_path: Path, revision: str) -> None:
    config = write_config(tmp_path, {"shared": raw(), "own": raw(isolation="session")})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        result = await peer.initialize(revision=revision)
        assert result["protocolVersion"] == revision or revision == "2024-11-05"
        names = {tool["name"] for tool in await peer.list_all("tools/list", "tools")}
        assert {"shared__echo", "own__echo", "get-development-environment-status"} <= names
        for server in ("shared", "own"):
            assert (await peer.call(f"{server}__count"))["content"][0]["text"] == "1"
        await peer.call("shared__progress", {"steps": 3}, _meta={"progressToken": 7})
        assert [n["params"]["progress"] for n in peer.notifications if n["method"] == "notifications/progress"] == [1, 2, 3]
        with pytest.raises(RPCError) as raised:
            await peer.call("nobody__nothing")
        assert raised.value.code == -32602
    peer.assert_conformant()
    assert peer.process.returncode == 0
    assert_no_children(tmp_path)


async def test_stdio_answers_malformed_lines_and_goes_on(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"shared": raw()})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        await peer.initialize()
        assert peer.process.stdin is not None
        for line in (b"nonsense\n", b'{"jsonrpc":"2.0","id":1\n', b"\n", b'{"jsonrpc":"2.0"}\n'):
            await peer.process.stdin.send(line)
        assert await peer.request("ping") == {}
        errors = [m for m in peer.conversation.sent_by_gateway if "error" in m]
        assert [error["error"]["code"] for error in errors][:2] == [-32700, -32700]
    peer.assert_conformant()


async def test_stdio_lets_servers_ask_the_client(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"own": raw(isolation="session")})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        peer.answers["roots/list"] = lambda params: {"roots": [{"uri": "file:///x", "name": "x"}]}
        await peer.initialize({"roots": {}})
        answer = (await peer.call("own__ask", {"method": "roots/list"}))["structuredContent"]["answer"]
        assert answer == {"result": {"roots": [{"uri": "file:///x", "name": "x"}]}}
    peer.assert_conformant()


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_stdio_leaves_no_orphan(tmp_path: Path, how: str) -> None:
    config = write_config(tmp_path, {"own": raw(isolation="session", env={"RAW_STUBBORN": "1"}), "shared": raw()})
    async with stdio_peer(CommandLine.stdio(config, tmp_path / "data")) as peer:
        await peer.initialize()
        await peer.call("own__fork")
        await peer.call("shared__count")
        assert marked(f"{MARK}-{tmp_path}")
        getattr(peer.process, how)()
        with anyio.fail_after(20):
            await peer.process.wait()
    assert_no_children(tmp_path)


async def test_the_sdk_talks_to_the_gateway_over_stdio(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"everything": everything(isolation="session")})
    command, *arguments = CommandLine.stdio(config, tmp_path / "data")
    seen = Seen()
    async with sdk_client(StdioServerParameters(command=command, args=arguments), seen) as client:
        assert (await client.call_tool("everything__add", {"a": 1, "b": 1})).structured_content == {"sum": 2}
        assert texts(await client.call_tool("everything__ask-model", {"prompt": "hi"})) == ["answer to hi"]
        await client.subscribe_resource("everything://counter")
        await client.call_tool("everything__touch")
        await seen.wait_for(types.ResourceUpdatedNotification)
    assert_no_children(tmp_path)


# connect.


async def test_connect_forwards_both_ways(start_gateway: Start) -> None:
    gateway = start_gateway({"own": raw(isolation="session"), "shared": raw()})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        peer.answers["roots/list"] = lambda params: {"roots": []}
        result = await peer.initialize({"roots": {}})
        assert result["protocolVersion"] == "2025-11-25"
        assert (await peer.call("shared__echo", {"n": 12345678901234567890}))["structuredContent"] == {"n": 12345678901234567890}
        assert (await peer.call("own__ask", {"method": "roots/list"}))["structuredContent"]["answer"] == {"result": {"roots": []}}
        await peer.call("own__progress", {"steps": 3}, _meta={"progressToken": "p"})
        assert [n["params"]["progress"] for n in peer.notifications if n["method"] == "notifications/progress"] == [1, 2, 3]
        await peer.call("own__notify", {"method": "notifications/tools/list_changed"})
        await peer.notification("notifications/tools/list_changed")
    peer.assert_conformant()
    assert peer.process.returncode == 0


@pytest.mark.parametrize("how", ["kill", "terminate"])
async def test_connect_lives_through_a_restart_of_the_gateway(start_gateway: Start, how: str) -> None:
    gateway = start_gateway({"own": raw(isolation="session"), "shared": raw()})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        await peer.initialize()
        assert (await peer.call("own__count"))["structuredContent"] == {"count": 1}
        await anyio.to_thread.run_sync(gateway.restart, how)
        assert (await peer.call("own__count"))["structuredContent"] == {"count": 1}
        assert (await peer.call("shared__count"))["structuredContent"] == {"count": 1}
        # Also what comes without being asked for.
        await peer.call("own__notify", {"method": "notifications/tools/list_changed"})
        await peer.notification("notifications/tools/list_changed")
    peer.assert_conformant()


async def test_connect_waits_for_a_gateway_that_is_away(start_gateway: Start) -> None:
    gateway = start_gateway({"shared": raw()})
    # Past the recorder: a proxy accepts connections also while the gateway is away.
    async with stdio_peer(CommandLine.connect(f"http://127.0.0.1:{gateway.port}/mcp")) as peer:
        await peer.initialize()
        gateway.kill()
        results: list[Any] = []

        async def call() -> None:
            results.append(await peer.call("shared__count"))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.sleep(1)
            await anyio.to_thread.run_sync(gateway.start)
        assert results[0]["structuredContent"] == {"count": 1}


async def test_connect_initialises_again_when_its_session_is_gone(start_gateway: Start) -> None:
    gateway = start_gateway({"own": raw(isolation="session"), "shared": raw()})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        await peer.initialize()
        await peer.request("logging/setLevel", {"level": "error"})
        await peer.call("own__count")
        sessions = {record.request.headers.get("mcp-session-id") for record in gateway.recorder.records} - {None}
        assert len(sessions) == 1
        async with httpx.AsyncClient() as http:
            response = await http.delete(gateway.url, headers={"mcp-session-id": sessions.pop()})
            assert response.status_code in (200, 204)
        # The client notices nothing.
        assert (await peer.call("own__count"))["structuredContent"] == {"count": 1}
        assert (await peer.call("shared__count"))["structuredContent"]["count"] >= 1
    peer.assert_conformant()


async def test_a_call_through_connect_survives_cut_connections(start_gateway: Start) -> None:
    gateway = start_gateway({"own": raw(isolation="session")})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        await peer.initialize()
        results: list[Any] = []

        async def call() -> None:
            results.append(await peer.call("own__progress", {"steps": 40, "delay": 0.05}, _meta={"progressToken": 1}))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            for _ in range(3):
                await anyio.sleep(0.4)
                gateway.recorder.drop_connections()
        assert results[0]["structuredContent"] == {"steps": 40}
        progress = [n["params"]["progress"] for n in peer.notifications if n["method"] == "notifications/progress"]
        assert progress == list(range(1, 41))


async def test_the_sdk_talks_through_connect(start_gateway: Start) -> None:
    gateway = start_gateway({"everything": everything(isolation="session")})
    command, *arguments = CommandLine.connect(gateway.url)
    seen = Seen()
    async with sdk_client(StdioServerParameters(command=command, args=arguments), seen) as client:
        assert texts(await client.call_tool("everything__ask-model", {"prompt": "hi"})) == ["answer to hi"]
        await client.call_tool("everything__ask-user")
        await client.call_tool("everything__progress", {"steps": 3}, progress_callback=seen.on_progress)
        assert [progress for progress, _, _ in seen.progress] == [1, 2, 3]


async def test_connect_ends_with_its_client(start_gateway: Start) -> None:
    gateway = start_gateway({"own": raw(isolation="session")})
    async with stdio_peer(CommandLine.connect(gateway.url)) as peer:
        await peer.initialize()
        pid = (await peer.call("own__pid"))["structuredContent"]["pid"]
    assert peer.process.returncode == 0
    # It deleted its session, so the session's process is gone.
    deleted = [r for r in gateway.recorder.records if r.request.method == "DELETE"]
    assert deleted and deleted[0].response is not None and deleted[0].response.status in (200, 204)
    wait_until("the session's process ends", lambda: not is_running(pid), 15)


def test_connect_to_nowhere_says_so() -> None:
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
    }
    process = subprocess.Popen(
        CommandLine.connect("http://127.0.0.1:9/mcp"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(json.dumps(initialize) + "\n")
        process.stdin.flush()
        line = process.stderr.readline()
        assert "127.0.0.1:9" in line
    finally:
        process.kill()
        process.communicate()
