"""What `/metrics` says, read with the Prometheus project's own parsers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from gateway import Gateway
from processes import wait_until
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

# What the Prometheus server sends.
PROMETHEUS_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


def scrape(gateway: Gateway, accept: str | None = None, port: int | None = None) -> httpx.Response:
    headers = {} if accept is None else {"accept": accept}
    response = httpx.get(f"http://127.0.0.1:{port or gateway.port}/metrics", headers=headers, timeout=10)
    assert response.status_code == 200, f"{response.status_code} {response.text}"
    return response


class Metrics:
    """One scrape, of all instances if there are several."""

    def __init__(self, gateway: Gateway, openmetrics: bool = False) -> None:
        accept = "application/openmetrics-text" if openmetrics else None
        texts = [scrape(gateway, accept, port).text for port in gateway.ports]
        self.text = "".join(texts)
        self.families = [family for text in texts for family in (parse_openmetrics if openmetrics else parse_text)(text)]
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of this name with at least these labels; 0 without any."""
        return sum(s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items())

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label has."""
        return {s.labels[label] for s in self.samples if s.name == name and label in s.labels}

    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        """Every name with its labels."""
        return {(s.name, tuple(sorted(s.labels.items()))) for s in self.samples}


def limit_hits(gateway: Gateway, limit: str) -> float:
    return Metrics(gateway).value("mcp_limit_hits_total", limit=limit)


def wait_for_metric(gateway: Gateway, what: str, condition: Callable[[Metrics], Any], timeout: float = 10) -> Metrics:
    """Scrapes until the condition holds."""
    last: list[Metrics] = []

    def holds() -> bool:
        last[:] = [Metrics(gateway)]
        return bool(condition(last[0]))

    wait_until(what, holds, timeout)
    return last[0]
