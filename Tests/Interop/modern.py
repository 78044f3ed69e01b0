"""A bare client of revision 2026-07-28 over Streamable HTTP: no session, everything a server must know in every request."""

from __future__ import annotations

import base64
import contextlib
import copy
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from calls import Calls
from conformance import META, MODERN
from rawhttp import BOTH, JSON, SSE, RawSession, RPCError, Stream

NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Where the value of `Mcp-Name` comes from."""
TASKS = {method: "taskId" for method in ("tasks/get", "tasks/update", "tasks/cancel")}
ALL_CAPABILITIES: dict[str, Any] = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}

Answers = dict[str, Callable[[dict[str, Any]], dict[str, Any]]]


def header_value(value: str) -> str:
    """A value as a header carries it: as it is where that is safe, else in Base64 between the marks."""
    plain = re.fullmatch(r"[\x20-\x7e]*", value) and value == value.strip() and not re.fullmatch(r"=\?base64\?.*\?=", value)
    return value if plain else f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def answers(**by: Any) -> Answers:
    """What a client that can answer everything answers."""
    return {
        "sampling/createMessage": lambda params: {
            "role": "assistant", "model": "test-model", "stopReason": "endTurn",
            "content": {"type": "text", "text": f"answer to {params['messages'][0]['content']['text']}"},
        },
        "elicitation/create": lambda params: {"action": "accept"} if params.get("mode") == "url" else {
            "action": "accept", "content": {"name": "Ann", "age": 42, "agree": True},
        },
        "roots/list": lambda params: {"roots": [{"uri": "file:///srv/project", "name": "project"}]},
    }  # fmt: skip


@dataclass
class Reply:
    """The answer to one request."""

    status: int
    headers: httpx.Headers
    messages: list[dict[str, Any]]

    @property
    def final(self) -> dict[str, Any]:
        responses = [message for message in self.messages if "method" not in message]
        assert len(responses) == 1, self.messages
        return responses[0]

    @property
    def notifications(self) -> list[dict[str, Any]]:
        return [message for message in self.messages if "method" in message]

    @property
    def error(self) -> dict[str, Any] | None:
        return self.final.get("error")

    @property
    def result(self) -> dict[str, Any]:
        if (error := self.error) is not None:
            raise RPCError(error)
        return self.final["result"]


@dataclass
class ModernClient(Calls):
    """Sends requests of 2026-07-28 to one URL. `capabilities` are declared in each."""

    url: str
    capabilities: dict[str, Any] = field(default_factory=dict)
    log_level: str | None = None
    name: str = "modern-client"

    def __post_init__(self) -> None:
        self.http = httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=None))
        self._ids = itertools.count(1)
        self.rounds: list[dict[str, Any]] = []

    async def __aenter__(self) -> ModernClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    # Composing.

    def meta(self, **more: Any) -> dict[str, Any]:
        """The fields that every request has."""
        meta = {
            f"{META}protocolVersion": MODERN,
            f"{META}clientInfo": {"name": self.name, "version": "1"},
            f"{META}clientCapabilities": self.capabilities,
            **more,
        }
        return meta if self.log_level is None else {f"{META}logLevel": self.log_level, **meta}

    def message(self, method: str, params: dict[str, Any] | None = None, id: Any = None) -> dict[str, Any]:
        """A request; `_meta` in `params` is laid over the fields that every request has."""
        params = dict(params or {})
        params["_meta"] = self.meta(**params.pop("_meta", {}))
        return {"jsonrpc": "2.0", "id": next(self._ids) if id is None else id, "method": method, "params": params}

    @staticmethod
    def headers(message: Any, **more: str | None) -> dict[str, str]:
        """The headers that belong to a message; a `None` removes one (names with underscores)."""
        headers: dict[str, str | None] = {"accept": BOTH, "content-type": JSON, "mcp-protocol-version": MODERN}
        method = message.get("method") if isinstance(message, dict) else None
        if isinstance(method, str):
            headers["mcp-method"] = method
            value = (message.get("params") or {}).get({**NAMED, **TASKS}.get(method, ""))
            if isinstance(value, str):
                headers["mcp-name"] = header_value(value)
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        return {name: value for name, value in headers.items() if value is not None}

    # Sending.

    async def post(self, message: Any, **headers: str | None) -> httpx.Response:
        """Posts a message, or bytes, and reads the whole answer."""
        content = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        return await self.http.post(self.url, content=content, headers=self.headers(message, **headers))

    async def exchange(self, method: str, params: dict[str, Any] | None = None, id: Any = None, **headers: str | None) -> Reply:
        """Sends one request and gives all that came, whatever it was."""
        message = self.message(method, params, id)
        reply = self.reply(await self.post(message, **headers))
        assert reply.final.get("id") == message["id"], reply.messages
        return reply

    @staticmethod
    def reply(response: httpx.Response) -> Reply:
        return Reply(response.status_code, response.headers, RawSession.messages(response))

    async def request(self, method: str, params: dict[str, Any] | None = None, **headers: str | None) -> dict[str, Any]:
        """The result of one request; raises its error."""
        return (await self.exchange(method, params, **headers)).result

    # Answering.

    async def complete(
        self, method: str, params: dict[str, Any], answers: Answers | None = None, limit: int = 10
    ) -> dict[str, Any]:
        """Sends a request and answers what the server needs until it is complete. `rounds` are the results on the way."""
        table = answers if answers is not None else globals()["answers"]()
        self.rounds = []
        sent = params
        while True:
            result = await self.request(method, sent)
            if result.get("resultType") != "input_required":
                return result
            self.rounds.append(result)
            assert len(self.rounds) <= limit, "it never has enough"
            sent = self.retry(params, result, table)

    @staticmethod
    def retry(params: dict[str, Any], result: dict[str, Any], table: Answers) -> dict[str, Any]:
        """The params of the retry that answers a result."""
        sent = copy.deepcopy(params)
        if result.get("inputRequests"):
            sent["inputResponses"] = {
                key: table[request["method"]](request.get("params", {})) for key, request in result["inputRequests"].items()
            }
        if "requestState" in result:
            sent["requestState"] = result["requestState"]
        return sent

    # Streams.

    @contextlib.asynccontextmanager
    async def stream(self, message: dict[str, Any], **headers: str | None) -> AsyncIterator[Stream]:
        """Posts a request and gives the stream of its answer; leaving the block closes it."""
        async with self.http.stream(
            "POST", self.url, content=json.dumps(message), headers=self.headers(message, **headers)
        ) as response:
            assert response.status_code == 200, f"{response.status_code} {await response.aread()!r}"
            assert response.headers["content-type"].startswith(SSE), f"{response.headers} {await response.aread()!r}"
            yield Stream(response)

    @contextlib.asynccontextmanager
    async def listen(self, timeout: float = 15, **notifications: Any) -> AsyncIterator[Listener]:
        """Opens `subscriptions/listen` and waits until it is acknowledged."""
        message = self.message("subscriptions/listen", {"notifications": notifications}, id=f"listen-{next(self._ids)}")
        async with self.stream(message) as stream:
            listener = Listener(stream, message["id"])
            first = await listener.next(timeout)
            assert first["method"] == "notifications/subscriptions/acknowledged", first
            listener.acknowledged = first["params"]["notifications"]
            yield listener


class Listener:
    """An open stream of changes."""

    def __init__(self, stream: Stream, id: str) -> None:
        self.id = id
        self.acknowledged: dict[str, Any] = {}
        self._messages = stream.messages()

    async def next(self, timeout: float = 15) -> dict[str, Any]:
        """The next message."""
        with anyio.fail_after(timeout):
            return await anext(self._messages)

    async def next_of(self, method: str, timeout: float = 15) -> dict[str, Any]:
        """The next message with this method."""
        with anyio.fail_after(timeout):
            while (message := await anext(self._messages)).get("method") != method:
                pass
        return message
