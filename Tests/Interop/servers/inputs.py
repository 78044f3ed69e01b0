"""Asking the client, in the way of either era, so that one handler serves both.

Before 2026-07-28 a server sends a request of its own and waits. Since then it answers `input_required` and is called again, with
the answers; what it knew by then it gets back in `requestState`, which is signed because it comes from the client.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import mcp_types as types
from eras import is_modern
from mcp import MCPError
from mcp.shared.message import ServerMessageMetadata

# The servers of a test may be many processes behind one name; a state of one must be good for all.
KEY = os.environ.get("INPUTS_KEY", "the key of the servers under test").encode()
RESULTS: dict[str, Any] = {
    "sampling/createMessage": types.CreateMessageResult,
    "elicitation/create": types.ElicitResult,
    "roots/list": types.ListRootsResult,
}


class InputNeeded(Exception):
    """A handler cannot go on before the client has answered."""

    def __init__(self, requests: dict[str, Any], state: str | None) -> None:
        super().__init__(f"needs {', '.join(requests)}")
        self.result = types.InputRequiredResult(input_requests=requests or None, request_state=state)


def seal(value: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    return f"{payload}.{hmac.new(KEY, payload.encode(), hashlib.sha256).hexdigest()}"


def unseal(state: str) -> Any:
    payload, _, signature = state.rpartition(".")
    if not hmac.compare_digest(signature, hmac.new(KEY, payload.encode(), hashlib.sha256).hexdigest()):
        raise MCPError(code=-32602, message="the requestState is not one of this server")
    return json.loads(base64.urlsafe_b64decode(payload))


class Inputs:
    """The answers of one request's client. `binding` is what the state of the request must belong to."""

    def __init__(self, ctx: Any, params: Any, binding: str) -> None:
        self._ctx = ctx
        self._binding = binding
        self._known: dict[str, Any] = {}
        if not is_modern(ctx):
            return
        if params.request_state is not None:
            state = unseal(params.request_state)
            if state["binding"] != binding:
                raise MCPError(code=-32602, message="the requestState belongs to another request")
            self._known = state["answers"]
        for key, response in (params.input_responses or {}).items():
            self._known[key] = response.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def ask(self, *, stateless: bool = False, **requests: Any) -> dict[str, Any]:
        """Asks them all at once and gives the client's results, as on the wire.

        `stateless` leaves `requestState` away: the answers alone will do.
        """
        if not is_modern(self._ctx):
            return {key: await self._send(request) for key, request in requests.items()}
        missing = {key: request for key, request in requests.items() if not self._is_answer(key, request)}
        if missing:
            self._require_capabilities(missing)
            state = None if stateless else seal({"binding": self._binding, "answers": self._known})
            raise InputNeeded(missing, state)
        return {key: self._known[key] for key in requests}

    def can(self, method: str) -> bool:
        """Whether the client said that it answers requests of this method."""
        return not _missing(self._ctx.session.client_capabilities, method)

    def _is_answer(self, key: str, request: Any) -> bool:
        field = {"sampling/createMessage": "model", "elicitation/create": "action", "roots/list": "roots"}[request.method]
        return isinstance(self._known.get(key), dict) and field in self._known[key]

    def _require_capabilities(self, requests: dict[str, Any]) -> None:
        required: dict[str, Any] = {}
        for request in requests.values():
            required |= _missing(self._ctx.session.client_capabilities, request.method)
        if required:
            raise MCPError(code=-32021, message="the client cannot be asked", data={"requiredCapabilities": required})

    async def _send(self, request: Any) -> dict[str, Any]:
        # Of the roots, a server may ask whenever it likes, so that request goes the way of those that belong to no other.
        related = None if request.method == "roots/list" else self._ctx.request_id
        result = await self._ctx.session.send_request(
            request, RESULTS[request.method], metadata=ServerMessageMetadata(related_request_id=related)
        )
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)


def _missing(capabilities: Any, method: str) -> dict[str, Any]:
    name = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}[method]
    return {} if capabilities is not None and getattr(capabilities, name) is not None else {name: {}}


def form(message: str, properties: dict[str, Any], required: list[str] | None = None) -> types.ElicitRequest:
    """A question to the user with a form for the answer."""
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = required
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str, **more: Any) -> types.CreateMessageRequest:
    """A question to the client's model."""
    message = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], **({"max_tokens": 100} | more))
    )


def roots() -> types.ListRootsRequest:
    """A question for the client's roots."""
    return types.ListRootsRequest()
