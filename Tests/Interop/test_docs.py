"""What docs/ tells operators to type, typed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from gateway import ROOT, Gateway, raw

SERVERS = {"raw": raw(isolation="shared")}
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / name).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["http-api.md", "operations.md"])
def test_the_commands_work_as_they_are_written(gateway: Gateway, name: str) -> None:
    (commands,) = blocks(name, "sh")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=ROOT, env={**os.environ, "GATEWAY": gateway.base_url}, capture_output=True,
        text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    shown = done.stdout
    if name == "http-api.md":
        assert "get-development-environment-status" in shown and "raw__echo" in shown
        assert '"team": "tools"' in shown and "event: connected" in shown
    else:
        assert "ok\ntrue\nmcp_active_sessions" in shown


def test_the_scrape_configuration_is_one(tmp_path: Path) -> None:
    (configuration,) = blocks("operations.md", "yaml")
    promtool = shutil.which("promtool")
    assert promtool, "scripts/install-dependencies --test installs it"
    path = tmp_path / "prometheus.yml"
    path.write_text(configuration)
    done = subprocess.run([promtool, "check", "config", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


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
