"""Whether what was sampled is flat, and what is left when everybody is gone."""

import statistics
from dataclasses import dataclass

from .samples import Sample

# A heap that has found its size still breathes. What grows by less than this is flat.
MEAN_PERCENT, MEAN_KIB = 5, 4096
SLOPE_KIB_PER_MINUTE = 2048


@dataclass
class Third:
    """Mean and largest values of one third of the run."""

    name: str
    figures: dict[str, tuple[float, float]]


def thirds(samples: list[Sample], seconds: float) -> list[Third]:
    result = []
    for index, name in enumerate(("warm-up", "second third", "last third")):
        part = [sample for sample in samples if index * seconds / 3 <= sample.second < (index + 1) * seconds / 3]
        figures = {}
        for field in ("rss", "anonymous", "descriptors", "threads", "store", "sessions", "stored", "streams", "connections"):
            values = [value for sample in part if (value := getattr(sample, field)) is not None]
            if values:
                figures[field] = (statistics.fmean(values), max(values))
        result.append(Third(name, figures))
    return result


def slope(samples: list[Sample], field: str) -> float:
    """KiB per minute, by least squares."""
    return statistics.linear_regression([sample.second / 60 for sample in samples], [getattr(sample, field) for sample in samples]).slope


def verdict(promise: str, bound: str, figure: float, met: bool, unit: str) -> dict:
    return {"promise": promise, "bound": bound, "figure": round(figure, 1), "unit": unit, "met": met}


def judge(samples: list[Sample], seconds: float, baseline: Sample, rest: Sample, failures: int) -> list[dict]:
    parts = thirds(samples, seconds)
    after_warm_up = [sample for sample in samples if sample.second >= seconds / 3]
    second, last = parts[1].figures["rss"][0], parts[2].figures["rss"][0]
    allowed = max(second * MEAN_PERCENT / 100, MEAN_KIB)
    growth = slope(after_warm_up, "rss")
    store = parts[2].figures["store"][1] - parts[1].figures["store"][1]
    threads = max(sample.threads for sample in after_warm_up) - max(sample.threads for sample in samples if sample.second < seconds / 3)
    verdicts = [
        verdict("mean RSS, last third over second", f"≤ {MEAN_PERCENT} % or {MEAN_KIB // 1024} MiB", (last - second) / 1024, last - second <= allowed, "MiB"),
        verdict("slope of RSS after the warm-up", f"≤ {SLOPE_KIB_PER_MINUTE / 1024:.0f} MiB/min", growth / 1024, growth <= SLOPE_KIB_PER_MINUTE, "MiB/min"),
        verdict("threads after the warm-up", "no more than in it", threads, threads <= 0, "more"),
        verdict("largest store, last third over second", "≤ 10 % or 4 MiB", store / 1024, store <= max(0.1 * parts[1].figures["store"][1], 4096), "MiB"),
        verdict("descriptors when all have gone", f"≤ {baseline.descriptors}, as before", rest.descriptors, rest.descriptors <= baseline.descriptors, ""),
    ]
    for field, name in (("streams", "streams"), ("in_progress", "requests in progress"), ("sessions", "sessions in memory"), ("stored", "sessions in the store")):
        value = getattr(rest, field)
        # The look at /metrics is a request in progress itself.
        most = 1 if field == "in_progress" else 0
        if value is not None:
            verdicts.append(verdict(f"{name} when all have gone", f"{most}", value, value <= most, ""))
    verdicts.append(verdict("visits that saw something wrong", "0", failures, failures == 0, ""))
    return verdicts
