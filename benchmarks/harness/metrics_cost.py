"""What recording metrics costs: the CPU time per call of a gateway that records over that of one that does not.

Throughput would not show it: what is looked for is smaller than what the rest of the machine does to a run. CPU time for a fixed number of calls, in
short slices that take turns, leaves two disturbances. One is within a pair of slices: the median of many pairs. The other is the process itself,
whose addresses and threads fall differently at each start: each round starts both gateways anew, and a few rounds are far off, so the median counts
there, too.

What that cannot resolve, mcp-bench-recording tells: it does what the gateway does to record one call, and nothing else.
"""

import random
import statistics
import time

from .load import Pace, run_compare, run_generator
from .processes import Processes
from .subjects import Paths, gateway

CONNECTIONS = 64
# A round takes about as long as the starts of its gateways: more rounds are worth more than longer ones.
SLICE, PAIRS = 1_000, 30
LEAST_ROUNDS = 12
RESAMPLES = 2_000
WANTED_PERCENT = 1.0    # half of the interval's width


def measure_metrics(paths: Paths, processes: Processes, pace: Pace, progress) -> dict:
    """Rounds until the interval is narrow enough, at most `pace.cost_seconds`; then, as a check, some between two gateways that are alike."""
    cost = measure_cost(paths, processes, (True, False), pace, pace.cost_seconds, progress)
    alike = measure_cost(paths, processes, (False, False), pace, pace.cost_seconds / 3, progress)
    progress("metrics: recording alone")
    recording = measure_recording(paths, pace)
    # Of the dearer way, more than one event loop at once.
    recording["percent"] = recording["on_2"][1] / 10 / cost["cpu_us_without"]
    return cost | {"control": alike, "recording": recording}


def measure_recording(paths: Paths, pace: Pace) -> dict:
    """Least, median and most nanoseconds for each call, on one and on two threads, recording into a registry (on) or into nothing (off)."""
    runs: dict[str, list[float]] = {}
    for _ in range(5 if pace.rounds > 1 else 1):
        for state in ("on", "off"):
            for threads in (1, 2):
                command = [str(paths.recording), state, str(threads), "1000000"]
                runs.setdefault(f"{state}_{threads}", []).append(run_generator(command, "mcp-bench-recording", 60)["ns_each"])
    return {name: [min(each), statistics.median(each), max(each)] for name, each in runs.items()}


def measure_cost(paths: Paths, processes: Processes, enabled: tuple[bool, bool], pace: Pace, seconds: float, progress) -> dict:
    ends_at = time.monotonic() + seconds
    measured: list[list[tuple[float, float]]] = []
    while True:
        what = "metrics" if enabled[0] != enabled[1] else "metrics, two gateways that are alike"
        progress(f"{what}: round {len(measured) + 1}")
        measured.append(one_round(paths, processes, enabled, len(measured)))
        low, high = interval(measured)
        if len(measured) >= pace.cost_rounds or time.monotonic() >= ends_at:
            break
        if len(measured) >= LEAST_ROUNDS and high - low <= 2 * WANTED_PERCENT:
            break
    pairs = [pair for each in measured for pair in each]
    return {
        "rounds": len(measured), "pairs": len(pairs), "cpu_us_with": statistics.median(pair[0] for pair in pairs),
        "cpu_us_without": statistics.median(pair[1] for pair in pairs), "cost_percent": estimate(measured),
        "interval_percent": [low, high], "rounds_percent": [estimate([each]) for each in measured]}


def one_round(paths: Paths, processes: Processes, enabled: tuple[bool, bool], number: int) -> list[tuple[float, float]]:
    subjects = {}
    # Which of the two starts first changes, too.
    for side in (0, 1) if number % 2 == 0 else (1, 0):
        subjects[side] = gateway(paths, processes, f"metrics-{number}-{side}-{enabled}", {"metrics": {"enabled": enabled[side]}})
    try:
        return run_compare(paths.load, subjects[0], subjects[1], CONNECTIONS, SLICE, PAIRS)
    finally:
        for subject in subjects.values():
            processes.stop(subject.process)


def estimate(rounds: list[list[tuple[float, float]]]) -> float:
    """Percent that the first costs over the second: the median over the rounds of the median of the ratios of a round's pairs."""
    return 100 * (statistics.median(statistics.median(first / second for first, second in pairs) for pairs in rounds) - 1)


def interval(rounds: list[list[tuple[float, float]]]) -> tuple[float, float]:
    """Where 95 % of the estimates lie when rounds, and pairs within them, are drawn anew from those that were seen (bootstrap)."""
    chance = random.Random(1)
    ratios = [[first / second for first, second in pairs] for pairs in rounds]
    drawn = sorted(
        100 * (statistics.median(statistics.median(chance.choices(each, k=len(each))) for each in chance.choices(ratios, k=len(ratios))) - 1)
        for _ in range(RESAMPLES))
    return drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES) - 1]
