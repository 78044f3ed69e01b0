"""Tasks of 2025-11-25 for modern clients, those of the extension of 2026-07-28 for clients of 2025-11-25."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from gateway import Gateway
from modern import ALL_CAPABILITIES, ModernClient
from rawhttp import RawSession, RPCError, first_message
from upstreams import http_server, stdio

pytestmark = pytest.mark.binary
EXTENSION = "io.modelcontextprotocol/tasks"
TASKS: dict[str, Any] = {**ALL_CAPABILITIES, "extensions": {EXTENSION: {}}}
RELATED = "io.modelcontextprotocol/related-task"
ACCEPTED = {"action": "accept", "content": {"agree": True}}
LEGACY = ["own", "shared", "legacy-http"]
MODERN = ["modern", "modern-http"]


@pytest.fixture(scope="module")
def remote() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {f"{era}-http": stack.enter_context(http_server("everything.py", era)) for era in ("legacy", "modern")}


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    urls = request.getfixturevalue("remote")
    return {
        "own": stdio("everything.py", "legacy", isolation="session"),
        "shared": stdio("everything.py", "legacy", isolation="shared"),
        "modern": stdio("everything.py", "modern"),
        **{name: {"url": url, "isolation": "session"} for name, url in urls.items()},
    }


async def reaches(one: ModernClient, id: str, *wanted: str) -> dict[str, Any]:
    """Polls a task until it has one of these states."""
    with anyio.fail_after(15):
        while (state := await one.request("tasks/get", {"taskId": id}))["status"] not in wanted:
            await anyio.sleep(0.02)
    assert state["taskId"] == id and state["resultType"] == "complete" and "ttlMs" in state and "ttl" not in state
    return state


# Modern clients.


@pytest.mark.parametrize("server", LEGACY)
async def test_a_modern_client_runs_a_task_of_a_legacy_server(gateway: Gateway, server: str) -> None:
    for url, prefix in ((gateway.server_url(server), ""), (gateway.url, f"{server}__")):
        async with ModernClient(url, TASKS) as one:
            discovered = (await one.request("server/discover"))["capabilities"]
            assert EXTENSION in discovered["extensions"] and "tasks" not in discovered
            task = await one.call(f"{prefix}long-job", {"seconds": 0.3})
            assert task["resultType"] == "task" and task["status"] == "working" and task["pollIntervalMs"] == 50
            assert task["taskId"].startswith(prefix)
            result = (await reaches(one, task["taskId"], "completed"))["result"]
            assert result["content"][0]["text"] == "job done"
            failed = await one.call(f"{prefix}long-job", {"fail": True})
            assert (await reaches(one, failed["taskId"], "completed", "failed"))["result"]["isError"] is True
            cancelled = await one.call(f"{prefix}only-task", {"seconds": 60})
            for _ in range(2):
                assert (await one.request("tasks/cancel", {"taskId": cancelled["taskId"]}))["resultType"] == "complete"
            assert (await reaches(one, cancelled["taskId"], "cancelled"))["status"] == "cancelled"


@pytest.mark.parametrize("server", ["own", "legacy-http"])
async def test_a_task_of_a_legacy_server_asks_its_modern_client(gateway: Gateway, server: str) -> None:
    async with ModernClient(gateway.server_url(server), TASKS) as one:
        task = await one.call("long-job", {"ask": True})
        waiting = await reaches(one, task["taskId"], "input_required")
        [(key, request)] = waiting["inputRequests"].items()
        assert request["method"] == "elicitation/create" and request["params"]["message"] == "Go on?"
        # Another call has a process of its own.
        assert (await one.call("add", {"a": 1, "b": 2}))["structuredContent"] == {"sum": 3}
        await one.request("tasks/update", {"taskId": task["taskId"], "inputResponses": {key: ACCEPTED, "other": {}}})
        assert (await reaches(one, task["taskId"], "completed"))["result"]["content"][0]["text"] == "job done"


@pytest.mark.parametrize("server", LEGACY)
async def test_a_modern_client_without_tasks_gets_the_result(gateway: Gateway, server: str) -> None:
    async with ModernClient(gateway.server_url(server), ALL_CAPABILITIES) as one:
        for tool in ("long-job", "only-task"):
            result = await one.call(tool, {"seconds": 0.1})
            assert result["resultType"] == "complete" and result["content"][0]["text"] == "job done"
        with pytest.raises(RPCError) as raised:
            await one.request("tasks/get", {"taskId": "any"})
        assert raised.value.code == -32021
        assert raised.value.data == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}


async def test_a_task_that_is_not_known_is_an_error(gateway: Gateway) -> None:
    for server in (*LEGACY, *MODERN):
        async with ModernClient(gateway.server_url(server), TASKS) as one:
            for method in ("tasks/get", "tasks/cancel"):
                with pytest.raises(RPCError) as raised:
                    await one.request(method, {"taskId": "no-such-task"})
                assert raised.value.code == -32602, (server, method)


@pytest.mark.parametrize("server", [*LEGACY, *MODERN])
async def test_a_modern_client_is_told_of_a_task(gateway: Gateway, server: str) -> None:
    for url, prefix in ((gateway.server_url(server), ""), (gateway.url, f"{server}__")):
        async with ModernClient(url, TASKS) as one:
            task = await one.call(f"{prefix}long-job", {"seconds": 0.5})
            async with one.listen(taskIds=[task["taskId"], f"{prefix}no-such-task"]) as listener:
                assert listener.acknowledged == {"taskIds": [task["taskId"]]}
                told = (await listener.next_of("notifications/tasks"))["params"]
                assert told["taskId"] == task["taskId"] and told["status"] == "completed"
                assert told["result"]["content"][0]["text"] == "job done"
            # A server that clients share can ask none of them.
            if server != "shared":
                asking = await one.call(f"{prefix}long-job", {"ask": True})
                async with one.listen(taskIds=[asking["taskId"]]) as listener:
                    [key] = (await reaches(one, asking["taskId"], "input_required"))["inputRequests"]
                    await one.request("tasks/update", {"taskId": asking["taskId"], "inputResponses": {key: ACCEPTED}})
                    while (told := (await listener.next_of("notifications/tasks"))["params"])["status"] != "completed":
                        assert told["status"] in ("input_required", "working")
    async with ModernClient(gateway.url, ALL_CAPABILITIES) as one:
        with pytest.raises(RPCError) as raised:
            await one.request("subscriptions/listen", {"notifications": {"taskIds": [f"{server}__any"]}})
        assert raised.value.code == -32021


# Clients of 2025-11-25.


@pytest.mark.parametrize("server", MODERN)
async def test_a_client_of_2025_11_25_runs_a_task_of_a_modern_server(gateway: Gateway, server: str) -> None:
    for url, prefix in ((gateway.server_url(server), ""), (gateway.url, f"{server}__")):
        async with RawSession(url) as session:
            initialized = await session.initialize()
            assert "call" in initialized["capabilities"]["tasks"]["requests"]["tools"]
            tools = {tool["name"]: tool for tool in (await session.request("tools/list"))["tools"]}
            assert tools[f"{prefix}add"]["execution"] == {"taskSupport": "optional"}
            task = (await session.call(f"{prefix}long-job", {"seconds": 0.3}, task={"ttl": 60_000}))["task"]
            assert task["status"] == "working" and task["ttl"] == 60_000 and task["pollInterval"] == 50
            assert (await session.request("tasks/get", {"taskId": task["taskId"]}))["status"] in ("working", "completed")
            assert task["taskId"] in [one["taskId"] for one in (await session.request("tasks/list"))["tasks"]]
            result = await session.request("tasks/result", {"taskId": task["taskId"]})
            assert result["content"][0]["text"] == "job done" and result["_meta"][RELATED]["taskId"] == task["taskId"]
            failed = (await session.call(f"{prefix}long-job", {"fail": True}, task={}))["task"]
            assert (await session.request("tasks/result", {"taskId": failed["taskId"]}))["isError"] is True
            assert (await session.request("tasks/get", {"taskId": failed["taskId"]}))["status"] == "failed"
            cancelled = (await session.call(f"{prefix}long-job", {"seconds": 60}, task={}))["task"]
            assert (await session.request("tasks/cancel", {"taskId": cancelled["taskId"]}))["status"] == "cancelled"
            for method in ("tasks/cancel", "tasks/result"):
                with pytest.raises(RPCError) as raised:
                    await session.request(method, {"taskId": cancelled["taskId"]})
                assert raised.value.code == (-32602 if method == "tasks/cancel" else -32603)


@pytest.mark.parametrize("server", MODERN)
async def test_a_call_that_is_answered_at_once_is_a_task_that_is_over(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as session:
        await session.initialize()
        task = (await session.call("long-job", {"quick": True}, task={"ttl": 1000}))["task"]
        assert task["status"] == "completed" and task["ttl"] == 1000
        result = await session.request("tasks/result", {"taskId": task["taskId"]})
        assert result["content"][0]["text"] == "job done" and result["_meta"][RELATED]["taskId"] == task["taskId"]


@pytest.mark.parametrize("server", MODERN)
async def test_a_task_of_a_modern_server_asks_its_client_of_2025_11_25(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as session:
        await session.initialize({"elicitation": {}})
        task = (await session.call("long-job", {"ask": True}, task={}))["task"]
        message = session.message("tasks/result", {"taskId": task["taskId"]})
        async with session.post_stream(message) as stream:
            with anyio.fail_after(15):
                async for received in stream.messages():
                    if received.get("method") == "elicitation/create":
                        assert received["params"]["_meta"][RELATED] == {"taskId": task["taskId"]}
                        await session.respond(received["id"], ACCEPTED)
                    elif received.get("id") == message["id"]:
                        assert received["result"]["content"][0]["text"] == "job done"
                        break


@pytest.mark.parametrize("server", MODERN)
async def test_a_client_of_2025_11_25_is_told_of_its_task(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as session:
        await session.initialize()
        async with session.get_stream() as stream:
            task = (await session.call("long-job", {"seconds": 0.5, "fail": True}, task={}))["task"]
            told = (await first_message(stream, "notifications/tasks/status"))["params"]
            assert (told["taskId"], told["status"]) == (task["taskId"], "failed") and "ttl" in told and "result" not in told


@pytest.mark.parametrize("server", MODERN)
@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25"])
async def test_a_client_that_asks_for_no_task_gets_the_result(gateway: Gateway, server: str, revision: str) -> None:
    async with RawSession(gateway.server_url(server), revision) as session:
        await session.initialize({"elicitation": {}})
        for tool in ("long-job", "only-task"):
            assert (await session.call(tool, {"seconds": 0.1}))["content"][0]["text"] == "job done"


@pytest.mark.parametrize("server", MODERN)
async def test_a_session_does_not_see_the_tasks_of_another(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as one, RawSession(gateway.server_url(server)) as two:
        await one.initialize()
        await two.initialize()
        for arguments in ({"seconds": 0}, {"quick": True}):
            identifier = (await one.call("long-job", arguments, task={}))["task"]["taskId"]
            assert (await two.request("tasks/list"))["tasks"] == []
            for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                with pytest.raises(RPCError) as raised:
                    await two.request(method, {"taskId": identifier})
                assert raised.value.code == -32602
