"""The tasks of 2026-07-28, an extension that the SDK has no types for: `tools/call` answers with a task, the client polls it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from eras import is_modern
from everything_tasks import now
from inputs import form
from mcp import MCPError

EXTENSION = "io.modelcontextprotocol/tasks"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
METHODS = ("tasks/get", "tasks/update", "tasks/cancel", "tasks/list", "tasks/result")


@dataclass
class Job:
    """One task and the call that it stands for."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "working"
    created: str = field(default_factory=now)
    more: dict[str, Any] = field(default_factory=dict)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    answered: anyio.Event = field(default_factory=anyio.Event)

    def wire(self) -> dict[str, Any]:
        return {
            "taskId": self.id, "status": self.status, "createdAt": self.created, "lastUpdatedAt": now(),
            "ttlMs": 60_000, "pollIntervalMs": 50, **self.more,
        }  # fmt: skip


class TaskListener:
    """The stream of one `subscriptions/listen` that asks for tasks, of which the SDK's own handler knows nothing."""

    def __init__(self, ctx: Any, tasks: list[str]) -> None:
        self.tasks = tasks
        self._id = ctx.request_id
        self._outbound = ctx.session._request_outbound
        ctx.session._request_outbound = self

    async def notify(self, method: str, params: Any = None, opts: Any = None) -> None:
        if method == ACKNOWLEDGED:
            params = {**params, "notifications": {**params["notifications"], "taskIds": self.tasks}}
        await self._outbound.notify(method, params, opts)

    async def tell(self, job: Job) -> None:
        await self.notify("notifications/tasks", {**job.wire(), "_meta": {SUBSCRIPTION: self._id}})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbound, name)


class TaskExtension:
    """Keeps the tasks and serves the methods about them, before the SDK refuses what it does not know."""

    def __init__(self, server: Any, call_tool: Callable[[Any, Any], Awaitable[Any]], group: Callable[[], Any]) -> None:
        self._call_tool, self._group = call_tool, group
        self._jobs: dict[str, Job] = {}
        self._listeners: list[TaskListener] = []
        server.extensions[EXTENSION] = {}
        server.middleware.append(self._intercept)

    async def _intercept(self, ctx: Any, call_next: Any) -> Any:
        params = ctx.params or {}
        if is_modern(ctx) and ctx.method == "subscriptions/listen" and (tasks := params["notifications"].get("taskIds")):
            return await self._listen(ctx, tasks, call_next)
        if not is_modern(ctx) or (ctx.method != "tools/call" and ctx.method not in METHODS):
            return await call_next(ctx)
        capabilities = ctx.session.client_capabilities
        declared = capabilities is not None and EXTENSION in (capabilities.extensions or {})
        if ctx.method == "tools/call":
            if params.get("name") == "only-task" and not declared:
                raise self._missing()
            may_be_task = declared and params.get("name") in ("long-job", "only-task")
            return self._create(ctx, params) if may_be_task and not self._is_quick(params) else await call_next(ctx)
        if ctx.method in ("tasks/list", "tasks/result"):
            raise MCPError(code=-32601, message="Method not found")
        if not declared:
            raise self._missing()
        return {"resultType": "complete", **await self._serve(ctx.method, params)}

    async def _listen(self, ctx: Any, tasks: list[str], call_next: Any) -> Any:
        if EXTENSION not in (ctx.session.client_capabilities.extensions or {}):
            raise self._missing()
        listener = TaskListener(ctx, [id for id in tasks if id in self._jobs])
        self._listeners.append(listener)
        try:
            return await call_next(ctx)
        finally:
            self._listeners.remove(listener)

    async def _settle(self, job: Job, status: str, **more: Any) -> None:
        job.status, job.more = status, more
        for listener in list(self._listeners):
            if job.id in listener.tasks:
                await listener.tell(job)

    @staticmethod
    def _is_quick(params: dict[str, Any]) -> bool:
        """The server decides what becomes a task (SEP-2663): not what is done at once."""
        return bool((params.get("arguments") or {}).get("quick"))

    @staticmethod
    def _missing() -> MCPError:
        required = {"extensions": {EXTENSION: {}}}
        return MCPError(code=-32021, message="the client has no tasks", data={"requiredCapabilities": required})

    def _create(self, ctx: Any, params: dict[str, Any]) -> dict[str, Any]:
        job = Job()
        self._jobs[job.id] = job
        self._group().start_soon(self._run, ctx, job, types.CallToolRequestParams.model_validate(params))
        return {"resultType": "task", **job.wire()}

    async def _run(self, ctx: Any, job: Job, call: types.CallToolRequestParams) -> None:
        with job.scope:
            if (call.arguments or {}).get("ask"):
                question = form("Go on?", {"agree": {"type": "boolean"}})
                asked = {"user": question.model_dump(by_alias=True, exclude_none=True)}
                await self._settle(job, "input_required", inputRequests=asked)
                await job.answered.wait()
                await self._settle(job, "working")
            result = await self._call_tool(ctx, call)
            await self._settle(job, "completed", result=result.model_dump(by_alias=True, mode="json", exclude_none=True))

    async def _serve(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        job = self._jobs.get(params.get("taskId", ""))
        if job is None:
            raise MCPError(code=-32602, message=f"unknown task {params.get('taskId')!r}")
        match method:
            case "tasks/update":
                if "user" in params.get("inputResponses", {}):
                    job.answered.set()
                return {}
            case "tasks/cancel":
                if job.status in ("working", "input_required"):
                    job.scope.cancel()
                    await self._settle(job, "cancelled")
                return {}
        return job.wire()
