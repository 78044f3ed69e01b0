"""Clients that are slow, silent or gone: each is cut in time and takes nothing from the others."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gateway import raw
from malformed import PING, call, mcp, ping
from processes import wait_until
from rawhttp import JSON
from target import Target
from wire import Closed, Wire, chunked, pace, request

# A tool with a long name makes a long list.
WIDE = "wide" * 15_000
SERVERS = {"raw": raw(), "other": raw(isolation="session"), "wide": raw(env={"RAW_TOOL": WIDE})}
HEADER, BODY, IDLE, WRITE = 0.5, 1.0, 0.8, 1.0
SETTINGS = {
    "limits": {
        "headerTimeout": f"{HEADER * 1000:.0f}ms",
        "bodyTimeout": f"{BODY * 1000:.0f}ms",
        "idleTimeout": f"{IDLE * 1000:.0f}ms",
        "writeTimeout": f"{WRITE * 1000:.0f}ms",
        "maxBodyBytes": "24MiB",
    },
    "streams": {"keepAlive": "300ms", "firstEventWait": "30s", "slowReaderBuffer": "64MiB"},
}
# Past its time a client is cut within this; the machine may be busy.
LATE = 5.0
HEALTH = request(method="GET", target="/health")


@pytest.fixture(autouse=True)
def connections(target: Target) -> Iterator[int]:
    """How many connections are open before a test, and must be after it."""
    before = target.connections()
    yield before
    target.assert_healthy()
    wait_until("every connection of the test is closed", lambda: target.connections() <= before, 10)


def assert_times_out(wire: Wire, since: float, limit: float) -> dict[str, Any]:
    """408, not before its time, and the end; its error."""
    answer = wire.read()
    took = time.monotonic() - since
    assert answer.status == 408, answer
    assert limit * 0.8 <= took <= limit + LATE, f"after {took:.2f} s"
    assert answer.announces_close and (answer.header("content-type") or "").startswith(JSON), answer.headers
    assert answer.json()["error"]["message"]
    wire.finish_sending()
    assert wire.is_closed()
    return answer.json()["error"]


# Slow senders.

HEADS = {"/mcp": ping(), "/health": HEALTH, "/api": request({"clientId": "slow"}, target="/api/session/create")}


@pytest.mark.parametrize("path", HEADS)
def test_a_header_that_comes_byte_by_byte_is_answered_with_408(target: Target, path: str) -> None:
    sent = target.fill(HEADS[path])
    with target.connect() as wire:
        since = time.monotonic()
        count = wire.drip(sent[: sent.index(b"\r\n\r\n")])
        assert count < 100, "every byte started the time anew"
        error = assert_times_out(wire, since, HEADER)
        assert (error["code"] == "request_timeout") == (path == "/api"), error


@pytest.mark.parametrize("part", [b"P", b"POST /mcp HTTP/1.1\r\n", b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Odd", b"GET /he"])
def test_a_header_that_stops_is_answered_with_408(target: Target, part: bytes) -> None:
    with target.connect() as wire:
        since = time.monotonic()
        wire.send(part)
        assert_times_out(wire, since, HEADER)


def test_the_header_of_a_later_request_has_its_time_too(target: Target) -> None:
    with target.connect() as wire:
        for sent in (target.ping(), HEALTH):
            wire.send(sent)
            assert wire.read().status == 200
        since = time.monotonic()
        wire.send(b"POST /mcp HTTP/1.1\r\n")
        assert_times_out(wire, since, HEADER)


BODIES = {
    "a body that stops": ping()[:-10],
    "a body that never begins": mcp(b"", length=10),
    "a chunk that stops": mcp(extra="Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") + b"28\r\n" + PING[:5],
    "chunks without a last one": mcp(extra="Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n")
    + chunked(PING)[:-5],
    "a body of the REST API that stops": request({"clientId": "slow"}, target="/api/session/create")[:-5],
    "the body of a request that is refused": ping(host="evil.example")[:-10],
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_stops_is_answered_with_408(target: Target, name: str) -> None:
    with target.connect() as wire:
        since = time.monotonic()
        wire.send(target.fill(BODIES[name]))
        if "refused" in name:
            # What the header decides may be said at once.
            assert wire.read().status in (403, 408)
            wire.finish_sending()
            assert wire.is_closed()
        else:
            assert_times_out(wire, since, BODY)


def test_a_body_that_comes_byte_by_byte_is_answered_with_408(target: Target) -> None:
    with target.connect() as wire:
        since = time.monotonic()
        wire.send(target.fill(mcp(b"", length=1000)))
        assert wire.drip(b"[" * 300) < 200, "every byte started the time anew"
        assert_times_out(wire, since, BODY)


def test_a_request_in_single_bytes_is_served_if_it_is_quick(target: Target) -> None:
    with target.connect() as wire:
        for byte in target.ping():
            wire.send(bytes([byte]))
        assert wire.read().status == 200


# Silent ones.


def test_a_connection_that_says_nothing_is_closed_after_its_time(target: Target) -> None:
    with target.connect() as wire:
        since = time.monotonic()
        assert wire.is_closed(IDLE + LATE)
        assert time.monotonic() - since >= IDLE * 0.8


@pytest.mark.parametrize("path", ["/mcp", "/health"])
def test_a_connection_without_another_request_is_closed_after_its_time(target: Target, path: str) -> None:
    with target.connect() as wire:
        wire.send(target.ping() if path == "/mcp" else HEALTH)
        assert wire.read().status == 200
        since = time.monotonic()
        assert wire.is_closed(IDLE + LATE)
        assert time.monotonic() - since >= IDLE * 0.8


def test_requests_keep_a_connection_open(target: Target) -> None:
    with target.connect() as wire:
        until = time.monotonic() + IDLE * 2.5
        while time.monotonic() < until:
            wire.send(target.ping())
            assert wire.read().status == 200
            pace(IDLE / 4)


def test_a_long_call_and_a_quiet_stream_are_not_idle(target: Target) -> None:
    with target.connect() as listener, target.connect() as caller:
        listener.send(target.fill(mcp(method="GET")))
        assert listener.read_head().status == 200
        caller.send(
            target.fill(mcp(call(1, "tools/call", {"name": "raw__wait", "arguments": {"seconds": 2 * max(IDLE, BODY, WRITE)}})))
        )
        answer = caller.read()
        assert answer.status == 200 and b"waited" in answer.body
        # Comments came all the time, and still come.
        comments = 0
        for chunk in listener.chunks():
            comments += chunk.count(b":\n") + chunk.count(b": ")
            if comments >= 8:
                break


# Slow readers.


def big_call(size: int) -> bytes:
    return mcp(call(1, "tools/call", {"name": "raw__echo", "arguments": {"text": "x" * size}}))


def test_a_reader_that_takes_nothing_of_its_answer_is_cut(target: Target, connections: int) -> None:
    with target.connect(receive_buffer=4096, timeout=30) as wire:
        wire.send(target.fill(big_call(12 << 20)))
        assert wire.read_head().status == 200
        wait_until("the gateway cuts it", lambda: target.connections() <= connections, WRITE + 20)
        with pytest.raises(Closed):
            wire.read_exactly(12 << 20)


def test_a_reader_that_takes_a_little_at_a_time_gets_everything(target: Target) -> None:
    with target.connect(receive_buffer=1 << 16, timeout=60) as wire:
        wire.send(target.fill(big_call(8 << 20)))
        head = wire.read_head()
        size = int(head.header("content-length") or 0)
        assert size > 8 << 20
        until = time.monotonic() + WRITE * 2.5
        while time.monotonic() < until:
            # Enough for TCP to tell the sender: a window is opened again in steps of a segment, 64 KiB on loopback.
            size -= len(wire.read_some(1 << 15))
            pace(WRITE / 20)
        wire.read_exactly(size)


def test_a_reader_that_takes_nothing_of_its_stream_is_cut_and_can_resume_it(target: Target, connections: int) -> None:
    session = target.start()
    count, size = 60, 200_000
    with target.connect(receive_buffer=4096, timeout=30) as wire:
        wire.send(mcp(method="GET", session=session))
        assert wire.read_head().status == 200
        first = next(wire.chunks())
        assert b"id: " in first or b"id:" in first, first
        with httpx.Client(timeout=20) as http:
            for number in range(count):
                data = f"{number}:" + "x" * size
                # Of no request, whatever is in progress: it belongs on the listening stream.
                arguments = {"method": "notifications/resources/updated", "params": {"uri": "x:y", "data": data}, "after": True}
                target.exchange(
                    "POST", session, call(1, "tools/call", {"name": "other__notify", "arguments": arguments}), http=http
                )
        wait_until("the gateway cuts it", lambda: target.connections() <= connections, WRITE + 20)
    identifier = re.findall(rb"^id: ?(\S+)", first, re.MULTILINE)[-1].decode()
    with target.connect(timeout=30) as wire:
        wire.send(mcp(method="GET", session=session, headers={"Last-Event-ID": identifier}))
        assert wire.read_head().status == 200
        received, numbers = b"", []
        for chunk in wire.chunks():
            received += chunk
            *events, received = received.split(b"\n\n")
            numbers += [int(found[1]) for event in events if (found := re.search(rb'"data": ?"(\d+):', event))]
            if len(numbers) == count:
                break
        assert numbers == list(range(count))
    # Its process goes with it.
    target.exchange("DELETE", session)


def test_a_client_that_sends_and_never_reads_is_cut(target: Target, connections: int) -> None:
    """Each request is short and each answer long: what waits for the client must not grow with what it sends."""
    session = target.start(path="/servers/wide/mcp")
    one = mcp(call(1, "tools/list"), session=session, target="/servers/wide/mcp")
    before = peak = target.memory()

    def is_cut() -> bool:
        nonlocal peak
        peak = max(peak, target.memory())
        return target.connections() <= connections

    with target.connect(receive_buffer=4096) as wire:
        sent = wire.send_without_blocking(one * 100, total=4000 * len(one), patience=WRITE + LATE)
        wait_until("the gateway cuts it", is_cut, WRITE + 20)
    answers = sent // len(one) * len(WIDE)
    assert peak - before < 64 << 20, (
        f"answers of {answers >> 20} MiB were asked for, and {(peak - before) >> 20} MiB of memory taken"
    )


# Those that are gone.


@pytest.mark.parametrize("path", ["/mcp", "/health"])
def test_a_client_that_closes_its_sending_side_still_gets_its_answer(target: Target, path: str) -> None:
    with target.connect() as wire:
        wire.send(target.ping() if path == "/mcp" else HEALTH)
        wire.finish_sending()
        assert wire.read().status == 200
        assert wire.is_closed()


@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_a_half_closed_client_gets_the_answer_of_a_long_call(target: Target, seconds: float) -> None:
    with target.connect() as wire:
        wire.send(target.fill(mcp(call(1, "tools/call", {"name": "raw__wait", "arguments": {"seconds": seconds}}))))
        wire.finish_sending()
        assert b"waited" in wire.read().body
        assert wire.is_closed()


@pytest.mark.parametrize("how", ["half-closes", "resets"])
@pytest.mark.parametrize("where", [1, 40, -45, -1])
def test_a_client_that_leaves_within_a_request_leaves_nothing_behind(target: Target, where: int, how: str) -> None:
    with target.connect() as wire:
        wire.send(target.ping()[:where])
        if how == "resets":
            wire.reset()
        else:
            wire.finish_sending()
            # RFC 9112 section 8: an answer may come, the connection must go.
            try:
                assert wire.read().status == 400
            except Closed:
                pass
            assert wire.is_closed()


def test_clients_that_reset_while_they_are_answered_leave_nothing_behind(target: Target) -> None:
    wait = mcp(call(1, "tools/call", {"name": "raw__wait", "arguments": {"seconds": 0.3}}))
    for sent in (wait, mcp(method="GET"), big_call(4 << 20), HEALTH, mcp(call(1, "tools/list"))):
        for _ in range(5):
            wire = target.connect()
            wire.send(target.fill(sent))
            wire.reset()


def test_a_thousand_connections_that_say_nothing_and_go_leave_nothing_behind(target: Target) -> None:
    for _ in range(10):
        wires = [target.connect() for _ in range(100)]
        for number, wire in enumerate(wires):
            if number % 2:
                wire.send(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            wire.reset() if number % 3 else wire.close()
