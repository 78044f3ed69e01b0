"""JSON or events, resumption, several streams at once."""

from __future__ import annotations

import random
from typing import Any

import anyio
import httpx
import pytest
from gateway import Gateway, raw
from rawhttp import JSON, SSE, Event, RawSession, RPCError

SERVERS = {"raw": raw(isolation="shared"), "own": raw(isolation="session")}
SETTINGS = {"streams": {"keepAlive": "300ms"}}
REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25"]


async def started(gateway: Gateway, revision: str = "2025-11-25") -> RawSession:
    session = RawSession(gateway.url, revision)
    await session.initialize()
    return session


def progress_call(session: RawSession, steps: int, delay: float, tool: str = "raw__progress") -> dict[str, Any]:
    token = session.next_id()
    return session.message(
        "tools/call", {"name": tool, "arguments": {"steps": steps, "delay": delay}, "_meta": {"progressToken": token}}
    )


def steps_of(events: list[Event]) -> list[int]:
    return [e.message["params"]["progress"] for e in events if e.data and e.message.get("method") == "notifications/progress"]


def answers_of(events: list[Event]) -> list[dict[str, Any]]:
    return [e.message for e in events if e.data and "method" not in e.message]


async def say(session: RawSession, number: int) -> None:
    """Has the session's own server send a notification that belongs to no request."""
    params = {"level": "info", "data": number}
    await session.call("own__notify", {"method": "notifications/message", "params": params, "after": True})


async def resume(session: RawSession, last_id: str | None) -> list[Event]:
    """Resumes a stream and reads it to its end."""
    async with session.get_stream(last_id) as stream:
        return [event async for event in stream]


# JSON or events (DESIGN, decision 3).


async def test_an_immediate_answer_is_json(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        for message in (session.message("ping"), session.message("tools/call", {"name": "raw__count", "arguments": {}})):
            await session.post(message)
            response = await session.post(message)
            assert response.headers["content-type"].startswith(JSON)


async def test_an_answer_after_a_notification_is_a_stream(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        response = await session.post(progress_call(session, 1, 0))
        assert response.headers["content-type"].startswith(SSE)


async def test_an_answer_after_a_short_wait_is_a_stream(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        wait = session.message("tools/call", {"name": "raw__wait", "arguments": {"seconds": 2}})
        with anyio.fail_after(10):
            async with session.post_stream(wait) as stream:
                # The head is there long before the answer.
                events = [event async for event in stream]
        assert answers_of(events)[0]["result"]["content"][0]["text"] == "waited"


async def test_an_answer_is_the_last_event_and_ends_the_stream(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        call = progress_call(session, 3, 0.01)
        async with session.post_stream(call) as stream:
            events = [event async for event in stream]
        assert steps_of(events) == [1, 2, 3]
        assert events[-1].message["id"] == call["id"]


async def test_responses_with_events_are_not_cached_or_buffered(gateway: Gateway) -> None:
    async with await started(gateway) as session, session.get_stream() as stream:
        assert "no-cache" in stream.response.headers["cache-control"] or "no-store" in stream.response.headers["cache-control"]


# Resumption (decision 4).


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("tool", ["raw__progress", "own__progress"])
async def test_a_broken_post_stream_is_resumed_where_it_broke(gateway: Gateway, revision: str, tool: str) -> None:
    async with await started(gateway, revision) as session:
        call = progress_call(session, 12, 0.03, tool)
        before: list[Event] = []
        async with session.post_stream(call) as stream:
            async for event in stream:
                before.append(event)
                if len(steps_of(before)) == 4:
                    break
        after = await resume(session, before[-1].id)
        assert steps_of(before) + steps_of(after) == list(range(1, 13))
        assert [answer["id"] for answer in answers_of(after)] == [call["id"]]


async def test_a_stream_is_resumed_from_its_priming_event_alone(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        wait = session.message("tools/call", {"name": "raw__wait", "arguments": {"seconds": 0.5}})
        async with session.post_stream(wait) as stream:
            async for event in stream:
                prime = event
                break
        assert prime.data == "" and prime.id
        # The client's absence does not cancel the call.
        assert answers_of(await resume(session, prime.id))[0]["result"]["content"][0]["text"] == "waited"


async def test_a_finished_stream_can_be_read_again_from_any_of_its_events(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        call = progress_call(session, 5, 0.01)
        async with session.post_stream(call) as stream:
            events = [event async for event in stream]
        identified = [event for event in events if event.id]
        for index, event in enumerate(identified):
            again = [(e.id, e.data) for e in await resume(session, event.id) if e.data]
            assert again == [(e.id, e.data) for e in identified[index + 1 :]]


async def test_a_stream_broken_at_random_places_loses_and_repeats_nothing(gateway: Gateway) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    async with await started(gateway) as session:
        call = progress_call(session, 60, 0.01)
        events: list[Event] = []

        async def read(stream: Any) -> bool:
            stop = chance.randrange(1, 10)
            async for event in stream:
                if not event.data:
                    events.append(event)
                    continue
                events.append(event)
                stop -= 1
                if stop == 0 and answers_of(events) == []:
                    return False
            return True

        async with session.post_stream(call) as stream:
            done = await read(stream)
        with anyio.fail_after(30):
            while not done:
                last = [event.id for event in events if event.id][-1]
                async with session.get_stream(last) as stream:
                    done = await read(stream)
        assert steps_of(events) == list(range(1, 61)), f"seed {seed}"
        assert [answer["id"] for answer in answers_of(events)] == [call["id"]]


async def test_a_network_that_cuts_every_connection_loses_nothing(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        events: list[Event] = []

        async def read(stream: Any) -> None:
            async for event in stream:
                events.append(event)
                if len(steps_of(events)) in (5, 15) and event.data:
                    gateway.recorder.drop_connections()

        call = progress_call(session, 30, 0.02)
        try:
            async with session.post_stream(call) as stream:
                await read(stream)
        except httpx.TransportError:
            pass
        with anyio.fail_after(20):
            while not answers_of(events):
                try:
                    async with session.get_stream([event.id for event in events if event.id][-1]) as stream:
                        await read(stream)
                except httpx.TransportError:
                    pass
        assert steps_of(events) == list(range(1, 31))


async def test_an_unknown_event_id_is_refused(gateway: Gateway) -> None:
    async with await started(gateway) as session, await started(gateway) as other:
        async with other.post_stream(progress_call(other, 2, 0.01)) as stream:
            foreign = [event.id async for event in stream if event.id][0]
        for unknown in ("nonsense", "999999.1", foreign):
            response = await session.http.get(session.url, headers=session.headers(accept=SSE, last_event_id=unknown))
            assert response.status_code in (400, 404), f"{unknown}: {response.status_code}"


async def test_a_get_stream_is_resumed_with_what_came_while_it_was_away(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        first: str | None = None
        async with session.get_stream() as stream:
            await say(session, 0)
            async for event in stream:
                if event.data:
                    first = event.id
                    break
        for number in range(1, 6):
            await say(session, number)
        got: list[int] = []
        with anyio.fail_after(10):
            async with session.get_stream(first) as stream:
                async for message in stream.messages():
                    if message["method"] == "notifications/message":
                        got.append(message["params"]["data"])
                    if len(got) == 5:
                        break
        assert got == [1, 2, 3, 4, 5]


# Several streams.


async def test_each_message_goes_to_one_of_several_get_streams(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        got: list[tuple[int, int]] = []
        ready = anyio.Event()
        opened = 0

        async def listen(name: int) -> None:
            nonlocal opened
            async with session.get_stream() as stream:
                opened += 1
                if opened == 3:
                    ready.set()
                async for message in stream.messages():
                    if message["method"] == "notifications/message":
                        got.append((name, message["params"]["data"]))

        async with anyio.create_task_group() as group:
            for name in range(3):
                group.start_soon(listen, name)
            with anyio.fail_after(10):
                await ready.wait()
            for number in range(10):
                await say(session, number)
            with anyio.fail_after(10):
                while len(got) < 10:
                    await anyio.sleep(0.02)
            await session.call("own__count")
            group.cancel_scope.cancel()
        assert sorted(number for _, number in got) == list(range(10))


async def test_several_post_streams_run_at_once(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        results: dict[int, list[int]] = {}

        async def one(steps: int) -> None:
            async with session.post_stream(progress_call(session, steps, 0.02)) as stream:
                events = [event async for event in stream]
            results[steps] = steps_of(events)
            assert answers_of(events)[0]["result"]["structuredContent"] == {"steps": steps}

        async with anyio.create_task_group() as group:
            for steps in range(5, 20):
                group.start_soon(one, steps)
        assert results == {steps: list(range(1, steps + 1)) for steps in range(5, 20)}


async def test_event_ids_are_unique_in_a_session(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        identifiers: list[str] = []
        for _ in range(4):
            async with session.post_stream(progress_call(session, 3, 0)) as stream:
                identifiers += [event.id async for event in stream if event.id]
        assert len(set(identifiers)) == len(identifiers) >= 16


async def test_cancellation_by_the_client_reaches_the_server_and_a_late_answer_reaches_nobody(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        late = session.message("tools/call", {"name": "raw__late", "arguments": {}})
        async with session.post_stream(late) as stream:
            await session.notify("notifications/cancelled", {"requestId": late["id"], "reason": "enough"})
            with anyio.fail_after(10):
                events = [event async for event in stream]
        # The specification: no response to a cancelled request, and a late one is ignored. An error is tolerated by clients.
        assert all("error" in answer for answer in answers_of(events))
        assert await session.request("ping") == {}


async def test_keep_alive_comments_come_on_a_silent_stream(gateway: Gateway) -> None:
    async with await started(gateway) as session, session.get_stream() as stream:
        with anyio.move_on_after(5):
            async for chunk in stream.response.aiter_raw():
                if any(line.startswith(b":") for line in chunk.split(b"\n")):
                    return
    pytest.fail("no comment within 5 s, with an interval of 300 ms")


async def test_an_unknown_tool_is_an_error_and_not_a_stream(gateway: Gateway) -> None:
    async with await started(gateway) as session:
        with pytest.raises(RPCError) as raised:
            await session.call("raw__nothing")
        assert raised.value.code == -32602
        with pytest.raises(RPCError) as raised:
            await session.call("nobody__echo")
        assert raised.value.code == -32602
