"""The limits of time, of streams and of servers; the others are in test_limits.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from gateway import Gateway, raw
from limit_checks import counted, limit, started, until_in_flight
from malformed import call, mcp
from metrics import Metrics, limit_hits, wait_for_metric
from rawhttp import RawSession, RPCError
from restapi import RestClient, refused
from target import Target
from wire import Closed, Wire, request

Start = Callable[..., Gateway]


# Time.


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("limits.headerTimeout", b"POST /mcp HTTP/1.1\r\n"),
        ("limits.bodyTimeout", request(b"", target="/mcp", length=10, headers={"Accept": "application/json, text/event-stream"})),
    ],
)
@limit("limits.headerTimeout")
@limit("limits.bodyTimeout")
async def test_a_client_that_takes_too_long_to_send(start_gateway: Start, key: str, sent: bytes) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {key.split(".")[1]: "300ms"}})
    async with await started(gateway) as session, anyio.create_task_group() as group:
        results: list[Any] = []

        async def hold() -> None:
            results.append(await session.call("raw__wait", {"seconds": 1}))

        group.start_soon(hold)
        await until_in_flight(gateway, 1)
        with Wire(gateway.port) as wire:
            wire.send(sent)
            answer = await anyio.to_thread.run_sync(wire.read)
            assert answer.status == 408 and key in answer.json()["error"]["message"] and answer.announces_close
        counted(gateway, key)
    assert results[0]["content"][0]["text"] == "waited"


@limit("limits.idleTimeout")
async def test_a_connection_without_a_request_for_too_long(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"idleTimeout": "300ms"}})
    with Wire(gateway.port) as wire:
        wire.send(request(method="GET", target="/health"))
        assert wire.read().status == 200
        assert wire.is_closed(5)
    counted(gateway, "limits.idleTimeout")


@limit("limits.writeTimeout")
async def test_a_client_that_takes_nothing_for_too_long(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"limits": {"writeTimeout": "500ms"}})
    target = Target(gateway)
    with Wire(gateway.port, receive_buffer=4096, timeout=30) as wire:
        wire.send(target.fill(mcp(call(1, "tools/call", {"name": "raw__long", "arguments": {"size": 12 << 20}}))))
        assert wire.read_head().status == 200
        wait_for_metric(gateway, "it is cut", lambda m: m.value("mcp_limit_hits_total", limit="limits.writeTimeout") == 1, 20)
        target.assert_healthy()
        with pytest.raises(Closed):
            wire.read_exactly(12 << 20)


@limit("streams.slowReaderBuffer")
async def test_a_reader_for_whom_too_much_waits(start_gateway: Start) -> None:
    gateway = start_gateway(
        {"raw": raw(), "other": raw()}, {"streams": {"slowReaderBuffer": "64KiB"}, "limits": {"writeTimeout": "1h"}}
    )
    target = Target(gateway)
    session = target.start()
    with Wire(gateway.port, receive_buffer=4096, timeout=30) as slow:
        slow.send(mcp(method="GET", session=session))
        assert slow.read_head().status == 200
        first = next(slow.chunks())
        target.exchange("POST", session, call(1, "logging/setLevel", {"level": "debug"}))
        arguments = {"method": "notifications/message", "params": {"level": "info", "data": "x" * 200_000}, "after": True}
        with anyio.fail_after(60):
            while limit_hits(gateway, "streams.slowReaderBuffer") == 0:
                target.exchange("POST", session, call(1, "tools/call", {"name": "raw__notify", "arguments": arguments}))
                await anyio.lowlevel.checkpoint()
    # The session is as good as ever, and the stream can be resumed.
    identifier = re.findall(rb"^id: ?(\S+)", first, re.MULTILINE)[-1].decode()
    with Wire(gateway.port, timeout=30) as wire:
        wire.send(mcp(method="GET", session=session, headers={"Last-Event-ID": identifier}))
        assert wire.read_head().status == 200
        assert any(b"x" * 1000 in chunk for chunk in wire.chunks())


# Streams that are kept.


@limit("streams.maxEventsPerStream")
@limit("streams.maxBytesPerStream")
@pytest.mark.parametrize(
    ("key", "value", "steps", "pad"), [("maxEventsPerStream", 10, 50, 0), ("maxBytesPerStream", "64KiB", 40, 4000)]
)
async def test_a_stream_that_is_longer_than_what_is_kept(
    start_gateway: Start, key: str, value: Any, steps: int, pad: int
) -> None:
    gateway = start_gateway({"raw": raw()}, {"streams": {key: value}})
    async with await started(gateway) as session:
        token = f"t{'x' * pad}"
        message = session.message(
            "tools/call", {"name": "raw__progress", "arguments": {"steps": steps}, "_meta": {"progressToken": token}}
        )
        async with session.post_stream(message) as stream:
            events = [event async for event in stream]
        live = [event for event in events if event.data]
        assert len(live) == steps + 1, "a reader that keeps up misses nothing"
        counted(gateway, f"streams.{key}")
        assert Metrics(gateway).value("mcp_events_dropped_total") > 0
        async with session.get_stream(next(event.id for event in events if event.id)) as stream:
            kept = []
            async for event in stream:
                kept.append(event)
                if event.data and "result" in event.message:
                    break
        lost = [event for event in kept if event.data and not event.id]
        assert len(lost) == 1 and "notifications/message" in lost[0].data, "the client is told that something is missing"
        kept = [event for event in kept if event.data and event.id]
        assert 0 < len(kept) < steps
        assert [event.id for event in kept] == [event.id for event in live[-len(kept) :]], "the newest are kept"


# Servers.


async def rest_refused(gateway: Gateway, tool: str, key: str, arguments: dict[str, Any] | None = None) -> None:
    """What a bound of a server is for a client of the REST API."""
    async with await RestClient(gateway.base_url).create() as rest:
        response = await rest.call_response(tool, arguments)
        assert key in refused(response, 503, "overloaded") and int(response.headers["retry-after"]) > 0


@limit("limits.maxInFlightPerUpstream")
async def test_more_calls_of_a_server_at_once_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"limits": {"maxInFlightPerUpstream": 2}})
    async with await started(gateway) as session, await started(gateway) as other, anyio.create_task_group() as group:
        results: list[Any] = []

        async def hold() -> None:
            results.append(await session.call("raw__wait", {"seconds": 1}))

        for _ in range(2):
            group.start_soon(hold)
        await until_in_flight(gateway, 2)
        with pytest.raises(RPCError, match="limits.maxInFlightPerUpstream"):
            await other.call("raw__count")
        counted(gateway, "limits.maxInFlightPerUpstream")
        await rest_refused(gateway, "raw__count", "limits.maxInFlightPerUpstream")
        assert await other.call("other__count")
    assert len(results) == 2


@limit("limits.maxSessionProcesses")
async def test_more_processes_of_a_server_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"own": raw(isolation="session")}, {"limits": {"maxSessionProcesses": 2}})
    sessions = [await started(gateway) for _ in range(3)]
    async with anyio.create_task_group() as group:
        results: list[Any] = []

        async def hold(session: RawSession) -> None:
            results.append(await session.call("own__wait", {"seconds": 2}))

        # Those that are at work cannot make room.
        for session in sessions[:2]:
            group.start_soon(hold, session)
        with anyio.fail_after(10):
            while Metrics(gateway).value("mcp_upstream_in_flight", upstream="own") != 2:
                await anyio.sleep(0.02)
        with pytest.raises(RPCError, match="limits.maxSessionProcesses"):
            await sessions[2].call("own__count")
        counted(gateway, "limits.maxSessionProcesses")
        await rest_refused(gateway, "own__count", "limits.maxSessionProcesses")
    assert len(results) == 2
    for session in sessions:
        await session.http.aclose()


@limit("limits.maxLineBytes")
async def test_a_line_of_a_server_beyond_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"limits": {"maxLineBytes": "64KiB"}})
    async with await started(gateway) as session:
        assert await session.call("raw__long", {"size": 60_000})
        with pytest.raises(RPCError, match="limits.maxLineBytes"):
            await session.call("raw__long", {"size": 100_000})
        counted(gateway, "limits.maxLineBytes")
        assert await session.call("other__count")
        with anyio.fail_after(15):
            while True:
                try:
                    # A new process: it counts from the beginning.
                    assert (await session.call("raw__count"))["structuredContent"] == {"count": 1}
                    break
                except RPCError:
                    await anyio.sleep(0.05)


@limit("limits.maxQueuedInputBytes")
async def test_more_input_for_a_server_that_does_not_read_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"limits": {"maxQueuedInputBytes": "64KiB"}})
    async with await started(gateway) as session:
        await session.call("raw__deaf", {"seconds": 4})
        outcomes: list[str] = []

        async def send() -> None:
            try:
                await session.call("raw__echo", {"a": "b" * 50_000})
                outcomes.append("answered")
            except RPCError as error:
                assert "limits.maxQueuedInputBytes" in error.message, error
                outcomes.append("refused")

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(send)
            await session.call("other__count")
            with anyio.fail_after(3):
                while "refused" not in outcomes:
                    await anyio.sleep(0.01)
            await rest_refused(gateway, "raw__echo", "limits.maxQueuedInputBytes", {"a": "b" * 50_000})
        assert set(outcomes) == {"answered", "refused"}, outcomes
        counted(gateway, "limits.maxQueuedInputBytes", outcomes.count("refused") - 1)
        assert await session.call("raw__count")
