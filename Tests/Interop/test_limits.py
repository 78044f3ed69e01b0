"""Every limit of docs/configuration.md: what happens at it, that it is counted, and that what was accepted before still finishes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from gateway import ROOT, Gateway, raw
from malformed import call, mcp
from metrics import Metrics, limit_hits, wait_for_metric
from rawhttp import JSON, RawSession, RPCError
from restapi import RestClient, refused
from target import Target
from wire import Closed, Wire, chunked, request

Start = Callable[..., Gateway]

# The limits that have a test here; the last test compares them with the documentation.
TESTED: set[str] = set()


def limit(key: str) -> Callable[[Any], Any]:
    """Marks the test of a limit."""
    TESTED.add(key)
    return lambda test: test


def counted(gateway: Gateway, key: str, before: float = 0) -> None:
    wait_for_metric(gateway, f"a hit of {key} is counted", lambda m: m.value("mcp_limit_hits_total", limit=key) > before)


def rpc_refused(response: httpx.Response, status: int, key: str, retry: bool = False) -> None:
    """A JSON-RPC error that names the limit."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert key in response.json()["error"]["message"], response.text
    assert (int(response.headers.get("retry-after", 0)) > 0) == retry, response.headers


async def started(gateway: Gateway, revision: str = "2025-11-25") -> RawSession:
    session = RawSession(gateway.url, revision)
    await session.initialize()
    return session


async def until_in_flight(gateway: Gateway, count: int) -> None:
    with anyio.fail_after(15):
        while Metrics(gateway).value("mcp_upstream_in_flight", upstream="raw") != count:
            await anyio.sleep(0.02)


def test_every_limit_is_shown_before_it_is_hit(start_gateway: Start) -> None:
    metrics = Metrics(start_gateway({}))
    assert metrics.labels("mcp_limit_hits_total", "limit") >= TESTED
    assert metrics.value("mcp_limit_hits_total") == 0


# Sizes.


@limit("limits.maxBodyBytes")
async def test_a_body_beyond_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxBodyBytes": "2KiB"}})
    async with await started(gateway) as session, RestClient(gateway.base_url) as rest:
        await rest.create()
        assert await session.call("raw__echo", {"a": "b" * 1500})
        rpc_refused(await session.post(b" " * 2049), 413, "limits.maxBodyBytes")
        counted(gateway, "limits.maxBodyBytes")
        assert "limits.maxBodyBytes" in refused(await rest.call_response("raw__echo", {"a": "b" * 2048}), 413, "too_large")
        counted(gateway, "limits.maxBodyBytes", 1)
    with Wire(gateway.port) as wire:
        wire.send(mcp(extra=f"Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n", session=session.session_id) + chunked(*[b"a" * 100] * 30))
        assert wire.read().status == 413


@limit("limits.maxHeaderBytes")
async def test_a_header_beyond_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxHeaderBytes": "4KiB"}})
    async with await started(gateway) as session:
        assert (await session.post(session.message("ping"), x_odd="a" * 3000)).status_code == 200
        response = await session.post(session.message("ping"), x_odd="a" * 4096)
        assert response.status_code == 431 and "limits.maxHeaderBytes" in response.text
        counted(gateway, "limits.maxHeaderBytes")
        for path in ("/health", "/api/sessions", "/nothing"):
            response = await session.http.get(gateway.base_url + path, headers={"x-odd": "a" * 4096})
            assert response.status_code == 431, path


@limit("limits.maxNestingDepth")
async def test_json_deeper_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxNestingDepth": 8}})
    async with await started(gateway) as session, RestClient(gateway.base_url) as rest:
        await rest.create()
        deep: Any = 1
        for _ in range(5):
            deep = [deep]
        assert await session.call("raw__echo", {"a": deep})
        response = await session.post(session.message("tools/call", {"name": "raw__echo", "arguments": {"a": [[[deep]]]}}))
        assert response.status_code == 400 and response.json()["error"]["code"] == -32700
        counted(gateway, "limits.maxNestingDepth")
        refused(await rest.call_response("raw__echo", {"a": [[[[[deep]]]]]}), 400, "invalid_json")
        counted(gateway, "limits.maxNestingDepth", 1)


@limit("limits.maxBatchSize")
async def test_a_batch_beyond_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxBatchSize": 3}})
    async with await started(gateway, "2025-03-26") as session:
        assert len(session.messages(await session.post([session.message("ping") for _ in range(3)]))) == 3
        rpc_refused(await session.post([session.message("ping") for _ in range(4)]), 400, "limits.maxBatchSize")
        counted(gateway, "limits.maxBatchSize")


@limit("api.maxMetadataBytes")
async def test_metadata_beyond_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"api": {"maxMetadataBytes": "1KiB"}})
    async with RestClient(gateway.base_url) as rest:
        response = await rest.request("POST", "/api/session/create", {"clientId": "a", "metadata": {"a": "b" * 1024}})
        assert "api.maxMetadataBytes" in refused(response, 413, "too_large")
        counted(gateway, "api.maxMetadataBytes")


# How many, and how often.


@limit("limits.maxConcurrentPerSession")
async def test_more_requests_of_a_session_at_once_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxConcurrentPerSession": 2}})
    async with await started(gateway) as session, await started(gateway) as other, anyio.create_task_group() as group:
        results: list[Any] = []

        async def hold() -> None:
            results.append(await session.call("raw__wait", {"seconds": 1}))

        for _ in range(2):
            group.start_soon(hold)
        await until_in_flight(gateway, 2)
        rpc_refused(await session.post(session.message("ping")), 429, "limits.maxConcurrentPerSession", retry=True)
        counted(gateway, "limits.maxConcurrentPerSession")
        assert await other.request("ping") == {}
    assert len(results) == 2


@limit("limits.maxConcurrentRequests")
@pytest.mark.parametrize("wait", ["30s", "50ms"], ids=["as JSON", "that became streams"])
async def test_more_requests_of_all_clients_at_once_than_the_limit(start_gateway: Start, wait: str) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxConcurrentRequests": 3}, "streams": {"firstEventWait": wait}})
    async with await started(gateway) as session, RestClient(gateway.base_url) as rest:
        await rest.create()
        results: list[Any] = []

        async def hold() -> None:
            results.append(await session.call("raw__wait", {"seconds": 3}))

        async with anyio.create_task_group() as group:
            # A scrape may be a request too: it is made while there is a place.
            for _ in range(2):
                group.start_soon(hold)
            await until_in_flight(gateway, 2)
            group.start_soon(hold)
            with anyio.fail_after(2):
                while (response := await session.post(session.message("ping"))).status_code == 200:
                    await anyio.sleep(0.01)
            rpc_refused(response, 503, "limits.maxConcurrentRequests", retry=True)
            response = await rest.request("GET", "/api/mcp/tools")
            refused(response, 503, "overloaded")
            assert int(response.headers["retry-after"]) > 0
            # Before the body is read.
            with Wire(gateway.port) as wire:
                wire.send(mcp(session=session.session_id, length=1 << 20, extra=f"Content-Type: {JSON}\r\n") + b"{")
                assert wire.read().status == 503
        assert len(results) == 3
        counted(gateway, "limits.maxConcurrentRequests", 2)
        assert await session.request("ping") == {}


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
async def test_probes_are_answered_in_an_overload(start_gateway: Start, path: str) -> None:
    """Who watches the gateway must not take it for dead because it is busy."""
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxConcurrentRequests": 1}, "streams": {"firstEventWait": "30s"}})
    async with await started(gateway) as session, anyio.create_task_group() as group:
        group.start_soon(session.call, "raw__wait", {"seconds": 2})
        with anyio.fail_after(2):
            while (await session.post(session.message("ping"))).status_code == 200:
                await anyio.sleep(0.01)
        assert (await session.http.get(f"http://127.0.0.1:{gateway.port}{path}")).status_code == 200


@limit("limits.maxConnections")
async def test_more_connections_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"limits": {"maxConnections": 10}})
    target = Target(gateway)
    health = request(method="GET", target="/health")
    wires = [Wire(gateway.port) for _ in range(9)]
    for wire in wires:
        wire.send(health)
        assert wire.read().status == 200
    with Wire(gateway.port) as last:
        last.send(target.ping())
        assert last.read().status == 200
        with Wire(gateway.port) as refused_wire:
            refused_wire.send(health)
            answer = refused_wire.read()
            assert answer.status == 503 and int(answer.header("retry-after") or 0) > 0 and answer.announces_close
            assert "limits.maxConnections" in answer.json()["error"]["message"]
            refused_wire.finish_sending()
            assert refused_wire.is_closed()
        # Those that are there are served.
        for wire in wires:
            wire.send(health)
            assert wire.read().status == 200
    for wire in wires:
        wire.close()
    counted(gateway, "limits.maxConnections")


@limit("limits.requestRatePerSession")
async def test_more_requests_of_a_session_per_second_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"requestRatePerSession": 5}})
    async with await started(gateway) as session, await started(gateway) as other, RestClient(gateway.base_url) as rest:
        await rest.create()
        responses = [await session.post(session.message("ping")) for _ in range(20)]
        over = [response for response in responses if response.status_code != 200]
        assert over and len(over) < 20
        for response in over:
            rpc_refused(response, 429, "limits.requestRatePerSession", retry=True)
        counted(gateway, "limits.requestRatePerSession", len(over) - 1)
        assert await other.request("ping") == {}
        over_rest = [r for r in [await rest.call_response("raw__count") for _ in range(20)] if r.status_code != 200]
        assert over_rest
        refused(over_rest[0], 429, "too_many_requests")
        with anyio.fail_after(10):
            while (await session.post(session.message("ping"))).status_code != 200:
                await anyio.sleep(0.1)


@limit("limits.maxListeningStreamsPerSession")
async def test_more_streams_of_a_session_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxListeningStreamsPerSession": 2}})
    async with await started(gateway) as session, RestClient(gateway.base_url) as rest:
        await rest.create()
        async with session.get_stream(), session.get_stream():
            response = await session.http.get(session.url, headers=session.headers(accept="text/event-stream"))
            rpc_refused(response, 429, "limits.maxListeningStreamsPerSession", retry="retry-after" in response.headers)
            counted(gateway, "limits.maxListeningStreamsPerSession")
            async with rest.events() as one, rest.events() as two:
                for feed in (one, two):
                    await feed.next("connected")
                response = await rest.request("GET", "/sse/events")
                assert "limits.maxListeningStreamsPerSession" in refused(response, 429, "too_many_streams")
                counted(gateway, "limits.maxListeningStreamsPerSession", 1)
                # Those that are open go on.
                await rest.call("raw__progress", {"steps": 1}, _meta={"progressToken": 1})
                for feed in (one, two):
                    await feed.next("progress")


@limit("sessions.maxSessions")
async def test_more_sessions_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"sessions": {"maxSessions": 2}})
    async with await started(gateway) as session, await started(gateway), RestClient(gateway.base_url) as rest, RawSession(gateway.url) as more:
        response = await more.post(more.message("initialize", more.initialize_params()))
        rpc_refused(response, 503, "sessions.maxSessions", retry=True)
        response = await rest.request("POST", "/api/session/create", {"clientId": "a"})
        assert "sessions.maxSessions" in refused(response, 503, "unavailable") and int(response.headers["retry-after"]) > 0
        counted(gateway, "sessions.maxSessions", 1)
        assert await session.request("ping") == {}
        await session.delete()
        await rest.create()


@limit("sessions.maxSessionsPerClient")
async def test_more_sessions_of_a_client_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"sessions": {"maxSessionsPerClient": 2}})
    async with RawSession(gateway.url) as one, RawSession(gateway.url) as two, RawSession(gateway.url) as three:
        await one.initialize(name="greedy")
        async with await RestClient(gateway.base_url, "greedy").create():
            response = await three.post(three.message("initialize", three.initialize_params(name="greedy")))
            rpc_refused(response, 429, "sessions.maxSessionsPerClient", retry=True)
            counted(gateway, "sessions.maxSessionsPerClient")
            await two.initialize(name="modest")
            assert await one.request("ping") == {}
            await one.delete()
            await three.initialize(name="greedy")


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
    gateway = start_gateway({"raw": raw(), "other": raw()}, {"streams": {"slowReaderBuffer": "64KiB"}, "limits": {"writeTimeout": "1h"}})
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
async def test_a_stream_that_is_longer_than_what_is_kept(start_gateway: Start, key: str, value: Any, steps: int, pad: int) -> None:
    gateway = start_gateway({"raw": raw()}, {"streams": {key: value}})
    async with await started(gateway) as session:
        token = f"t{'x' * pad}"
        message = session.message("tools/call", {"name": "raw__progress", "arguments": {"steps": steps}, "_meta": {"progressToken": token}})
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
        await session.call("raw__deaf", {"seconds": 2})
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
        assert set(outcomes) == {"answered", "refused"}, outcomes
        counted(gateway, "limits.maxQueuedInputBytes", outcomes.count("refused") - 1)
        assert await session.call("raw__count")


# The documentation.


def test_every_limit_of_the_documentation_has_its_test() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    keys = set(re.findall(r"^\| `(limits\.\w+|sessions\.max\w+|streams\.max\w+|streams\.slowReaderBuffer|api\.max\w+)` \|", text, re.MULTILINE))
    assert len(keys) > 20 and keys == TESTED
