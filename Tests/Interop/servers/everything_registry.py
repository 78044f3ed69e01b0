"""What the modules of the server that uses everything share: its memory, and the table of its tools."""

from __future__ import annotations

import base64
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from eras import is_modern
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ToolsListChanged,
)

warnings.simplefilter("ignore")

LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
# A 1×1 PNG and a few bytes that call themselves WAV.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt ").decode()
ICON = types.Icon(src=f"data:image/png;base64,{PNG}", mime_type="image/png", sizes=["1x1"])
ANNOTATIONS = types.Annotations(audience=["user", "assistant"], priority=0.5, last_modified="2025-11-25T12:00:00Z")

Handler = Callable[..., Awaitable[Any]]


@dataclass
class State:
    """What the server remembers. One process may serve many HTTP sessions, so some of it is kept by connection."""

    counter: int = 0
    resource_versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cancelled: list[str] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    roots_changed: int = 0
    visited: set[str] = field(default_factory=set)
    log_level: dict[int, str] = field(default_factory=dict)
    subscriptions: dict[str, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))
    connections: dict[int, Any] = field(default_factory=dict)
    """The initialized ones."""
    listening: list[Any] = field(default_factory=list)
    """The filters of the open `subscriptions/listen` streams."""


@dataclass
class Entry:
    """A tool; `asks` tells that its handler takes the client's answers as a third argument."""

    tool: types.Tool
    handler: Handler
    asks: bool = False


state = State()
bus = InMemorySubscriptionBus()
tools: dict[str, Entry] = {}


def connection(ctx: Any) -> Any:
    """The connection of a request: it outlives the request and can be written to later."""
    return ctx.session._connection


def text(value: str) -> types.TextContent:
    return types.TextContent(text=value)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def tool(
    name: str, description: str, input_schema: dict[str, Any] | None = None, asks: bool = False, **more: Any
) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        entry = types.Tool(name=name, description=description, input_schema=input_schema or schema(), **more)
        tools[name] = Entry(entry, handler, asks)
        return handler

    return register


# Changes, told in the way of either era: to the connection, and to the streams that listen. The SDK drops what is not of the era.


async def tools_changed(ctx: Any) -> None:
    await ctx.session.send_tool_list_changed()
    await bus.publish(ToolsListChanged())


async def prompts_changed(ctx: Any) -> None:
    await ctx.session.send_prompt_list_changed()
    await bus.publish(PromptsListChanged())


async def resources_changed(ctx: Any) -> None:
    await ctx.session.send_resource_list_changed()
    await bus.publish(ResourcesListChanged())


async def resource_updated(uri: str) -> None:
    for subscriber in list(state.subscriptions[uri].values()):
        await subscriber.send_resource_updated(uri)
    await bus.publish(ResourceUpdated(uri=uri))


async def notify(ctx: Any, method: str, params: dict[str, Any]) -> None:
    """Sends a notification that the SDK has no type for."""
    # Since 2026-07-28 there is no stream but the request's own.
    channel = ctx.session._request_outbound if is_modern(ctx) else connection(ctx)
    await channel.notify(method, params)
