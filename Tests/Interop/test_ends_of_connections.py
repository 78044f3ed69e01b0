"""Connections that end where they should not: each failure was found by an attack, and is named after what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from gateway import Gateway, raw
from malformed import call, mcp
from metrics import Metrics
from processes import wait_until
from target import Target
from wire import Wire, pace, request

SERVERS = {"raw": raw(), "other": raw()}
SETTINGS = {"limits": {"bodyTimeout": "1s", "maxConcurrentRequests": 50}}


def in_progress(gateway: Gateway) -> float:
    return Metrics(gateway).value("http_requests_in_progress")


def test_a_header_that_is_cut_off_by_the_shutdown_does_not_end_the_process(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway({"raw": raw()})
    with Wire(gateway.port) as wire:
        wire.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1")
        wait_until("the gateway has the connection", lambda: Metrics(gateway).value("http_connections") >= 2, 10)
        assert gateway.terminate() == 0, gateway.log_tail()


def test_a_length_that_no_number_holds_is_too_large_and_takes_no_place(target: Target) -> None:
    for length in (b"9223372036854775808", b"18446744073709551615"):
        with target.connect() as wire:
            wire.send(target.fill(mcp(b"{")).replace(b"Content-Length: 1\r\n", b"Content-Length: " + length + b"\r\n"))
            assert wire.read().status == 413
    wait_until("their places are free again", lambda: in_progress(target.gateway) <= 1, 10)


def test_streams_that_are_reset_as_they_begin_are_forgotten(target: Target) -> None:
    session = target.start()
    feed = request(method="GET", target="/sse/events", headers={"X-Session-ID": session, "Accept": "text/event-stream"})
    stream = mcp(method="GET", session=session)
    for number in range(60):
        with target.connect() as wire:
            wire.send(feed if number % 2 else stream)
            pace(number % 5 / 1000)
            wire.reset()
    wait_until("no stream is open", lambda: Metrics(target.gateway).value("mcp_sse_connections") == 0, 10)
    with target.connect() as wire:
        wire.send(feed)
        assert wire.read_head().status == 200


def test_bytes_behind_an_early_answer_get_no_answer_of_their_own(target: Target) -> None:
    with target.connect() as wire:
        wire.send(
            b"POST /api/mcp/call HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
        assert wire.read().status == 401
        wire.send(b"zz\r\n")
        assert b"HTTP/1.1" not in wire.drain()


def test_a_client_that_stops_sending_late_gets_the_whole_of_a_long_answer(target: Target) -> None:
    for path in ("/mcp", "/api/mcp/call"):
        session = target.start()
        arguments: dict[str, Any] = {"name": "raw__echo", "arguments": {"text": "x" * (3 << 20)}}
        if path == "/mcp":
            sent = mcp(call(1, "tools/call", arguments), session=session)
        else:
            sent = request(arguments, target=path, headers={"X-Session-ID": session})
        with target.connect(receive_buffer=1 << 14, timeout=30) as wire:
            wire.send(sent)
            head = wire.read_head()
            assert head.status == 200
            wire.finish_sending()
            wire.read_exactly(int(head.header("content-length") or 0))


def test_a_cancelled_subscription_ends_once(target: Target) -> None:
    session = target.start()
    for number in range(5):
        with target.connect() as wire:
            wire.send(
                mcp(call(number, "resources/subscribe", {"uri": f"x:{number}"}), session=session)
                + mcp({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}, session=session))
            wire.read()
    wait_until("no exchange is open", lambda: httpx.get(f"http://127.0.0.1:{target.port}/health").json()["openExchanges"] == 0, 10)
