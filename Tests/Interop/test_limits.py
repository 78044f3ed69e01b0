"""Every limit of docs/configuration.md: what happens at it, that it is counted, and that what was accepted before still finishes.

Those of time, streams and servers are in test_limits_of_streams.py.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import test_limits_of_streams
import test_request_state
import test_unfinished_calls
from gateway import ROOT, Gateway, raw
from limit_checks import TESTED, counted, limit, rpc_refused, started, until_in_flight
from malformed import mcp
from metrics import Metrics, wait_for_metric
from modern import ModernClient
from rawhttp import JSON, RawSession
from restapi import RestClient, refused
from target import Target
from wire import Wire, chunked, request

Start = Callable[..., Gateway]


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
        wire.send(
            mcp(extra=f"Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n", session=session.session_id)
            + chunked(*[b"a" * 100] * 30)
        )
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
        rpc_refused(response, 400, "limits.maxNestingDepth")
        assert response.json()["error"]["code"] == -32700
        counted(gateway, "limits.maxNestingDepth")
        response = await rest.call_response("raw__echo", {"a": [[[[[deep]]]]]})
        assert "limits.maxNestingDepth" in refused(response, 400, "invalid_json")
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
        for port in gateway.ports:
            assert (await session.http.get(f"http://127.0.0.1:{port}{path}")).status_code == 200


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
        # Whatever it asks for; but for its end.
        for method, path in (("GET", "/api/mcp/tools"), ("POST", "/api/session/validate"), ("POST", "/api/session/ticket")):
            over_rest = [r for r in [await rest.request(method, path) for _ in range(20)] if r.status_code != 200]
            assert over_rest, path
            assert "limits.requestRatePerSession" in refused(over_rest[0], 429, "too_many_requests")
        assert (await rest.request("DELETE", "/api/session")).status_code == 204
        with anyio.fail_after(10):
            while (await session.post(session.message("ping"))).status_code != 200:
                await anyio.sleep(0.1)


async def test_a_batch_costs_as_many_requests_as_it_has(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"limits": {"requestRatePerSession": 3}})
    async with await started(gateway, "2025-03-26") as session:
        batch = [session.message("ping") for _ in range(3)]
        assert len((await session.post(batch)).json()) == 3
        rpc_refused(await session.post(batch), 429, "limits.requestRatePerSession", retry=True)


@limit("limits.requestRatePerClient")
async def test_more_requests_of_all_sessions_of_a_client_per_second_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"requestRatePerClient": 8}})
    async with await started(gateway) as first, await started(gateway) as second, RestClient(gateway.base_url, "another") as rest:
        responses = [await session.post(session.message("ping")) for _ in range(15) for session in (first, second)]
        over = [response for response in responses if response.status_code != 200]
        assert over and len(over) < 25
        for response in over:
            rpc_refused(response, 429, "limits.requestRatePerClient", retry=True)
        counted(gateway, "limits.requestRatePerClient", len(over) - 1)
        # Making a session is a request, too.
        message = first.message("initialize", first.initialize_params())
        refusals = [r for r in [await first.post(message, mcp_session_id=None) for _ in range(15)] if r.status_code != 200]
        assert refusals
        rpc_refused(refusals[0], 429, "limits.requestRatePerClient", retry=True)
        # Another client is not concerned, until it is its turn.
        await rest.create()
        body = {"clientId": "another"}
        made = [await rest.request("POST", "/api/session/create", body, x_session_id=None) for _ in range(20)]
        over_rest = [response for response in made if response.status_code != 200]
        assert over_rest
        assert "limits.requestRatePerClient" in refused(over_rest[0], 429, "too_many_requests")
        assert int(over_rest[0].headers["retry-after"]) > 0
        with anyio.fail_after(10):
            while (await first.post(first.message("ping"))).status_code != 200:
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


async def test_streams_that_are_resumed_or_opened_at_the_same_time_count_too(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxListeningStreamsPerSession": 2}})

    def closed() -> None:
        wait_for_metric(gateway, "they are closed", lambda m: m.value("mcp_sse_connections") == 0)

    async with await started(gateway) as session:
        feed, listening = {"X-Session-ID": str(session.session_id)}, {"Mcp-Session-Id": str(session.session_id)}
        for path, names in (("/sse/events", feed), ("/mcp", listening)):
            with contextlib.ExitStack() as stack:
                wires = [stack.enter_context(Wire(gateway.port)) for _ in range(12)]
                for wire in wires:
                    wire.send(request(method="GET", target=path, headers={**names, "Accept": "text/event-stream"}))
                assert sorted(wire.read_head().status for wire in wires) == [200] * 2 + [429] * 10, path
            closed()
        for path, names in (("/sse/events", feed), ("/mcp", listening)):
            positions = []
            for _ in range(4):
                with Wire(gateway.port) as wire:
                    wire.send(request(method="GET", target=path, headers={**names, "Accept": "text/event-stream"}))
                    assert wire.read_head().status == 200
                    positions += re.findall(rb"^id: ?(\S+)", next(wire.chunks()), re.MULTILINE)
                closed()
            with contextlib.ExitStack() as stack:
                statuses = []
                for position in positions:
                    wire = stack.enter_context(Wire(gateway.port))
                    headers = {**names, "Accept": "text/event-stream", "Last-Event-ID": position.decode()}
                    wire.send(request(method="GET", target=path, headers=headers))
                    statuses.append(wire.read_head().status)
                assert statuses == [200] * 2 + [429] * 2, path
            closed()


@limit("limits.maxSubscriptions")
async def test_more_listeners_of_2026_07_28_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"limits": {"maxSubscriptions": 1}})
    async with ModernClient(gateway.url) as client:
        async with client.listen(toolsListChanged=True):
            refused = await client.exchange("subscriptions/listen", {"notifications": {}})
            assert refused.error is not None and "limits.maxSubscriptions" in refused.error["message"]
            counted(gateway, "limits.maxSubscriptions")
            # Requests are none of them.
            assert await client.request("tools/list")
        with anyio.fail_after(10):
            while True:
                try:
                    async with client.listen():
                        return
                except AssertionError:
                    # The gateway has not yet seen that the other is gone.
                    await anyio.sleep(0.05)


@limit("sessions.maxSessions")
async def test_more_sessions_than_the_limit(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"sessions": {"maxSessions": 2}})
    async with (
        await started(gateway) as session,
        await started(gateway),
        RestClient(gateway.base_url) as rest,
        RawSession(gateway.url) as more,
    ):
        response = await more.post(more.message("initialize", more.initialize_params()))
        rpc_refused(response, 503, "sessions.maxSessions", retry=True)
        response = await rest.request("POST", "/api/session/create", {"clientId": "a"})
        assert "sessions.maxSessions" in refused(response, 503, "unavailable") and int(response.headers["retry-after"]) > 0
        counted(gateway, "sessions.maxSessions", 1)
        assert await session.request("ping") == {}
        await session.delete()
        await rest.create()


async def test_sessions_that_have_expired_do_not_count(start_gateway: Start) -> None:
    """Although the next search for them is far away."""
    settings = {"maxSessions": 2, "maxSessionsPerClient": 2, "timeToLive": "1s", "sweepInterval": "1h"}
    gateway = start_gateway({}, {"sessions": settings})
    await started(gateway)
    await started(gateway)
    async with RawSession(gateway.url) as more:
        response = await more.post(more.message("initialize", more.initialize_params()))
        rpc_refused(response, 503, "sessions.maxSessions", retry=True)
        with anyio.fail_after(10):
            while (await more.post(more.message("initialize", more.initialize_params()))).status_code != 200:
                await anyio.sleep(0.05)


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


# The documentation.


def test_every_limit_of_the_documentation_has_its_test() -> None:
    modules = (test_limits_of_streams, test_request_state, test_unfinished_calls)
    assert all(module.__doc__ for module in modules), "imported, so that their tests are in the list"
    text = (ROOT / "docs/configuration.md").read_text()
    keys = set(
        re.findall(
            r"^\| `(limits\.\w+|sessions\.max\w+|streams\.max\w+|streams\.slowReaderBuffer|api\.max\w+)` \|", text, re.MULTILINE
        )
    )
    assert len(keys) > 20 and keys == TESTED
