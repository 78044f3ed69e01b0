"""`subscriptions/listen`, log messages, cancellation and tasks of 2026-07-28, in front of a server of either era."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from conformance import META
from features import happens, is_noted, until
from gateway import Gateway
from modern import ALL_CAPABILITIES, ModernClient
from rawhttp import RPCError
from upstreams import stdio

pytestmark = pytest.mark.binary
ERAS = ["legacy", "modern"]
Start = Callable[..., Gateway]
ID = f"{META}subscriptionId"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("world")


def servers(world: Path) -> dict[str, Any]:
    return {era: stdio("everything.py", era, isolation="session", env={"EVERYTHING_WORLD": str(world)}) for era in ERAS}


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    return servers(request.getfixturevalue("world"))


def client(gateway: Gateway, era: str, **more: Any) -> ModernClient:
    return ModernClient(gateway.server_url(era), ALL_CAPABILITIES, **more)


@pytest.mark.parametrize("era", ERAS)
async def test_only_what_was_asked_for_is_acknowledged_and_sent(gateway: Gateway, world: Path, era: str) -> None:
    uri, other = f"everything://{era}-watched", f"everything://{era}-unwatched"
    async with client(gateway, era) as one:
        # A list that becomes known has changed, and so has one that a prompt of another test comes to; from here on they stay.
        path = world / "changes"
        changes = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        expected = {change["prompt"] for change in changes if "prompt" in change}
        with anyio.fail_after(10):
            while not expected <= {prompt["name"] for prompt in await one.list_all("prompts/list", "prompts")}:
                await anyio.sleep(0.05)
        await only_what_was_asked_for(one, world, era, uri, other)


async def only_what_was_asked_for(one: ModernClient, world: Path, era: str, uri: str, other: str) -> None:
    async with one.listen(promptsListChanged=True, resourceSubscriptions=[uri]) as listener:
        assert listener.acknowledged == {"promptsListChanged": True, "resourceSubscriptions": [uri]}
        happens(world, tool=f"{era}-unheard")
        happens(world, uri=other)
        happens(world, uri=uri)
        update = await listener.next()
        assert update["method"] == "notifications/resources/updated" and update["params"]["uri"] == uri
        happens(world, prompt=f"{era}-heard")
        change = await listener.next()
        assert change["method"] == "notifications/prompts/list_changed"
        assert {message["params"]["_meta"][ID] for message in (update, change)} == {listener.id}


@pytest.mark.parametrize("era", ERAS)
async def test_listeners_do_not_hear_of_each_others_resources(gateway: Gateway, world: Path, era: str) -> None:
    uris = [f"everything://{era}-{number}" for number in range(2)]
    async with client(gateway, era) as one, client(gateway, era) as two:
        async with one.listen(resourceSubscriptions=uris[:1]) as first, two.listen(resourceSubscriptions=uris[1:]) as second:
            for uri in uris:
                happens(world, uri=uri)
            assert (await first.next())["params"]["uri"] == uris[0]
            assert (await second.next())["params"]["uri"] == uris[1]


@pytest.mark.parametrize("era", ERAS)
async def test_a_listener_that_leaves_is_forgotten(gateway: Gateway, era: str) -> None:
    uri = f"everything://{era}-forgotten"

    async def watched(one: ModernClient) -> bool:
        memory = (await one.call("memory"))["structuredContent"]
        return uri in memory["subscriptions"] or uri in json.dumps(memory["listening"])

    async with client(gateway, era) as one:
        async with one.listen(resourceSubscriptions=[uri]):
            if era == "modern":
                with anyio.fail_after(10):
                    while not await watched(one):
                        await anyio.sleep(0.05)
        with anyio.fail_after(10):
            while await watched(one):
                await anyio.sleep(0.05)


async def test_a_filter_that_is_none_is_refused(gateway: Gateway) -> None:
    async with client(gateway, "modern") as one:
        for notifications in (None, 1, {"toolsListChanged": "yes"}, {"resourceSubscriptions": "everything://text"}):
            with pytest.raises(RPCError) as raised:
                await one.request("subscriptions/listen", {"notifications": notifications})
            assert raised.value.code == -32602, notifications


@pytest.mark.parametrize("era", ERAS)
async def test_a_gateway_that_stops_ends_its_listeners_in_order(start_gateway: Start, world: Path, era: str) -> None:
    gateway = start_gateway({era: servers(world)[era]})
    async with client(gateway, era) as one, one.listen(toolsListChanged=True) as listener:
        gateway.begin_to_end()
        last = await listener.next()
        assert last["id"] == listener.id and last["result"]["_meta"][ID] == listener.id
        assert last["result"]["resultType"] == "complete"
    assert await anyio.to_thread.run_sync(gateway.wait_for_end, 20) == 0


@pytest.mark.parametrize("era", ERAS)
async def test_log_messages_come_for_requests_that_ask_and_at_their_level(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        levels: dict[str, list[str]] = {}

        async def log(level: str | None) -> None:
            meta = {} if level is None else {f"{META}logLevel": level}
            reply = await one.exchange("tools/call", {"name": "log", "arguments": {}, "_meta": meta})
            levels[level or "none"] = [message["params"]["level"] for message in reply.notifications]

        def check() -> None:
            assert levels["none"] == []
            assert levels["error"] == ["error", "critical", "alert", "emergency"]
            assert len(levels["debug"]) == 8 and levels["emergency"] == ["emergency"]

        for level in ("error", None, "debug", "emergency"):
            await log(level)
        check()
        if era == "legacy":
            # At once: one request's level is not another's. A modern server on stdio does not say which request a message is of.
            async with anyio.create_task_group() as group:
                for level in ("error", None, "debug", "emergency"):
                    group.start_soon(log, level)
            check()


@pytest.mark.parametrize("era", ERAS)
async def test_closing_the_stream_cancels_the_request(gateway: Gateway, world: Path, era: str) -> None:
    marker = f"closed-{era}"
    async with client(gateway, era) as one:
        async with anyio.create_task_group() as group:
            group.start_soon(one.call, "slow", {"seconds": 60, "marker": marker})
            await until("the call is at the server", lambda: is_noted(world, "started", marker), 30)
            group.cancel_scope.cancel()
        await until("the server notices", lambda: is_noted(world, "cancelled", marker))


@pytest.mark.parametrize("era", ERAS)
async def test_closing_the_stream_after_progress_cancels_the_request(gateway: Gateway, era: str) -> None:
    async with client(gateway, era) as one:
        message = one.message(
            "tools/call", {"name": "progress", "arguments": {"steps": 1000, "delay": 0.05}, "_meta": {"progressToken": 1}}
        )
        async with one.stream(message) as stream:
            async for event in stream:
                assert event.message["method"] == "notifications/progress"
                break
        assert (await one.call("add", {"a": 1, "b": 1}))["structuredContent"] == {"sum": 2}


# The tasks extension, in front of a server that has it; of the other era: test_tasks_across_eras.py.

TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


async def test_the_tasks_extension_passes_through(gateway: Gateway) -> None:
    for url, prefix in ((gateway.server_url("modern"), ""), (gateway.url, "modern__")):
        async with ModernClient(url, TASKS) as one:
            assert "io.modelcontextprotocol/tasks" in (await one.request("server/discover"))["capabilities"]["extensions"]
            task = await one.call(f"{prefix}long-job", {"seconds": 0.05, "ask": True})
            assert task["resultType"] == "task" and task["status"] == "working"

            async def status(wanted: str, one: ModernClient = one, id: str = task["taskId"]) -> dict[str, Any]:
                with anyio.fail_after(10):
                    while (state := await one.request("tasks/get", {"taskId": id}))["status"] != wanted:
                        await anyio.sleep(0.02)
                assert state["taskId"] == id
                return state

            assert "user" in (await status("input_required"))["inputRequests"]
            accepted = {"user": {"action": "accept", "content": {}}}
            await one.request("tasks/update", {"taskId": task["taskId"], "inputResponses": accepted})
            assert (await status("completed"))["result"]["content"][0]["text"] == "job done"
            cancelled = await one.call(f"{prefix}long-job", {"seconds": 60})
            await one.request("tasks/cancel", {"taskId": cancelled["taskId"]})
            await status("cancelled", id=cancelled["taskId"])


async def test_a_client_without_the_tasks_extension_gets_a_plain_result(gateway: Gateway) -> None:
    async with client(gateway, "modern") as one:
        assert (await one.call("long-job", {"seconds": 0}))["resultType"] == "complete"
        with pytest.raises(RPCError) as raised:
            await one.request("tasks/get", {"taskId": "nothing"})
        assert raised.value.code in (-32021, -32602)
