"""Sessions do not see each other."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
import pytest
from clients import Seen, sdk_client
from gateway import Gateway, raw
from processes import is_running, wait_until
from rawhttp import RawSession

SERVERS = {"shared": raw(isolation="shared"), "own": raw(isolation="session")}


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_sessions_that_use_the_same_ids_get_their_own_answers(gateway: Gateway, server: str) -> None:
    answers: dict[int, list[Any]] = {}

    async def client(number: int) -> None:
        async with RawSession(gateway.url) as session:
            await session.initialize(name=f"client-{number}")
            answers[number] = []

            async def one(identifier: int) -> None:
                arguments = {"client": number, "call": identifier}
                result = await session.request("tools/call", {"name": f"{server}__echo", "arguments": arguments}, id=identifier)
                answers[number].append((identifier, result["structuredContent"]))

            async with anyio.create_task_group() as group:
                for identifier in range(1, 21):
                    group.start_soon(one, identifier)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(client, number)
    for number, got in answers.items():
        assert sorted(got) == [(call, {"client": number, "call": call}) for call in range(1, 21)] or all(
            structured == {"client": number, "call": identifier} for identifier, structured in got
        )
        assert len(got) == 20


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_sessions_that_use_the_same_progress_token_get_their_own_progress(gateway: Gateway, server: str) -> None:
    progress: dict[int, list[int]] = {}

    async def client(steps: int) -> None:
        async with RawSession(gateway.url) as session:
            await session.initialize()
            call = session.message(
                "tools/call",
                {"name": f"{server}__progress", "arguments": {"steps": steps, "delay": 0.03}, "_meta": {"progressToken": "same"}},
                id=1,
            )
            messages = session.messages(await session.post(call))
            progress[steps] = [m["params"]["progress"] for m in messages if "method" in m]
            assert {m["params"]["total"] for m in messages if "method" in m} == {steps}

    async with anyio.create_task_group() as group:
        for steps in range(4, 9):
            group.start_soon(client, steps)
    assert progress == {steps: list(range(1, steps + 1)) for steps in range(4, 9)}


async def test_a_cancellation_with_the_id_of_another_sessions_call_does_not_cancel_it(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as victim, RawSession(gateway.url) as other:
        await victim.initialize()
        await other.initialize()
        wait = victim.message("tools/call", {"name": "shared__wait", "arguments": {"seconds": 1}}, id=5)
        async with victim.post_stream(wait) as stream:
            await other.notify("notifications/cancelled", {"requestId": 5})
            messages = [message async for message in stream.messages()]
        assert messages[-1]["result"]["content"][0]["text"] == "waited"


async def test_a_shared_server_is_one_process_and_an_own_one_is_a_process_per_session(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as one, RawSession(gateway.url) as two:
        await one.initialize()
        await two.initialize()

        async def pid(session: RawSession, server: str) -> int:
            return (await session.call(f"{server}__pid"))["structuredContent"]["pid"]

        # Each instance of a gateway has one.
        shared = [await pid(one, "shared"), await pid(two, "shared")]
        assert len(gateway.pids) > 1 or shared[0] == shared[1]
        assert shared == [await pid(one, "shared"), await pid(two, "shared")]
        own = [await pid(one, "own"), await pid(two, "own")]
        assert own[0] != own[1]
        assert own == [await pid(one, "own"), await pid(two, "own")]
        await one.delete()
        # The session's end is its process' end; the other goes on.
        wait_until("the process of the deleted session ends", lambda: not is_running(own[0]))
        assert await pid(two, "own") == own[1]
    gateway.assert_no_zombies()


async def test_notifications_of_an_own_server_reach_its_session_alone(gateway: Gateway) -> None:
    one, two = Seen(), Seen()
    async with sdk_client(gateway.url, one) as first, sdk_client(gateway.url, two) as second:
        await first.call_tool("own__notify", {"method": "notifications/tools/list_changed"})
        await one.wait_for(types.ToolListChangedNotification)
        await second.call_tool("own__notify", {"method": "notifications/prompts/list_changed"})
        await two.wait_for(types.PromptListChangedNotification)
    assert not [n for n in two.notifications if isinstance(n, types.ToolListChangedNotification)]
    assert not [n for n in one.notifications if isinstance(n, types.PromptListChangedNotification)]


async def test_an_update_of_a_shared_resource_reaches_each_subscriber_once(gateway: Gateway) -> None:
    seen = [Seen() for _ in range(3)]
    async with (
        sdk_client(gateway.server_url("shared"), seen[0]) as one,
        sdk_client(gateway.server_url("shared"), seen[1]) as two,
        sdk_client(gateway.server_url("shared"), seen[2]) as three,
    ):
        await one.subscribe_resource("raw://counter")
        await two.subscribe_resource("raw://counter")
        await three.call_tool("touch")
        await seen[0].wait_for(types.ResourceUpdatedNotification)
        await seen[1].wait_for(types.ResourceUpdatedNotification)
        # One that leaves does not take the subscription of the other with it.
        await one.unsubscribe_resource("raw://counter")
        await three.call_tool("touch")
        await seen[1].wait_for(types.ResourceUpdatedNotification, 2)
    counts = [len([n for n in one.notifications if isinstance(n, types.ResourceUpdatedNotification)]) for one in seen]
    assert counts == [1, 2, 0]
