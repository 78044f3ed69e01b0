"""A session as a client has it: over MCP or over the REST API."""

import itertools
import json
from dataclasses import dataclass, field

from .wire import Connection, Response, Unexpected

REVISION = "2025-11-25"
_numbers = itertools.count(1)


def expect(response: Response, status: int, what: str) -> Response:
    if response.status != status:
        raise Unexpected(f"{what}: status {response.status}, not {status}")
    return response


@dataclass
class Progress:
    """The progress of one call, gathered over connections that break."""

    count: int
    steps: list[int] = field(default_factory=list)
    last_event: str | None = None
    is_answered: bool = False

    def take(self, event: dict[str, str]) -> None:
        self.last_event = event.get("id", self.last_event)
        if not event.get("data"):
            return
        message = json.loads(event["data"])
        if message.get("method") == "notifications/progress":
            self.steps.append(message["params"]["progress"])
        elif "result" in message:
            self.is_answered = True
        elif "error" in message:
            raise Unexpected(f"a call failed: {event['data'][:300]}")

    def check(self, what: str) -> None:
        if self.steps != list(range(1, self.count + 1)):
            raise Unexpected(f"{what}: {len(self.steps)} events of {self.count}, in disorder or lost: {self.steps[:5]} … {self.steps[-5:]}")


@dataclass
class MCPSession:
    id: str

    @classmethod
    async def open(cls, connection: Connection) -> "MCPSession":
        response = await connection.request("POST", "/mcp", cls._headers(), json.dumps({
            "jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}}).encode())
        expect(response, 200, "initialize")
        await response.body()
        session = cls(response.headers["mcp-session-id"])
        await expect(await session.post(connection, {"method": "notifications/initialized"}), 202, "initialized").body()
        return session

    @staticmethod
    def _headers() -> dict[str, str]:
        return {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

    def headers(self) -> dict[str, str]:
        return {**self._headers(), "Mcp-Session-Id": self.id, "MCP-Protocol-Version": REVISION}

    @staticmethod
    def message(content: dict) -> bytes:
        return json.dumps({"jsonrpc": "2.0", **content}).encode()

    async def post(self, connection: Connection, content: dict) -> Response:
        return await connection.request("POST", "/mcp", self.headers(), self.message(content))

    async def echo(self, connection: Connection, text: str) -> None:
        response = expect(await self.post(connection, {
            "id": next(_numbers), "method": "tools/call", "params": {"name": "echo__echo", "arguments": {"message": text}}}), 200, "echo")
        body = (await response.body()).decode()
        if json.dumps(text) not in body:
            raise Unexpected(f"echo answered {body[:300]}")

    @staticmethod
    def talk(count: int, size: int, delay: float = 0) -> dict:
        number = next(_numbers)
        return {
            "id": number, "method": "tools/call",
            "params": {"name": "talk__talk", "arguments": {"count": count, "size": size, "delay": delay}, "_meta": {"progressToken": number}}}

    async def listen(self, connection: Connection, after: str | None = None) -> Response:
        headers = {**self.headers(), **({"Last-Event-ID": after} if after else {})}
        return expect(await connection.request("GET", "/mcp", headers), 200, "GET /mcp")

    async def delete(self, connection: Connection) -> None:
        response = await connection.request("DELETE", "/mcp", self.headers())
        if response.status not in (200, 202, 204):
            raise Unexpected(f"DELETE /mcp: status {response.status}")
        await response.body()


@dataclass
class RESTSession:
    id: str

    @classmethod
    async def open(cls, connection: Connection) -> "RESTSession":
        response = await connection.request(
            "POST", "/api/session/create", {"Content-Type": "application/json"}, json.dumps({"clientId": "soak", "metadata": {"a": "b"}}).encode())
        return cls((await expect(response, 200, "create").json())["sessionId"])

    def headers(self) -> dict[str, str]:
        return {"X-Session-ID": self.id, "Content-Type": "application/json"}

    async def ticket(self, connection: Connection) -> str:
        return (await expect(await connection.request("POST", "/api/session/ticket", self.headers()), 200, "ticket").json())["ticket"]

    async def events(self, connection: Connection, ticket: str | None = None, after: str | None = None) -> Response:
        headers = {} if ticket else {"X-Session-ID": self.id}
        if after:
            headers["Last-Event-ID"] = after
        path = f"/sse/events?ticket={ticket}" if ticket else "/sse/events"
        return expect(await connection.request("GET", path, headers), 200, "GET /sse/events")

    async def talk(self, connection: Connection, count: int, size: int, delay: float = 0) -> None:
        response = await connection.request("POST", "/api/mcp/call", self.headers(), json.dumps({
            "name": "talk__talk", "arguments": {"count": count, "size": size, "delay": delay}, "_meta": {"progressToken": next(_numbers)}}).encode())
        await expect(response, 200, "POST /api/mcp/call").body()

    async def delete(self, connection: Connection) -> None:
        await expect(await connection.request("DELETE", "/api/session", self.headers()), 204, "DELETE /api/session").body()
