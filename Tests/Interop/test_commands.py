"""The commands, as a user sees them in a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import run
from gateway import BINARY, CommandLine, Gateway, free_port, raw
from processes import wait_until
from redis_servers import RedisServer

pytestmark = pytest.mark.binary
SERVERS = {"raw": raw()}


def test_tools_list_is_readable_and_json(gateway: Gateway) -> None:
    readable = run(CommandLine.tools_list(gateway.url))
    assert readable.returncode == 0, readable.stderr
    assert "raw__echo" in readable.stdout
    as_json = run(CommandLine.tools_list(gateway.url, "--json"))
    assert as_json.returncode == 0, as_json.stderr
    parsed = json.loads(as_json.stdout)
    tools = parsed["tools"] if isinstance(parsed, dict) else parsed
    assert "raw__echo" in [tool["name"] for tool in tools]
    assert all("inputSchema" in tool for tool in tools)


def test_tools_call_is_readable_and_json(gateway: Gateway) -> None:
    arguments = '{"text":"hé","n":12345678901234567890}'
    as_json = run(CommandLine.tools_call(gateway.url, "raw__echo", arguments, "--json"))
    assert as_json.returncode == 0, as_json.stderr
    assert json.loads(as_json.stdout)["structuredContent"] == json.loads(arguments)
    assert "12345678901234567890" in as_json.stdout
    pairs = run([str(BINARY), "tools", "call", "raw__echo", "text=hé", "--url", gateway.url, "--json"])
    assert pairs.returncode == 0 and json.loads(pairs.stdout)["structuredContent"] == {"text": "hé"}, pairs.stderr
    readable = run(CommandLine.tools_call(gateway.url, "raw__wait", "{}"))
    assert readable.returncode == 0 and "waited" in readable.stdout


def test_tools_call_fails_with_a_message_and_a_code(gateway: Gateway) -> None:
    for name, arguments in (("raw__nothing", "{}"), ("raw__die", "{}"), ("raw__echo", "{not json")):
        failed = run(CommandLine.tools_call(gateway.url, name, arguments))
        assert failed.returncode != 0, failed.stdout
        assert failed.stderr.strip()
    nowhere = run(CommandLine.tools_list("http://127.0.0.1:9/mcp"))
    assert nowhere.returncode != 0 and "127.0.0.1:9" in nowhere.stderr


def test_health_tells_by_its_exit_code(gateway: Gateway) -> None:
    good = run(CommandLine.health(gateway.base_url))
    assert good.returncode == 0, good.stderr
    bad = run(CommandLine.health(f"http://127.0.0.1:{free_port()}"))
    assert bad.returncode != 0 and bad.stderr.strip()


def test_doctor_is_content_with_a_good_configuration(tmp_path: Path) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"mcpServers": {"raw": raw()}}))
    completed = run([*CommandLine.doctor(config, tmp_path / "data")], env={**os.environ, "MCP_SERVER_PORT": str(free_port())})
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert "raw" in completed.stdout


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ({"absent": {"command": "no-such-command-anywhere"}}, ["absent", "no-such-command-anywhere", "PATH"]),
        ({"exits": raw(env={"RAW_HANDSHAKE": "exit"})}, ["exits", "cannot start: no licence"]),
        ({"mute": raw(env={"RAW_HANDSHAKE": "never"}, handshakeTimeout=2)}, ["mute"]),
        ({"remote": {"url": "http://127.0.0.1:9/mcp"}}, ["remote", "127.0.0.1:9"]),
    ],
)
def test_doctor_finds_what_is_wrong(tmp_path: Path, servers: dict[str, Any], expected: list[str]) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"mcpServers": servers}))
    completed = run(CommandLine.doctor(config, tmp_path / "data"), env={**os.environ, "MCP_SERVER_PORT": str(free_port())})
    assert completed.returncode != 0
    for one in expected:
        assert one in completed.stdout + completed.stderr


def test_doctor_finds_a_port_in_use(gateway: Gateway, tmp_path: Path) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"mcpServers": {}}))
    completed = run(CommandLine.doctor(config, tmp_path / "data"), env={**os.environ, "MCP_SERVER_PORT": str(gateway.port)})
    assert str(gateway.port) in completed.stdout + completed.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"mcpServers": {"x": {"command": "c", "isolaton": "shared"}}}', ["isolaton", "isolation"]),
        ('{"mcpServers": {"x": {"command": "c"}}, "gatewy": {}}', ["gatewy", "gateway"]),
        ('{"mcpServers": {"x": {}}}', ["x", "command"]),
        ('{"mcpServers": ', ["mcp-gateway.json"]),
    ],
)
def test_a_broken_configuration_is_refused_at_start_with_advice(tmp_path: Path, text: str, expected: list[str]) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(text)
    completed = run(CommandLine.serve(config, free_port(), tmp_path / "data"))
    assert completed.returncode != 0
    for one in expected:
        assert one in completed.stderr, completed.stderr


@pytest.mark.parametrize(
    ("variable", "kind", "value"),
    [
        ("DATABASE_URL", "embedded", "postgres://:secret-password@127.0.0.1/"),
        ("REDIS_URL", "redis", "redis://:secret-password@127.0.0.1:port/"),
        ("REDIS_URL", "redis", "postgres://:secret-password@127.0.0.1/"),
    ],
)
def test_variables_that_the_gateway_cannot_use_are_refused_without_their_secrets(
    tmp_path: Path, variable: str, kind: str, value: str
) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"gateway": {"store": {"kind": kind}}}))
    completed = run(CommandLine.serve(config, free_port(), tmp_path / "data"), env={**os.environ, variable: value})
    assert completed.returncode == 78
    assert variable in completed.stderr and "secret-password" not in completed.stderr, completed.stderr


@pytest.mark.parametrize(
    "url", ["http://:secret-password@127.0.0.1", "rediss+sentinel://:secret-password@127.0.0.1", "redis://:secret-password@h/x"]
)
def test_a_url_that_is_none_of_redis_is_said_once_by_every_command(tmp_path: Path, url: str) -> None:
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"gateway": {"store": {"kind": "redis", "redis": {"url": "${REDIS_URL}"}}}}))
    for command in (CommandLine.serve(config, free_port(), tmp_path / "data"), CommandLine.doctor(config, tmp_path / "data")):
        completed = run(command, env={**os.environ, "REDIS_URL": url})
        said = completed.stdout + completed.stderr
        assert completed.returncode == 78, said
        assert said.count("the Redis URL") == 1 and said.count("REDIS_URL: gateway.store.redis.url: ") == 1, said
        assert "store.kind" not in said and "secret-password" not in said, said


def test_what_redis_does_not_let_in_is_said_at_once_without_the_password(tmp_path: Path) -> None:
    redis = RedisServer("redis", tmp_path / "redis", free_port(), "s3cret-password")
    redis.start()
    try:
        config = tmp_path / "mcp-gateway.json"
        # Longer than the test may take.
        config.write_text(json.dumps({"gateway": {"store": {"kind": "redis", "redis": {"startTimeout": "1h"}}}}))
        # It may do everything but run scripts, which the gateway cannot do without.
        redis.command("ACL", "SETUSER", "narrow", "on", ">s3cret-too", "~*", "&*", "+@all", "-eval", "-evalsha", "-script|load")
        urls = {
            ":wr0ng@127.0.0.1:{}": "WRONGPASS",
            "127.0.0.1:{}": "NOAUTH",
            ":s3cret-password@127.0.0.1:{}/99": "out of range",
            "narrow:s3cret-too@127.0.0.1:{}": "NOPERM",
        }
        for command in (CommandLine.serve(config, free_port(), tmp_path / "data"), CommandLine.doctor(config, tmp_path / "data")):
            for url, expected in urls.items():
                completed = run(command, env={**os.environ, "REDIS_URL": "redis://" + url.format(redis.port)})
                said = completed.stdout + completed.stderr
                assert completed.returncode == 1 and expected in said, said
                assert "wr0ng" not in said and "s3cret" not in said, said
    finally:
        redis.terminate()


CLAUDE = {"mcpServers": {"one": {"command": "npx", "args": ["-y", "x"], "env": {"KEY": "${KEY}"}}}}
VSCODE = {
    "servers": {
        "two": {"type": "stdio", "command": "uvx", "args": ["y"]},
        "three": {"type": "http", "url": "https://example.org/mcp"},
    },
    "inputs": [],
}


@pytest.mark.parametrize(
    ("name", "content", "servers"),
    [
        ("claude_desktop_config.json", CLAUDE, {"one"}),
        (".mcp.json", CLAUDE, {"one"}),
        ("mcp.json", VSCODE, {"two", "three"}),
    ],
)
def test_import_reads_the_files_of_clients(tmp_path: Path, name: str, content: dict[str, Any], servers: set[str]) -> None:
    source, config = tmp_path / name, tmp_path / "mcp-gateway.json"
    source.write_text(json.dumps(content))
    config.write_text(json.dumps({"mcpServers": {"kept": {"command": "kept"}}}))
    completed = run(CommandLine.import_file(source, config))
    assert completed.returncode == 0, completed.stderr
    written = json.loads(config.read_text())["mcpServers"]
    assert written.keys() == servers | {"kept"}
    original = content.get("mcpServers") or content["servers"]
    for one in servers:
        for key in ("command", "args", "env", "url"):
            assert written[one].get(key) == original[one].get(key)


def test_import_of_nonsense_changes_nothing(tmp_path: Path) -> None:
    source, config = tmp_path / "x.json", tmp_path / "mcp-gateway.json"
    source.write_text('{"hello": 1}')
    config.write_text('{"mcpServers": {}}')
    completed = run(CommandLine.import_file(source, config))
    assert completed.returncode != 0 and completed.stderr.strip()
    assert config.read_text() == '{"mcpServers": {}}'


def test_version_and_help_and_completions() -> None:
    version = run([str(BINARY), "--version"])
    assert version.returncode == 0 and re.search(r"\d+\.\d+", version.stdout)
    help_ = run([str(BINARY), "--help"])
    for command in ("serve", "stdio", "connect", "tools", "import", "health", "doctor"):
        assert command in help_.stdout
    for shell in ("bash", "zsh", "fish"):
        completion = run([str(BINARY), "--generate-completion-script", shell])
        assert completion.returncode == 0 and "mcp-gateway" in completion.stdout


def test_the_variables_of_the_environment_configure_the_gateway(tmp_path: Path) -> None:
    """Precedence: flag, then environment, then file, then default."""
    in_file, in_environment = free_port(), free_port()
    config = tmp_path / "mcp-gateway.json"
    config.write_text(json.dumps({"mcpServers": {}, "gateway": {"port": in_file}}))
    command = [str(BINARY), "serve", "--config", str(config), "--data-directory", str(tmp_path / "data")]

    def answers(port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    for environment, port in (({"MCP_SERVER_PORT": str(in_environment)}, in_environment), ({}, in_file)):
        process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until(f"the gateway answers on port {port}", lambda port=port: answers(port))
        finally:
            process.terminate()
            assert process.wait(20) == 0
