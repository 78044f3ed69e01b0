"""The account of every call that clients made under failures, held against the ledger of what servers executed."""

from __future__ import annotations

import collections
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

REPEATABLE = {"put", "look", "scan", "environment", "list"}
"""What may be sent again whatever became of it: its server says that it is idempotent or read-only."""
EXECUTED_ONCE = {"append", "steps", "own", "ask"}

SLOW = 1.0
"""Seconds; a short call takes some milliseconds, one that asks the client at most 0.3 s more."""

Kind = Literal["unknown", "refused", "broken", "error"]
UNKNOWN = ("the outcome of this request is unknown", "it is not known whether the request was executed", "what it did is unknown")
AGAIN = ("send it again", "send the request again", "try again", "again later", "again in")


class CallFailed(Exception):
    """One attempt of a call. `unknown`: an error that says so; `refused`: one that says that it was not executed; `error`: another that is
    clear; `broken`: no answer."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


def kind_of(message: str) -> Kind:
    """What an error says of the call."""
    lower = message.lower()
    if any(text in lower for text in UNKNOWN):
        return "unknown"
    return "refused" if any(text in lower for text in AGAIN) else "error"


@dataclass
class Call:
    client: str
    number: int
    tool: str
    started: float
    steps: int = 0
    ended: float | None = None
    attempts: list[str] = field(default_factory=list)
    """What became of those that failed."""
    outcome: str = "open"
    """`ok`, `unknown` (it is not to be sent again), or the kind of failure."""
    result: dict[str, Any] = field(default_factory=dict)
    progress: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.client}/{self.number} {self.tool}"


class Account:
    """Every call of every client."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.began = time.monotonic()

    def open(self, client: str, tool: str, steps: int = 0) -> Call:
        number = sum(call.client == client for call in self.calls) + 1
        call = Call(client, number, tool, time.monotonic(), steps)
        self.calls.append(call)
        return call

    @property
    def clients(self) -> list[str]:
        return list(dict.fromkeys(call.client for call in self.calls))

    def ok(self, client: str) -> list[Call]:
        return [call for call in self.calls if call.client == client and call.outcome == "ok"]

    def failed(self) -> list[Call]:
        """After one retry where one is safe."""
        return [call for call in self.calls if call.outcome not in ("ok", "unknown")]

    def unknown(self) -> list[Call]:
        return [call for call in self.calls if call.outcome == "unknown"]

    def all_succeeded_since(self, moment: float) -> bool:
        """Whether everybody had a success with a call that began later."""
        return all(any(call.started >= moment for call in self.ok(client)) for client in self.clients)

    def slow(self, since: float, before: float) -> list[Call]:
        """Short calls that began between and took longer than they do when all is well."""
        return [
            call for call in self.calls
            if not call.steps and since <= call.started < before and (call.ended or float("inf")) - call.started > SLOW
        ]  # fmt: skip

    def recovery(self, faults: list[float]) -> float:
        """From a fault until no call is held up any more, and everybody had a success; the slowest of several faults."""
        worst = 0.0
        for fault, following in zip(faults, [*faults[1:], float("inf")]):
            for client in self.clients:
                ends = [call.ended for call in self.ok(client) if call.started >= fault and call.ended is not None]
                worst = max(worst, min(ends) - fault if ends else float("inf"))
            # What was under way when it happened is held up too.
            worst = max([worst, *((call.ended or float("inf")) - fault for call in self.slow(fault - SLOW, following - SLOW))])
        return worst

    def longest_stall(self) -> tuple[float, str]:
        """The longest time in which one client had no success, short calls alone; and who."""
        worst = (0.0, "")
        for client in self.clients:
            ends = sorted(call.ended for call in self.ok(client) if not call.steps and call.ended is not None)
            for left, right in zip([self.began, *ends], ends):
                worst = max(worst, (right - left, client))
        return worst


class Ledger:
    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []


def check_ledger(account: Account, ledger: Ledger) -> list[str]:
    """What was executed is what was answered."""
    times = collections.Counter((entry["client"], entry["call"]) for entry in ledger.entries())
    known = {(call.client, call.number): call for call in account.calls}
    problems = [f"in the ledger and made by nobody: {key}" for key in times if key not in known]
    for key, call in known.items():
        if call.tool in ("environment", "list"):
            continue
        executed = times[key]
        tale = f"{call.name}: {call.outcome} after {call.attempts or 'one attempt'}, executed {executed} times"
        if call.tool in EXECUTED_ONCE and (executed > 1 or (call.outcome == "ok" and executed == 0)):
            problems.append(tale)
        # What the answer called not executed was not.
        if call.tool in EXECUTED_ONCE and call.outcome == "refused" and executed:
            problems.append(f"{tale}, though the error says that it was not")
        if call.tool in REPEATABLE and call.outcome == "ok" and executed == 0:
            problems.append(tale)
    return problems


def check_results(account: Account) -> list[str]:
    """Each answer is the call's own, and progress came in order, each once."""
    problems = []
    for call in account.calls:
        if call.outcome == "ok" and call.tool in EXECUTED_ONCE | {"put", "look", "scan"} and call.result.get("call") != call.number:
            problems.append(f"{call.name}: the answer is {call.result}")
        progress = call.progress
        # Worked on again, it tells again what had come without an id: streams show whether that is all (``WireStream.problems``).
        if call.tool in REPEATABLE:
            progress = sorted(set(progress))
        if progress != sorted(set(progress)):
            problems.append(f"{call.name}: progress {call.progress}")
        if call.outcome == "ok" and call.steps and len(call.attempts) == 0 and progress != list(range(1, call.steps + 1)):
            problems.append(f"{call.name}: progress {call.progress} of {call.steps}")
    return problems


def processes_of(ledger: Ledger) -> dict[str, list[tuple[int, int]]]:
    """The processes that counted for each client, in their order, each with how far it came; a process that comes twice did so after another."""
    found: dict[str, list[tuple[int, int]]] = {}
    for entry in ledger.entries():
        if entry["tool"] != "own":
            continue
        mine = found.setdefault(entry["client"], [])
        if mine and mine[-1][0] == entry["pid"]:
            mine[-1] = (entry["pid"], entry["count"])
        else:
            mine.append((entry["pid"], entry["count"]))
    return found


def check_ownership(ledger: Ledger) -> list[str]:
    """A session's process is its own, and there is one after the other, never one beside the other."""
    problems = []
    owner: dict[int, str] = {}
    for client, mine in processes_of(ledger).items():
        pids = [pid for pid, _ in mine]
        if len(set(pids)) != len(pids):
            problems.append(f"{client}: an earlier process worked again after a later one: {mine}")
        for pid in set(pids):
            if owner.setdefault(pid, client) != client:
                problems.append(f"process {pid} worked for {client} and {owner[pid]}")
    counts: dict[int, int] = {}
    for entry in ledger.entries():
        if entry["tool"] == "own":
            if entry["count"] != counts.get(entry["pid"], 0) + 1:
                problems.append(f"process {entry['pid']} counted {entry['count']} after {counts.get(entry['pid'], 0)}")
            counts[entry["pid"]] = entry["count"]
    return problems
