"""The tasks of 2025-11-25, by hand: the SDK's client has no methods for them."""

from __future__ import annotations

import anyio
import pytest
from gateway import Gateway, everything
from rawhttp import RawSession, RPCError

SERVERS = {"own": everything(isolation="session"), "shared": everything(isolation="shared")}


@pytest.mark.parametrize("server", ["own", "shared"])
async def test_a_call_runs_as_a_task_and_its_result_is_fetched(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as session:
        initialized = await session.initialize()
        assert "call" in initialized["capabilities"]["tasks"]["requests"]["tools"]
        async with session.get_stream():
            created = await session.call("long-job", {"seconds": 0.3}, task={"ttl": 60_000})
            task = created["task"]
            assert task["status"] == "working" and task["ttl"] == 60_000
            assert (await session.request("tasks/get", {"taskId": task["taskId"]}))["status"] in ("working", "completed")
            assert task["taskId"] in [one["taskId"] for one in (await session.request("tasks/list"))["tasks"]]
            # tasks/result waits for the end of the task.
            result = await session.request("tasks/result", {"taskId": task["taskId"]})
            assert result["content"][0]["text"] == "job done"
            assert result["_meta"]["io.modelcontextprotocol/related-task"]["taskId"] == task["taskId"]
            assert (await session.request("tasks/get", {"taskId": task["taskId"]}))["status"] == "completed"
            with anyio.fail_after(10):
                while not (sent := gateway.recorder.sent_to(session.session_id, "notifications/tasks/status")):
                    await anyio.sleep(0.02)
            assert [(one["params"]["taskId"], one["params"]["status"]) for one in sent] == [(task["taskId"], "completed")]


@pytest.mark.parametrize("server", ["own", "shared"])
async def test_a_task_is_cancelled(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.server_url(server)) as session:
        await session.initialize()
        identifier = (await session.call("long-job", {"seconds": 60}, task={}))["task"]["taskId"]
        assert (await session.request("tasks/cancel", {"taskId": identifier}))["status"] == "cancelled"
        assert (await session.request("tasks/get", {"taskId": identifier}))["status"] == "cancelled"
        with pytest.raises(RPCError) as raised:
            await session.request("tasks/cancel", {"taskId": identifier})
        assert raised.value.code == -32602


@pytest.mark.parametrize("server", ["own", "shared"])
async def test_tasks_work_through_the_merged_endpoint(gateway: Gateway, server: str) -> None:
    async with RawSession(gateway.url) as session:
        initialized = await session.initialize()
        assert "tasks" in initialized["capabilities"]
        identifier = (await session.call(f"{server}__long-job", {"seconds": 0}, task={}))["task"]["taskId"]
        result = await session.request("tasks/result", {"taskId": identifier})
        assert result["content"][0]["text"] == "job done"
        assert identifier in [one["taskId"] for one in (await session.request("tasks/list"))["tasks"]]


async def test_an_unknown_task_is_an_error(gateway: Gateway) -> None:
    for url in (gateway.url, gateway.server_url("own")):
        async with RawSession(url) as session:
            await session.initialize()
            for method in ("tasks/get", "tasks/result", "tasks/cancel"):
                with pytest.raises(RPCError) as raised:
                    await session.request(method, {"taskId": "no-such-task"})
                assert raised.value.code == -32602


async def test_a_session_does_not_see_the_tasks_of_another_on_a_shared_server(gateway: Gateway) -> None:
    async with RawSession(gateway.server_url("shared")) as one, RawSession(gateway.server_url("shared")) as two:
        await one.initialize()
        await two.initialize()
        identifier = (await one.call("long-job", {"seconds": 0}, task={}))["task"]["taskId"]
        assert identifier not in [task["taskId"] for task in (await two.request("tasks/list"))["tasks"]]
        with pytest.raises(RPCError):
            await two.request("tasks/result", {"taskId": identifier})
        assert (await one.request("tasks/result", {"taskId": identifier}))["content"][0]["text"] == "job done"
