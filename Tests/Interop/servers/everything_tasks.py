"""The tasks of revision 2025-11-25, which the SDK has types for but does not serve: task-augmented tools/call and tasks/*."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import mcp_types as types
from eras import is_modern
from inputs import form
from mcp import MCPError

RELATED = "io.modelcontextprotocol/related-task"


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass
class Job:
    """One task and the call that it stands for."""

    task: types.Task
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished: anyio.Event = field(default_factory=anyio.Event)
    result: types.CallToolResult | None = None

    def wire(self) -> dict[str, Any]:
        # A null `ttl` means "without limit" and must stay.
        return {"ttl": None, **self.task.model_dump(by_alias=True, mode="json", exclude_none=True)}


class TaskBoard:
    """Keeps the tasks and serves the methods about them."""

    capability = types.ServerTasksCapability(
        list=types.TasksListCapability(),
        cancel=types.TasksCancelCapability(),
        requests=types.ServerTasksRequestsCapability(tools=types.TasksToolsCapability(call=types.TasksCallCapability())),
    )

    def __init__(self) -> None:
        self.group: Any = None
        self.jobs: dict[str, Job] = {}

    def install(self, server: Any, call_tool: Callable[[Any, Any], Awaitable[types.CallToolResult]]) -> None:
        self._call_tool = call_tool
        # In front of the SDK's own handling, because it would refuse a CreateTaskResult as the result of tools/call.
        server.middleware.append(self._intercept)
        server.add_request_handler("tasks/get", types.GetTaskRequestParams, self._get)
        server.add_request_handler("tasks/result", types.GetTaskPayloadRequestParams, self._result)
        server.add_request_handler("tasks/cancel", types.CancelTaskRequestParams, self._cancel)
        server.add_request_handler("tasks/list", types.PaginatedRequestParams, self._list)

    async def _intercept(self, ctx: Any, call_next: Any) -> Any:
        params = ctx.params or {}
        if is_modern(ctx) or ctx.method != "tools/call" or "task" not in params:
            if not is_modern(ctx) and ctx.method == "tools/call" and params.get("name") == "only-task":
                raise MCPError(code=-32601, message="the tool runs as a task alone")
            return await call_next(ctx)
        call = types.CallToolRequestParams.model_validate(params)
        created = now()
        task = types.Task(
            task_id=str(uuid.uuid4()),
            status="working",
            created_at=created,
            last_updated_at=created,
            ttl=params["task"].get("ttl"),
            poll_interval=50,
        )
        job = Job(task)
        self.jobs[task.task_id] = job
        self.group.start_soon(self._run, ctx, job, call)
        return {"task": job.wire()}

    async def _run(self, ctx: Any, job: Job, call: types.CallToolRequestParams) -> None:
        with job.scope:
            try:
                if (call.arguments or {}).get("ask"):
                    await self._ask(ctx, job)
                job.result = await self._call_tool(ctx, call)
                await self._settle(ctx, job, "failed" if job.result.is_error else "completed")
            except MCPError as error:
                await self._settle(ctx, job, "failed", str(error))

    async def _ask(self, ctx: Any, job: Job) -> None:
        """Asks the user something before the call goes on; no request is open that it could be asked for."""
        await self._settle(ctx, job, "input_required")
        question = form("Go on?", {"agree": {"type": "boolean"}})
        params = question.params.model_copy(update={"meta": {RELATED: {"taskId": job.task.task_id}}})
        await ctx.session.send_request(question.model_copy(update={"params": params}), types.ElicitResult)
        await self._settle(ctx, job, "working")

    async def _settle(self, ctx: Any, job: Job, status: Any, message: str | None = None) -> None:
        job.task = job.task.model_copy(update={"status": status, "status_message": message, "last_updated_at": now()})
        if status not in ("working", "input_required"):
            job.finished.set()
        await ctx.session._connection.notify("notifications/tasks/status", job.wire())

    def _job(self, identifier: str) -> Job:
        if identifier not in self.jobs:
            raise MCPError(code=-32602, message=f"unknown task {identifier!r}")
        return self.jobs[identifier]

    async def _get(self, ctx: Any, params: types.GetTaskRequestParams) -> dict[str, Any]:
        return self._job(params.task_id).wire()

    async def _result(self, ctx: Any, params: types.GetTaskPayloadRequestParams) -> dict[str, Any]:
        job = self._job(params.task_id)
        await job.finished.wait()
        if job.result is None:
            raise MCPError(code=-32603, message=f"the task was {job.task.status}")
        result = job.result.model_dump(by_alias=True, mode="json", exclude_none=True, exclude={"result_type"})
        return {**result, "_meta": {RELATED: {"taskId": params.task_id}}}

    async def _cancel(self, ctx: Any, params: types.CancelTaskRequestParams) -> dict[str, Any]:
        job = self._job(params.task_id)
        if job.finished.is_set():
            raise MCPError(code=-32602, message=f"the task is {job.task.status} already")
        job.scope.cancel()
        await self._settle(ctx, job, "cancelled")
        return job.wire()

    async def _list(self, ctx: Any, params: Any) -> dict[str, Any]:
        return {"tasks": [job.wire() for job in self.jobs.values()]}
