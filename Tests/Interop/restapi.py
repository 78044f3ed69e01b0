"""A client of the REST API, spoken by hand: what the API answers is for the tests to judge."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
from rawhttp import SSE, Event, Stream

# Version 4, as the source document's test wants it.
UUID4 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", re.IGNORECASE)
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


def moment(text: str) -> float:
    """An RFC 3339 time as seconds since 1970."""
    assert RFC3339.match(text), text
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def refused(response: httpx.Response, status: int, code: str) -> str:
    """Checks an error of the REST API; its message."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    assert response.headers["content-type"].startswith("application/json"), response.headers
    body = response.json()
    assert set(body) == {"error"} and set(body["error"]) >= {"code", "message"}, body
    assert body["error"]["code"] == code, body
    # A sentence: what, which value, what next.
    assert len(body["error"]["message"]) > 10, body
    return body["error"]["message"]


class RestClient:
    """One session of the API; `session_id` is None until `create`."""

    def __init__(self, base_url: str, client_id: str = "interop", session_id: str | None = None) -> None:
        self.client_id = client_id
        self.session_id = session_id
        self.created: dict[str, Any] = {}
        self.http = httpx.AsyncClient(base_url=base_url, timeout=30, limits=httpx.Limits(max_connections=None))

    async def __aenter__(self) -> RestClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    def headers(self, **more: str | None) -> dict[str, str]:
        """The session's header and more; a `None` removes one (names with underscores)."""
        fields = {"x-session-id": self.session_id, **{name.replace("_", "-"): value for name, value in more.items()}}
        return {name: value for name, value in fields.items() if value is not None}

    async def request(self, method: str, path: str, body: Any = None, **headers: str | None) -> httpx.Response:
        content = None
        if body is not None:
            content = body if isinstance(body, (bytes, str)) else json.dumps(body)
            headers = {"content_type": "application/json", **headers}
        return await self.http.request(method, path, content=content, headers=self.headers(**headers))

    async def create(self, **more: Any) -> RestClient:
        """Makes the session."""
        response = await self.request("POST", "/api/session/create", {"clientId": self.client_id, **more}, x_session_id=None)
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        self.created = response.json()
        self.session_id = self.created["sessionId"]
        return self

    async def validate(self) -> dict[str, Any]:
        response = await self.request("POST", "/api/session/validate")
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()

    async def sessions(self, client_id: str | None = None) -> list[dict[str, Any]]:
        response = await self.http.get("/api/sessions", params={"clientId": client_id or self.client_id}, headers=self.headers())
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()["sessions"]

    async def tools(self) -> list[dict[str, Any]]:
        response = await self.request("GET", "/api/mcp/tools")
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()["tools"]

    async def call(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Calls a tool; its result."""
        response = await self.call_response(name, arguments, **more)
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()

    async def call_response(self, name: str, arguments: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        body = {"name": name, **more}
        if arguments is not None:
            body["arguments"] = arguments
        return await self.request("POST", "/api/mcp/call", body)

    async def ticket(self) -> dict[str, Any]:
        response = await self.request("POST", "/api/session/ticket")
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()

    @contextlib.asynccontextmanager
    async def events(
        self, ticket: str | None = None, last_event_id: str | None = None, last_in_query: str | None = None
    ) -> AsyncIterator[Feed]:
        """Opens the feed, with the session's header or with a ticket."""
        params = {name: value for name, value in {"ticket": ticket, "lastEventId": last_in_query}.items() if value is not None}
        headers = {"accept": SSE, "last_event_id": last_event_id}
        if ticket is not None:
            headers["x_session_id"] = None
        async with self.http.stream("GET", "/sse/events", params=params, headers=self.headers(**headers)) as response:
            if response.status_code != 200:
                raise AssertionError(f"{response.status_code} {(await response.aread()).decode()}")
            assert response.headers["content-type"].startswith(SSE), response.headers
            yield Feed(response)


class Feed:
    """An open /sse/events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.stream = Stream(response)
        self.seen: list[Event] = []
        self._events = aiter(self.stream)

    async def next(self, *names: str, timeout: float = 15) -> Event:
        """The next event with one of these names; any, but for keepalives, without names."""
        with anyio.fail_after(timeout):
            async for event in self._events:
                if not event.data:
                    # A block with `retry` or an id alone is no event.
                    continue
                self.seen.append(event)
                if event.name in names or (not names and event.name != "keepalive"):
                    return event
        raise AssertionError(f"the feed ended without {names or 'an event'}; it had {[event.name for event in self.seen]}")

    async def ends(self, timeout: float = 15) -> None:
        """Reads to its end."""
        with anyio.fail_after(timeout):
            async for event in self._events:
                self.seen.append(event)

    @property
    def last_id(self) -> str | None:
        return self.stream.last_id
