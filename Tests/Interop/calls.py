"""What clients of the tests have in common, whatever they send requests over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Calls(ABC):
    @abstractmethod
    async def request(self, method: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """The result of one request; raises its error."""

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        return await self.request("tools/call", {"name": tool, "arguments": arguments or {}, **params})

    async def list_all(self, method: str, key: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        while True:
            result = await self.request(method, params)
            found += result[key]
            if "nextCursor" not in result:
                return found
            params = {"cursor": result["nextCursor"]}
