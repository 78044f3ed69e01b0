"""The clients of the tests of failures: the official SDK's in both eras, and a bare one that listens and resumes as the specification says."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import mcp_types as types
from chaos_account import REPEATABLE, Account, Call, CallFailed, Kind, kind_of
from chaos_wire import PASSING, WatchedTransport, Wire
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import ClientMessageMetadata
from pydantic import TypeAdapter

MODERN = "2026-07-28"
LEGACY = "2025-11-25"
TIMEOUT = 25
"""Seconds after which a client gives an attempt up: none of the faults is to last so long for it."""
PAUSE = 0.7
"""Before a client tries again."""
BUILTIN = "get-development-environment-status"
CALL_RESULT: TypeAdapter[Any] = TypeAdapter(types.CallToolResult)


class LoadClient(ABC):
    """Makes short calls one after the other, and long ones beside them, and keeps account."""

    tools = ["append", "append", "append", "put", "look", "own", "own", "ask", "environment", "list"]

    broken: Kind = "broken"
    """What a stream that ended without an answer says."""

    def __init__(self, name: str, url: str, account: Account, seed: str) -> None:
        self.name, self.url, self.account = name, url, account
        self.wire = Wire(name)
        self.rng = random.Random(f"{seed} {name}")
        self.http = httpx2.AsyncClient(transport=WatchedTransport(self.wire), timeout=httpx2.Timeout(30, read=300))

    @abstractmethod
    def connected(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Connects, and says goodbye at the end."""

    @abstractmethod
    async def attempt(self, call: Call, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Makes a call once; its structured result. Raises ``CallFailed``."""

    async def go_on(self, call: Call) -> dict[str, Any] | None:
        """Asks for the rest of an answer that broke off; None where there is nothing to ask for."""
        return None

    # The load.

    async def run(self, stopping: anyio.Event) -> None:
        async with anyio.create_task_group() as lanes:
            lanes.start_soon(self._short_calls, stopping)
            lanes.start_soon(self._long_calls, stopping)

    async def _short_calls(self, stopping: anyio.Event) -> None:
        while not stopping.is_set():
            await self.call(self.rng.choice(self.tools))
            await _pause(stopping, self.rng.uniform(0.05, 0.25))

    async def _long_calls(self, stopping: anyio.Event) -> None:
        while not stopping.is_set():
            await self.call(self.rng.choice(["steps", "scan"]), steps=self.rng.randint(8, 15), pause=self.rng.uniform(0.1, 0.2))
            await _pause(stopping, self.rng.uniform(0, 0.5))

    async def every_kind(self) -> None:
        for tool in dict.fromkeys(self.tools):
            await self.call(tool)
        for tool in ("steps", "scan"):
            await self.call(tool, steps=3, pause=0.05)

    async def call(self, tool: str, steps: int = 0, pause: float = 0) -> Call:
        """Makes a call, once more where that is safe."""
        call = self.account.open(self.name, tool, steps)
        arguments: dict[str, Any] = {"client": self.name, "call": call.number}
        if steps:
            arguments |= {"steps": steps, "pause": pause}
        for round in range(2):
            try:
                resumed = await self.go_on(call) if round else None
                call.result = resumed if resumed is not None else await self._bounded(call, arguments)
                call.outcome = "ok"
                break
            except CallFailed as error:
                call.attempts.append(str(error))
                may_repeat = tool in REPEATABLE or error.kind == "refused" or self.can_go_on(call)
                # "Unknown" is the truth about a call that must not be repeated; the second time a repeatable one fails, it has failed.
                call.outcome = error.kind if not (error.kind == "unknown" and tool in REPEATABLE) else "error"
                if not may_repeat:
                    break
                if not round:
                    await anyio.sleep(PAUSE)
        call.ended = anyio.current_time()
        return call

    def can_go_on(self, call: Call) -> bool:
        return False

    async def _bounded(self, call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
        tool = {"append": "shared__append", "put": "shared__put", "look": "shared__look", "steps": "shared__steps", "scan": "shared__scan", "own": "own__own",
                "ask": "own__ask", "environment": BUILTIN, "list": ""}[call.tool]  # fmt: skip
        if call.tool == "environment":
            arguments = {}
        # A call that is sent again counts from the beginning.
        call.progress.clear()
        try:
            with anyio.fail_after(TIMEOUT):
                return await self.attempt(call, tool, arguments)
        except TimeoutError:
            raise CallFailed("broken", f"nothing within {TIMEOUT} s") from None
        except MCPError as error:
            # What the SDK says of its own when a stream ends has this code.
            own = error.error.code in (types.CONNECTION_CLOSED, types.REQUEST_TIMEOUT) and "SSE stream" in str(error) or str(error) in (
                "Server returned an error response", "Session terminated",
            )  # fmt: skip
            raise CallFailed(self.broken if own else kind_of(str(error)), str(error)) from None
        except (httpx2.HTTPError, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise CallFailed("broken", repr(error)) from None

    # What a server asks.

    async def on_elicitation(self, context: Any, params: Any) -> types.ElicitResult:
        await anyio.sleep(self.rng.uniform(0.05, 0.3))
        return types.ElicitResult(action="accept", content={"name": params.message})


async def _pause(stopping: anyio.Event, seconds: float) -> None:
    with anyio.move_on_after(seconds):
        await stopping.wait()


class SDKClient(LoadClient):
    mode = "legacy"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._client: Client | None = None
        self._tokens: dict[int, str] = {}

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        transport = streamable_http_client(self.url, http_client=self.http)
        async with self.http, Client(transport, mode=self.mode, elicitation_callback=self.on_elicitation, read_timeout_seconds=TIMEOUT + 5) as client:
            self._client = client
            yield

    async def attempt(self, call: Call, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert self._client is not None
        if call.tool == "list":
            return {"tools": len((await self._client.list_tools(cache_mode="bypass")).tools)}

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            call.progress.append(int(progress))

        return self._content(await self._call_tool(call, tool, arguments, on_progress if call.steps else None))

    async def _call_tool(self, call: Call, tool: str, arguments: dict[str, Any], on_progress: Any) -> types.CallToolResult:
        async def on_token(token: str) -> None:
            self._tokens[call.number] = token

        assert self._client is not None
        return await self._client.session.send_request(
            types.CallToolRequest(params=types.CallToolRequestParams(name=tool, arguments=arguments)), CALL_RESULT,
            metadata=ClientMessageMetadata(on_resumption_token_update=on_token), progress_callback=on_progress,
        )  # fmt: skip

    @staticmethod
    def _content(result: types.CallToolResult) -> dict[str, Any]:
        if result.is_error:
            text = " ".join(block.text for block in result.content if isinstance(block, types.TextContent))
            raise CallFailed(kind_of(text), text)
        return result.structured_content or {}

    def can_go_on(self, call: Call) -> bool:
        # The SDK gives up after two attempts; its user has the token.
        return call.outcome == "broken" and call.number in self._tokens

    async def go_on(self, call: Call) -> dict[str, Any] | None:
        if not self.can_go_on(call):
            return None
        with anyio.move_on_after(TIMEOUT):
            headers = {"accept": "text/event-stream", "mcp-session-id": self.wire.session_id or "", "mcp-protocol-version": LEGACY,
                       "last-event-id": self._tokens[call.number]}  # fmt: skip
            async with self.http.stream("GET", self.url, headers=headers) as response:
                if response.status_code == 200:
                    async for message in messages(response):
                        if "method" not in message:
                            return answer(message)
        raise CallFailed("broken", "the stream could not be resumed")


class ModernSDKClient(SDKClient):
    mode = MODERN
    # No stream is resumed any more: what became of the call nobody can say.
    broken: Kind = "unknown"
    # Without a session there is no process of its own.
    tools = [tool for tool in LoadClient.tools if tool != "own"]

    async def _call_tool(self, call: Call, tool: str, arguments: dict[str, Any], on_progress: Any) -> types.CallToolResult:
        assert self._client is not None
        return await self._client.call_tool(tool, arguments, progress_callback=on_progress)


class BareClient(LoadClient):
    """Listens all the time and resumes whatever breaks, until it has it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ids = itertools.count(1)
        self.listens = 0

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        async with self.http, anyio.create_task_group() as group:
            params = {"protocolVersion": LEGACY, "capabilities": {"elicitation": {}}, "clientInfo": {"name": self.name, "version": "1"}}
            response = await self._post({"id": next(self._ids), "method": "initialize", "params": params})
            assert response.status_code == 200, response.text
            await self._post({"method": "notifications/initialized"})
            group.start_soon(self._listen)
            yield
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                response = await self.http.delete(self.url, headers=self._headers())
                assert response.status_code in (200, 204), f"DELETE: {response.status_code} {response.text}"

    def _headers(self, **more: str) -> dict[str, str]:
        session = {"mcp-session-id": self.wire.session_id, "mcp-protocol-version": LEGACY} if self.wire.session_id else {}
        return {"accept": "application/json, text/event-stream", "content-type": "application/json", **session, **more}

    async def _post(self, message: dict[str, Any]) -> httpx2.Response:
        return await self.http.post(self.url, content=json.dumps({"jsonrpc": "2.0", **message}), headers=self._headers())

    async def _listen(self) -> None:
        """Its stream has one name for ever, unless the gateway ends it."""
        last: str | None = None
        while True:
            more = {"last-event-id": last} if last else {}
            try:
                async with self.http.stream("GET", self.url, headers=self._headers(accept="text/event-stream", **more)) as response:
                    if response.status_code == 200:
                        self.listens += 1
                        async for event in events(response):
                            last = event.get("id", last)
            except httpx2.HTTPError:
                pass
            await anyio.sleep(0.3)

    async def attempt(self, call: Call, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        identifier = next(self._ids)
        if call.tool == "list":
            request: dict[str, Any] = {"id": identifier, "method": "tools/list"}
        else:
            meta = {"_meta": {"progressToken": identifier}} if call.steps else {}
            request = {"id": identifier, "method": "tools/call", "params": {"name": tool, "arguments": arguments, **meta}}
        last: str | None = None
        opening: dict[str, Any] = {"method": "POST", "content": json.dumps({"jsonrpc": "2.0", **request}), "headers": self._headers()}
        while True:
            with contextlib.suppress(httpx2.StreamError, httpx2.TransportError):
                async with self.http.stream(opening.pop("method"), self.url, **opening) as response:
                    if not response.headers.get("content-type", "").startswith("text/event-stream"):
                        body = json.loads(await response.aread())
                        if response.status_code not in PASSING or last is None:
                            return answer(body)
                    else:
                        async for event in events(response):
                            last = event.get("id", last)
                            if event.get("data") and (found := await self._take(call, json.loads(event["data"]))) is not None:
                                return found
            if last is None:
                raise CallFailed("broken", "the answer broke off before its first event")
            await anyio.sleep(0.3)
            opening = {"method": "GET", "headers": self._headers(accept="text/event-stream", **{"last-event-id": last})}

    async def _take(self, call: Call, message: dict[str, Any]) -> dict[str, Any] | None:
        if "method" not in message:
            return answer(message)
        if message["method"] == "notifications/progress":
            call.progress.append(int(message["params"]["progress"]))
        elif message["method"] == "elicitation/create":
            result = {"action": "accept", "content": {"name": message["params"]["message"]}}
            await self._post({"id": message["id"], "result": result})
        return None


async def events(response: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    buffer = ""
    async for chunk in response.aiter_text():
        *blocks, buffer = (buffer + chunk).split("\n\n")
        for block in blocks:
            fields = [line.partition(":")[::2] for line in block.split("\n") if line and not line.startswith(":")]
            if fields:
                yield {name: value.removeprefix(" ") for name, value in fields}


async def messages(response: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for event in events(response):
        if event.get("data"):
            yield json.loads(event["data"])


def answer(message: dict[str, Any]) -> dict[str, Any]:
    """The structured result in a response."""
    if "error" in message:
        text = message["error"]["message"]
        raise CallFailed(kind_of(text), text)
    result = message["result"]
    if result.get("isError"):
        text = " ".join(block.get("text", "") for block in result["content"])
        raise CallFailed(kind_of(text), text)
    return result.get("structuredContent") or {}
