"""An MCP server that uses everything that the protocol has, in either era, on the official Python SDK.

    everything.py                       serves on stdin and stdout
    everything.py --http PORT           serves Streamable HTTP on 127.0.0.1:PORT/mcp
    everything.py --era legacy          knows the revisions up to 2025-11-25 alone (the default)
    everything.py --era modern          knows revision 2026-07-28 alone
    everything.py --era dual            knows both

EVERYTHING_PAGE_SIZE sets how many entries a page of its lists has (default 5); EVERYTHING_WORLD makes it watch the world (everything_world).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import Any

import anyio
import eras
import everything_asking  # noqa: F401  (registers its tools)
import everything_jobs  # noqa: F401  (registers its tools)
import everything_world as world
import mcp_types as types
from everything_lists import (
    on_completion,
    on_get_prompt,
    on_list_prompts,
    on_list_resource_templates,
    on_list_resources,
    on_list_tools,
    on_read_resource,
    on_subscribe_resource,
    on_unsubscribe_resource,
)
from everything_offers import prompts, resources
from everything_registry import (
    ANNOTATIONS,
    ICON,
    LEVELS,
    PNG,
    WAV,
    bus,
    connection,
    notify,
    prompts_changed,
    resource_updated,
    resources_changed,
    schema,
    state,
    text,
    tool,
    tools,
    tools_changed,
)
from everything_tasks import TaskBoard
from everything_tasks_extension import TaskExtension
from inputs import InputNeeded, Inputs
from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.subscriptions import ListenHandler
from pydantic import ConfigDict

tasks = TaskBoard()


# Tools: content.


@tool("echo", "Returns its arguments", schema(text={"type": "string"}))
async def echo(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(content=[text(str(arguments.get("text", "")))], structured_content=arguments)


@tool(
    "add",
    "Adds two numbers",
    {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]},
    title="Addition",
    output_schema={"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
    annotations=types.ToolAnnotations(
        title="Add", read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
    icons=[ICON],
    meta={"example.org/owner": {"team": "arithmetic"}},
)
async def add(ctx: Any, arguments: dict[str, Any]) -> Any:
    total = arguments["a"] + arguments["b"]
    return types.CallToolResult(content=[text(str(total))], structured_content={"sum": total}, meta={"example.org/cost": 1})


@tool("every-content", "Returns a block of each type of content")
async def every_content(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(
        content=[
            types.TextContent(text="text", annotations=ANNOTATIONS, meta={"example.org/block": 1}),
            types.ImageContent(data=PNG, mime_type="image/png", annotations=ANNOTATIONS),
            types.AudioContent(data=WAV, mime_type="audio/wav"),
            types.ResourceLink(
                uri="everything://text",
                name="text",
                title="Text",
                description="A link",
                mime_type="text/plain",
                size=4,
                icons=[ICON],
                annotations=ANNOTATIONS,
            ),
            types.EmbeddedResource(
                resource=types.TextResourceContents(uri="everything://text", mime_type="text/plain", text="text"),
                annotations=ANNOTATIONS,
            ),
            types.EmbeddedResource(
                resource=types.BlobResourceContents(uri="everything://blob", mime_type="application/octet-stream", blob="AAEC"),
            ),
        ],
        structured_content={"kinds": 6},
        meta={"example.org/trace": "abc"},
    )


@tool("big", "Returns a text of so many characters", schema(size={"type": "integer"}))
async def big(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(content=[text("x" * arguments["size"])])


# Tools: notifications on the way.


@tool("progress", "Reports progress n times", schema(steps={"type": "integer"}, delay={"type": "number"}))
async def progress(ctx: Any, arguments: dict[str, Any]) -> Any:
    steps = arguments.get("steps", 3)
    for step in range(1, steps + 1):
        await ctx.session.report_progress(step, steps, f"step {step}")
        await anyio.sleep(arguments.get("delay", 0))
    return types.CallToolResult(content=[text(f"{steps} steps")])


async def send_log(ctx: Any, level: str, data: Any) -> None:
    threshold = state.log_level.get(id(connection(ctx)), "debug")
    if LEVELS.index(level) >= LEVELS.index(threshold):
        await ctx.session.send_log_message(level, data, logger="everything", related_request_id=ctx.request_id)


@tool("log", "Logs one message of each level")
async def log(ctx: Any, arguments: dict[str, Any]) -> Any:
    for level in LEVELS:
        await send_log(ctx, level, {"level": level, "marker": arguments.get("marker")})
    return types.CallToolResult(content=[text("logged")])


@tool("notify-custom", "Sends a notification that the specification does not know")
async def notify_custom(ctx: Any, arguments: dict[str, Any]) -> Any:
    await notify(ctx, "notifications/x/custom", {"payload": arguments})
    return types.CallToolResult(content=[text("sent")])


# Tools: time and failure.


@tool("slow", "Takes so many seconds", schema(seconds={"type": "number"}, marker={"type": "string"}))
async def slow(ctx: Any, arguments: dict[str, Any]) -> Any:
    world.note("started", str(arguments.get("marker")))
    try:
        await anyio.sleep(arguments["seconds"])
    except anyio.get_cancelled_exc_class():
        state.cancelled.append(str(arguments.get("marker")))
        world.note("cancelled", str(arguments.get("marker")))
        raise
    return types.CallToolResult(content=[text("done")])


@tool("fail", "Answers with isError")
async def fail(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(content=[text("it failed")], is_error=True)


@tool("protocol-error", "Answers with a JSON-RPC error")
async def protocol_error(ctx: Any, arguments: dict[str, Any]) -> Any:
    raise MCPError(code=-32050, message="a protocol error", data={"why": ["because", 1]})


@tool("crash", "Ends the process", schema(how={"enum": ["exit", "kill"]}))
async def crash(ctx: Any, arguments: dict[str, Any]) -> Any:
    print("about to crash: the last words", file=sys.stderr, flush=True)
    if arguments.get("how") == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(3)


# Tools: what the process is and was told.


@tool("pid", "The process and its number of calls of `count`")
async def pid(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(content=[text(str(os.getpid()))], structured_content={"pid": os.getpid(), "count": state.counter})


@tool("count", "Counts its calls")
async def count(ctx: Any, arguments: dict[str, Any]) -> Any:
    state.counter += 1
    return types.CallToolResult(content=[text(str(state.counter))], structured_content={"count": state.counter})


@tool("environment", "A variable of the environment, and the working directory", schema(name={"type": "string"}))
async def environment(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(
        content=[text(os.environ.get(arguments["name"], ""))],
        structured_content={"value": os.environ.get(arguments["name"]), "directory": os.getcwd()},
    )


@tool("memory", "What the server noted: cancelled calls, custom notifications, changes of roots, the client")
async def memory(ctx: Any, arguments: dict[str, Any]) -> Any:
    params = ctx.session.client_params
    listening = [one.model_dump(by_alias=True, mode="json", exclude_none=True) for one in state.listening]
    return types.CallToolResult(
        content=[text("memory")],
        structured_content={
            "cancelled": state.cancelled,
            "notes": state.notes,
            "rootsChanged": state.roots_changed,
            "client": params.model_dump(by_alias=True, mode="json", exclude_none=True) if params else None,
            "logLevel": state.log_level.get(id(connection(ctx))),
            "subscriptions": sorted(uri for uri, subscribers in state.subscriptions.items() if subscribers),
            "listening": listening,
            "revision": ctx.protocol_version,
            "meta": dict(ctx.meta or {}),
        },
    )


# Tools: changes that clients hear of.


@tool("touch", "Changes a resource", schema(uri={"type": "string"}))
async def touch(ctx: Any, arguments: dict[str, Any]) -> Any:
    uri = arguments.get("uri", "everything://counter")
    state.resource_versions[uri] += 1
    await resource_updated(uri)
    return types.CallToolResult(content=[text(str(state.resource_versions[uri]))])


@tool("grow", "Adds a tool, a prompt or a resource", schema(kind={"enum": ["tool", "prompt", "resource"]}, name={"type": "string"}))
async def grow(ctx: Any, arguments: dict[str, Any]) -> Any:
    kind, name = arguments["kind"], arguments["name"]
    if kind == "tool":
        tool(name, "Grown")(echo)
        await tools_changed(ctx)
    elif kind == "prompt":
        prompts[name] = types.Prompt(name=name, description="Grown")
        await prompts_changed(ctx)
    else:
        resources.append(types.Resource(uri=f"everything://{name}", name=name))
        await resources_changed(ctx)
    return types.CallToolResult(content=[text("grown")])


@tool("shrink", "Removes a tool", schema(name={"type": "string"}))
async def shrink(ctx: Any, arguments: dict[str, Any]) -> Any:
    tools.pop(arguments["name"], None)
    await tools_changed(ctx)
    return types.CallToolResult(content=[text("shrunk")])


async def on_call_tool(ctx: Any, params: types.CallToolRequestParams) -> Any:
    if params.name not in tools:
        raise MCPError(code=-32602, message=f"unknown tool {params.name!r}")
    entry, arguments = tools[params.name], params.arguments or {}
    if not entry.asks:
        return await entry.handler(ctx, arguments)
    try:
        return await entry.handler(ctx, arguments, Inputs(ctx, params, params.name))
    except InputNeeded as needed:
        return needed.result


async def on_set_logging_level(ctx: Any, params: types.SetLevelRequestParams) -> types.EmptyResult:
    state.log_level[id(connection(ctx))] = params.level
    return types.EmptyResult()


async def on_initialized(ctx: Any, params: Any) -> None:
    state.connections[id(connection(ctx))] = connection(ctx)


async def on_roots_list_changed(ctx: Any, params: Any) -> None:
    state.roots_changed += 1


# What the specification does not know.


class AnyParams(types.RequestParams):
    model_config = ConfigDict(extra="allow")


class AnyNotificationParams(types.NotificationParams):
    model_config = ConfigDict(extra="allow")


async def custom(ctx: Any, params: AnyParams) -> dict[str, Any]:
    return {"custom": params.model_extra, "x-known": True}


async def note(ctx: Any, params: AnyNotificationParams) -> None:
    state.notes.append(params.model_extra)


@asynccontextmanager
async def lifespan(_: Any) -> Any:
    async with anyio.create_task_group() as group:
        tasks.group = group
        group.start_soon(world.watch)
        yield {}
        group.cancel_scope.cancel()


listen = ListenHandler(bus)


async def on_subscriptions_listen(ctx: Any, params: types.SubscriptionsListenRequestParams) -> types.SubscriptionsListenResult:
    state.listening.append(params.notifications)
    try:
        return await listen(ctx, params)
    finally:
        state.listening.remove(params.notifications)


server: Server[Any] = Server(
    "everything",
    version="1.2.3",
    title="Everything",
    instructions="Use everything.",
    website_url="https://example.org/everything",
    icons=[ICON],
    lifespan=lifespan,
    on_list_tools=on_list_tools,
    on_call_tool=on_call_tool,
    on_list_resources=on_list_resources,
    on_list_resource_templates=on_list_resource_templates,
    on_read_resource=on_read_resource,
    on_subscribe_resource=on_subscribe_resource,
    on_unsubscribe_resource=on_unsubscribe_resource,
    on_list_prompts=on_list_prompts,
    on_get_prompt=on_get_prompt,
    on_completion=on_completion,
    on_set_logging_level=on_set_logging_level,
    on_roots_list_changed=on_roots_list_changed,
    on_subscriptions_listen=on_subscriptions_listen,
    cache_hints={
        "server/discover": CacheHint(60_000, "public"),
        "tools/list": CacheHint(60_000, "public"),
        "prompts/list": CacheHint(30_000, "private"),
        "resources/list": CacheHint(0, "private"),
        "resources/templates/list": CacheHint(60_000, "public"),
        "resources/read": CacheHint(5_000, "private"),
    },
)
server.add_request_handler("x/custom", AnyParams, custom)
server.add_notification_handler("notifications/x/note", AnyNotificationParams, note)
server.add_notification_handler("notifications/initialized", types.NotificationParams, on_initialized)
tasks.install(server, on_call_tool)
TaskExtension(server, on_call_tool, lambda: tasks.group)
_options = server.create_initialization_options


def initialization_options(*_: Any, **__: Any) -> Any:
    options = _options(
        NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True),
        experimental_capabilities={"example.org/everything": {"on": True}},
        # The extensions are of 2026-07-28.
        extensions={},
    )
    options.capabilities.tasks = TaskBoard.capability
    return options


# The HTTP session manager asks the server for them.
server.create_initialization_options = initialization_options  # type: ignore[method-assign]


if __name__ == "__main__":
    chosen = eras.arguments()
    eras.serve(server, chosen.era, chosen.http, initialization_options())
