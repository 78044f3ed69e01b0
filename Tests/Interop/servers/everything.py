"""An MCP server that uses everything that the protocol has, up to revision 2025-11-25, on the official Python SDK.

    everything.py                 serves on stdin and stdout
    everything.py --http PORT     serves Streamable HTTP on 127.0.0.1:PORT/mcp

EVERYTHING_PAGE_SIZE sets how many entries a page of its lists has (default 5).
"""

from __future__ import annotations

import argparse
import base64
import os
import signal
import sys
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from everything_tasks import TaskBoard
from mcp import MCPError
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from pydantic import ConfigDict

warnings.simplefilter("ignore")

PAGE_SIZE = int(os.environ.get("EVERYTHING_PAGE_SIZE", "5"))
LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
# A 1×1 PNG and a few bytes that call themselves WAV.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt ").decode()
ICON = types.Icon(src=f"data:image/png;base64,{PNG}", mime_type="image/png", sizes=["1x1"])
ANNOTATIONS = types.Annotations(audience=["user", "assistant"], priority=0.5, last_modified="2025-11-25T12:00:00Z")

Handler = Callable[[Any, dict[str, Any]], Awaitable[Any]]


@dataclass
class State:
    """What the server remembers. One process may serve many HTTP sessions, so some of it is kept by connection."""

    counter: int = 0
    resource_versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cancelled: list[str] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    roots_changed: int = 0
    log_level: dict[int, str] = field(default_factory=dict)
    subscriptions: dict[str, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))


state = State()
tasks = TaskBoard()
tools: dict[str, tuple[types.Tool, Handler]] = {}


def connection(ctx: Any) -> Any:
    """The connection of a request: it outlives the request and can be written to later."""
    return ctx.session._connection


def text(value: str) -> types.TextContent:
    return types.TextContent(text=value)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def tool(name: str, description: str, input_schema: dict[str, Any] | None = None, **more: Any) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        tools[name] = (types.Tool(name=name, description=description, input_schema=input_schema or schema(), **more), handler)
        return handler

    return register


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
    await connection(ctx).notify("notifications/x/custom", {"payload": arguments})
    return types.CallToolResult(content=[text("sent")])


# Tools: what the server asks the client.


@tool("ask-model", "Asks the client's model", schema(prompt={"type": "string"}))
async def ask_model(ctx: Any, arguments: dict[str, Any]) -> Any:
    answer = await ctx.session.create_message(
        [types.SamplingMessage(role="user", content=text(arguments.get("prompt", "hello")))],
        max_tokens=100,
        system_prompt="Be brief.",
        temperature=0.5,
        stop_sequences=["END"],
        model_preferences=types.ModelPreferences(hints=[types.ModelHint(name="small")], cost_priority=1.0),
        related_request_id=ctx.request_id,
    )
    return types.CallToolResult(content=[answer.content], structured_content={"model": answer.model, "role": answer.role})


@tool("ask-user", "Asks the user by a form")
async def ask_user(ctx: Any, arguments: dict[str, Any]) -> Any:
    answer = await ctx.session.elicit_form(
        "Who are you?",
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "title": "Name", "minLength": 1},
                "age": {"type": "integer", "minimum": 0},
                "colour": {"type": "string", "enum": ["red", "green"]},
                "agree": {"type": "boolean", "default": False},
            },
            "required": ["name"],
        },
        related_request_id=ctx.request_id,
    )
    return types.CallToolResult(
        content=[text(answer.action)], structured_content={"action": answer.action, "content": answer.content}
    )


@tool("ask-user-url", "Asks the user to visit a page")
async def ask_user_url(ctx: Any, arguments: dict[str, Any]) -> Any:
    identifier = arguments.get("id", "e-1")
    answer = await ctx.session.elicit_url(
        "Please sign in", "https://example.org/sign-in", identifier, related_request_id=ctx.request_id
    )
    await ctx.session.send_elicit_complete(identifier, related_request_id=ctx.request_id)
    return types.CallToolResult(content=[text(answer.action)])


@tool("need-url", "Refuses until the user has visited a page")
async def need_url(ctx: Any, arguments: dict[str, Any]) -> Any:
    raise MCPError(
        code=-32042,
        message="Sign in first",
        data={
            "elicitations": [{"mode": "url", "message": "Sign in", "url": "https://example.org/sign-in", "elicitationId": "e-2"}]
        },
    )


@tool("list-roots", "Lists the client's roots")
async def list_roots(ctx: Any, arguments: dict[str, Any]) -> Any:
    roots = await ctx.session.list_roots()
    return types.CallToolResult(content=[text(str(root.uri)) for root in roots.roots])


@tool("ping-client", "Pings the client")
async def ping_client(ctx: Any, arguments: dict[str, Any]) -> Any:
    await ctx.session.send_ping()
    return types.CallToolResult(content=[text("pong")])


# Tools: time and failure.


@tool("slow", "Takes so many seconds", schema(seconds={"type": "number"}, marker={"type": "string"}))
async def slow(ctx: Any, arguments: dict[str, Any]) -> Any:
    try:
        await anyio.sleep(arguments["seconds"])
    except anyio.get_cancelled_exc_class():
        state.cancelled.append(str(arguments.get("marker")))
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
    return types.CallToolResult(
        content=[text("memory")],
        structured_content={
            "cancelled": state.cancelled,
            "notes": state.notes,
            "rootsChanged": state.roots_changed,
            "client": params.model_dump(by_alias=True, mode="json", exclude_none=True) if params else None,
            "logLevel": state.log_level.get(id(connection(ctx))),
            "subscriptions": sorted(uri for uri, subscribers in state.subscriptions.items() if subscribers),
            "meta": dict(ctx.meta or {}),
        },
    )


# Tools: changes that clients hear of.


@tool("touch", "Changes a resource", schema(uri={"type": "string"}))
async def touch(ctx: Any, arguments: dict[str, Any]) -> Any:
    uri = arguments.get("uri", "everything://counter")
    state.resource_versions[uri] += 1
    for subscriber in list(state.subscriptions[uri].values()):
        await subscriber.send_resource_updated(uri)
    return types.CallToolResult(content=[text(str(state.resource_versions[uri]))])


@tool("grow", "Adds a tool, a prompt or a resource", schema(kind={"enum": ["tool", "prompt", "resource"]}, name={"type": "string"}))
async def grow(ctx: Any, arguments: dict[str, Any]) -> Any:
    kind, name = arguments["kind"], arguments["name"]
    if kind == "tool":
        tool(name, "Grown")(echo)
        await ctx.session.send_tool_list_changed()
    elif kind == "prompt":
        prompts[name] = types.Prompt(name=name, description="Grown")
        await ctx.session.send_prompt_list_changed()
    else:
        resources.append(types.Resource(uri=f"everything://{name}", name=name))
        await ctx.session.send_resource_list_changed()
    return types.CallToolResult(content=[text("grown")])


@tool("shrink", "Removes a tool", schema(name={"type": "string"}))
async def shrink(ctx: Any, arguments: dict[str, Any]) -> Any:
    tools.pop(arguments["name"], None)
    await ctx.session.send_tool_list_changed()
    return types.CallToolResult(content=[text("shrunk")])


# Tools: tasks.


@tool(
    "long-job",
    "Can run as a task",
    schema(seconds={"type": "number"}, fail={"type": "boolean"}),
    execution=types.ToolExecution(task_support="optional"),
)
async def long_job(ctx: Any, arguments: dict[str, Any]) -> Any:
    await anyio.sleep(arguments.get("seconds", 0))
    failed = bool(arguments.get("fail"))
    return types.CallToolResult(content=[text("job failed" if failed else "job done")], is_error=failed)


# Lists, in pages.


def page(entries: list[Any], params: Any) -> tuple[list[Any], str | None]:
    cursor = params.cursor if params else None
    try:
        start = int(base64.b64decode(cursor)) if cursor else 0
    except ValueError:
        raise MCPError(code=-32602, message=f"unknown cursor {cursor!r}") from None
    end = start + PAGE_SIZE
    return entries[start:end], base64.b64encode(str(end).encode()).decode() if end < len(entries) else None


async def on_list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    entries, cursor = page([entry for entry, _ in tools.values()], params)
    return types.ListToolsResult(tools=entries, next_cursor=cursor)


async def on_call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name not in tools:
        raise MCPError(code=-32602, message=f"unknown tool {params.name!r}")
    return await tools[params.name][1](ctx, params.arguments or {})


resources = [
    types.Resource(
        uri="everything://text",
        name="text",
        title="Text",
        description="A text",
        mime_type="text/plain",
        size=4,
        icons=[ICON],
        annotations=ANNOTATIONS,
        meta={"example.org/resource": True},
    ),
    types.Resource(uri="everything://blob", name="blob", mime_type="application/octet-stream"),
    types.Resource(uri="everything://counter", name="counter", mime_type="text/plain"),
    *(types.Resource(uri=f"everything://page/{number}", name=f"page {number}") for number in range(9)),
]
templates = [
    types.ResourceTemplate(
        uri_template="everything://item/{name}", name="item", title="Item", mime_type="text/plain", annotations=ANNOTATIONS
    ),
    *(types.ResourceTemplate(uri_template=f"everything://{kind}/{{id}}", name=kind) for kind in "abcdef"),
]


async def on_list_resources(ctx: Any, params: Any) -> types.ListResourcesResult:
    entries, cursor = page(resources, params)
    return types.ListResourcesResult(resources=entries, next_cursor=cursor)


async def on_list_resource_templates(ctx: Any, params: Any) -> types.ListResourceTemplatesResult:
    entries, cursor = page(templates, params)
    return types.ListResourceTemplatesResult(resource_templates=entries, next_cursor=cursor)


async def on_read_resource(ctx: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    uri = str(params.uri)
    if uri == "everything://blob":
        contents: Any = types.BlobResourceContents(uri=uri, mime_type="application/octet-stream", blob="AAECAwQ=")
    elif uri == "everything://text":
        contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text="text", meta={"example.org/contents": 1})
    elif uri.startswith("everything://item/"):
        contents = types.TextResourceContents(uri=uri, text=f"item {uri.removeprefix('everything://item/')}")
    elif uri == "everything://counter":
        contents = types.TextResourceContents(uri=uri, text=str(state.resource_versions[uri]))
    elif any(str(resource.uri) == uri for resource in resources):
        contents = types.TextResourceContents(uri=uri, text=uri)
    else:
        raise MCPError(code=-32002, message="Resource not found", data={"uri": uri})
    return types.ReadResourceResult(contents=[contents])


async def on_subscribe_resource(ctx: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
    state.subscriptions[str(params.uri)][id(connection(ctx))] = connection(ctx)
    return types.EmptyResult()


async def on_unsubscribe_resource(ctx: Any, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    state.subscriptions[str(params.uri)].pop(id(connection(ctx)), None)
    return types.EmptyResult()


prompts = {
    "simple": types.Prompt(name="simple", description="No arguments"),
    "greet": types.Prompt(
        name="greet",
        title="Greeting",
        description="Greets",
        arguments=[
            types.PromptArgument(name="name", title="Name", description="Whom", required=True),
            types.PromptArgument(name="style", description="How"),
        ],
        icons=[ICON],
        meta={"example.org/prompt": 1},
    ),
    "rich": types.Prompt(name="rich", description="Every type of content"),
    **{f"page-{number}": types.Prompt(name=f"page-{number}") for number in range(6)},
}


async def on_list_prompts(ctx: Any, params: Any) -> types.ListPromptsResult:
    entries, cursor = page(list(prompts.values()), params)
    return types.ListPromptsResult(prompts=entries, next_cursor=cursor)


async def on_get_prompt(ctx: Any, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    if params.name not in prompts:
        raise MCPError(code=-32602, message=f"unknown prompt {params.name!r}")
    arguments = params.arguments or {}
    if params.name == "rich":
        blocks: list[Any] = [
            text("text"),
            types.ImageContent(data=PNG, mime_type="image/png"),
            types.AudioContent(data=WAV, mime_type="audio/wav"),
            types.EmbeddedResource(resource=types.TextResourceContents(uri="everything://text", text="text")),
            types.ResourceLink(uri="everything://blob", name="blob"),
        ]
    elif params.name == "greet":
        if "name" not in arguments:
            raise MCPError(code=-32602, message="missing argument: name")
        blocks = [text(f"{arguments.get('style', 'Hello')}, {arguments['name']}")]
    else:
        blocks = [text(params.name)]
    return types.GetPromptResult(
        description=params.name, messages=[types.PromptMessage(role="user", content=block) for block in blocks]
    )


async def on_completion(ctx: Any, params: types.CompleteRequestParams) -> types.CompleteResult:
    if isinstance(params.ref, types.PromptReference):
        offered = ["Hello", "Hey", "Good morning"]
        if params.context and params.context.arguments:
            offered = [f"{word}, {params.context.arguments.get('name')}" for word in offered]
    else:
        offered = ["apple", "apricot", "banana"]
    values = [value for value in offered if value.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))


async def on_set_logging_level(ctx: Any, params: types.SetLevelRequestParams) -> types.EmptyResult:
    state.log_level[id(connection(ctx))] = params.level
    return types.EmptyResult()


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
        yield {}
        group.cancel_scope.cancel()


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
)
server.add_request_handler("x/custom", AnyParams, custom)
server.add_notification_handler("notifications/x/note", AnyNotificationParams, note)
tasks.install(server, on_call_tool)
_options = server.create_initialization_options


def initialization_options(*_: Any, **__: Any) -> Any:
    options = _options(
        NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True),
        experimental_capabilities={"example.org/everything": {"on": True}},
    )
    options.capabilities.tasks = TaskBoard.capability
    return options


# The HTTP session manager asks the server for them.
server.create_initialization_options = initialization_options  # type: ignore[method-assign]


async def serve_stdio() -> None:
    async with stdio_server() as (read_stream, write_stream):
        await server.run(read_stream, write_stream, initialization_options())


def serve_http(port: int) -> None:
    import uvicorn

    uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int, metavar="PORT")
    chosen = parser.parse_args()
    if chosen.http is None:
        anyio.run(serve_stdio)
    else:
        serve_http(chosen.http)
