"""What happens in the world, which no client told the server: a file that tests write to, and every process of the server reads.

EVERYTHING_WORLD names a directory. A line in its file `changes` is a JSON object: `{"uri": …}` (a resource was updated),
`{"tool": …}`, `{"prompt": …}` or `{"resource": …}` (one more of them). In its files `started` and `cancelled` stand the markers of slow calls, in `visited` the ids of pages that were
asked for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from everything_offers import prompts, resources
from everything_registry import bus, resource_updated, state, text, tool
from mcp.server.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged

DIRECTORY = os.environ.get("EVERYTHING_WORLD")
EVENTS = {"tool": ToolsListChanged, "prompt": PromptsListChanged, "resource": ResourcesListChanged}


def note(what: str, marker: str) -> None:
    """Writes a marker to the file of that name."""
    if DIRECTORY is not None:
        with (Path(DIRECTORY) / what).open("a") as file:
            file.write(marker + "\n")


def was_here(id: str) -> bool:
    """Whether somebody asked about this id before, in whatever process."""
    path = Path(DIRECTORY) / "visited" if DIRECTORY is not None else None
    known = state.visited if path is None else set(path.read_text().splitlines() if path.exists() else [])
    if id in known:
        return True
    state.visited.add(id)
    note("visited", id)
    return False


async def grown(ctx: Any, arguments: dict[str, Any]) -> Any:
    return types.CallToolResult(content=[text("grown")])


async def _happen(change: dict[str, str], is_news: bool) -> None:
    if "uri" in change:
        state.resource_versions[change["uri"]] += 1
        return await resource_updated(change["uri"]) if is_news else None
    kind, name = next(iter(change.items()))
    match kind:
        case "tool":
            tool(name, "Grown")(grown)
        case "prompt":
            prompts[name] = types.Prompt(name=name, description="Grown")
        case "resource":
            resources.append(types.Resource(uri=f"everything://{name}", name=name))
    if not is_news:
        return
    for connection in list(state.connections.values()):
        await getattr(connection, f"send_{kind}_list_changed")()
    await bus.publish(EVENTS[kind]())


async def watch() -> None:
    """Lets happen what the file says, for as long as the server runs. What it said before the start is no news."""
    if DIRECTORY is None:
        return
    path, seen, is_news = Path(DIRECTORY) / "changes", 0, False
    while True:
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines[seen:]:
            await _happen(json.loads(line), is_news)
        seen, is_news = len(lines), True
        await anyio.sleep(0.05)
