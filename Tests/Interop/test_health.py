"""`/health` and `/ready`, and the command that asks for them: from the start to the end of a gateway."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from gateway import CommandLine, Gateway, raw
from processes import wait_until
from rawhttp import RawSession, RPCError

SERVERS = {"raw": raw()}
SETTINGS = {"instanceID": "one", "colour": "green", "startupWait": "5s"}
Start = Callable[..., Gateway]
SOON = {"startupWait": "0s"}


def get(gateway: Gateway, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{gateway.port}{path}", timeout=10)


def health(gateway: Gateway) -> dict[str, Any]:
    response = get(gateway, "/health")
    assert response.status_code == 200, response.text
    return response.json()


def reasons(gateway: Gateway) -> list[str]:
    """Why it is not ready; nothing when it is."""
    response = get(gateway, "/ready")
    body = response.json()
    assert (response.status_code, body["ready"]) in ((200, True), (503, False)), (response.status_code, body)
    assert bool(body.get("reasons")) != body["ready"]
    return body.get("reasons") or []


def lines(gateway: Gateway, message: str) -> list[dict[str, Any]]:
    """The lines of the log with that message."""
    found = (json.loads(line) for line in gateway.log().splitlines() if line.startswith("{") and line.endswith("}"))
    return [line for line in found if line["message"] == message]


def command(gateway_or_url: Gateway | str, *more: str) -> subprocess.CompletedProcess[str]:
    url = gateway_or_url if isinstance(gateway_or_url, str) else f"http://127.0.0.1:{gateway_or_url.port}"
    return subprocess.run(CommandLine.health(url, *more), capture_output=True, text=True, timeout=30)


def test_health_tells_what_the_gateway_is(gateway: Gateway) -> None:
    response = get(gateway, "/health")
    assert response.headers["content-type"].startswith("application/json") and "no-store" in response.headers["cache-control"]
    body = response.json()
    assert body["status"] == "ok" and body["version"] and body["instance"] in gateway.instance_names and body["colour"] == "green"
    assert 0 <= body["uptimeSeconds"] < 120
    assert body["components"] == {name: {"status": "ok"} for name in ("event_log", "store", "upstreams")}
    assert [(one["name"], one["status"], one["required"]) for one in body["upstreams"]] == [("raw", "ready", False)]


def test_ready_says_so(gateway: Gateway) -> None:
    wait_until("it is ready", lambda: reasons(gateway) == [])
    response = get(gateway, "/ready")
    assert response.json()["ready"] is True and "no-store" in response.headers["cache-control"]


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_probes_may_ask_with_head_and_nothing_else(gateway: Gateway, path: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}") as http:
        response = http.head(path)
        assert response.status_code == 200 and response.content == b""
        # The connection is still in step.
        assert http.get(path).status_code == 200
        for method in ("POST", "PUT", "DELETE"):
            response = http.request(method, path)
            assert response.status_code == 405 and "GET" in response.headers["allow"]
        assert http.get(path, headers={"origin": "http://evil.example"}).status_code == 403


def test_the_uptime_grows(gateway: Gateway) -> None:
    first = health(gateway)["uptimeSeconds"]
    wait_until("a second goes by", lambda: health(gateway)["uptimeSeconds"] > first, 5)


def test_a_server_that_fails_degrades_health_and_not_readiness(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "down": raw(env={"RAW_HANDSHAKE": "exit"})}, {"startupWait": "3s"})
    body = wait_until("it is degraded", lambda: (body := health(gateway))["status"] == "degraded" and body, 15)
    assert body["components"]["store"]["status"] == "ok"
    assert body["components"]["upstreams"]["status"] == "degraded" and "down" in body["components"]["upstreams"]["detail"]
    down = next(one for one in body["upstreams"] if one["name"] == "down")
    assert down["status"] == "failed" and "no licence" in down["reason"] and down["required"] is False
    wait_until("it is ready", lambda: reasons(gateway) == [], 10)
    assert command(gateway).returncode == 0 and "degraded" in command(gateway).stdout
    assert command(gateway, "--ready").returncode == 0


def test_it_is_alive_and_not_ready_until_a_required_server_is_up(start_gateway: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    gateway = start_gateway({"raw": raw(), "slow": raw(env={"RAW_WAIT_FILE": str(go)}, required=True)}, SOON)
    assert any("slow" in reason for reason in reasons(gateway))
    assert not any("raw" in reason for reason in reasons(gateway)) or wait_until(
        "the other server is up", lambda: not any('"raw"' in reason for reason in reasons(gateway))
    )
    body = health(gateway)
    assert next(one for one in body["upstreams"] if one["name"] == "slow")["status"] == "starting"
    assert command(gateway).returncode == 0
    result = command(gateway, "--ready")
    assert result.returncode == 1 and "slow" in result.stdout + result.stderr
    assert "mcp-gateway is listening" in gateway.log() and "mcp-gateway is ready" not in gateway.log()
    go.touch()
    wait_until("it is ready", lambda: reasons(gateway) == [], 10)
    assert command(gateway, "--ready").returncode == 0
    assert health(gateway)["status"] == "ok"
    (line,) = wait_until("the log says so", lambda: lines(gateway, "mcp-gateway is ready"))
    assert "slow" in line["missing"]


def test_health_and_ready_answer_while_the_gateway_waits_for_its_servers(start_gateway: Start, tmp_path: Path) -> None:
    """startupWait delays the tools, not the probes: a supervisor must not take a slow start for a dead process."""
    go = tmp_path / "go"
    gateway = start_gateway({"slow": raw(env={"RAW_WAIT_FILE": str(go)})}, {"startupWait": "60s"})
    assert health(gateway)["uptimeSeconds"] < 30
    go.touch()
    wait_until("it is ready", lambda: reasons(gateway) == [], 10)


async def test_the_crash_of_a_required_server_shows_until_it_is_back(start_gateway: Start, tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.touch()
    gateway = start_gateway({"raw": raw(env={"RAW_WAIT_FILE": str(go)}, required=True)})
    wait_until("it is ready", lambda: reasons(gateway) == [])
    async with RawSession(gateway.url) as session:
        await session.initialize()
        go.unlink()
        with pytest.raises(RPCError):
            await session.call("raw__die")
        wait_until("it is not ready", lambda: any("raw" in reason for reason in reasons(gateway)))
        assert command(gateway, "--ready").returncode == 1 and command(gateway).returncode == 0
        go.touch()
        wait_until("it is ready again", lambda: reasons(gateway) == [], 15)
        (line,) = wait_until("the log says so", lambda: lines(gateway, "mcp-gateway is ready again"))
        assert "raw" in line["missing"] and len(lines(gateway, "mcp-gateway is ready")) == 1
        assert (await session.call("raw__count"))["structuredContent"] == {"count": 1}


def test_a_required_server_that_is_added_counts_too(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    wait_until("it is ready", lambda: reasons(gateway) == [])
    gateway.write_config({"raw": raw(), "down": raw(env={"RAW_HANDSHAKE": "exit"}, required=True)})
    wait_until("it is not ready", lambda: any("down" in reason for reason in reasons(gateway)), 15)
    gateway.write_config({"raw": raw()})
    wait_until("it is ready again", lambda: reasons(gateway) == [], 15)


async def test_a_gateway_that_drains_is_alive_and_not_ready(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"drainTimeout": "20s"})
    async with RawSession(gateway.url) as session, anyio.create_task_group() as group:
        await session.initialize()
        results: list[dict[str, Any]] = []

        async def call() -> None:
            results.append(await session.call("raw__wait", {"seconds": 3}))

        group.start_soon(call)
        with anyio.fail_after(10):
            while health(gateway)["openExchanges"] == 0:
                await anyio.sleep(0.02)
        gateway.begin_to_end()
        with anyio.fail_after(5):
            while health(gateway)["status"] != "draining":
                await anyio.sleep(0.02)
        assert reasons(gateway)
        assert await anyio.to_thread.run_sync(lambda: command(gateway).returncode) == 1
        assert await anyio.to_thread.run_sync(lambda: command(gateway, "--ready").returncode) == 1
    assert results and results[0]["content"][0]["text"] == "waited"
    assert gateway.wait_for_end(20) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system in memory that is soon full."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


async def test_a_full_disk_degrades_the_store_and_the_event_log(start_gateway: Start, small_disk: Path) -> None:
    gateway = start_gateway({"raw": raw()}, data=small_disk / "data")
    async with RawSession(gateway.url) as session, RawSession(gateway.url) as other:
        await session.initialize()
        with (small_disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

        async def is_refused() -> bool:
            # The log of the store's database has room for a few.
            return (await other.post(other.message("initialize", other.initialize_params(name="x" * 250)))).status_code == 503

        with anyio.fail_after(20):
            while not await is_refused():
                pass
        components = health(gateway)["components"]
        for name in ("store", "event_log"):
            assert components[name]["status"] == "degraded" and components[name]["detail"], components
        assert any("store" in reason for reason in reasons(gateway))
        response = await session.delete()
        assert response.status_code == 503 and int(response.headers["retry-after"]) > 0
        (small_disk / "ballast").unlink()
        wait_until("it can write again", lambda: health(gateway)["status"] == "ok", 30)
        assert await other.initialize()


# The command.


def test_the_command_succeeds_where_a_gateway_serves(gateway: Gateway) -> None:
    wait_until("it is ready", lambda: reasons(gateway) == [])
    for url in (f"http://127.0.0.1:{gateway.port}", f"http://127.0.0.1:{gateway.port}/"):
        result = command(url)
        assert result.returncode == 0 and result.stdout.startswith("ok") and result.stderr == ""
        assert any(name in result.stdout for name in gateway.instance_names) and "raw: ready" in result.stdout
        assert command(url, "--ready").returncode == 0
    assert json.loads(command(gateway, "--json").stdout)["status"] == "ok"
    assert json.loads(command(gateway, "--ready", "--json").stdout)["ready"] is True


@pytest.mark.parametrize("more", [[], ["--ready"]])
def test_the_command_fails_where_nothing_listens(more: list[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        result = command(f"http://127.0.0.1:{sock.getsockname()[1]}", *more)
    assert result.returncode == 1 and "Is it running?" in result.stderr


@pytest.mark.parametrize("more", [[], ["--ready"]])
def test_the_command_fails_where_nobody_answers_in_time(more: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = command(f"http://127.0.0.1:{server.getsockname()[1]}", "--timeout", "1", *more)
    assert result.returncode == 1 and result.stderr


def test_the_command_fails_at_another_server(remote_server: str) -> None:
    base = remote_server.removesuffix("/mcp")
    for more in ([], ["--ready"]):
        result = command(base, *more)
        assert result.returncode == 1 and "is that an mcp-gateway?" in result.stderr
