"""What the README tells people to do, done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from clients import run
from documentation import run_commands
from gateway import BINARY, ROOT, Gateway, raw

SERVERS = {"raw": raw(isolation="shared")}

README = (ROOT / "README.md").read_text()
URL = "http://127.0.0.1:3001/mcp"


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_python_snippet_runs_as_it_is_written(gateway: Gateway, tmp_path: Path) -> None:
    (snippet,) = blocks("python")
    assert URL in snippet
    script = tmp_path / "snippet.py"
    script.write_text(snippet.replace(URL, gateway.url))
    done = run([sys.executable, str(script)])
    assert done.returncode == 0, done.stderr
    assert "get-development-environment-status" in done.stdout
    assert any(line.startswith("raw__") for line in done.stdout.splitlines())


def test_the_requests_of_curl_work_as_they_are_written(gateway: Gateway, tmp_path: Path) -> None:
    (commands,) = (block for block in blocks("sh") if "curl" in block)
    (printed,) = run_commands([commands], gateway, tmp_path)
    assert "get-development-environment-status" in printed.splitlines() and "raw__echo" in printed.splitlines()


def test_every_json_example_is_json() -> None:
    found = [json.loads(block) for block in blocks("json")]
    assert {next(iter(one)) for one in found} == {"mcpServers", "servers"}


@pytest.mark.binary
def test_the_configuration_example_and_the_clients_files_can_be_imported(tmp_path: Path) -> None:
    for number, block in enumerate(blocks("json")):
        source = tmp_path / f"client-{number}.json"
        source.write_text(block)
        done = run([str(BINARY), "import", str(source), "--print"])
        assert done.returncode == 0, done.stderr


@pytest.mark.binary
@pytest.mark.parametrize("command", sorted(set(re.findall(r"`mcp-gateway ([\w-]+)", README))))
def test_every_command_exists(command: str) -> None:
    done = run([str(BINARY), command, "--help"])
    assert done.returncode == 0, done.stderr
    assert f"mcp-gateway {command}" in done.stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE))))
def test_every_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
