"""The features of the matrix: what a client does with a server that uses everything, once for every revision.

Each takes a `Peer` and asserts. It may wait a few seconds for what must come by itself, never for what must not.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from clients import ROOTS, AnyParams, AnyResult, all_pages, texts
from mcp import MCPError
from peers import TRACE, Peer

PATIENCE = 8.0
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
_numbers = itertools.count(1)

Feature = Callable[[Peer, Path], Awaitable[None]]
FEATURES: dict[str, Feature] = {}


def feature(name: str) -> Callable[[Feature], Feature]:
    def register(function: Feature) -> Feature:
        FEATURES[name] = function
        return function

    return register


def unique(what: str) -> str:
    return f"{what}-{next(_numbers)}"


def happens(world: Path, **change: str) -> None:
    """Something changes in the world, which every process of the server sees."""
    with (world / "changes").open("a") as file:
        file.write(json.dumps(change) + "\n")


def is_noted(world: Path, what: str, marker: str) -> bool:
    """Whether a server wrote that a call has started, or was cancelled."""
    path = world / what
    return path.exists() and marker in path.read_text().splitlines()


async def refused(awaitable: Awaitable[Any]) -> types.ErrorData:
    with pytest.raises(MCPError) as raised:
        await awaitable
    return raised.value.error


async def until(what: str, condition: Callable[[], Any], timeout: float = PATIENCE) -> None:
    with anyio.move_on_after(timeout):
        while not condition():
            await anyio.sleep(0.02)
    assert condition(), f"not within {timeout} s: {what}"


# Connecting.


@feature("discover or initialize")
async def discover(peer: Peer, world: Path) -> None:
    client = peer.client
    assert client.protocol_version == peer.kind.revision
    capabilities = client.server_capabilities
    assert capabilities.tools is not None and capabilities.prompts is not None
    assert capabilities.resources is not None and capabilities.resources.subscribe
    assert capabilities.logging is not None and capabilities.completions is not None


@feature("ping")
async def ping(peer: Peer, world: Path) -> None:
    assert await peer.client.send_ping() is not None


@feature("unknown method")
async def unknown_method(peer: Peer, world: Path) -> None:
    error = await refused(peer.client.session.send_request(types.Request[Any, Any](method="x/no", params=AnyParams()), AnyResult))
    assert error.code == -32601


# Tools.


@feature("tools list")
async def tools_list(peer: Peer, world: Path) -> None:
    tools = {tool.name: tool for tool in await all_pages(peer.client.list_tools, "tools")}
    add = tools[peer.named("add")]
    assert add.description == "Adds two numbers" and add.input_schema["required"] == ["a", "b"]


@feature("pagination")
async def pagination(peer: Peer, world: Path) -> None:
    first = await peer.client.list_tools(cache_mode="bypass")
    assert first.next_cursor is not None and 0 < len(first.tools) < 12
    names = [tool.name for tool in await all_pages(peer.client.list_tools, "tools")]
    assert len(names) > 15 and len(set(names)) == len(names)
    error = await refused(peer.client.list_tools(cursor="nonsense", cache_mode="bypass"))
    assert error.code == -32602


@feature("tools call")
async def tools_call(peer: Peer, world: Path) -> None:
    if peer.kind.revision < "2025-06-18":
        # What a server says passes as it is, and this one says what the older revisions have no types for.
        assert texts(await peer.call("echo", {"text": "said"})) == ["said"]
        return
    result = await peer.call("every-content")
    assert [block.type for block in result.content] == ["text", "image", "audio", "resource_link", "resource", "resource"]
    assert result.meta["example.org/trace"] == "abc"


@feature("structured content")
async def structured_content(peer: Peer, world: Path) -> None:
    result = await peer.call("add", {"a": 1, "b": 2})
    assert result.structured_content == {"sum": 3} and texts(result) == ["3"]


@feature("error result")
async def error_result(peer: Peer, world: Path) -> None:
    result = await peer.call("fail")
    assert result.is_error and texts(result) == ["it failed"]


@feature("protocol error")
async def protocol_error(peer: Peer, world: Path) -> None:
    error = await refused(peer.call("protocol-error"))
    assert (error.code, error.message, error.data) == (-32050, "a protocol error", {"why": ["because", 1]})


@feature("unknown tool")
async def unknown_tool(peer: Peer, world: Path) -> None:
    assert (await refused(peer.call("nothing-of-the-kind"))).code == -32602


@feature("unicode")
async def unicode(peer: Peer, world: Path) -> None:
    arguments = {"text": "ü \u2028 \u0000 \U0001f600 \\ \" \u202e", "ключ": ["\ud7ff", 1.5, None, 2**53]}
    assert (await peer.call("echo", arguments)).structured_content == arguments


@feature("big result")
async def big_result(peer: Peer, world: Path) -> None:
    assert len(texts(await peer.call("big", {"size": 1_000_000}))[0]) == 1_000_000


@feature("trace context")
async def trace_context(peer: Peer, world: Path) -> None:
    meta = (await peer.call("memory", meta={**TRACE, "example.org/own": {"id": 1}})).structured_content["meta"]
    assert {name: meta[name] for name in TRACE} == TRACE and meta["example.org/own"] == {"id": 1}


@feature("parameters in headers")
async def parameters_in_headers(peer: Peer, world: Path) -> None:
    # The SDK's client mirrors what it has seen in the list.
    await all_pages(peer.client.list_tools, "tools")
    arguments = {"region": "Zürich", "level": 3, "dry": True, "where": {"zone": "a"}, "body": "x"}
    result = (await peer.call("routed", arguments)).structured_content
    assert result["arguments"] == arguments
    if result["headers"].get("mcp-protocol-version") == "2026-07-28":
        mirrored = {name: value for name, value in result["headers"].items() if name.startswith("mcp-param-")}
        assert mirrored == {
            "mcp-param-region": "=?base64?WsO8cmljaA==?=", "mcp-param-level": "3", "mcp-param-dry-run": "true", "mcp-param-zone": "a",
        }  # fmt: skip


# On the way.


@feature("progress")
async def progress(peer: Peer, world: Path) -> None:
    seen: list[Any] = []

    async def on_progress(*values: Any) -> None:
        seen.append(values)

    await peer.call("progress", {"steps": 3}, progress_callback=on_progress)
    assert seen == [(step, 3, f"step {step}") for step in (1, 2, 3)]


@feature("logging")
async def logging(peer: Peer, world: Path) -> None:
    marker, logs = unique("log"), peer.seen.logs

    def of(wanted: str) -> list[str]:
        return [one.level for one in logs if one.data.get("marker") == wanted]

    if peer.kind.is_modern:
        await peer.call("log", {"marker": marker}, meta={LOG_LEVEL: "warning"})
    else:
        await peer.client.set_logging_level("warning")
        await peer.call("log", {"marker": marker})
    await until("the log messages", lambda: len(of(marker)) >= 5)
    assert of(marker) == ["warning", "error", "critical", "alert", "emergency"]
    if peer.kind.is_modern:
        silent = unique("log")
        await peer.call("log", {"marker": silent})
        assert of(silent) == []


@feature("cancellation")
async def cancellation(peer: Peer, world: Path) -> None:
    marker = unique(f"cancelled-{peer.kind.name}-{world.name}")
    async with anyio.create_task_group() as group:
        group.start_soon(peer.call, "slow", {"seconds": 60, "marker": marker})
        await until("the call is at the server", lambda: is_noted(world, "started", marker), 30)
        group.cancel_scope.cancel()
    await until("the server notices", lambda: is_noted(world, "cancelled", marker))
    assert texts(await peer.call("add", {"a": 1, "b": 1})) == ["2"]


# Resources.


@feature("resources list")
async def resources_list(peer: Peer, world: Path) -> None:
    resources = {str(one.uri): one for one in await all_pages(peer.client.list_resources, "resources")}
    assert {"everything://text", "everything://blob", "everything://page/8"} <= resources.keys()


@feature("resources read")
async def resources_read(peer: Peer, world: Path) -> None:
    text = (await peer.client.read_resource("everything://text")).contents[0]
    blob = (await peer.client.read_resource("everything://blob")).contents[0]
    assert text.text == "text" and text.meta == {"example.org/contents": 1} and blob.blob == "AAECAwQ="


@feature("resource templates")
async def resource_templates(peer: Peer, world: Path) -> None:
    found = await all_pages(peer.client.list_resource_templates, "resource_templates")
    assert "everything://item/{name}" in [one.uri_template for one in found]
    assert (await peer.client.read_resource("everything://item/b%C3%A4r")).contents[0].text == "item b%C3%A4r"


@feature("missing resource")
async def missing_resource(peer: Peer, world: Path) -> None:
    error = await refused(peer.client.read_resource("everything://nothing"))
    # -32002 until 2025-11-25; 2026-07-28 has no code of its own for it (server/resources, "Error Handling").
    assert error.code == (-32602 if peer.kind.is_modern else -32002)
    assert error.data == {"uri": "everything://nothing"}


@feature("resource updated")
async def resource_updated(peer: Peer, world: Path) -> None:
    uri = f"everything://{unique('watched')}"
    if peer.kind.is_modern:
        async with peer.client.listen(resource_subscriptions=[uri]) as listening:
            assert listening.honored.resource_subscriptions == [uri]
            happens(world, uri=uri)
            with anyio.fail_after(PATIENCE):
                assert (await anext(aiter(listening))).uri == uri
        return
    await peer.client.subscribe_resource(uri)
    happens(world, uri=uri)

    def updates() -> list[Any]:
        return [one for one in peer.seen.notifications if isinstance(one, types.ResourceUpdatedNotification)]

    await until("the update", lambda: [one for one in updates() if str(one.params.uri) == uri])
    await peer.client.unsubscribe_resource(uri)


async def changed(peer: Peer, world: Path, kind: str, notification: type) -> str:
    """Lets a list grow and waits until the client hears of it; the name of what is new."""
    name = unique(f"grown-{peer.kind.name}")
    if peer.kind.is_modern:
        async with peer.client.listen(**{f"{kind}s_list_changed": True}) as listening:
            happens(world, **{kind: name})
            with anyio.fail_after(PATIENCE):
                await anext(aiter(listening))
        return name
    before = len([one for one in peer.seen.notifications if isinstance(one, notification)])
    happens(world, **{kind: name})
    await peer.seen.wait_for(notification, before + 1, timeout=PATIENCE)
    return name


async def is_listed(list_method: Any, key: str, name: str) -> None:
    async def names() -> list[str]:
        try:
            return [one.name for one in await all_pages(list_method, key)]
        except MCPError as error:
            # The list changed between two of its pages.
            assert error.error.code == -32602
            return []

    with anyio.fail_after(PATIENCE):
        while name not in await names():
            await anyio.sleep(0.1)


@feature("tools changed")
async def tools_changed(peer: Peer, world: Path) -> None:
    name = await changed(peer, world, "tool", types.ToolListChangedNotification)
    await is_listed(peer.client.list_tools, "tools", peer.named(name))
    assert texts(await peer.call(name)) == ["grown"]


@feature("prompts changed")
async def prompts_changed(peer: Peer, world: Path) -> None:
    name = await changed(peer, world, "prompt", types.PromptListChangedNotification)
    await is_listed(peer.client.list_prompts, "prompts", peer.named(name))


@feature("resources changed")
async def resources_changed(peer: Peer, world: Path) -> None:
    name = await changed(peer, world, "resource", types.ResourceListChangedNotification)
    await is_listed(peer.client.list_resources, "resources", name)


# Prompts and completion.


@feature("prompts list")
async def prompts_list(peer: Peer, world: Path) -> None:
    prompts = {one.name: one for one in await all_pages(peer.client.list_prompts, "prompts")}
    assert [one.name for one in prompts[peer.named("greet")].arguments] == ["name", "style"]


@feature("prompts get")
async def prompts_get(peer: Peer, world: Path) -> None:
    result = await peer.client.get_prompt(peer.named("greet"), {"name": "Ann", "style": "Hey"})
    assert result.messages[0].content.text == "Hey, Ann"
    assert (await refused(peer.client.get_prompt(peer.named("nothing")))).code == -32602


@feature("completion")
async def completion(peer: Peer, world: Path) -> None:
    reference = types.PromptReference(name=peer.named("greet"))
    result = await peer.client.complete(reference, {"name": "style", "value": "He"})
    assert result.completion.values == ["Hello", "Hey"]
    template = types.ResourceTemplateReference(uri="everything://item/{name}")
    assert (await peer.client.complete(template, {"name": "name", "value": "ap"})).completion.values == ["apple", "apricot"]


# Tasks.


class TaskRequest(types.Request[Any, Any]):
    """A request about a task, which the SDK has no type for."""

    name_param = "taskId"


@feature("task")
async def task(peer: Peer, world: Path) -> None:
    assert peer.kind.revision >= "2025-11-25", "tasks came with 2025-11-25"

    session = peer.client.session

    async def ask(method: str, **params: Any) -> dict[str, Any]:
        if method == "tools/call" and not peer.kind.is_modern:
            # The SDK's client would take a CreateTaskResult for a CallToolResult that is broken.
            data: dict[str, Any] = {"params": params}
            options: dict[str, Any] = {}
            session._stamp(data, options)
            return await session._dispatcher.send_raw_request(method, data["params"], options)
        kind = types.Request[Any, Any] if method == "tools/call" else TaskRequest
        result = await session.send_request(kind(method=method, params=AnyParams(**params)), AnyResult)
        return result.model_dump(by_alias=True, mode="json")

    call = {"name": peer.named("long-job"), "arguments": {"seconds": 0.05}}
    if peer.kind.is_modern:
        created = await ask("tools/call", **call)
        assert created["resultType"] == "task" and created["status"] == "working"
        with anyio.fail_after(PATIENCE):
            while (state := await ask("tasks/get", taskId=created["taskId"]))["status"] == "working":
                await anyio.sleep(0.05)
        assert state["status"] == "completed" and state["result"]["content"][0]["text"] == "job done"
        return
    created = (await ask("tools/call", **call, task={"ttl": 60_000}))["task"]
    assert created["status"] == "working"
    result = await ask("tasks/result", taskId=created["taskId"])
    assert result["content"][0]["text"] == "job done"
    assert (await ask("tasks/get", taskId=created["taskId"]))["status"] == "completed"


# Asking the client.


@feature("sampling")
async def sampling(peer: Peer, world: Path) -> None:
    prompt = unique("prompt")
    result = await peer.call("ask-model", {"prompt": prompt})
    assert texts(result) == [f"answer to {prompt}"] and result.structured_content == {"model": "test-model", "role": "assistant"}
    asked = peer.seen.sampling[-1]
    assert (asked.system_prompt, asked.max_tokens, asked.stop_sequences) == ("Be brief.", 100, ["END"])
    assert asked.model_preferences.hints[0].name == "small"


@feature("elicitation by form")
async def elicitation_by_form(peer: Peer, world: Path) -> None:
    result = await peer.call("ask-user")
    assert result.structured_content == {"action": "accept", "content": {"name": "Ann", "age": 42, "agree": True}}
    assert peer.seen.elicitations[-1].requested_schema["required"] == ["name"]


@feature("elicitation by page")
async def elicitation_by_page(peer: Peer, world: Path) -> None:
    assert texts(await peer.call("ask-user-url", {"id": unique("e")})) == ["accept"]
    assert peer.seen.elicitations[-1].url == "https://example.org/sign-in"


@feature("a page before the call")
async def page_before_the_call(peer: Peer, world: Path) -> None:
    arguments = {"id": unique(f"page-{peer.kind.name}-{world.name}")}
    try:
        result = await peer.call("need-url", arguments)
    except MCPError as error:
        # The way of 2025-11-25: the client shows the page and calls again.
        assert not peer.kind.is_modern and error.error.code == -32042
        assert error.error.data["elicitations"][0]["url"] == "https://example.org/sign-in"
        result = await peer.call("need-url", arguments)
    assert texts(result) == ["accept"]


@feature("roots")
async def roots(peer: Peer, world: Path) -> None:
    assert texts(await peer.call("list-roots")) == [str(root.uri) for root in ROOTS]


@feature("rounds of input")
async def rounds_of_input(peer: Peer, world: Path) -> None:
    assert texts(await peer.call("ask-in-rounds")) == ["Ann", "answer to A poem about Ann", "accept"]


@feature("several inputs at once")
async def several_inputs_at_once(peer: Peer, world: Path) -> None:
    assert texts(await peer.call("ask-all-at-once")) == ["Ann", "answer to A greeting", str(len(ROOTS))]


@feature("progress around an input")
async def progress_around_an_input(peer: Peer, world: Path) -> None:
    seen: list[float] = []

    async def on_progress(value: float, *_: Any) -> None:
        seen.append(value)

    assert texts(await peer.call("ask-after-progress", progress_callback=on_progress)) == ["accept"]
    # A modern server is asked again from the start.
    assert seen in ([1, 2], [1, 1, 2])
