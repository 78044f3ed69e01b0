"""Looks at processes through /proc, to show that the gateway leaves no orphan and no zombie behind."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def become_subreaper() -> None:
    """Orphans of the gateway become children of the test process, where they can be seen and reaped, instead of init's."""
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def wait_until(what: str, condition: Callable[[], T], timeout: float = 10) -> T:
    """Waits for a condition; says what did not happen."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)
    return value


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and parent."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def marked(mark: str) -> set[int]:
    """The live processes whose environment holds the mark."""
    found = set()
    for pid in _all():
        try:
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes() and is_running(pid):
                found.add(pid)
        except OSError:
            continue
    return found


def descendants(root: int) -> set[int]:
    """All processes below one, zombies included."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        stat = _stat(pid)
        if stat is not None:
            children.setdefault(stat[1], []).append(pid)
    found: set[int] = set()
    queue = [root]
    while queue:
        for child in children.get(queue.pop(), []):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def zombies(root: int) -> set[int]:
    """The zombies below a process: children that ended and that nobody waited for."""
    return {pid for pid in descendants(root) if (stat := _stat(pid)) is not None and stat[0] == "Z"}


def describe(pids: set[int]) -> str:
    """For messages of failed assertions."""
    lines = []
    for pid in sorted(pids):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            command = "(gone)"
        lines.append(f"{pid} {_stat(pid)} {command}")
    return "\n".join(lines)
