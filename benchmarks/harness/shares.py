"""Shares of a processor for groups of processes, so that one machine stands for several slow ones. Linux control groups; only root may."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

PERIOD = 10_000
"""Microseconds. Short, so that who has used up a share does not stand still for long."""

_numbers = itertools.count()


class Share:
    """Processes that together may use `share` of one processor. As a context manager it ends with the block; they go on without it."""

    def __init__(self, share: float, pids: Iterable[int]) -> None:
        self.quota = int(share * PERIOD)
        self.pids = list(pids)
        self.path: Path | None = None

    @staticmethod
    def why_not() -> str | None:
        """Why there can be none here."""
        if os.geteuid() != 0:
            return "control groups need root"
        try:
            with Share(0.5, []):
                return None
        except OSError as error:
            return f"control groups cannot be used here: {error}"

    @staticmethod
    def _root() -> tuple[Path, bool]:
        """The folder of the groups, and whether it is of version 2."""
        for path in Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"):
            if (path / "cpu.cfs_quota_us").exists():
                return path, False
        return Path("/sys/fs/cgroup"), True

    def __enter__(self) -> Share:
        root, is_second = self._root()
        if is_second:
            (root / "cgroup.subtree_control").write_text("+cpu")
        path = root / f"mcp-bench-{os.getpid()}-{next(_numbers)}"
        path.mkdir()
        self.path = path
        if is_second:
            (path / "cpu.max").write_text(f"{self.quota} {PERIOD}")
        else:
            (path / "cpu.cfs_period_us").write_text(str(PERIOD))
            (path / "cpu.cfs_quota_us").write_text(str(self.quota))
        for pid in self.pids:
            (path / "cgroup.procs").write_text(str(pid))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.path is None:
            return
        # A group with processes cannot be removed.
        for pid in (self.path / "cgroup.procs").read_text().split():
            try:
                (self.path.parent / "cgroup.procs").write_text(pid)
            except ProcessLookupError:
                pass
        self.path.rmdir()
