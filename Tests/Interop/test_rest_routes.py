"""The REST API's paths and methods, and the web pages that may use them."""

from __future__ import annotations

import httpx
import pytest
from gateway import Gateway, raw
from rawhttp import RawSession
from restapi import RestClient, refused

SERVERS = {"raw": raw()}
SETTINGS = {"allowedOrigins": ["https://app.example", "http://localhost:8080"]}


def client(gateway: Gateway) -> RestClient:
    return RestClient(gateway.base_url)


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type, x-session-id"}


@pytest.mark.parametrize("path", ["/api/session/create", "/api/mcp/call", "/api/session", "/sse/events"])
async def test_a_preflight_of_an_allowed_origin_is_answered_with_204(gateway: Gateway, path: str) -> None:
    async with client(gateway) as rest:
        for origin in SETTINGS["allowedOrigins"]:
            response = await rest.http.options(path, headers={"origin": origin, **PREFLIGHT})
            assert response.status_code == 204 and response.content == b""
            assert response.headers["access-control-allow-origin"] == origin
            methods = {one.strip() for one in response.headers["access-control-allow-methods"].split(",")}
            assert methods >= {"GET", "POST", "DELETE"} or methods & {"GET", "POST", "DELETE"}
            allowed = {one.strip().lower() for one in response.headers["access-control-allow-headers"].split(",")}
            assert {"content-type", "x-session-id"} <= allowed
            assert "origin" in response.headers["vary"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example", "http://localhost:9999"]
)
async def test_another_origin_is_refused_everywhere(gateway: Gateway, origin: str) -> None:
    async with await client(gateway).create() as rest:
        response = await rest.http.options("/api/session/create", headers={"origin": origin, **PREFLIGHT})
        refused(response, 403, "forbidden_origin")
        assert "access-control-allow-origin" not in response.headers
        for method, path in (
            ("POST", "/api/session/create"),
            ("GET", "/api/mcp/tools"),
            ("DELETE", "/api/session"),
            ("GET", "/sse/events"),
        ):
            response = await rest.request(method, path, origin=origin)
            refused(response, 403, "forbidden_origin")
            assert "access-control-allow-origin" not in response.headers
        assert (await rest.validate())["valid"]


async def test_every_answer_to_an_allowed_origin_may_be_read_by_its_page(gateway: Gateway) -> None:
    origin = "https://app.example"
    async with await client(gateway).create() as rest:
        for method, path, body, status in (
            ("POST", "/api/session/create", {"clientId": "a"}, 200), ("POST", "/api/session/create", {}, 400),
            ("GET", "/api/mcp/tools", None, 200), ("GET", "/api/nothing", None, 404), ("PUT", "/api/session/create", None, 405),
            ("POST", "/api/mcp/call", {"name": "nothing"}, 404), ("GET", "/api/openapi.json", None, 200),
        ):  # fmt: skip
            response = await rest.request(method, path, body, origin=origin)
            assert response.status_code == status, (path, response.text)
            assert response.headers["access-control-allow-origin"] == origin, path
            assert "origin" in response.headers["vary"].lower()
        async with rest.http.stream("GET", "/sse/events", headers=rest.headers(origin=origin)) as stream:
            assert stream.headers["access-control-allow-origin"] == origin
        # Without an origin there is nothing to say about it.
        assert "access-control-allow-origin" not in (await rest.request("GET", "/api/mcp/tools")).headers


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/session/create/", "/sse/", "/"])
async def test_an_unknown_path_is_answered_with_404(gateway: Gateway, path: str) -> None:
    async with client(gateway) as rest:
        for method in ("GET", "POST", "DELETE"):
            refused(await rest.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/session/create", "POST"), ("/api/session/validate", "POST"), ("/api/session", "DELETE"), ("/api/sessions", "GET"),
        ("/api/session/ticket", "POST"), ("/api/mcp/tools", "GET"), ("/api/mcp/call", "POST"), ("/sse/events", "GET"),
        ("/api/openapi.json", "GET"),
    ],
)  # fmt: skip
async def test_another_method_is_answered_with_405_and_those_that_are_allowed(gateway: Gateway, path: str, allowed: str) -> None:
    async with client(gateway) as rest:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - {allowed}:
            response = await rest.request(method, path)
            refused(response, 405, "method_not_allowed")
            assert allowed in {one.strip() for one in response.headers["allow"].split(",")}


async def test_the_api_can_be_switched_off(start_gateway) -> None:
    gateway = start_gateway({"raw": raw()}, {"api": {"enabled": False}})
    async with httpx.AsyncClient(base_url=gateway.base_url) as http, RawSession(gateway.url) as mcp:
        for method, path in (("POST", "/api/session/create"), ("GET", "/api/openapi.json"), ("GET", "/sse/events")):
            assert (await http.request(method, path)).status_code == 404
        await mcp.initialize()
        assert (await mcp.call("raw__echo", {}))["content"] == []


async def test_answers_are_not_stored_by_caches(gateway: Gateway) -> None:
    """They hold session ids and tickets."""
    async with await client(gateway).create() as rest:
        for method, path in (
            ("POST", "/api/session/validate"),
            ("POST", "/api/session/ticket"),
            ("GET", "/api/sessions?clientId=interop"),
        ):
            response = await rest.request(method, path)
            assert "no-store" in response.headers.get("cache-control", ""), path
