"""Checks what the gateway sends to clients against the official JSON Schema of the session's revision.

A `Conversation` sees both directions of one session: the client's requests, so that a result is checked against the type that
belongs to its method, and everything that the gateway sends. What it finds wrong it collects in `violations`.
"""

from __future__ import annotations

import functools
import json
import threading
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parent / "schema"
LEGACY_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
LATEST_LEGACY = LEGACY_REVISIONS[-1]
MODERN = "2026-07-28"
REVISIONS = (*LEGACY_REVISIONS, MODERN)
META = "io.modelcontextprotocol/"

RESULTS = {
    "initialize": "InitializeResult",
    "ping": "EmptyResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "prompts/list": "ListPromptsResult",
    "prompts/get": "GetPromptResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult",
    "resources/subscribe": "EmptyResult",
    "resources/unsubscribe": "EmptyResult",
    "completion/complete": "CompleteResult",
    "logging/setLevel": "EmptyResult",
    "tasks/get": "GetTaskResult",
    "tasks/list": "ListTasksResult",
    "tasks/cancel": "CancelTaskResult",
    # tasks/result carries the result of the request that made the task; the tests only make tasks of tools/call.
    "tasks/result": "CallToolResult",
}
"""The result type of each request of the specification."""

MODERN_RESULTS = {
    "server/discover": "DiscoverResult",
    "subscriptions/listen": "SubscriptionsListenResult",
    **{method: RESULTS[method] for method in ("tools/list", "tools/call", "prompts/list", "prompts/get", "completion/complete")},
    **{method: RESULTS[method] for method in ("resources/list", "resources/templates/list", "resources/read")},
}
MAY_NEED_INPUT = ("tools/call", "prompts/get", "resources/read")
MODERN_ERRORS = {
    -32020: "HeaderMismatchError",
    -32021: "MissingRequiredClientCapabilityError",
    -32022: "UnsupportedProtocolVersionError",
}
LISTENED = ("notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed",
            "notifications/resources/updated", "notifications/subscriptions/acknowledged", "notifications/tasks")  # fmt: skip


def meta_of(message: Any) -> dict[str, Any]:
    """The `_meta` of a request's or a notification's params."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


@functools.cache
def _schema(revision: str) -> dict[str, Any]:
    return json.loads((SCHEMAS / revision / "schema.json").read_text())


@functools.cache
def _definitions_key(revision: str) -> str:
    return "$defs" if "$defs" in _schema(revision) else "definitions"


@functools.cache
def _validator(revision: str, definition: str) -> jsonschema.protocols.Validator | None:
    schema = _schema(revision)
    key = _definitions_key(revision)
    if definition not in schema[key]:
        return None
    cls = jsonschema.validators.validator_for(schema)
    # The schemas are self-contained, so references resolve inside the document.
    return cls({"$schema": schema["$schema"], key: schema[key], "$ref": f"#/{key}/{definition}"})


@functools.cache
def _methods(revision: str, union: str) -> dict[str, str]:
    """The definition of each method of a union such as `ServerNotification`."""
    definitions = _schema(revision)[_definitions_key(revision)]
    if union not in definitions:
        return {}
    # A union of one is that one.
    names = [entry["$ref"].rsplit("/", 1)[1] for entry in definitions[union].get("anyOf", [])] or [union]
    return {definitions[name]["properties"]["method"]["const"]: name for name in names}


def _why(error: jsonschema.ValidationError) -> str:
    best = jsonschema.exceptions.best_match([error]) or error
    return f"{best.json_path}: {best.message[:300]}"


def _identifier(message: dict[str, Any]) -> str:
    """JSON-RPC ids are typed: 1 and "1" are two ids."""
    return json.dumps(message.get("id"))


class Conversation:
    """One session as seen on the wire. Thread-safe: the recorder feeds it from its own thread."""

    def __init__(self, revision: str | None = None) -> None:
        self.revision = revision
        self.violations: list[str] = []
        self.checked = 0
        self.sent_by_gateway: list[Any] = []
        self._requests: dict[str, dict[str, Any]] = {}
        self._malformed: set[str] = set()
        self._lock = threading.Lock()

    def client_sent(self, payload: Any) -> None:
        """Notes the client's requests; what a client sends is not ours to judge."""
        with self._lock:
            for message in payload if isinstance(payload, list) else [payload]:
                if isinstance(message, dict) and isinstance(message.get("method"), str) and "id" in message:
                    self._requests[_identifier(message)] = message
                    if self.revision is None and f"{META}protocolVersion" in meta_of(message):
                        self.revision = MODERN
                elif isinstance(message, dict) and "id" in message:
                    # No request, but its id could be read.
                    self._malformed.add(_identifier(message))

    def gateway_sent(self, payload: Any) -> None:
        """Checks one payload of the gateway: a message or, in 2025-03-26 only, a batch."""
        with self._lock:
            self.sent_by_gateway.append(payload)
            if isinstance(payload, list):
                if self.revision not in (None, "2025-03-26"):
                    self._violation(payload, f"a batch, which {self.revision} does not have")
                for message in payload:
                    self._check(message)
            else:
                self._check(payload)

    def gateway_sent_text(self, text: str) -> None:
        """As `gateway_sent`, for text that ought to be JSON."""
        try:
            payload = json.loads(text)
        except ValueError as error:
            with self._lock:
                self._violation(text, f"not JSON: {error}")
            return
        self.gateway_sent(payload)

    def _check(self, message: Any) -> None:
        self.checked += 1
        if not isinstance(message, dict):
            self._violation(message, "not a JSON-RPC message")
        elif "method" in message:
            self._check_call(message)
        elif "result" in message:
            self._check_result(message)
        elif "error" in message:
            self._check_error(message)
        else:
            self._violation(message, "neither method nor result nor error")

    @property
    def _revision(self) -> str:
        return self.revision or LATEST_LEGACY

    def _check_call(self, message: dict[str, Any]) -> None:
        kind = "Request" if "id" in message else "Notification"
        if self.revision == MODERN:
            self._check_modern_call(message)
        self._expect(message, f"JSONRPC{kind}", message)
        definition = _methods(self._revision, f"Server{kind}").get(message["method"])
        if definition is not None:
            self._expect(message, definition, message)
        elif any(message["method"] in _methods(r, f"{side}{kind}") for r in LEGACY_REVISIONS for side in ("Server", "Client")):
            self._violation(message, f"a method that a server of {self._revision} may not send")

    def _check_modern_call(self, message: dict[str, Any]) -> None:
        """What a schema cannot say: which notification belongs to which request."""
        if "id" in message:
            return self._violation(message, f"a request, which a server of {MODERN} may not send")
        method, meta, requests = message["method"], meta_of(message), self._requests.values()
        if method == "notifications/message" and not any(f"{META}logLevel" in meta_of(request) for request in requests):
            self._violation(message, "a log message for a request that asked for none")
        if method == "notifications/progress":
            tokens = [json.dumps(meta_of(request).get("progressToken")) for request in requests]
            if json.dumps(message.get("params", {}).get("progressToken")) not in tokens:
                self._violation(message, "a progress token that no request carries")
        if method in LISTENED:
            request = self._requests.get(json.dumps(meta.get(f"{META}subscriptionId")))
            if request is None or request["method"] != "subscriptions/listen":
                self._violation(message, "a notification of no subscription of the client")
        elif f"{META}subscriptionId" in meta:
            self._violation(message, "a subscription's id on a notification that no stream of changes carries")

    def _check_result(self, message: dict[str, Any]) -> None:
        result = message["result"]
        request = self._requests.get(_identifier(message))
        if request is None:
            self._violation(message, "a result for a request that the client did not send")
            return
        method = request["method"]
        if method == "initialize" and isinstance(result, dict) and result.get("protocolVersion") in LEGACY_REVISIONS:
            self.revision = result["protocolVersion"]
        envelope = "JSONRPCResultResponse" if _validator(self._revision, "JSONRPCResultResponse") else "JSONRPCResponse"
        self._expect(message, envelope, message)
        if self.revision == MODERN:
            return self._expect(message, self._modern_result(message, method, result), result)
        definition = RESULTS.get(method, "Result")
        if method == "tools/call" and "task" in request.get("params", {}) and isinstance(result, dict) and "task" in result:
            definition = "CreateTaskResult"
        self._expect(message, definition, result)

    def _modern_result(self, message: dict[str, Any], method: str, result: Any) -> str:
        kind = result.get("resultType") if isinstance(result, dict) else None
        if kind == "input_required":
            if method not in MAY_NEED_INPUT:
                self._violation(message, f"input_required for {method}")
            if not result.get("inputRequests") and "requestState" not in result:
                self._violation(message, "input_required with neither inputRequests nor requestState")
            return "InputRequiredResult"
        # Extensions have types of their own; what else a schema of the core says of them does not hold.
        return MODERN_RESULTS.get(method, "Result") if kind in ("complete", None) else "Result"

    def _check_error(self, message: dict[str, Any]) -> None:
        body = dict(message)
        if "id" not in body or body["id"] is None:
            # JSON-RPC 2.0, section 5: null where the id of the request could not be read. The schemas know no null id, those before
            # 2025-11-25 no absent one either, and the transport section of each of them allows an error that has no id.
            body["id"] = 0
        elif _identifier(message) not in self._requests and _identifier(message) not in self._malformed:
            self._violation(message, "an error for a request that the client did not send")
        envelope = "JSONRPCErrorResponse" if _validator(self._revision, "JSONRPCErrorResponse") else "JSONRPCError"
        self._expect(message, envelope, body)
        code = body["error"].get("code") if isinstance(body["error"], dict) else None
        if self.revision == MODERN and code in MODERN_ERRORS:
            self._expect(message, MODERN_ERRORS[code], body)

    def _expect(self, message: Any, definition: str, value: Any) -> None:
        validator = _validator(self._revision, definition)
        if validator is None:
            self._violation(message, f"{definition}, which {self._revision} does not have")
            return
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
        if error is not None:
            self._violation(message, f"not a {definition} of {self._revision}: {_why(error)}")

    def _violation(self, message: Any, why: str) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.violations.append(f"{why}\n    {text[:600]}")
