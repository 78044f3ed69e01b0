"""The lists of the server that uses everything, what stands in them, and completion."""

from __future__ import annotations

import base64
import os
from typing import Any

import eras
import mcp_types as types
from everything_offers import prompts, resources, templates
from everything_registry import PNG, WAV, connection, state, text, tools
from mcp import MCPError

PAGE_SIZE = int(os.environ.get("EVERYTHING_PAGE_SIZE", "5"))


def page(entries: list[Any], params: Any) -> tuple[list[Any], str | None]:
    cursor = params.cursor if params else None
    try:
        start = int(base64.b64decode(cursor)) if cursor else 0
    except ValueError:
        raise MCPError(code=-32602, message=f"unknown cursor {cursor!r}") from None
    end = start + PAGE_SIZE
    return entries[start:end], base64.b64encode(str(end).encode()).decode() if end < len(entries) else None


async def on_list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
    entries, cursor = page([entry.tool for entry in tools.values()], params)
    return types.ListToolsResult(tools=entries, next_cursor=cursor)


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
        raise MCPError(code=-32602 if eras.is_modern(ctx) else -32002, message="Resource not found", data={"uri": uri})
    return types.ReadResourceResult(contents=[contents])


async def on_subscribe_resource(ctx: Any, params: types.SubscribeRequestParams) -> types.EmptyResult:
    state.subscriptions[str(params.uri)][id(connection(ctx))] = connection(ctx)
    return types.EmptyResult()


async def on_unsubscribe_resource(ctx: Any, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
    state.subscriptions[str(params.uri)].pop(id(connection(ctx)), None)
    return types.EmptyResult()


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
