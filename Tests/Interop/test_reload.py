"""Editing the configuration while the gateway runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from gateway import Gateway, raw
from processes import is_running, wait_until
from rawhttp import RawSession, RPCError, first_message

Start = Callable[..., Gateway]
CHANGED = "notifications/tools/list_changed"


async def names(session: RawSession) -> set[str]:
    return {tool["name"] for tool in (await session.request("tools/list"))["tools"]}


async def test_a_server_is_added_changed_and_removed_without_restart(start_gateway: Start) -> None:
    gateway = start_gateway({"one": raw()})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        pid = (await session.call("one__pid"))["structuredContent"]["pid"]
        async with session.get_stream() as stream:
            gateway.write_config({"one": raw(), "two": raw()})
            await first_message(stream, CHANGED)
            assert "two__echo" in await names(session)
            assert (await session.call("two__count"))["structuredContent"]["count"] == 1
        async with session.get_stream() as stream:
            gateway.write_config({"one": raw(), "two": raw(env={"RAW_TOOL": "fresh"})})
            await first_message(stream, CHANGED)
            assert "two__fresh" in await names(session)
            assert (await session.call("two__fresh"))["content"][0]["text"] == "fresh"
        async with session.get_stream() as stream:
            gateway.write_config({"one": raw()})
            await first_message(stream, CHANGED)
            assert not any(name.startswith("two__") for name in await names(session))
            with pytest.raises(RPCError):
                await session.call("two__count")
        # The one that nobody edited was left alone.
        assert (await session.call("one__pid"))["structuredContent"]["pid"] == pid
    gateway.assert_no_zombies()


async def test_the_processes_of_a_removed_server_end(start_gateway: Start) -> None:
    gateway = start_gateway({"one": raw(), "own": raw(isolation="session")})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        pids = [(await session.call(f"{server}__pid"))["structuredContent"]["pid"] for server in ("one", "own")]
        gateway.write_config({"three": raw()})
        for pid in pids:
            wait_until("the process of the removed server ends", lambda pid=pid: not is_running(pid), 15)
        with anyio.fail_after(10):
            while "three__echo" not in await names(session):
                await anyio.sleep(0.05)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("{ this is not JSON", ""),
        (json.dumps({"mcpServers": {"one": {"comand": "x"}}}), "command"),
        (json.dumps({"mcpServers": {"one": {"command": 5}}}), "command"),
        (json.dumps({"mcpServers": {"one": {"command": "x", "isolation": "none"}}}), "isolation"),
        (json.dumps({"mcpServer": {}}), "mcpServers"),
        (json.dumps({"mcpServers": {"one": {"command": "${NO_SUCH_VARIABLE_AT_ALL}"}}}), "NO_SUCH_VARIABLE_AT_ALL"),
    ],
)
async def test_a_broken_edit_is_refused_as_a_whole(start_gateway: Start, broken: str, expected: str) -> None:
    gateway = start_gateway({"one": raw(), "two": raw()})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        pid = (await session.call("one__pid"))["structuredContent"]["pid"]
        before = len(gateway.log())
        gateway.write_config_text(broken)
        wait_until("the log tells what is wrong", lambda: len(gateway.log()) > before and expected in gateway.log()[before:], 15)
        assert {"one__echo", "two__echo"} <= await names(session)
        assert (await session.call("one__pid"))["structuredContent"]["pid"] == pid
        # The next good edit is taken.
        gateway.write_config({"one": raw(), "four": raw()})
        with anyio.fail_after(15):
            while not ({"one__echo", "four__echo"} <= (found := await names(session)) and "two__echo" not in found):
                await anyio.sleep(0.05)


async def test_a_call_in_flight_on_a_server_that_stays_is_not_disturbed(start_gateway: Start) -> None:
    gateway = start_gateway({"one": raw(), "own": raw(isolation="session")})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        results: list[Any] = []

        async def call(server: str) -> None:
            results.append(await session.call(f"{server}__wait", {"seconds": 2}))

        async with anyio.create_task_group() as group:
            group.start_soon(call, "one")
            group.start_soon(call, "own")
            await anyio.sleep(0.3)
            gateway.write_config({"one": raw(), "own": raw(isolation="session"), "new": raw()})
            with anyio.fail_after(10):
                while "new__echo" not in await names(session):
                    await anyio.sleep(0.05)
        assert [result["content"][0]["text"] for result in results] == ["waited", "waited"]
