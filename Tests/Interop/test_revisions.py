"""What differs between the revisions."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from gateway import Gateway, raw
from rawhttp import JSON, SSE, RawSession

SERVERS = {"raw": raw()}
REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]


async def started(gateway: Gateway, revision: str) -> RawSession:
    session = RawSession(gateway.url, revision)
    await session.initialize()
    return session


@pytest.mark.parametrize("revision", REVISIONS)
async def test_tools_are_listed_and_called_in_every_revision(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        assert "raw__echo" in [tool["name"] for tool in (await session.request("tools/list"))["tools"]]
        result = await session.call("raw__count")
        assert result["content"][0]["type"] == "text"


# Batches: 2025-03-26 alone has them.


async def test_a_batch_of_requests_gets_every_answer(gateway: Gateway) -> None:
    async with await started(gateway, "2025-03-26") as session:
        batch = [
            session.message("ping", id="a"),
            session.message("tools/call", {"name": "raw__wait", "arguments": {"seconds": 0.4}}, id="b"),
            {"jsonrpc": "2.0", "method": "notifications/x/custom"},
            session.message("tools/call", {"name": "raw__count", "arguments": {}}, id=3),
            session.message("x/unknown", id=4),
        ]
        response = await session.post(batch)
        assert response.status_code == 200
        answers = {message["id"]: message for message in session.messages(response)}
        assert answers.keys() == {"a", "b", 3, 4}
        assert answers["a"]["result"] == {} and answers["b"]["result"]["content"][0]["text"] == "waited"
        assert "error" in answers[4]


async def test_an_immediate_batch_is_answered_as_a_json_array(gateway: Gateway) -> None:
    async with await started(gateway, "2025-03-26") as session:
        response = await session.post([session.message("ping", id=1), session.message("ping", id=2)])
        assert response.headers["content-type"].startswith(JSON)
        body = response.json()
        assert isinstance(body, list) and {message["id"] for message in body} == {1, 2}


async def test_a_batch_with_progress_is_answered_as_a_stream_until_the_last_answer(gateway: Gateway) -> None:
    async with await started(gateway, "2025-03-26") as session:
        batch = [
            session.message(
                "tools/call",
                {"name": "raw__progress", "arguments": {"steps": 3, "delay": 0.01 * number}, "_meta": {"progressToken": number}},
                id=number,
            )
            for number in (1, 2)
        ]
        response = await session.post(batch)
        assert response.headers["content-type"].startswith(SSE)
        messages = session.messages(response)
        for number in (1, 2):
            progress = [m["params"]["progress"] for m in messages if m.get("params", {}).get("progressToken") == number]
            assert progress == [1, 2, 3]
        assert sorted(m["id"] for m in messages if "result" in m) == [1, 2]


async def test_a_batch_of_notifications_is_accepted_with_202(gateway: Gateway) -> None:
    async with await started(gateway, "2025-03-26") as session:
        response = await session.post([{"jsonrpc": "2.0", "method": "notifications/x/custom"}] * 3)
        assert response.status_code == 202 and response.content == b""


@pytest.mark.parametrize("payload", [[], [1], [{"jsonrpc": "2.0"}]])
async def test_a_batch_that_is_empty_or_holds_no_message_is_refused(gateway: Gateway, payload: Any) -> None:
    async with await started(gateway, "2025-03-26") as session:
        response = await session.post(payload)
        if response.status_code == 200:
            # JSON-RPC 2.0 answers each bad entry by itself.
            assert payload and all("error" in message for message in session.messages(response))
        else:
            assert response.status_code == 400 and response.json()["error"]["code"] == -32600


async def test_initialize_in_a_batch_is_refused(gateway: Gateway) -> None:
    async with RawSession(gateway.url, "2025-03-26") as session:
        response = await session.post([session.message("initialize", session.initialize_params()), session.message("ping")])
        assert response.status_code == 400


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
async def test_later_revisions_refuse_batches(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        response = await session.post([session.message("ping"), session.message("ping")])
        assert response.status_code == 400 and response.json()["error"]["code"] == -32600


# Streams: the priming event is of 2025-11-25.


@pytest.mark.parametrize("revision", REVISIONS)
async def test_only_2025_11_25_primes_its_streams(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        call = session.message(
            "tools/call", {"name": "raw__progress", "arguments": {"steps": 2, "delay": 0.05}, "_meta": {"progressToken": "p"}}
        )
        async with session.post_stream(call) as stream:
            events = [event async for event in stream]
        primes = [event for event in events if not event.data]
        if revision == "2025-11-25":
            assert events[0].data == "" and events[0].id and len([event for event in primes if event.id]) == 1
            assert any(event.retry is not None and event.retry >= 0 for event in events)
        else:
            # An event without data is one that older clients may fail to parse.
            assert not [event for event in primes if event.id]
        carrying = [event for event in events if event.data]
        assert [event.message.get("method", "result") for event in carrying] == ["notifications/progress"] * 2 + ["result"]
        assert all(event.id for event in carrying) and len({event.id for event in events if event.id}) == len(
            [event for event in events if event.id]
        )


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_get_stream_opens_at_once(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        with anyio.fail_after(5):
            async with session.get_stream() as stream:
                if revision == "2025-11-25":
                    async for event in stream:
                        assert event.data == "" and event.id
                        break


@pytest.mark.parametrize("revision", REVISIONS)
async def test_elicitation_is_only_offered_to_a_server_where_the_client_has_it(gateway: Gateway, revision: str) -> None:
    async with await started(gateway, revision) as session:
        # Whatever the revision, no client of this file can be asked, so the server's question comes back as an error.
        result = await session.call("raw__ask", {"method": "roots/list"})
        assert "error" in result["structuredContent"]["answer"]
