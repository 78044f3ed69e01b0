"""The log: JSON lines that name request, session and trace, levels that change while the gateway runs, and never a secret in it."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from gateway import Gateway, raw
from processes import is_running, wait_until
from rawhttp import BOTH, JSON, RawSession, RPCError
from recording_upstream import RecordingUpstream
from restapi import RestClient
from wire import Wire

Start = Callable[..., Gateway]
TRACE = {"log": {"level": "trace", "format": "json"}, "startupWait": "5s"}
LEVELS = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
OTHER = "00-11111111111111111111111111111111-2222222222222222-00"


def lines(gateway: Gateway) -> list[dict[str, Any]]:
    """The log, line by line, by time; every line must be JSON. Its last may be unfinished."""
    text = gateway.log()
    return sorted((json.loads(line) for line in text.split("\n")[:-1]), key=lambda line: line["time"])


def logger_of(line: dict[str, Any]) -> str:
    return line["logger"]


@pytest.fixture
def upstream() -> Iterator[RecordingUpstream]:
    server = RecordingUpstream()
    yield server
    server.close()


# Lines.


async def test_every_line_is_json_whatever_happens(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw(), "down": raw(env={"RAW_HANDSHAKE": "exit"})}, {**TRACE, "startupWait": "1s"})
    odd = 'quo"te \\ \t \r bell \x07 escape \x1b[31m nul-less ü🎉 \u2028 \ud800'.encode(errors="replace").decode()
    async with RawSession(gateway.url) as session:
        await session.initialize(name=odd)
        for tool in ("garbage", "noisy", "twice", "halves"):
            await session.call(f"raw__{tool}")
        await session.call("raw__stderr", {"text": odd})
        await session.post(b'{"jsonrpc":')
        with pytest.raises(RPCError):
            await session.call(f"raw__{odd}")
        with pytest.raises(RPCError):
            await session.call("raw__die", {"lines": 2})
        await session.http.get(f"{gateway.base_url}/{'%00%0a%22' * 10}")
    with Wire(gateway.port) as wire:
        wire.send(b'GET /"quote\\ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: "\x80\r\n\r\n')
        wire.finish_sending()
        wire.drain()
    wait_until("the end of the child is in the log", lambda: "last words 1" in gateway.log())
    for line in lines(gateway):
        assert {"time", "level", "logger", "message"} <= set(line), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,}Z", line["time"]) and line["level"] in LEVELS
        assert isinstance(line["message"], str) and "\n" not in line["message"]
    assert any(line.get("upstream") == "raw" and "last words" in json.dumps(line) for line in lines(gateway))


async def test_loggers_are_the_modules(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, TRACE)
    async with RawSession(gateway.url) as session:
        await session.initialize()
        await session.call("raw__echo")
        await session.delete()
    loggers = {logger_of(line) for line in lines(gateway)}
    assert loggers <= {"gateway", "gateway.core", "gateway.http", "gateway.upstream", "gateway.store", "gateway.metrics"}, loggers
    assert {"gateway", "gateway.http", "gateway.upstream"} <= loggers


async def test_a_request_is_found_by_its_id_session_and_trace(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, TRACE)
    async with RawSession(gateway.url) as session, RestClient(gateway.base_url) as rest:
        await session.initialize()
        await rest.create()
        message = session.message("tools/call", {"name": "raw__echo", "arguments": {}})
        named = f"request-{uuid.uuid4().hex[:8]}"
        response = await session.post(message, x_request_id=named, traceparent=TRACEPARENT)
        assert response.headers["x-request-id"] == named
        # A client that names no request learns the name of one that failed.
        unnamed = (await session.post(b"{")).headers["x-request-id"]
        other = f"request-{uuid.uuid4().hex[:8]}"
        response = await rest.request("GET", "/api/mcp/tools", x_request_id=other, traceparent=OTHER)
        assert response.headers["x-request-id"] == other
        assert session.session_id and rest.session_id

        def with_request(identifier: str) -> list[dict[str, Any]]:
            return [line for line in lines(gateway) if line.get("request") == identifier]

        for identifier in (named, unnamed, other):
            wait_until(f"{identifier} is in the log", lambda identifier=identifier: with_request(identifier))
        shown = with_request(named)
        assert any(line.get("trace") == TRACE_ID for line in shown), shown
        assert any(line.get("session") == session.session_id[:8] + "…" for line in shown), shown
        assert any(str(line.get("status")) == "200" for line in shown), shown
        assert any(line.get("session") == rest.session_id[:8] + "…" for line in with_request(other)), with_request(other)
        assert any(line.get("trace") == OTHER[3:35] for line in with_request(other))


@pytest.mark.parametrize("identifier", ["", "a" * 129, "a b", "a\tb", "ü", '"', "<script>"])
async def test_an_odd_request_id_is_replaced(start_gateway: Start, identifier: str) -> None:
    gateway = start_gateway({}, TRACE)
    async with httpx.AsyncClient() as http:
        response = await http.get(gateway.server_url("nothing"), headers={"x-request-id": identifier.encode()})
        assert response.status_code == 404 and response.headers["x-request-id"] != identifier
        assert re.fullmatch(r"[A-Za-z0-9._:+/=-]{1,128}", response.headers["x-request-id"])


# Traces.


def received_meta(record: Path) -> list[dict[str, Any]]:
    """`_meta` of the calls that the stdio server got."""
    found = []
    for line in record.read_text().splitlines():
        if line.startswith("{") and (message := json.loads(line)).get("method") == "tools/call":
            found.append(message["params"].get("_meta", {}))
    return found


async def test_a_trace_reaches_a_stdio_server(start_gateway: Start, tmp_path: Path) -> None:
    record = tmp_path / "record"
    gateway = start_gateway({"raw": raw(env={"RAW_RECORD": str(record)})})
    async with RawSession(gateway.url) as session, RestClient(gateway.base_url) as rest:
        await session.initialize()
        await rest.create()
        call = {"name": "raw__echo", "arguments": {"a": 1}}
        # In the header, in `_meta`, in both (the message's own is nearer to what it means), and by the REST API.
        await session.post(session.message("tools/call", call), traceparent=TRACEPARENT, tracestate="a=1,b=2")
        await session.call("raw__echo", {"a": 1}, _meta={"traceparent": TRACEPARENT, "tracestate": "a=1", "mine": [1]})
        await session.post(session.message("tools/call", {**call, "_meta": {"traceparent": TRACEPARENT}}), traceparent=OTHER)
        await rest.request("POST", "/api/mcp/call", {**call, "_meta": {"mine": 2}}, traceparent=TRACEPARENT)
        await rest.call("raw__echo", {"a": 1}, _meta={"traceparent": TRACEPARENT})
        metas = received_meta(record)
        assert len(metas) == 5
        assert [meta["traceparent"][3:35] for meta in metas] == [TRACE_ID] * 5
        assert metas[0]["tracestate"] == "a=1,b=2" and metas[1]["tracestate"] == "a=1"
        assert metas[1]["mine"] == [1] and metas[3]["mine"] == 2


async def test_a_trace_reaches_an_http_server(start_gateway: Start, upstream: RecordingUpstream) -> None:
    gateway = start_gateway({"remote": {"url": upstream.url}})
    async with RawSession(gateway.url) as session, RestClient(gateway.base_url) as rest:
        await session.initialize()
        await rest.create()
        call = {"name": "remote__say", "arguments": {}}
        await session.post(session.message("tools/call", call), traceparent=TRACEPARENT, tracestate="a=1")
        await session.call("remote__say", _meta={"traceparent": TRACEPARENT})
        await rest.request("POST", "/api/mcp/call", call, traceparent=TRACEPARENT)
        calls = upstream.calls()
        assert len(calls) == 3
        for headers, params in calls:
            assert headers["traceparent"][3:35] == TRACE_ID
            assert params["_meta"]["traceparent"][3:35] == TRACE_ID
        assert calls[0][0]["tracestate"] == "a=1"


@pytest.mark.parametrize(
    "traceparent",
    [
        "nonsense", "", TRACEPARENT[:-1], TRACEPARENT + "-00", TRACEPARENT.upper(), "ff" + TRACEPARENT[2:],
        f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE_ID}-{'0' * 16}-01", f"{TRACEPARENT},{TRACEPARENT}", "00-" + "g" * 32 + TRACEPARENT[35:],
    ],
)  # fmt: skip
async def test_a_trace_that_is_none_is_not_passed_on(start_gateway: Start, tmp_path: Path, traceparent: str) -> None:
    """W3C Trace Context, section 3.2.2."""
    record = tmp_path / "record"
    gateway = start_gateway({"raw": raw(env={"RAW_RECORD": str(record)})})
    async with RawSession(gateway.url) as session:
        await session.initialize()
        response = await session.post(
            session.message("tools/call", {"name": "raw__echo", "arguments": {}}), traceparent=traceparent
        )
        assert response.status_code == 200
        assert "traceparent" not in received_meta(record)[0]


# Levels.


async def test_an_edit_of_the_levels_takes_effect_without_a_restart(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"log": {"level": "info", "format": "json"}})
    pids = gateway.pids

    def edit(**log: Any) -> int:
        """Writes the levels; how long the log was."""
        before = len(lines(gateway))
        gateway.settings = {"log": {"format": "json", **log}}
        gateway.write_config(gateway.servers)
        return before

    async with RawSession(gateway.url) as session:
        await session.initialize()

        async def until(condition: Callable[[set[tuple[str, str]]], bool], since: int) -> None:
            """Calls until the lines since then are as they should be."""
            with anyio.fail_after(15):
                while True:
                    await session.call("raw__echo")
                    seen = {(logger_of(line), line["level"]) for line in lines(gateway)[since:]}
                    if condition(seen):
                        return
                    await anyio.sleep(0.05)

        def quiet(seen: set[tuple[str, str]], *loggers: str) -> bool:
            return not any(level in ("trace", "debug") and logger in loggers for logger, level in seen)

        assert quiet({(logger_of(line), line["level"]) for line in lines(gateway)}, "gateway", "gateway.http", "gateway.upstream")
        since = edit(level="info", levels=["gateway.http=trace"])
        await until(lambda seen: any(logger == "gateway.http" and level in ("trace", "debug") for logger, level in seen), since)
        assert quiet(
            {(logger_of(line), line["level"]) for line in lines(gateway)[since:]},
            "gateway",
            "gateway.core",
            "gateway.upstream",
            "gateway.store",
        )
        since = edit(level="trace", levels=["gateway.http=error", "gateway.store=error"])
        await until(
            lambda seen: any(logger == "gateway.upstream" and level in ("trace", "debug") for logger, level in seen), since
        )
        since = edit(level="error")
        # Nothing is logged any more of calls that work.
        with anyio.fail_after(15):
            while True:
                before = len(lines(gateway))
                for _ in range(5):
                    await session.call("raw__echo")
                if len(lines(gateway)) == before:
                    break
                await anyio.sleep(0.1)
        assert gateway.pids == pids and all(is_running(pid) for pid in pids)


@pytest.mark.parametrize("levels", [["gateway.http"], ["gateway.http=loud"], ["=info"], "gateway.http=info=debug"])
async def test_a_broken_edit_of_the_levels_changes_nothing(start_gateway: Start, levels: Any) -> None:
    gateway = start_gateway({"raw": raw()}, {"log": {"level": "info", "format": "json"}})
    gateway.settings = {"log": {"level": "critical", "format": "json", "levels": levels}}
    gateway.write_config(gateway.servers)
    wait_until(
        "the edit is refused",
        lambda: any(line["level"] in ("warning", "error") and "levels" in json.dumps(line) for line in lines(gateway)),
    )
    async with RawSession(gateway.url) as session:
        await session.initialize()
        assert (await session.call("raw__echo"))["content"] == []


# Secrets.


async def test_no_session_ticket_or_secret_is_ever_in_the_log(
    start_gateway: Start, upstream: RecordingUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At level trace, in a run with something of everything."""
    from_file, from_variable, of_header, of_client, of_cookie = (secrets.token_urlsafe(24) for _ in range(5))
    monkeypatch.setenv("INTEROP_SECRET", from_variable)
    servers = {
        "raw": raw(env={"API_KEY": from_file, "TOKEN": "${INTEROP_SECRET}"}),
        "own": raw(isolation="session"),
        "remote": {"url": upstream.url, "headers": {"Authorization": f"Bearer {of_header}"}},
        "gone": {"url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": f"Bearer {of_header}"}},
        "down": raw(env={"RAW_HANDSHAKE": "exit", "API_KEY": from_file}),
    }
    gateway = start_gateway(servers, {**TRACE, "startupWait": "1s", "api": {"ticketLifetime": "5s"}})
    never = {from_file, from_variable, of_header, of_client, of_cookie}
    credentials: dict[str, str | None] = {
        "authorization": f"Bearer {of_client}",
        "cookie": f"session={of_cookie}",
        "proxy_authorization": f"Basic {of_client}",
    }

    async with (
        RestClient(gateway.base_url) as rest,
        RestClient(gateway.base_url) as ended,
        RawSession(gateway.url) as mcp,
        RawSession(gateway.server_url("raw")) as own,
    ):
        for session in (mcp, own):
            await session.initialize()
        for client in (rest, ended):
            await client.create()
        never |= {one for one in (rest.session_id, ended.session_id, mcp.session_id, own.session_id) if one}
        await ended.request("DELETE", "/api/session", **credentials)

        # The REST API: good, bad, and with everything in the wrong place.
        for path, body in (
            ("/api/session/validate", None),
            ("/api/mcp/call", {"name": "raw__echo"}),
            ("/api/mcp/call", {"name": "nothing"}),
            ("/api/session/create", b"{"),
        ):
            await rest.request("POST", path, body, **credentials)
        await ended.request("POST", "/api/session/validate", **credentials)
        await rest.request("GET", f"/api/sessions?clientId=interop&session={rest.session_id}", **credentials)
        await rest.request("GET", f"/api/{rest.session_id}")
        await rest.request("GET", f"/{rest.session_id}/mcp")
        await rest.request("POST", "/api/mcp/call", {"name": rest.session_id})
        await rest.request("PUT", f"/api/session/create?ticket={rest.session_id}")
        for _ in range(2):
            ticket = (await rest.ticket())["ticket"]
            never.add(ticket)
            async with rest.events(ticket=ticket) as feed:
                await feed.next("connected")
                await rest.call("raw__progress", {"steps": 1}, _meta={"progressToken": 1})
                await feed.next("progress")
            assert (await rest.http.get("/sse/events", params={"ticket": ticket})).status_code == 401

        # MCP: calls that work, fail, are cancelled, are resumed; servers that die.
        message = mcp.message("tools/call", {"name": "raw__progress", "arguments": {"steps": 3}, "_meta": {"progressToken": 1}})
        async with mcp.post_stream(message) as stream:
            events = [event async for event in stream]
        async with mcp.get_stream(events[0].id) as stream:
            await anext(aiter(stream))
        for name in ("remote__say", "own__echo", "gone__x", "nothing", f"{mcp.session_id}__x"):
            try:
                await mcp.call(name)
            except RPCError:
                pass
        for payload in (
            b"{",
            b"[]",
            {"jsonrpc": "2.0", "id": mcp.session_id, "method": mcp.session_id},
            mcp.message("initialize", {}),
        ):
            await mcp.post(payload, **credentials)
        for session_id in (str(mcp.session_id)[:-1] + "0", f"{mcp.session_id}x", str(ended.session_id)):
            await mcp.post(mcp.message("ping"), mcp_session_id=session_id, **credentials)
        await mcp.post(mcp.message("ping"), last_event_id=str(mcp.session_id), origin=f"http://{of_client}.example")
        # Servers that say their secrets on standard error, or with their last words.
        await mcp.call("raw__stderr", {"text": f"key {from_file} and {from_variable}"})
        with pytest.raises(RPCError):
            await mcp.call("raw__die")
        await mcp.http.get(gateway.base_url + "/metrics", headers={"authorization": f"Bearer {of_client}"})

        # HTTP that is none, with a session in it.
        for wire_bytes in (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nMcp-Session-Id: {mcp.session_id}\r\nbad\r\n\r\n",
            f"GET /sse/events?ticket={ticket} HTTP/9.9\r\nAuthorization: Bearer {of_client}\r\n\r\n",
            f"POST /mcp HTTP/1.1\r\nHost: {mcp.session_id}\r\nAccept: {BOTH}\r\nContent-Type: {JSON}\r\nContent-Length: 2\r\n\r\n{{}}",
        ):
            with Wire(gateway.port) as wire:
                wire.send(wire_bytes.encode())
                wire.finish_sending()
                wire.drain()
        await mcp.delete()
    gateway.restart("kill")
    async with RestClient(gateway.base_url, session_id=rest.session_id) as again:
        await again.validate()
    assert gateway.terminate() == 0

    log = gateway.log()
    assert log.count("\n") > 50, "the level is not trace"
    assert str(rest.session_id)[:8] in log, "sessions are not logged at all"
    found = {secret: [line for line in log.split("\n") if secret in line] for secret in never}
    assert not any(found.values()), json.dumps({secret: some[:3] for secret, some in found.items() if some}, indent=1)
