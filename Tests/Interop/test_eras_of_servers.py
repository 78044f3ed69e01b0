"""Which era a server is of, the gateway finds out as the specification says (2026-07-28, basic/versioning, "Backward Compatibility")."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from conformance import MODERN
from gateway import Gateway, raw
from modern import ModernClient
from probed_upstream import ProbedUpstream
from processes import wait_until
from rawhttp import RawSession, RPCError
from upstreams import http_server, stdio

pytestmark = pytest.mark.binary
Start = Callable[..., Gateway]


def methods(path: Path) -> list[str]:
    """What a raw server got, method by method; "START" for each process."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line).get("method", "") if line.startswith("{") else line.split()[0] for line in lines]


async def works(url: str, tool: str, text: str, **arguments: Any) -> None:
    """A client of either era can call a tool."""
    async with RawSession(url) as session:
        await session.initialize()
        assert (await session.call(tool, arguments))["content"][0]["text"] == text
    async with ModernClient(url) as client:
        result = await client.call(tool, arguments)
        assert (result["resultType"], result["content"][0]["text"]) == ("complete", text)


# stdio.


@pytest.mark.parametrize(
    "how", ["-32601", "-32600", "-32602", "-32603", "-32000", "-32001", "noid", "strange", "older", "both", "garbage", "silent", "exit"]
)
async def test_a_server_on_stdio_that_does_not_know_the_modern_era_is_initialized(start_gateway: Start, tmp_path: Path, how: str) -> None:
    record = tmp_path / "record"
    gateway = start_gateway({"raw": raw(env={"RAW_DISCOVER": how, "RAW_RECORD": str(record)})})
    await works(gateway.server_url("raw"), "progress", "1 steps", steps=1)
    got = methods(record)
    assert "initialize" in got and got[1] in ("server/discover", "initialize"), got
    gateway.assert_no_zombies()


async def test_a_modern_server_on_stdio_gets_no_initialize(start_gateway: Start, tmp_path: Path) -> None:
    for era in ("modern", "dual"):
        gateway = start_gateway({"everything": stdio("everything.py", era)})
        await works(gateway.server_url("everything"), "add", "3", a=1, b=2)
        async with ModernClient(gateway.server_url("everything")) as client:
            assert (await client.call("memory"))["structuredContent"]["revision"] == MODERN


async def test_a_server_that_speaks_neither_is_named(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(env={"RAW_DISCOVER": "other"}), "good": raw()})
    async with ModernClient(gateway.server_url("raw")) as client:
        with pytest.raises(RPCError):
            await client.call("count")
    assert "2099-01-01" in gateway.log()
    await works(gateway.server_url("good"), "progress", "1 steps", steps=1)


async def test_what_was_found_is_remembered_for_later_starts(start_gateway: Start, tmp_path: Path) -> None:
    record = tmp_path / "record"
    gateway = start_gateway({"raw": raw(env={"RAW_RECORD": str(record)})})
    url = gateway.server_url("raw")
    await works(url, "progress", "1 steps", steps=1)
    for pid in gateway.children():
        os.kill(pid, signal.SIGKILL)
    # Each instance of a gateway has a process, and finds out for itself.
    count = len(gateway.pids)
    wait_until("the child is started again", lambda: methods(record).count("initialize") >= 2 * count)
    await works(url, "progress", "1 steps", steps=1)
    got = methods(record)
    assert got.count("START") == 2 * count and got.count("server/discover") == count and got.count("initialize") == 2 * count, got


async def test_a_server_that_changed_its_era_is_found_out(start_gateway: Start, tmp_path: Path) -> None:
    # An update of the server: the same command is another program after its restart.
    script = tmp_path / "server.sh"
    servers = {era: " ".join([(config := stdio("everything.py", era))["command"], *config["args"]]) for era in ("legacy", "modern")}
    script.write_text(f"#!/bin/sh\nexec {servers['legacy']}\n")
    script.chmod(0o755)
    gateway = start_gateway({"everything": {"command": str(script)}})
    url = gateway.server_url("everything")
    await works(url, "add", "3", a=1, b=2)
    script.write_text(f"#!/bin/sh\nexec {servers['modern']}\n")
    for pid in gateway.children():
        os.kill(pid, signal.SIGKILL)
    wait_until("the child is gone", lambda: not gateway.children())

    async def revision() -> str | None:
        try:
            async with ModernClient(url) as client:
                return (await client.call("memory"))["structuredContent"]["revision"]
        except RPCError:
            return None

    with anyio.fail_after(40):
        while await revision() != MODERN:
            await anyio.sleep(0.3)


# HTTP.


@pytest.fixture
def probed() -> Iterator[Callable[..., ProbedUpstream]]:
    running: list[ProbedUpstream] = []

    def start(*how: Any) -> ProbedUpstream:
        running.append(ProbedUpstream(*how))
        return running[-1]

    yield start
    for upstream in running:
        upstream.close()


REJECTED = '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}'
UNKNOWN = '{"jsonrpc":"2.0","id":{id},"error":{"code":-32601,"message":"Method not found"}}'
OLDER = '{"jsonrpc":"2.0","id":{id},"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"],"requested":"2026-07-28"}}}'


@pytest.mark.parametrize(
    "how",
    [
        pytest.param((400, REJECTED), id="400 with an error of the old"),
        pytest.param((400, ""), id="400 with nothing"),
        pytest.param((400, "Bad Request", "text/plain"), id="400 with a text"),
        pytest.param((404, "Not Found", "text/plain"), id="404"),
        pytest.param((404, UNKNOWN), id="404 with -32601"),
        pytest.param((405, ""), id="405"),
        pytest.param((406, ""), id="406"),
        pytest.param((422, '{"detail":"no"}'), id="422"),
        pytest.param((200, UNKNOWN), id="200 with -32601"),
        pytest.param((200, '{"jsonrpc":"2.0","id":{id},"result":{}}'), id="200 with a result that is none"),
        pytest.param((200, "event: message\ndata: " + UNKNOWN + "\n\n", "text/event-stream"), id="a stream with -32601"),
        pytest.param((400, OLDER), id="400 with older revisions"),
        pytest.param((202, ""), id="202"),
    ],
)
async def test_a_server_over_http_that_does_not_know_the_modern_era_is_initialized(
    start_gateway: Start, probed: Callable[..., ProbedUpstream], how: tuple[Any, ...]
) -> None:
    upstream = probed(*how)
    gateway = start_gateway({"remote": {"url": upstream.url}})
    await works(gateway.server_url("remote"), "say", "said")

    def got() -> list[str]:
        return [message["method"] for _, message in upstream.requests]

    # Each instance of a gateway asks for itself.
    wait_until("it is initialized", lambda: got().count("initialize") >= len(gateway.pids))
    assert got().index("server/discover") < got().index("initialize")
    assert got().count("server/discover") == len(gateway.pids)


async def test_a_modern_server_over_http_gets_no_initialize(start_gateway: Start) -> None:
    with http_server("everything.py", "modern") as modern, http_server("everything.py", "dual") as dual:
        gateway = start_gateway({"modern": {"url": modern}, "dual": {"url": dual}})
        for name in ("modern", "dual"):
            await works(gateway.server_url(name), "add", "3", a=1, b=2)
            async with ModernClient(gateway.server_url(name)) as client:
                assert (await client.call("memory"))["structuredContent"]["revision"] == MODERN
