"""Serves one stdio MCP server over Streamable HTTP with fastmcp: `fastmcp_proxy.py PORT COMMAND`."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy


async def main() -> None:
    port, command = int(sys.argv[1]), sys.argv[2]
    # A connected client is shared by all requests; a disconnected one would start a session for each.
    async with Client(StdioTransport(command=command, args=[])) as client:
        proxy = create_proxy(client, name="echo")
        await proxy.run_async(
            transport="http", host="127.0.0.1", port=port, path="/mcp", log_level="warning", show_banner=False)


asyncio.run(main())
