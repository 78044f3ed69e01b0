"""Clients in a hurry: many requests in one write, bodies that wait to be asked for, connections that end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from gateway import raw
from malformed import PING, call, mcp, ping
from target import Target
from wire import Answer, Wire, request

SERVERS = {"raw": raw(), "other": raw()}
HEALTH = request(method="GET", target="/health")


@pytest.fixture(autouse=True)
def healthy_afterwards(target: Target) -> Iterator[None]:
    yield
    target.assert_healthy()


def answers_of(wire: Wire, count: int, methods: list[str] | None = None) -> list[Answer]:
    return [wire.read(methods[number] if methods else "POST") for number in range(count)]


def test_a_hundred_requests_in_one_write_are_answered_in_order(target: Target) -> None:
    sent = b"".join(target.fill(mcp(call(number, "ping"))) for number in range(100))
    with target.connect() as wire:
        wire.send(sent)
        answers = answers_of(wire, 100)
    assert [answer.json() for answer in answers] == [{"jsonrpc": "2.0", "id": number, "result": {}} for number in range(100)]


@pytest.mark.parametrize("paths", ["/mcp", "both"])
def test_a_bad_message_among_a_hundred_spoils_only_itself(target: Target, paths: str) -> None:
    parts = [mcp(call(number, "ping")) if paths == "/mcp" or number % 3 else HEALTH for number in range(100)]
    parts[50] = mcp(b'{"jsonrpc":')
    parts[51] = ping(session="nonsense")
    with target.connect() as wire:
        wire.send(target.fill(b"".join(parts)))
        answers = answers_of(wire, 100)
    expected = [200] * 50 + [400, 404] + [200] * 48
    assert [answer.status for answer in answers] == expected
    for number, (part, answer) in enumerate(zip(parts, answers, strict=True)):
        if part != HEALTH and answer.status == 200:
            assert answer.json()["id"] == number


@pytest.mark.parametrize("good", ["/mcp", "/health"])
def test_a_request_before_a_header_that_is_much_too_long_is_answered(target: Target, good: str) -> None:
    before = mcp(call(1, "ping")) if good == "/mcp" else HEALTH
    with target.connect() as wire:
        wire.send(target.fill(before + request(method="GET", target="/mcp", headers={"X-Long": "x" * 200_000})))
        first, second = answers_of(wire, 2)
    assert (first.status, second.status) == (200, 431) and second.announces_close


@pytest.mark.parametrize(
    "bad", [b"POST /mcp HTTP/1.1\r\nbad\r\n\r\n", b"nonsense\r\n\r\n", mcp(PING, extra=b"Content-Length: 1\r\n")]
)
@pytest.mark.parametrize("good", ["/mcp", "/health"])
def test_bad_http_among_good_requests_ends_the_connection_after_the_answers_before_it(
    target: Target, good: str, bad: bytes
) -> None:
    before = [mcp(call(number, "ping")) if good == "/mcp" else HEALTH for number in range(20)]
    marker = mcp(call(1, "tools/call", {"name": "raw__count"}))
    count = target.count()
    with target.connect() as wire:
        wire.send(target.fill(b"".join([*before, bad, marker, marker])))
        answers = answers_of(wire, 21)
        wire.finish_sending()
        assert wire.drain() == b""
    assert [answer.status for answer in answers] == [200] * 20 + [400]
    assert answers[-1].announces_close
    assert target.count() == count + 1, "a request behind the bad one was carried out"


def test_nothing_is_answered_behind_a_request_that_closes(target: Target) -> None:
    marker = target.fill(mcp(call(1, "tools/call", {"name": "raw__count"})))
    count = target.count()
    for closing in (
        target.fill(ping(headers={"Connection": "close"})),
        request(method="GET", target="/health", headers={"Connection": "close"}),
    ):
        with target.connect() as wire:
            wire.send(closing + marker)
            assert wire.read().status == 200
            assert wire.drain() == b""
    assert target.count() == count + 1


def test_a_slow_call_does_not_let_later_ones_pass(target: Target) -> None:
    parts = [
        call(1, "tools/call", {"name": "raw__wait", "arguments": {"seconds": 0.1}}),
        call(2, "ping"),
        call(3, "tools/list"),
        call(4, "ping"),
    ]
    with target.connect() as wire:
        wire.send(b"".join(target.fill(mcp(part)) for part in parts))
        assert [answer.json()["id"] for answer in answers_of(wire, 4)] == [1, 2, 3, 4]


def test_every_kind_of_answer_can_be_pipelined(target: Target) -> None:
    """JSON, a stream, an empty body, no body at all, a refusal, another handler's."""
    progress = call(2, "tools/call", {"name": "raw__progress", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}})
    parts = [
        ("POST", ping(), 200), ("POST", mcp(progress), 200), ("POST", mcp({"jsonrpc": "2.0", "method": "notifications/x"}), 202),
        ("HEAD", mcp(method="HEAD"), 405), ("GET", HEALTH, 200), ("PUT", mcp(PING, method="PUT"), 405),
        ("POST", ping(host="evil.example"), 403), ("GET", request(method="GET", target="/nothing"), 404), ("POST", ping(), 200),
    ]  # fmt: skip
    with target.connect() as wire:
        wire.send(target.fill(b"".join(part for _, part, _ in parts)))
        answers = answers_of(wire, len(parts), [method for method, _, _ in parts])
    assert [answer.status for answer in answers] == [status for _, _, status in parts]
    assert b"notifications/progress" in answers[1].body and b"2 steps" in answers[1].body


def test_two_calls_at_once_with_one_id_are_both_answered(target: Target) -> None:
    wait = target.fill(mcp(call(1, "tools/call", {"name": "raw__wait", "arguments": {"seconds": 0.1}})))
    with target.connect() as one, target.connect() as two:
        one.send(wait)
        two.send(wait)
        statuses = [wire.read().status for wire in (one, two)]
    assert statuses in ([200, 200], [200, 400], [400, 200])


# Expect.


@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
@pytest.mark.parametrize("path", ["/mcp", "/api"])
def test_a_client_that_waits_for_100_continue_gets_it(target: Target, path: str, value: str) -> None:
    body = PING if path == "/mcp" else json.dumps({"clientId": "patient"}).encode()
    expect: dict[str, str | None] = {"Expect": value}
    with target.connect() as wire:
        if path == "/mcp":
            wire.send(target.fill(mcp(b"", length=len(body), headers=expect)))
        else:
            wire.send(request(b"", target="/api/session/create", length=len(body), headers=expect))
        assert wire.read_interim() == 100
        wire.send(body)
        assert wire.read().status == 200


def test_a_client_that_does_not_wait_is_served_as_well(target: Target) -> None:
    with target.connect() as wire:
        wire.send(target.fill(ping(headers={"Expect": "100-continue"})))
        assert wire.read().status == 200
        wire.send(target.ping())
        assert wire.read().status == 200


def test_a_client_of_http_1_0_gets_no_100_continue(target: Target) -> None:
    """RFC 9110 section 10.1.1."""
    with target.connect() as wire:
        wire.send(target.fill(ping(version="HTTP/1.0", headers={"Expect": "100-continue"})))
        answer = wire.read()
        assert (answer.status, answer.interim) == (200, [])


# The end of a connection.


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        mcp(b"", length=1 << 40),
        mcp(PING, extra=b"Content-Length: 1\r\n"),
        ping(headers={"Connection": "close"}),
    ],
)
def test_the_gateway_ends_a_connection_itself(target: Target, sent: bytes) -> None:
    """RFC 9112 section 9.6: the writing side is closed at once, so that a client that waits for the end does not wait."""
    with target.connect() as wire:
        wire.send(target.fill(sent))
        assert wire.read().announces_close
        assert wire.is_closed(2)


def test_an_answer_that_refuses_a_body_is_read_by_a_client_that_still_sends(target: Target) -> None:
    """A close with unread bytes would reset the connection, and the answer would be lost."""
    body = b"x" * (2 << 20)
    for _ in range(10):
        with target.connect() as wire:
            wire.send(target.fill(ping(host="evil.example", length=8 << 20)))
            wire.send(body)
            assert wire.read().status in (403, 413)
