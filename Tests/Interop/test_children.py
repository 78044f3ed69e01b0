"""What a stdio server may do wrong, and what becomes of its process."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from gateway import Gateway, everything, raw
from processes import is_running, wait_until
from rawhttp import RawSession, RPCError

SERVERS = {
    "shared": raw(isolation="shared"),
    "own": raw(isolation="session"),
    "impatient": raw(timeout=1),
    "everything": everything(isolation="session", env={"FROM_CONFIG": "given"}, cwd="/"),
    "garbage": raw(env={"RAW_HANDSHAKE": "garbage"}),
    "exits": raw(env={"RAW_HANDSHAKE": "exit"}),
    "old": raw(env={"RAW_REVISION": "2024-11-05"}),
}


async def started(gateway: Gateway, path: str | None = None) -> RawSession:
    session = RawSession(path or gateway.url)
    await session.initialize()
    return session


@pytest.mark.parametrize("server", ["shared", "own"])
@pytest.mark.parametrize(
    ("arguments", "expected"), [({"code": 3, "lines": 3}, "3"), ({"signal": signal.SIGSEGV.value, "lines": 3}, "SIGSEGV|11")]
)
async def test_a_crash_tells_the_client_how_it_ended_and_the_last_words(
    gateway: Gateway, server: str, arguments: dict[str, Any], expected: str
) -> None:
    async with await started(gateway) as session:
        before = (await session.call(f"{server}__pid"))["structuredContent"]["pid"]
        with pytest.raises(RPCError) as raised:
            await session.call(f"{server}__die", arguments)
        told = f"{raised.value.message} {raised.value.data}"
        assert any(one in told for one in expected.split("|")), told
        assert "last words 2" in told, told
        # The next call has a new process.
        after = (await session.call(f"{server}__pid"))["structuredContent"]["pid"]
        assert after != before and not is_running(before)
    gateway.assert_no_zombies()


async def test_a_killed_process_fails_the_calls_in_flight_and_is_restarted(gateway: Gateway) -> None:
    async with await started(gateway) as one, await started(gateway) as two:
        # One process, or one at each instance.
        pids = {(await session.call("shared__pid"))["structuredContent"]["pid"] for session in (one, two)}
        assert len(pids) <= len(gateway.pids)
        failures: list[RPCError] = []

        async def call(session: RawSession) -> None:
            with pytest.raises(RPCError) as raised:
                await session.call("shared__wait", {"seconds": 30})
            failures.append(raised.value)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for session in (one, two, one):
                    group.start_soon(call, session)
                await anyio.sleep(0.5)
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
        assert len(failures) == 3
        assert all("SIGKILL" in str(failure) or "9" in str(failure) for failure in failures)
        for session in (one, two):
            assert (await session.call("shared__count"))["structuredContent"]["count"] >= 1


async def test_the_sdk_server_that_crashes_is_restarted_and_initialised_again(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        await session.request("logging/setLevel", {"level": "critical"})
        await session.request("resources/subscribe", {"uri": "everything://counter"})
        for how in ("exit", "kill"):
            with pytest.raises(RPCError):
                await session.call("everything__crash", {"how": how})
            memory = (await session.call("everything__memory"))["structuredContent"]
            assert memory["client"]["clientInfo"]
            assert memory["logLevel"] == "critical" and memory["subscriptions"] == ["everything://counter"]


async def test_a_call_that_takes_too_long_is_given_up_and_cancelled(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        start = time.monotonic()
        with pytest.raises(RPCError) as raised:
            await session.call("impatient__wait", {"seconds": 20})
        assert time.monotonic() - start < 8
        assert "1" in raised.value.message
        assert (await session.call("impatient__count"))["structuredContent"]["count"] == 1


async def test_the_environment_and_the_directory_are_the_configured_ones(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        result = (await session.call("everything__environment", {"name": "FROM_CONFIG"}))["structuredContent"]
        assert result == {"value": "given", "directory": "/"}
        assert (await session.call("everything__environment", {"name": "PATH"}))["structuredContent"]["value"]


async def test_noise_before_the_handshake_does_no_harm(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        assert (await session.call("garbage__count"))["structuredContent"]["count"] >= 1


async def test_a_server_of_the_first_revision_works(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        assert (await session.call("old__count"))["structuredContent"]["count"] >= 1


async def test_a_server_that_exits_at_start_says_why(gateway: Gateway) -> None:
    async with await started(gateway, gateway.server_url("shared")) as session:
        assert await session.request("ping") == {}
    wait_until("the log tells why it could not start", lambda: "cannot start: no licence" in gateway.log())


async def test_what_a_server_writes_to_stderr_is_in_the_log_but_not_without_bound(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        await session.call("own__stderr", {"text": "a line for the log"})
        wait_until("the line is in the log", lambda: "a line for the log" in gateway.log())
        await session.call("own__noisy", {"lines": 20000})
        assert gateway.log().count("noise ") < 15000


async def test_a_server_that_starts_processes_takes_them_with_it(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        child = (await session.call("own__fork"))["structuredContent"]["pid"]
        assert is_running(child)
        await session.delete()
    wait_until("the grandchild is gone", lambda: not is_running(child), 15)
    gateway.assert_no_zombies()


async def test_an_idle_process_of_a_session_is_reaped_and_comes_back(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway({"own": raw(isolation="session", idleTimeout="1s")})
    async with await started(gateway) as session:
        first = (await session.call("own__pid"))["structuredContent"]["pid"]
        wait_until("the idle process is reaped", lambda: not is_running(first), 15)
        gateway.assert_no_zombies()
        assert (await session.call("own__count"))["structuredContent"]["count"] == 1


async def test_stop_is_graceful_first_and_then_not(start_gateway: Callable[..., Gateway], tmp_path: Path) -> None:
    polite, stubborn = tmp_path / "polite", tmp_path / "stubborn"
    gateway = start_gateway(
        {
            "polite": raw(env={"RAW_RECORD": str(polite)}),
            "stubborn": raw(env={"RAW_RECORD": str(stubborn), "RAW_STUBBORN": "1"}),
        }
    )
    async with await started(gateway) as session:
        await session.call("polite__count")
        await session.call("stubborn__count")
        children = gateway.children()
        assert len(children) >= 2
    assert gateway.terminate() == 0
    gateway.assert_no_orphans()
    # stdin is closed first; only who does not go then is told by SIGTERM, and killed after that.
    lines = polite.read_text().splitlines()
    assert "EOF" in lines and "SIGTERM" not in lines
    lines = stubborn.read_text().splitlines()
    assert lines.index("EOF") < lines.index("SIGTERM")


async def test_a_server_that_never_answers_the_handshake_holds_up_nobody(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway({"never": raw(env={"RAW_HANDSHAKE": "never"}, timeout=2), "good": raw()})
    async with await started(gateway) as session:
        with anyio.fail_after(20):
            assert (await session.call("good__count"))["structuredContent"]["count"] >= 1
