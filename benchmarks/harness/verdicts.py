"""The targets of the project and whether a run meets them."""

from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Target:
    text: str
    limit: float
    at_least: bool
    unit: str
    figure: Callable[[dict], float]    # KeyError: not measured in this run
    interval: Callable[[dict], list[float]] | None = None    # where the figure may be; the target is met when all of it meets the bound

    def is_met_by(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit


def call(run: dict, subject: str, connections: int, figure: str) -> float:
    return run["calls"][subject][str(connections)][figure]


def rate_ratio(peer: str) -> Callable[[dict], float]:
    return lambda run: call(run, "gateway", 64, "per_second") / call(run, peer, 64, "per_second")


TARGETS = (
    Target("req/s at 64 connections, of NGINX's", 0.6, True, "×", rate_ratio("nginx")),
    Target("req/s at 64 connections, of mcp-proxy's", 20, True, "×", rate_ratio("mcp-proxy")),
    Target("CPU per request at 64 connections", 30, False, "µs", lambda run: call(run, "gateway", 64, "cpu_us_each")),
    Target("metrics on beside off, of the CPU per request", 2, False, "%", lambda run: run["metrics"]["cost_percent"],
           lambda run: run["metrics"]["interval_percent"]),
    Target("recording metrics alone, of the CPU per request", 2, False, "%", lambda run: run["metrics"]["recording"]["percent"]),
    Target("p99 at 64 connections", 5, False, "ms", lambda run: call(run, "gateway", 64, "p99_us") / 1000),
    Target("p50 at 1 connection, of NGINX's", 2, False, "×", lambda run: call(run, "gateway", 1, "p50_us") / call(run, "nginx", 1, "p50_us")),
    Target("durable sessions per second", 3000, True, "/s", lambda run: run["sessions"]["per_second"]),
    Target("sessions that outlive kill -9", 100, True, "%", lambda run: 100 * run["sessions"]["survived_kill"] / run["sessions"]["checked_after_kill"]),
    Target("RSS idle", 40, False, "MiB", lambda run: run["memory"]["idle"]["rss_kib"] / 1024),
    Target("RSS per session at 1,000", 10, False, "KiB", lambda run: run["memory"]["kib_per_session"]),
    Target("RSS per idle SSE stream at 10,000", 10, False, "KiB", lambda run: run["memory"]["kib_per_stream"]),
)


def judge(run: dict) -> list[dict]:
    """One entry for each target; `met` is None when the run has no figure for it, one that is too unsure, or one of a debug build."""
    verdicts = []
    for target in TARGETS:
        interval = None
        try:
            figure = target.figure(run)
            met = target.is_met_by(figure)
            if target.interval:
                interval = target.interval(run)
                ends = {target.is_met_by(end) for end in interval}
                met = ends.pop() if len(ends) == 1 else None
        except (KeyError, ZeroDivisionError):
            figure = met = None
        if run["machine"]["debug_build"]:
            met = None
        verdicts.append({
            "target": target.text, "bound": ("≥ " if target.at_least else "≤ ") + f"{target.limit:g} {target.unit}",
            "figure": figure, "unit": target.unit, "interval": interval, "met": met})
    return verdicts
