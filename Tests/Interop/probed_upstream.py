"""A Streamable HTTP server of the legacy era that answers what it does not know as a test wants."""

from __future__ import annotations

import json
from typing import Any

from recording_upstream import RecordingUpstream


class ProbedUpstream(RecordingUpstream):
    """Answers requests without a session with `status`, `content_type` and `body`; `{id}` in the body is the request's id."""

    def __init__(self, status: int, body: str = "", content_type: str = "application/json") -> None:
        self._answer = (status, body, content_type)
        super().__init__()

    def foreign(self, message: dict[str, Any]) -> tuple[int, bytes, str] | None:
        if message.get("method") != "server/discover":
            return None
        status, body, content_type = self._answer
        return status, body.replace("{id}", json.dumps(message.get("id"))).encode(), content_type
