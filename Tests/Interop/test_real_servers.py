"""Servers from PyPI, as users have them, behind the gateway, with both clients."""

from __future__ import annotations

import http.server
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from clients import all_pages, fastmcp_client, sdk_client, texts
from gateway import SCRIPTS, Gateway


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><body><h1>Loopback</h1><p>The page of the test.</p></body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Any:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    (path / "file.txt").write_text("content\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "The first commit"]):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *identity, *command], cwd=path, check=True)
    return path


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    repository = request.getfixturevalue("repository")
    return {
        "time": {"command": str(SCRIPTS / "mcp-server-time"), "args": ["--local-timezone", "UTC"]},
        # By its bare name, as users write it: found on the PATH of the gateway.
        "git": {"command": "mcp-server-git", "args": ["--repository", str(repository)], "isolation": "session"},
        "fetch": {
            "command": str(SCRIPTS / "mcp-server-fetch"),
            "args": ["--ignore-robots-txt", "--allow-private-ips"],
            # Where it finds Node.js it runs `npm install` at its first page; the tests ask nothing of the network.
            "env": {"PATH": str(SCRIPTS)},
        },
    }


async def test_the_time_server_works_with_the_sdk(gateway: Gateway) -> None:
    async with sdk_client(gateway.url) as client:
        result = await client.call_tool(
            "time__convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
        )
        assert not result.is_error and "21:00" in texts(result)[0]


async def test_the_git_server_works_with_the_sdk(gateway: Gateway, repository: Path) -> None:
    async with sdk_client(gateway.url) as client:
        assert "The first commit" in texts(await client.call_tool("git__git_log", {"repo_path": str(repository)}))[0]
        (repository / "file.txt").write_text("changed\n")
        assert "file.txt" in texts(await client.call_tool("git__git_status", {"repo_path": str(repository)}))[0]
        failed = await client.call_tool("git__git_checkout", {"repo_path": str(repository), "branch_name": "no-such-branch"})
        assert failed.is_error


async def test_the_fetch_server_works_with_the_sdk(gateway: Gateway, page: str) -> None:
    async with sdk_client(gateway.url) as client:
        assert "The page of the test." in texts(await client.call_tool("fetch__fetch", {"url": page}))[0]
        assert "fetch__fetch" in [prompt.name for prompt in await all_pages(client.list_prompts, "prompts")]
        prompt = await client.get_prompt("fetch__fetch", {"url": page})
        assert "The page of the test." in prompt.messages[0].content.text


async def test_all_three_work_with_fastmcp(gateway: Gateway, repository: Path, page: str) -> None:
    async with fastmcp_client(gateway.url) as client:
        names = {tool.name for tool in await client.list_tools()}
        assert {"time__get_current_time", "git__git_log", "fetch__fetch"} <= names
        assert "UTC" in (await client.call_tool("time__get_current_time", {"timezone": "UTC"})).content[0].text
        assert "The first commit" in (await client.call_tool("git__git_log", {"repo_path": str(repository)})).content[0].text
        assert "Loopback" in (await client.call_tool("fetch__fetch", {"url": page, "raw": True})).content[0].text


@pytest.mark.parametrize("name", ["time", "git", "fetch"])
async def test_each_has_an_endpoint_of_its_own(gateway: Gateway, name: str) -> None:
    async with sdk_client(gateway.server_url(name)) as client:
        names = [tool.name for tool in await all_pages(client.list_tools, "tools")]
        assert names and not any("__" in one for one in names)
