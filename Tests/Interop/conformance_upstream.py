"""Checks what the gateway sends to servers against the official JSON Schema of the revision that it speaks with each.

Counterpart of `conformance.Conversation`, which checks what it sends to clients.
"""

from __future__ import annotations

import json
from typing import Any

import conformance
import jsonschema
from conformance import META, MODERN, meta_of

EXTENDED = ("tasks/get", "tasks/update", "tasks/cancel")
"""Of the extension io.modelcontextprotocol/tasks, which the schema of 2026-07-28 does not know."""

ANSWERS = {
    "ping": "EmptyResult",
    "roots/list": "ListRootsResult",
    "sampling/createMessage": "CreateMessageResult",
    "elicitation/create": "ElicitResult",
}
"""The result type of each request that a server may send."""


class UpstreamConversation:
    """Everything that passes between the gateway and one process, or one session, of a server, in order."""

    def __init__(self) -> None:
        self.revision: str | None = None
        self.violations: list[str] = []
        self.sent_by_gateway: list[Any] = []
        self._asked_by_server: dict[str, str] = {}

    def server_sent(self, message: Any) -> None:
        if isinstance(message, dict) and "method" in message and "id" in message:
            self._asked_by_server[json.dumps(message["id"])] = message["method"]
        result = message.get("result") if isinstance(message, dict) else None
        if isinstance(result, dict) and result.get("protocolVersion") in conformance.LEGACY_REVISIONS:
            self.revision = result["protocolVersion"]

    def gateway_sent(self, message: Any) -> None:
        self.sent_by_gateway.append(message)
        if not isinstance(message, dict):
            return self._violation(message, "not a JSON-RPC message")
        modern = f"{META}protocolVersion" in meta_of(message)
        # Before the server has answered the gateway finds out what it speaks, and asks in the words of either era.
        is_asking = message.get("method") in ("server/discover", "initialize")
        if modern and not is_asking:
            if self.revision not in (None, MODERN):
                self._violation(message, f"a request of {MODERN} in a session of {self.revision}")
            self.revision = self.revision or MODERN
        revision = MODERN if modern else conformance.LATEST_LEGACY if is_asking else self.revision or conformance.LATEST_LEGACY
        if "method" in message:
            self._check_call(message, revision)
        elif revision == MODERN:
            self._violation(message, f"a response, which a client of {MODERN} has no reason to send")
        elif "result" in message:
            method = self._asked_by_server.get(json.dumps(message.get("id")))
            if method is None:
                self._violation(message, "a result for a request that the server did not send")
            else:
                self._expect(message, revision, ANSWERS.get(method, "Result"), message["result"])

    def _check_call(self, message: dict[str, Any], revision: str) -> None:
        kind = "Request" if "id" in message else "Notification"
        self._expect(message, revision, f"JSONRPC{kind}", message)
        definition = conformance._methods(revision, f"Client{kind}").get(message["method"])
        if definition is not None:
            self._expect(message, revision, definition, message)
        elif revision == MODERN and message["method"] in EXTENDED:
            pass
        elif any(message["method"] in conformance._methods(other, f"Client{kind}") for other in conformance.REVISIONS):
            self._violation(message, f"a method that a client of {revision} may not send")
        if revision != MODERN and any(key.startswith(META) for key in meta_of(message) if key != f"{META}related-task"):
            self._violation(message, f"fields of {MODERN} in the _meta of a request of {revision}")

    def _expect(self, message: Any, revision: str, definition: str, value: Any) -> None:
        validator = conformance._validator(revision, definition)
        if validator is None:
            return self._violation(message, f"{definition}, which {revision} does not have")
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
        if error is not None:
            self._violation(message, f"not a {definition} of {revision}: {conformance._why(error)}")

    def _violation(self, message: Any, why: str) -> None:
        self.violations.append(f"to a server: {why}\n    {json.dumps(message)[:600]}")
