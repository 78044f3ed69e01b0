"""The tools of the server that uses everything that run as tasks, in either era."""

from __future__ import annotations

from typing import Any

import anyio
import mcp_types as types
from everything_registry import schema, text, tool


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


@tool("only-task", "Runs as a task alone", execution=types.ToolExecution(task_support="required"))
async def only_task(ctx: Any, arguments: dict[str, Any]) -> Any:
    return await long_job(ctx, arguments)
