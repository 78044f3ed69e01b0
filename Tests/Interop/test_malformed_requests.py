"""Malformed and hostile requests: each is answered as it must be, and does no harm to the next one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import malformed
import malformed_framing
import malformed_headers
import malformed_messages
import malformed_rest
import pytest
from gateway import Gateway, raw
from malformed import ANY, Row, call, initialize, mcp
from processes import wait_until
from rawhttp import BOTH, JSON, SSE
from wire import Answer, Wire

SERVERS = {"raw": raw(), "other": raw()}
SETTINGS = malformed.SETTINGS

ROWS = [*malformed_messages.ROWS, *malformed_headers.ROWS, *malformed_framing.ROWS, *malformed_rest.ROWS]


class Target:
    """The gateway under attack, with what the rows' placeholders stand for."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.port = gateway.port
        self.session = self.start()
        ended = self.start()
        self.exchange("DELETE", ended)
        self.placeholders = {
            malformed.SESSION: self.session,
            malformed.OLD: self.start("2025-03-26"),
            malformed.OTHER: self.start(path="/servers/other/mcp"),
            malformed.ENDED: ended,
            malformed.EVENT: self.stream_of(self.session),
            malformed.FOREIGN: self.stream_of(self.start()),
        }

    def exchange(self, method: str, session: str | None, message: Any = None, path: str = "/mcp") -> httpx.Response:
        headers = {"accept": BOTH}
        if session is not None:
            headers["mcp-session-id"] = session
        return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", json=message, headers=headers, timeout=20)

    def start(self, revision: str = "2025-11-25", path: str = "/mcp") -> str:
        response = self.exchange("POST", None, initialize(protocolVersion=revision), path)
        assert response.status_code == 200, response.text
        return response.headers["mcp-session-id"]

    def stream_of(self, session: str) -> str:
        """Makes a stream with events and gives its id."""
        params = {"name": "raw__progress", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}}
        response = self.exchange("POST", session, call(1, "tools/call", params))
        assert response.headers["content-type"].startswith(SSE), response.text
        return re.findall(r"^id: ?(.+)\.\d+$", response.text, re.MULTILINE)[0]

    def fill(self, sent: bytes) -> bytes:
        for name, value in self.placeholders.items():
            sent = sent.replace(name.encode(), value.encode())
        return sent

    def connect(self, **how: Any) -> Wire:
        return Wire(self.port, **how)

    def ping(self) -> bytes:
        return self.fill(malformed.ping())

    def assert_healthy(self) -> None:
        """A good request on a new connection works."""
        with self.connect() as wire:
            wire.send(self.ping())
            answer = wire.read()
            assert (answer.status, answer.json()) == (200, {"jsonrpc": "2.0", "id": 7, "result": {}})

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.gateway.pid}/fd"))


@pytest.fixture(scope="module")
def target(gateway: Gateway) -> Iterator[Target]:
    target = Target(gateway)
    target.assert_healthy()
    with httpx.Client(base_url=gateway.base_url) as http:
        http.get("/health")
    before = target.descriptors()
    yield target
    # SQLite and the event loops may have opened a file of their own meanwhile; a leak would be one for each row.
    wait_until("every descriptor is closed", lambda: target.descriptors() <= before + 4, 15)
    assert gateway.process is not None and gateway.process.poll() is None


def check_error(row: Row, answer: Answer) -> None:
    """The body tells what is wrong, in the words of the API that was asked."""
    if row.code is None:
        if answer.status == 202 or answer.status == 204:
            assert answer.body == b""
        elif answer.header("content-type") == JSON and row.id is not None:
            body = answer.json()
            assert "error" not in body and body["id"] == row.id, body
        return
    if row.method == "HEAD":
        return
    assert (answer.header("content-type") or "").startswith(JSON), (answer.headers, answer.body[:300])
    body = answer.json()
    if row.code == "either" and answer.status == 200:
        return
    error = body["error"]
    assert error["message"], body
    if row.code in (ANY, "either"):
        assert isinstance(error["code"], (int, str))
    else:
        assert error["code"] == row.code, body
    if isinstance(row.code, int):
        assert set(body) == {"jsonrpc", "id", "error"} and body["jsonrpc"] == "2.0", body
        if row.id != "any":
            assert body["id"] == row.id, body
    elif row.code not in (ANY, "either"):
        assert set(body) == {"error"}, body


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_malformed_request_is_answered_as_it_must_be(target: Target, row: Row) -> None:
    with target.connect() as wire:
        wire.send(target.fill(row.sent))
        answer = wire.read(row.method)
        shown = f"{answer.status} {answer.body[:300]!r}"
        assert answer.status in row.statuses, shown
        check_error(row, answer)
        if row.holds:
            assert row.holds in answer.body.decode(), shown
        if answer.status == 405:
            assert answer.header("allow"), answer.headers
        assert not answer.interim, answer.interim
        if row.closes is not None:
            assert answer.announces_close == row.closes, f"{answer.headers} {shown}"
        # What follows on the same connection is answered as usual, or not at all, but never as something else.
        wire.send(target.ping())
        if answer.announces_close:
            wire.finish_sending()
            assert wire.drain() == b""
        else:
            again = wire.read()
            assert (again.status, again.json()) == (200, {"jsonrpc": "2.0", "id": 7, "result": {}}), again
    target.assert_healthy()


def test_the_table_is_as_long_as_it_should_be() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names)) >= 100
