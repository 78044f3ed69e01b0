"""Calls that are in progress when the instance that works on them is gone: those that may be worked on twice are, the others end in an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import mcp_types as types
import pytest
from chaos_account import Ledger
from clients import Seen, sdk_client
from cluster import Cluster, Instance
from conformance import MODERN
from gateway import HERE, PYTHON, Gateway
from limit_checks import counted, limit
from mcp import MCPError
from rawhttp import RawSession, ResilientCall, Stream

pytestmark = [pytest.mark.binary, pytest.mark.timeout(120)]
Start = Callable[..., Gateway]
STEPS = 30


def ledger_server(path: Path, **settings: Any) -> dict[str, Any]:
    return {"command": PYTHON, "args": ["-S", "-E", str(HERE / "servers/ledger.py")], "env": {"LEDGER": str(path)}, **settings}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger(tmp_path_factory.mktemp("ledger") / "ledger")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, ledger: Ledger) -> Iterator[Cluster]:
    servers = {"shared": ledger_server(ledger.path), "own": ledger_server(ledger.path, isolation="session")}
    with Cluster(
        tmp_path_factory.mktemp("cluster"), config={"mcpServers": servers, "gateway": {"drainTimeout": "1s"}}, redis="single",
        balance="round_robin", affinity=False, nginx_options=("--workers", "1"),
    ) as cluster:  # fmt: skip
        yield cluster


def executions(ledger: Ledger, call: int) -> list[dict[str, Any]]:
    return [entry for entry in ledger.entries() if entry["call"] == call]


def home(cluster: Cluster, ledger: Ledger, call: int) -> Instance:
    """The instance that works on a call."""
    pid = executions(ledger, call)[-1]["instance"]
    return next(instance for instance in cluster.instances if instance.is_running and instance.pid == pid)


async def kill(instance: Instance) -> None:
    await anyio.to_thread.run_sync(instance.kill)


async def start(instance: Instance) -> None:
    await anyio.to_thread.run_sync(instance.start)


async def until_progress(seen: Seen, count: int) -> None:
    with anyio.fail_after(20):
        while len(seen.progress) < count:
            await anyio.sleep(0.01)


def arguments(call: int) -> dict[str, Any]:
    return {"client": "test", "call": call, "steps": STEPS, "pause": 0.1}


@pytest.mark.parametrize("server", ["shared", "own"])
async def test_the_sdk_gets_the_result_of_a_call_whose_instance_was_killed(cluster: Cluster, ledger: Ledger, server: str) -> None:
    seen, call = Seen(), 100 + len(server)
    async with sdk_client(cluster.url) as client:
        await client.list_tools()
        results: list[Any] = []

        async def scan() -> None:
            results.append(await client.call_tool(f"{server}__scan", arguments(call), progress_callback=seen.on_progress))

        async with anyio.create_task_group() as group:
            group.start_soon(scan)
            await until_progress(seen, 3)
            killed = home(cluster, ledger, call)
            await kill(killed)
        assert results[0].structured_content == {"call": call}
        # As if nothing had happened: nothing is told twice.
        assert [progress for progress, _, _ in seen.progress] == list(range(1, STEPS + 1))
        assert len({entry["instance"] for entry in executions(ledger, call)}) == len(executions(ledger, call)) == 2
        await start(killed)


async def test_the_sdk_gets_an_error_for_a_call_that_must_not_be_worked_on_twice(cluster: Cluster, ledger: Ledger) -> None:
    seen = Seen()
    async with sdk_client(cluster.url) as client:
        await client.list_tools()
        errors: list[MCPError] = []

        async def steps() -> None:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("shared__steps", arguments(200), progress_callback=seen.on_progress)
            errors.append(caught.value)

        async with anyio.create_task_group() as group:
            group.start_soon(steps)
            await until_progress(seen, 3)
            killed = home(cluster, ledger, 200)
            await kill(killed)
        assert "outcome of this request is unknown" in str(errors[0])
        assert len(executions(ledger, 200)) == 1
        await start(killed)


async def test_several_that_resume_at_once_at_several_instances_let_a_call_be_repeated_once(cluster: Cluster, ledger: Ledger) -> None:
    seen: list[dict[str, Any]] = []
    async with RawSession(cluster.instances[0].url) as session:
        await session.initialize()
        meta = {"progressToken": "t"}
        call = session.message("tools/call", {"name": "shared__scan", "arguments": arguments(300), "_meta": meta})
        async with session.post_stream(call) as stream:
            async for message in stream.messages():
                seen.append(message)
                if len(seen) == 3:
                    break
            last = stream.last_id
        await kill(cluster.instances[0])

        async def resume(instance: Instance, streams: list[Stream]) -> None:
            async with RawSession(instance.url) as other:
                other.session_id = session.session_id
                async with other.get_stream(last) as stream:
                    streams.append(stream)
                    async for event in stream:
                        if event.data and "method" not in event.message:
                            return

        streams: list[Stream] = []
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for instance in [*cluster.instances[1:], *cluster.instances[1:]]:
                    group.start_soon(resume_quietly, resume, instance, streams)
        # The newest connection has the stream; it has all of it behind the position that it named.
        whole = [stream for stream in streams if any(event.data and "result" in event.message for event in stream.events)]
        assert len(whole) == 1
        told = [event.message for event in whole[0].events if event.data]
        progress = [message["params"]["progress"] for message in [*seen, *told] if "method" in message]
        assert progress == list(range(1, STEPS + 1))
        assert [message["result"]["structuredContent"] for message in told if "result" in message] == [{"call": 300}]
        numbers = [int(event.id.rpartition(".")[2]) for event in whole[0].events if event.id and event.data]
        assert numbers == list(range(4, STEPS + 2))
        assert len(executions(ledger, 300)) == 2
        await start(cluster.instances[0])


async def resume_quietly(resume: Callable[..., Any], *arguments: Any) -> None:
    """A connection that another one takes the stream from breaks off."""
    try:
        await resume(*arguments)
    except httpx.TransportError:
        pass


async def test_a_call_that_takes_longer_than_an_instance_may_drain_is_gone_on_with_elsewhere(cluster: Cluster, ledger: Ledger) -> None:
    seen = Seen()
    async with sdk_client(cluster.url) as client:
        await client.list_tools()
        results: list[Any] = []

        async def scan() -> None:
            results.append(await client.call_tool("shared__scan", arguments(500), progress_callback=seen.on_progress))

        async with anyio.create_task_group() as group:
            group.start_soon(scan)
            await until_progress(seen, 3)
            stopped = home(cluster, ledger, 500)
            assert await anyio.to_thread.run_sync(stopped.terminate, 20) == 0
        assert results[0].structured_content == {"call": 500}
        assert [progress for progress, _, _ in seen.progress] == list(range(1, STEPS + 1))
        assert len(executions(ledger, 500)) == 2
        await start(stopped)


@pytest.mark.parametrize(
    ("tool", "call", "questions", "repeats"), [("confirm", 600, 1, True), ("confirm", 602, 3, True), ("ask", 601, 1, False)]
)
async def test_what_a_modern_client_answered_is_good_for_whoever_works_on_its_call_next(
    cluster: Cluster, ledger: Ledger, tool: str, call: int, questions: int, repeats: bool
) -> None:
    asked: list[Any] = []
    killed: list[Instance] = []

    async def on_elicitation(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params)
        if len(asked) == questions:
            # The one that waits for the answer.
            killed.extend(instance for instance in cluster.instances if parked(instance) == 1)
            await kill(killed[0])
        return types.ElicitResult(action="accept", content={"name": "Ann"})

    async with sdk_client(cluster.url, mode=MODERN, elicitation_callback=on_elicitation) as client:
        await client.list_tools()
        work = client.call_tool(f"own__{tool}", {"client": "test", "call": call, "questions": questions})
        if repeats:
            assert (await work).structured_content == {"call": call, "answer": "Ann"}
            assert len(executions(ledger, call)) == 1
        else:
            with pytest.raises(MCPError, match="what it did is unknown"):
                await work
            assert not executions(ledger, call)
        # Nobody is asked twice.
        assert len({question.message for question in asked}) == len(asked) == questions
        assert len(killed) == 1
        await start(killed[0])


def parked(instance: Instance) -> float:
    text = httpx.get(f"{instance.base_url}/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("mcp_parked_exchanges "))


@pytest.mark.parametrize(("tool", "repeats"), [("scan", True), ("steps", False)])
async def test_the_same_holds_over_a_restart_of_one_gateway(start_gateway: Start, tmp_path: Path, tool: str, repeats: bool) -> None:
    ledger, seen = Ledger(tmp_path / "ledger"), Seen()
    gateway = start_gateway({"shared": ledger_server(ledger.path)})
    async with sdk_client(gateway.url) as client:
        await client.list_tools()
        outcomes: list[Any] = []

        async def work() -> None:
            try:
                outcomes.append(await client.call_tool(f"shared__{tool}", arguments(400), progress_callback=seen.on_progress))
            except MCPError as error:
                outcomes.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await until_progress(seen, 3)
            await anyio.to_thread.run_sync(gateway.restart, "kill")
        if repeats:
            assert outcomes[0].structured_content == {"call": 400}
            assert [progress for progress, _, _ in seen.progress] == list(range(1, STEPS + 1))
        else:
            assert "outcome of this request is unknown" in str(outcomes[0])
        assert len(executions(ledger, 400)) == (2 if repeats else 1)


@limit("streams.maxRepetitions")
async def test_a_call_that_is_there_whenever_the_gateway_ends_is_not_begun_again_for_ever(start_gateway: Start, tmp_path: Path) -> None:
    ledger, gateway = await cut_off(start_gateway, tmp_path, "kill", ends=3, maxRepetitions=1)
    # Twice begun, the second time again; after the second end its client got the error.
    assert len(executions(ledger, 700)) == 2
    counted(gateway, "streams.maxRepetitions")


async def test_a_call_that_takes_longer_than_its_only_gateway_may_drain_is_gone_on_with_by_the_next_process(
    start_gateway: Start, tmp_path: Path
) -> None:
    await cut_off(start_gateway, tmp_path, "terminate", ends=3, maxRepetitions=1)


async def cut_off(start_gateway: Start, directory: Path, how: str, ends: int, **streams: Any) -> tuple[Ledger, Gateway]:
    """A gateway that ends several times while it works on a call; `kill` in the end brings the error, `terminate` the result."""
    ledger = Ledger(directory / "ledger")
    gateway = start_gateway({"shared": ledger_server(ledger.path)}, {"drainTimeout": "500ms", "streams": streams})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        meta = {"progressToken": "t"}
        call = ResilientCall(
            session, session.message("tools/call", {"name": "shared__scan", "arguments": arguments(700), "_meta": meta})
        )
        async with anyio.create_task_group() as group:
            group.start_soon(call.run)
            for end in range(1, ends + 1):
                with anyio.fail_after(20):
                    while len(executions(ledger, 700)) < end and not call.answers:
                        await anyio.sleep(0.01)
                if call.answers:
                    break
                # Its stream has begun: there is an id to resume from.
                with anyio.fail_after(20):
                    while not call.progress:
                        await anyio.sleep(0.01)
                await anyio.to_thread.run_sync(gateway.restart, how)
        if how == "kill":
            assert "outcome of this request is unknown" in call.answers[0]["error"]["message"]
        else:
            assert call.answers[0]["result"]["structuredContent"] == {"call": 700}
            assert len(executions(ledger, 700)) == ends + 1
            assert call.progress == list(range(1, STEPS + 1))
    return ledger, gateway
