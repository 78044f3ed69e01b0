"""`/sse/events`: every event of a session for every tab, resumable, with a session's header or a ticket."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio
import httpx
import pytest
from gateway import ROOT, Gateway, everything, raw
from rawhttp import RawSession
from restapi import Feed, RestClient, moment, refused

SERVERS = {"everything": everything(isolation="session"), "raw": raw()}
SETTINGS = {"streams": {"eventsKeepAlive": "300ms"}, "api": {"ticketLifetime": "2s"}}
Start = Callable[..., Gateway]


async def created(gateway: Gateway) -> RestClient:
    return await RestClient(gateway.base_url, f"feed-{uuid.uuid4().hex[:8]}").create()


async def say(rest: RestClient, text: str) -> None:
    """Makes one event in the feed of the session: progress of a call whose token is the text."""
    await rest.call("raw__progress", {"steps": 1}, _meta={"progressToken": text})


async def texts(feed: Feed, last: str) -> list[str]:
    """The texts that were said, up to the one given."""
    found: list[str] = []
    while last not in found:
        event = await feed.next("progress")
        assert event.id
        found.append(event.message["params"]["progressToken"])
    return found


async def test_the_first_event_says_connected(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as feed:
        assert "no-cache" in feed.response.headers["cache-control"]
        event = await feed.next()
        assert event.name == "connected"
        assert set(event.message) == {"sessionId", "timestamp"} and event.message["sessionId"] == rest.session_id
        assert event.message["timestamp"] == pytest.approx(time.time() * 1000, abs=5000)


async def test_keepalives_come_at_their_interval(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as feed:
        times = [(await feed.next("keepalive")).message["timestamp"] for _ in range(4)]
        gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        assert all(150 <= gap <= 3000 for gap in gaps), gaps
        assert all(event.id is None for event in feed.seen if event.name == "keepalive")


async def test_keepalives_come_every_30_seconds_unless_told_otherwise() -> None:
    """By the documentation; nobody waits that long."""
    documented = (ROOT / "docs/configuration.md").read_text()
    assert "| `streams.eventsKeepAlive` | `MCP_GATEWAY_STREAMS_EVENTS_KEEP_ALIVE` | `30s` |" in documented


async def test_progress_of_a_call_arrives_with_its_token(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as feed:
        await feed.next("connected")
        result = await rest.call("raw__progress", {"steps": 3}, _meta={"progressToken": "mine"})
        assert result["structuredContent"] == {"steps": 3}
        events = [await feed.next("progress") for _ in range(3)]
        assert [event.message["params"] for event in events] == [
            {"progressToken": "mine", "progress": step, "total": 3} for step in (1, 2, 3)
        ]
        assert all(event.message["method"] == "notifications/progress" and event.id for event in events)
        assert len({event.id for event in events}) == 3


async def test_log_messages_of_a_call_arrive(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as feed, RawSession(gateway.url) as mcp:
        await feed.next("connected")
        mcp.session_id = rest.session_id
        await mcp.request("logging/setLevel", {"level": "debug"})
        await rest.call("everything__log", {"marker": "look"})
        events = [await feed.next("log") for _ in range(8)]
        assert all(event.id and event.message["method"] == "notifications/message" for event in events)
        assert {event.message["params"]["level"] for event in events} >= {"debug", "error", "emergency"}
        assert all(event.message["params"]["data"]["marker"] == "look" for event in events)


async def test_an_update_of_a_subscribed_resource_arrives(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as feed, RawSession(gateway.url) as mcp:
        await feed.next("connected")
        mcp.session_id = rest.session_id
        await mcp.request("resources/subscribe", {"uri": "raw://counter"})
        await rest.call("raw__touch")
        event = await feed.next("resource_updated")
        assert event.message["params"]["uri"] == "raw://counter" and event.id


async def test_any_other_notification_arrives_as_a_message_on_one_line(gateway: Gateway) -> None:
    odd = "a\u2028b\u2029c\u0085d\r\ne\x00 ü🎉 data: id: 1"
    async with await created(gateway) as rest, rest.events() as feed:
        await feed.next("connected")
        arguments = {"method": "notifications/custom", "params": {"text": odd}, "after": True}
        assert (await rest.call_response("raw__notify", arguments)).status_code == 200
        event = await feed.next("message")
        assert event.message == {"jsonrpc": "2.0", "method": "notifications/custom", "params": {"text": odd}} and event.id


async def test_every_tab_sees_every_event_in_the_same_order(gateway: Gateway) -> None:
    async with await created(gateway) as rest, AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(rest.events()) for _ in range(5)]
        for tab in tabs:
            assert (await tab.next()).name == "connected"
        for number in range(10):
            await say(rest, str(number))
        seen = []
        for tab in tabs:
            assert await texts(tab, "9") == [str(number) for number in range(10)]
            seen.append([(event.id, event.data) for event in tab.seen if event.name == "progress"])
        assert all(one == seen[0] for one in seen) and len(seen[0]) == 10


async def test_a_tab_that_closes_takes_nothing_from_the_others(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as stays:
        await stays.next("connected")
        async with rest.events() as goes:
            await goes.next("connected")
            await say(rest, "one")
            assert await texts(goes, "one") == ["one"]
        await say(rest, "two")
        assert await texts(stays, "two") == ["one", "two"]


async def test_sessions_see_only_their_own_events(gateway: Gateway) -> None:
    async with await created(gateway) as one, await created(gateway) as two, one.events() as feed_one, two.events() as feed_two:
        for feed in (feed_one, feed_two):
            await feed.next("connected")
        await one.call("raw__progress", {"steps": 2}, _meta={"progressToken": "one"})
        await two.call("raw__progress", {"steps": 2}, _meta={"progressToken": "two"})
        for feed, token in ((feed_one, "one"), (feed_two, "two")):
            assert [(await feed.next("progress")).message["params"]["progressToken"] for _ in range(2)] == [token, token]
            await feed.next("keepalive")
            assert len([event for event in feed.seen if event.name == "progress"]) == 2


async def test_a_new_tab_sees_what_comes_and_not_what_was(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as first:
        await first.next("connected")
        await say(rest, "old")
        await texts(first, "old")
        async with rest.events() as second:
            await second.next("connected")
            await say(rest, "new")
            assert await texts(second, "new") == ["new"]


async def test_a_tab_resumes_where_it_was(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        async with rest.events() as feed:
            await feed.next("connected")
            for number in range(3):
                await say(rest, str(number))
            await texts(feed, "0")
            last = feed.last_id
        for number in range(3, 6):
            await say(rest, str(number))
        async with rest.events(last_event_id=last) as feed:
            await say(rest, "6")
            assert await texts(feed, "6") == ["1", "2", "3", "4", "5", "6"]
        # The same place twice: another tab may have been there too.
        async with rest.events(last_event_id=last) as feed:
            assert (await texts(feed, "6"))[0] == "1"


async def test_a_tab_resumes_after_kill_9(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    async with await created(gateway) as rest:
        async with rest.events() as feed:
            await feed.next("connected")
            await say(rest, "seen")
            await texts(feed, "seen")
            last = feed.last_id
        await say(rest, "missed")
        await rest.call("raw__progress", {"steps": 2}, _meta={"progressToken": 1})
        gateway.restart("kill")
        async with rest.events(last_event_id=last) as feed:
            assert await texts(feed, "missed") == ["missed"]
            assert [(await feed.next("progress")).message["params"]["progress"] for _ in range(2)] == [1, 2]
            await say(rest, "after")
            assert await texts(feed, "after") == ["after"]
            identifiers = [event.id for event in feed.seen if event.name not in ("connected", "keepalive")]
            assert len(identifiers) == len(set(identifiers)) and last not in identifiers


@pytest.mark.parametrize("last", ["nonsense", "e222222222222.1", "-1", "999999", "a" * 500])
async def test_an_event_id_that_is_not_of_this_feed_does_no_harm(gateway: Gateway, last: str) -> None:
    async with await created(gateway) as rest, AsyncExitStack() as stack:
        headers = rest.headers(last_event_id=last)
        response = await stack.enter_async_context(rest.http.stream("GET", "/sse/events", headers=headers))
        if response.status_code == 200:
            # It begins anew.
            assert (await Feed(response).next()).name == "connected"
        else:
            assert response.status_code in (400, 404)


async def test_a_changed_configuration_is_announced(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    async with await created(gateway) as rest, rest.events() as one, rest.events() as two:
        for feed in (one, two):
            await feed.next("connected")
        gateway.write_config({"raw": raw(), "more": raw()})
        for feed in (one, two):
            while (await feed.next("list_changed")).message["method"] != "notifications/tools/list_changed":
                pass
        with anyio.fail_after(15):
            while not any(tool["name"] == "more__echo" for tool in await rest.tools()):
                await anyio.sleep(0.05)


async def test_the_end_of_the_session_ends_its_feeds(gateway: Gateway) -> None:
    async with await created(gateway) as rest, rest.events() as one, rest.events() as two:
        for feed in (one, two):
            await feed.next("connected")
        assert (await rest.request("DELETE", "/api/session")).status_code == 204
        for feed in (one, two):
            await feed.ends()


async def test_the_end_of_the_gateway_ends_the_feeds_at_once(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"drainTimeout": "20s"})
    async with await created(gateway) as rest, rest.events() as feed:
        await feed.next("connected")
        gateway.begin_to_end()
        await feed.ends(10)
    assert gateway.wait_for_end(10) == 0


# Tickets.


async def test_a_ticket_opens_the_feed_once(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        ticket = await rest.ticket()
        assert set(ticket) == {"ticket", "expiresAt"}
        assert moment(ticket["expiresAt"]) == pytest.approx(time.time() + 2, abs=1.5)
        assert rest.session_id not in ticket["ticket"]
        async with rest.events(ticket=ticket["ticket"]) as feed:
            assert (await feed.next()).message["sessionId"] == rest.session_id
            await say(rest, "hello")
            assert await texts(feed, "hello") == ["hello"]
        response = await rest.http.get("/sse/events", params={"ticket": ticket["ticket"]})
        refused(response, 401, "invalid_ticket")


async def test_a_ticket_used_ten_times_at_once_works_once(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        ticket = (await rest.ticket())["ticket"]
        statuses: list[int] = []

        async def use() -> None:
            async with rest.http.stream("GET", "/sse/events", params={"ticket": ticket}) as response:
                statuses.append(response.status_code)

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(use)
        assert sorted(statuses) == [200] + [401] * 9


async def test_an_old_ticket_does_not_work(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        ticket = await rest.ticket()
        with anyio.fail_after(10):
            while time.time() < moment(ticket["expiresAt"]) + 0.1:
                await anyio.sleep(0.05)
        refused(await rest.http.get("/sse/events", params={"ticket": ticket["ticket"]}), 401, "invalid_ticket")


async def test_a_changed_ticket_does_not_work_and_a_good_one_still_does(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        ticket = (await rest.ticket())["ticket"]
        other = "A" if ticket[-2] != "A" else "B"
        for forged in (ticket[:-2] + other + ticket[-1], ticket + "A", ticket[:-1], ticket[::-1], "", rest.session_id):
            response = await rest.http.get("/sse/events", params={"ticket": forged})
            assert response.status_code == 401, forged
        async with rest.events(ticket=ticket) as feed:
            await feed.next("connected")


async def test_a_ticket_of_a_session_that_ended_does_not_work(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        ticket = (await rest.ticket())["ticket"]
        await rest.request("DELETE", "/api/session")
        response = await rest.http.get("/sse/events", params={"ticket": ticket})
        assert response.status_code == 401 and response.json()["error"]["code"] in ("invalid_ticket", "invalid_session")


async def test_a_ticket_is_no_session(gateway: Gateway) -> None:
    async with await created(gateway) as rest, httpx.AsyncClient(base_url=gateway.base_url) as http:
        ticket = (await rest.ticket())["ticket"]
        refused(await http.get("/api/mcp/tools", headers={"x-session-id": ticket}), 401, "invalid_session")
        refused(await http.get("/api/mcp/tools", params={"ticket": ticket}), 401, "session_required")


async def test_a_browser_can_resume_with_a_new_ticket(gateway: Gateway) -> None:
    """A new EventSource cannot send Last-Event-ID: it stands in the query, or in both places."""
    async with await created(gateway) as rest:
        async with rest.events(ticket=(await rest.ticket())["ticket"]) as feed:
            await feed.next("connected")
            await say(rest, "one")
            await texts(feed, "one")
            last = feed.last_id
        await say(rest, "two")
        for place in ({"last_in_query": last}, {"last_event_id": last, "last_in_query": last}, {"last_event_id": last}):
            async with rest.events(ticket=(await rest.ticket())["ticket"], **place) as feed:
                assert await texts(feed, "two") == ["two"]
        async with rest.events(last_in_query=last) as feed:
            assert await texts(feed, "two") == ["two"]
        async with rest.events(last_in_query="") as feed:
            await say(rest, "three")
            assert await texts(feed, "three") == ["three"]


async def test_two_different_event_ids_are_refused_and_the_ticket_stays_good(gateway: Gateway) -> None:
    async with await created(gateway) as rest:
        async with rest.events() as feed:
            await feed.next("connected")
            await say(rest, "one")
            await texts(feed, "one")
            last = feed.last_id
        assert last
        ticket = (await rest.ticket())["ticket"]
        params = {"ticket": ticket, "lastEventId": last}
        response = await rest.http.get("/sse/events", params=params, headers={"last-event-id": last.rsplit(".", 1)[0] + ".0"})
        assert "lastEventId" in refused(response, 400, "invalid_request")
        refused(await rest.http.get("/sse/events", params={"lastEventId": "nonsense"}, headers=rest.headers()), 400, "invalid_request")
        async with rest.events(ticket=ticket, last_in_query=last) as feed:
            assert (await feed.next()).name == "connected"
