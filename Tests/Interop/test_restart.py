"""kill -9 and SIGTERM of the gateway and of its children, under load: no event lost, none twice, in order; no orphan."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import httpx
import mcp_types as types
import pytest
from clients import Seen, fastmcp_client, run, sdk_client, texts
from gateway import CommandLine, Gateway, everything, raw
from processes import is_running, wait_until
from rawhttp import RawSession, ResilientCall, RPCError

Start = Callable[..., Gateway]
HOW = ["kill", "terminate"]
BOTH = {"shared": raw(isolation="shared"), "own": raw(isolation="session")}


async def started(gateway: Gateway, revision: str = "2025-11-25") -> RawSession:
    session = RawSession(gateway.url, revision)
    await session.initialize()
    return session


async def restart(gateway: Gateway, how: str) -> None:
    await anyio.to_thread.run_sync(gateway.restart, how)


def progress_call(session: RawSession, tool: str, steps: int, delay: float) -> dict[str, Any]:
    return session.message(
        "tools/call",
        {"name": tool, "arguments": {"steps": steps, "delay": delay}, "_meta": {"progressToken": f"token-{session.next_id()}"}},
    )


@pytest.mark.parametrize("how", HOW)
async def test_a_session_goes_on_after_a_restart(start_gateway: Start, how: str) -> None:
    gateway = start_gateway(BOTH)
    async with await started(gateway) as session:
        await session.request("logging/setLevel", {"level": "warning"})
        await session.request("resources/subscribe", {"uri": "raw://counter"})
        before = {server: (await session.call(f"{server}__pid"))["structuredContent"] for server in BOTH}
        await restart(gateway, how)
        # Without initialize, with the same id.
        for server in BOTH:
            after = (await session.call(f"{server}__pid"))["structuredContent"]
            assert after["pid"] != before[server]["pid"]
            assert after["level"] == "warning"
            assert after["subscriptions"] == before[server]["subscriptions"]
        assert not any(is_running(one["pid"]) for one in before.values())
        # And the subscription is alive: a change is told.
        async with session.get_stream() as stream:
            owner = "own" if before["own"]["subscriptions"] else "shared"
            await session.call(f"{owner}__touch")
            with anyio.fail_after(10):
                async for message in stream.messages():
                    if message["method"] == "notifications/resources/updated":
                        assert message["params"]["uri"] == "raw://counter"
                        break


async def test_a_session_is_durable_as_soon_as_its_client_knows_it(start_gateway: Start) -> None:
    gateway = start_gateway(BOTH)
    for _ in range(3):
        async with await started(gateway) as session:
            await restart(gateway, "kill")
            assert (await session.call("shared__count"))["structuredContent"]["count"] >= 1
    async with await started(gateway) as session:
        assert (await session.delete()).status_code in (200, 204)
        await restart(gateway, "kill")
        assert (await session.post(session.message("ping"))).status_code == 404


@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25"])
async def test_what_happened_while_the_client_was_away_survives_a_kill(start_gateway: Start, revision: str) -> None:
    gateway = start_gateway(BOTH)
    async with await started(gateway, revision) as session:
        calls = [ResilientCall(session, progress_call(session, f"{server}__progress", 20, 0.02)) for server in BOTH]
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(call.read_some, 3)
        # Both end while nobody listens: a call that answers after them shows it, for the own server; then some time for the shared.
        await session.call("own__wait", {"seconds": 0.6})
        await session.call("shared__wait", {"seconds": 0.6})
        await restart(gateway, "kill")
        for call in calls:
            with anyio.fail_after(20):
                async with session.get_stream(call.last_id) as stream:
                    call.events += [event async for event in stream]
            assert call.progress == list(range(1, 21))
            assert call.answers[0]["result"]["structuredContent"] == {"steps": 20} and len(call.answers) == 1


@pytest.mark.parametrize("how", HOW)
async def test_under_load_no_event_is_lost_none_comes_twice_and_all_are_in_order(start_gateway: Start, how: str) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    gateway = start_gateway(BOTH)
    sessions = [await started(gateway) for _ in range(6)]
    steps = 60
    calls = [
        ResilientCall(session, progress_call(session, f"{server}__progress", steps, 0.02))
        for session in sessions
        for server in BOTH
        for _ in range(2)
    ]

    async def disturb() -> None:
        with anyio.fail_after(20):
            while min(len(call.progress) for call in calls) < 2:
                await anyio.sleep(0.01)
        await anyio.sleep(chance.random() / 2)
        await restart(gateway, how)

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(call.run)
        group.start_soon(disturb)
    for call in calls:
        # What came is the beginning of what was sent, whole and in order; and every call has one answer.
        assert call.progress == list(range(1, len(call.progress) + 1)), f"seed {seed}"
        assert len(call.answers) == 1 and call.answers[0]["id"] == call.message["id"]
        identifiers = [event.id for event in call.events if event.data]
        assert len(set(identifiers)) == len(identifiers)
        if "result" in call.answers[0]:
            assert call.progress == list(range(1, steps + 1))
        else:
            assert how == "kill", f"drain did not let the call end: {call.answers[0]}"
    assert any(call.connections > 1 for call in calls) or how == "terminate"
    # The sessions go on.
    for session in sessions:
        for server in BOTH:
            assert (await session.call(f"{server}__count"))["structuredContent"]["count"] >= 1
        await session.http.aclose()
    gateway.assert_no_zombies()


async def test_calls_through_several_restarts_all_succeed_when_repeated(start_gateway: Start) -> None:
    gateway = start_gateway(BOTH)
    sessions = [await started(gateway) for _ in range(5)]
    done = anyio.Event()
    succeeded = [0] * len(sessions)

    async def work(number: int) -> None:
        session = sessions[number]
        identifier = 1000
        while not done.is_set():
            identifier += 1
            arguments = {"client": number, "call": identifier}
            message = session.message(
                "tools/call", {"name": f"{('own', 'shared')[number % 2]}__echo", "arguments": arguments}, identifier
            )
            try:
                response = await session.post(message)
                # 503: it drains, come back; 502: a proxy's word that it broke off. Anything else that is not 200 (404!) would mean that the
                # session was lost.
                if response.status_code in (502, 503):
                    await anyio.sleep(0.05)
                    continue
                assert session.answer(response)["structuredContent"] == arguments
                succeeded[number] += 1
            except (httpx.TransportError, RPCError):
                await anyio.sleep(0.05)
            except AssertionError:
                # A stream that broke before its answer came.
                if response.status_code != 200 or session.messages(response):
                    raise

    async with anyio.create_task_group() as group:
        for number in range(len(sessions)):
            group.start_soon(work, number)
        for how in ("kill", "terminate", "kill"):
            await anyio.sleep(0.7)
            before = list(succeeded)
            await restart(gateway, how)
            with anyio.fail_after(20):
                while any(now < then + 3 for now, then in zip(succeeded, before, strict=True)):
                    await anyio.sleep(0.05)
        done.set()
    for session in sessions:
        await session.http.aclose()


@pytest.mark.parametrize("how", HOW)
async def test_a_get_stream_is_resumed_over_a_restart(start_gateway: Start, how: str) -> None:
    gateway = start_gateway(BOTH)
    async with await started(gateway) as session:

        async def say(number: int) -> None:
            params = {"level": "info", "data": number}
            await session.call("own__notify", {"method": "notifications/message", "params": params, "after": True})

        got: list[int] = []
        last: str | None = None

        async def listen(until: int) -> None:
            nonlocal last
            with anyio.fail_after(15):
                async with session.get_stream(last) as stream:
                    async for event in stream:
                        last = event.id or last
                        if event.data and event.message["method"] == "notifications/message":
                            got.append(event.message["params"]["data"])
                            if got[-1] == until:
                                return

        async with anyio.create_task_group() as group:
            group.start_soon(listen, 2)
            await anyio.sleep(0.2)
            for number in range(3):
                await say(number)
        for number in range(3, 6):
            await say(number)
        # A notification behind an answer may be on its way yet: one that the gateway has not read goes down with it.
        with anyio.fail_after(15):
            async with session.get_stream(last) as stream:
                async for event in stream:
                    if event.id and event.data and event.message["params"]["data"] == 5:
                        break
        await restart(gateway, how)
        for number in range(6, 9):
            await say(number)
        await listen(8)
        assert got == list(range(9))


async def test_subscriptions_of_a_client_of_the_sdk_survive(start_gateway: Start) -> None:
    gateway = start_gateway({"everything": everything(isolation="session"), "shared": raw()})
    seen = Seen()
    async with sdk_client(gateway.url, seen) as client:
        await client.subscribe_resource("everything://counter")
        await client.set_logging_level("critical")
        await client.call_tool("everything__touch")
        await seen.wait_for(types.ResourceUpdatedNotification)
        await restart(gateway, "kill")
        # The SDK opens its stream again by itself; the update waits for it in the event log.
        assert texts(await client.call_tool("everything__touch"))
        await seen.wait_for(types.ResourceUpdatedNotification, 2, timeout=30)
        await client.call_tool("everything__log", {"marker": "after"})
        with anyio.fail_after(10):
            while len(seen.logs) < 3:
                await anyio.sleep(0.02)
        assert [log.level for log in seen.logs] == ["critical", "alert", "emergency"]
        assert texts(await client.call_tool("everything__ask-model", {"prompt": "still there?"})) == ["answer to still there?"]
    assert len([n for n in seen.notifications if isinstance(n, types.ResourceUpdatedNotification)]) == 2


@pytest.mark.parametrize("client_of", [sdk_client, fastmcp_client])
@pytest.mark.parametrize("how", HOW)
async def test_both_clients_go_on_after_a_restart(start_gateway: Start, client_of: Any, how: str) -> None:
    gateway = start_gateway(BOTH)
    async with client_of(gateway.url) as client:
        await client.call_tool("shared__count", {})
        await restart(gateway, how)
        for server in BOTH:
            assert (await client.call_tool(f"{server}__count", {})).structured_content == {"count": 1}


async def test_a_call_of_the_sdk_ends_while_the_gateway_drains(start_gateway: Start) -> None:
    gateway = start_gateway(BOTH)
    seen = Seen()
    async with sdk_client(gateway.url) as client:
        # Otherwise the SDK lists them after the call, to validate its result.
        await client.list_tools()
        results: list[Any] = []

        async def call() -> None:
            results.append(
                await client.call_tool("own__progress", {"steps": 30, "delay": 0.05}, progress_callback=seen.on_progress)
            )

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            with anyio.fail_after(10):
                while len(seen.progress) < 3:
                    await anyio.sleep(0.01)
            await restart(gateway, "terminate")
        assert results[0].structured_content == {"steps": 30}
        assert [progress for progress, _, _ in seen.progress] == list(range(1, 31))


async def test_drain_refuses_new_sessions_lets_calls_end_and_tells_streams_to_reconnect(start_gateway: Start) -> None:
    gateway = start_gateway(BOTH)
    async with await started(gateway) as session:
        call = ResilientCall(session, progress_call(session, "own__progress", 40, 0.05))
        stream_ended = anyio.Event()
        stream_events: list[Any] = []

        async def listen() -> None:
            async with session.get_stream() as stream:
                stream_events.extend([event async for event in stream])
            stream_ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            group.start_soon(listen)
            with anyio.fail_after(10):
                while len(call.progress) < 3:
                    await anyio.sleep(0.01)
            gateway.begin_to_end()
            with anyio.fail_after(5):
                await stream_ended.wait()
            refused = 0
            async with RawSession(f"http://127.0.0.1:{gateway.port}/mcp") as late:
                try:
                    response = await late.post(late.message("initialize", late.initialize_params()))
                    refused = response.status_code
                    assert refused == 503 and response.json()["error"]["code"]
                except httpx.TransportError:
                    pass
        assert call.progress == list(range(1, 41)) and "result" in call.answers[0]
        assert any(event.retry is not None for event in stream_events)
        assert await anyio.to_thread.run_sync(gateway.wait_for_end, 20) == 0
    gateway.assert_no_orphans()


async def test_drain_is_bounded_and_what_it_cut_off_is_answered_after_the_restart(start_gateway: Start) -> None:
    gateway = start_gateway(BOTH, {"drainTimeout": "3s"})
    async with await started(gateway) as session:
        call = ResilientCall(session, session.message("tools/call", {"name": "own__wait", "arguments": {"seconds": 300}}))
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            with anyio.fail_after(10):
                while not call.events:
                    await anyio.sleep(0.01)
            begin = time.monotonic()
            assert await anyio.to_thread.run_sync(gateway.terminate, 40) == 0
            took = time.monotonic() - begin
            gateway.assert_no_orphans()
            await anyio.to_thread.run_sync(gateway.start)
        assert "error" in call.answers[0] and call.answers[0]["id"] == call.message["id"]
        assert took < 5.5, f"a drain of 3 s took {took:.1f} s"


async def test_kill_leaves_no_orphan_not_even_a_stubborn_one_or_a_grandchild(start_gateway: Start) -> None:
    gateway = start_gateway({**BOTH, "stubborn": raw(env={"RAW_STUBBORN": "1"}), "everything": everything(isolation="session")})
    async with await started(gateway) as one, await started(gateway) as two:
        for session in (one, two):
            for server in ("shared", "own", "stubborn", "everything"):
                await session.call(f"{server}__pid")
            await session.call("own__fork")
        children = gateway.children()
        # Own: one and a grandchild per session; shared and stubborn: one each; everything: one per session.
        assert len(children) >= 8
        gateway.kill()
        gateway.assert_no_orphans()
        assert not any(is_running(pid) for pid in children)
        gateway.start()
        for session in (one, two):
            assert (await session.call("stubborn__count"))["structuredContent"]["count"] >= 1


async def test_children_killed_under_load_fail_only_their_own_calls(start_gateway: Start) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    gateway = start_gateway(BOTH)
    sessions = [await started(gateway) for _ in range(4)]
    done = anyio.Event()
    results = {"ok": 0, "failed": 0}

    async def work(number: int, server: str) -> None:
        session = sessions[number]
        identifier = 1000 if server == "own" else 500_000
        while not done.is_set():
            identifier += 1
            arguments = {"client": number, "call": identifier, "server": server}
            try:
                with anyio.fail_after(20):
                    answer = await session.request("tools/call", {"name": f"{server}__echo", "arguments": arguments}, identifier)
                assert answer["structuredContent"] == arguments
                results["ok"] += 1
            except RPCError:
                results["failed"] += 1
                await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        for number in range(len(sessions)):
            for server in BOTH:
                group.start_soon(work, number, server)
        for _ in range(6):
            await anyio.sleep(0.3)
            victims = sorted(gateway.children())
            if victims:
                os.kill(chance.choice(victims), signal.SIGKILL)
        await anyio.sleep(0.3)
        done.set()
    assert results["ok"] > results["failed"], results
    for session in sessions:
        for server in BOTH:

            async def works(session: RawSession = session, server: str = server) -> bool:
                try:
                    return (await session.call(f"{server}__count"))["structuredContent"]["count"] >= 1
                except RPCError:
                    return False

            with anyio.fail_after(30):
                # A server that died often waits before it starts again.
                while not await works():
                    await anyio.sleep(0.2)
        await session.http.aclose()
    gateway.assert_no_zombies()


def test_a_second_gateway_on_the_same_port_or_data_fails_with_a_message(start_gateway: Start, tmp_path: Any) -> None:
    gateway = start_gateway({"shared": raw()})
    completed = run(CommandLine.serve(gateway.config_path, gateway.port, tmp_path / "other-data"))
    assert completed.returncode != 0
    assert str(gateway.port) in completed.stderr + completed.stdout
    wait_until("the first goes on", gateway._is_healthy)
