"""What schemathesis needs to know of the gateway beyond its description: how to get a session, and that a feed has no end."""

from __future__ import annotations

import os
from typing import Any

import httpx
import schemathesis


@schemathesis.auth(refresh_interval=None)
class Session:
    """A session of its own for each request: DELETE /api/session ends it."""

    def get(self, case: schemathesis.Case, context: Any) -> str:
        url = os.environ["OPENAPI_BASE_URL"]
        response = httpx.post(f"{url}/api/session/create", json={"clientId": "schemathesis"}, timeout=10)
        return response.raise_for_status().json()["sessionId"]

    def set(self, case: schemathesis.Case, data: str, context: Any) -> None:
        # A feed that opens does not end. Its refusals are what is tested here; test_event_feed.py reads feeds.
        if case.path == "/sse/events":
            data = "00000000-0000-4000-8000-000000000000"
        case.headers["X-Session-ID"] = data
