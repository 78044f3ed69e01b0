"""The real Prometheus server (Debian's), on a free port, scraping one gateway."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
from gateway import Gateway, free_port
from processes import wait_until


def program(name: str) -> str:
    """Where `prometheus` or `promtool` is."""
    found = shutil.which(name)
    assert found is not None, f"no {name}: run scripts/install-dependencies --test"
    return found


class Prometheus:
    def __init__(self, directory: Path, gateway: Gateway) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = directory / "prometheus.yml"
        config.write_text(
            "global:\n  scrape_interval: 500ms\n  scrape_timeout: 400ms\n"
            f"scrape_configs:\n  - job_name: gateway\n    static_configs:\n      - targets: ['127.0.0.1:{gateway.port}']\n"
        )
        subprocess.run([program("promtool"), "check", "config", str(config)], check=True, capture_output=True)
        self.log = (directory / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
            ],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        wait_until("Prometheus is ready", self._is_ready, 20)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(15)
        self.log.close()

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and values of an instant query."""
        response = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/query", params={"query": expression}, timeout=10)
        body: dict[str, Any] = response.json()
        assert body["status"] == "success", body
        return [(one["metric"], float(one["value"][1])) for one in body["data"]["result"]]

    def value(self, expression: str) -> float | None:
        """The one value of a query; None while it has none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def wait_for(self, expression: str, expected: float, timeout: float = 15) -> None:
        """Asks until the value is there: the next scrape may be to come."""
        seen: list[float | None] = []

        def is_there() -> bool:
            seen[:] = [self.value(expression)]
            return seen[0] == expected

        try:
            wait_until(expression, is_there, timeout)
        except AssertionError:
            raise AssertionError(f"{expression} is {seen[0]}, not {expected}") from None

    def targets(self) -> list[dict[str, Any]]:
        return httpx.get(f"http://127.0.0.1:{self.port}/api/v1/targets", timeout=10).json()["data"]["activeTargets"]
