"""Malformed and hostile requests: each is answered as it must be, and does no harm to the next one."""

from __future__ import annotations

import malformed
import malformed_framing
import malformed_headers
import malformed_messages
import malformed_modern
import malformed_rest
import pytest
from gateway import raw
from malformed import ANY, Row
from rawhttp import JSON
from target import Target
from wire import Answer

SERVERS = {"raw": raw(), "other": raw()}
SETTINGS = malformed.SETTINGS

ROWS = [*malformed_messages.ROWS, *malformed_headers.ROWS, *malformed_framing.ROWS, *malformed_rest.ROWS, *malformed_modern.ROWS]


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
