"""A few MCP requests with the standard library's client, to see that a server answers. Nothing here is measured."""

import http.client
import json

REVISION = "2025-11-25"


def post(port: int, message: dict, session: str | None = None, path: str = "/mcp") -> tuple[int, str, str | None]:
    """Returns status, body and the session id header. Raises OSError when there is no answer."""
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if session:
        headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": REVISION}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(message), headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace"), response.getheader("Mcp-Session-Id")
    except http.client.HTTPException as error:
        raise OSError(f"not an HTTP response: {error!r}") from error
    finally:
        connection.close()


def get_status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"not an HTTP response: {error!r}") from error
    finally:
        connection.close()


def offers_tool(port: int, tool: str) -> bool:
    """Whether a new session's tools/list names the tool."""
    status, body, session = post(port, {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "probe", "version": "1"}}})
    if status != 200:
        raise OSError(f"initialize: status {status}: {body[:300]}")
    post(port, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    status, body, _ = post(port, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)
    if f'"{tool}"' not in body:
        raise OSError(f"tools/list: status {status}, no tool {tool}: {body[:300]}")
    return True


def session_lives(port: int, session: str) -> bool:
    status, body, _ = post(port, {"jsonrpc": "2.0", "id": 3, "method": "ping"}, session)
    return status == 200 and '"result"' in body
