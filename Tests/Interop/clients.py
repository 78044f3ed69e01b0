"""The official SDK's client and fastmcp's, set up so that they keep what they were told."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import Any

import anyio
import fastmcp
import mcp_types as types
from mcp import Client
from pydantic import ConfigDict

ROOTS = [types.Root(uri="file:///srv/project", name="project"), types.Root(uri="file:///tmp/%C3%BC", name="ü")]


class AnyParams(types.RequestParams):
    """Parameters that the SDK has no type for."""

    model_config = ConfigDict(extra="allow")


class AnyResult(types.Result):
    """A result that the SDK has no type for."""

    model_config = ConfigDict(extra="allow")


@dataclass
class Seen:
    """What the server told and asked the client."""

    logs: list[types.LoggingMessageNotificationParams] = field(default_factory=list)
    notifications: list[Any] = field(default_factory=list)
    sampling: list[types.CreateMessageRequestParams] = field(default_factory=list)
    elicitations: list[Any] = field(default_factory=list)
    progress: list[tuple[float, float | None, str | None]] = field(default_factory=list)

    async def wait_for(self, kind: type, count: int = 1, timeout: float = 15) -> list[Any]:
        """Waits until so many notifications of a type have come."""

        def found() -> list[Any]:
            return [one for one in self.notifications if isinstance(one, kind)]

        with anyio.move_on_after(timeout):
            while len(found()) < count:
                await anyio.sleep(0.02)
        assert len(found()) >= count, f"{len(found())} of {count} {kind.__name__} came within {timeout} s"
        return found()

    async def on_log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logs.append(params)

    async def on_message(self, message: Any) -> None:
        self.notifications.append(message)

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))

    async def on_sampling(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        self.sampling.append(params)
        prompt = params.messages[0].content
        return types.CreateMessageResult(
            role="assistant",
            content=types.TextContent(text=f"answer to {prompt.text}"),
            model="test-model",
            stop_reason="endTurn",
        )

    async def on_elicitation(self, context: Any, params: Any) -> types.ElicitResult:
        self.elicitations.append(params)
        if isinstance(params, types.ElicitRequestFormParams):
            return types.ElicitResult(action="accept", content={"name": "Ann", "age": 42, "agree": True})
        return types.ElicitResult(action="accept")

    async def on_roots(self, context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=ROOTS)


def sdk_client(server: Any, seen: Seen | None = None, **more: Any) -> Client:
    """The official SDK's client. With `seen` it offers everything a client can; without, nothing."""
    options: dict[str, Any] = {"mode": "legacy", "read_timeout_seconds": 30}
    if seen is not None:
        options |= {
            "logging_callback": seen.on_log,
            "message_handler": seen.on_message,
            "sampling_callback": seen.on_sampling,
            "elicitation_callback": seen.on_elicitation,
            "list_roots_callback": seen.on_roots,
        }
    return Client(server, **(options | more))


def fastmcp_client(url: str, seen: Seen | None = None, **more: Any) -> fastmcp.Client[Any]:
    """fastmcp's client."""
    options: dict[str, Any] = {"mode": "legacy", "timeout": 30}
    if seen is not None:

        async def sampling(messages: Any, params: Any, context: Any) -> str:
            seen.sampling.append(params)
            return f"answer to {messages[0].content.text}"

        async def elicitation(message: str, response_type: Any, params: Any, context: Any) -> Any:
            seen.elicitations.append(params)
            return types.ElicitResult(
                action="accept", content={"name": "Ann"} if isinstance(params, types.ElicitRequestFormParams) else None
            )

        options |= {
            "log_handler": seen.on_log,
            "message_handler": seen.on_message,
            "progress_handler": seen.on_progress,
            "sampling_handler": sampling,
            "elicitation_handler": elicitation,
            "roots": [str(root.uri) for root in ROOTS],
        }
    return fastmcp.Client(url, **(options | more))


async def all_pages(list_method: Any, key: str) -> list[Any]:
    """Every entry of a paginated list of the SDK's client."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        result = await list_method(cursor=cursor, cache_mode="bypass")
        found += getattr(result, key)
        cursor = result.next_cursor
        if cursor is None:
            return found


def texts(result: Any) -> list[str]:
    """The text blocks of the result of a tool."""
    return [block.text for block in result.content if block.type == "text"]


def run(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command as from a terminal and gives what it printed."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **more)
