"""Instances whose wall clocks can be set, each alone (libfaketime); time that is measured goes on as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chaos import Scenario, Stage, blocking
from cluster import Cluster, Instance


def _library() -> Path | None:
    return next((path for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


class ClockedCluster(Cluster):
    """A cluster whose instances have clocks of their own."""

    def __init__(self, directory: Path, **options: Any) -> None:
        super().__init__(directory, **options)
        for instance in self.instances:
            self.set_clock(instance, 0)
            # The library sets a variable in the first program that has it, and a Swift program finds its arguments before its variables: by
            # way of another program both are where they belong.
            instance.arguments = ["env", *instance.arguments]
            instance.env |= {
                "LD_PRELOAD": str(_library()), "FAKETIME_TIMESTAMP_FILE": str(self._file(instance)), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            }  # fmt: skip

    @staticmethod
    def why_impossible() -> str | None:
        return None if _library() is not None else "no libfaketime: run scripts/install-dependencies --test"

    @staticmethod
    def _file(instance: Instance) -> Path:
        return instance.directory / "clock"

    def set_clock(self, instance: Instance, seconds: float) -> None:
        """Sets an instance's clock so far from everybody's."""
        path = self._file(instance)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(f"{seconds:+.1f}\n")
        temporary.replace(path)


async def _jump(stage: Stage, seconds: float) -> None:
    cluster = stage.cluster
    assert isinstance(cluster, ClockedCluster)
    victim = stage.any_instance()
    for there in (seconds, 0, -seconds, 0):
        stage.fault(f"the clock of {victim.name} is set to {there:+.0f} s")
        await blocking(cluster.set_clock, victim, there)
        await stage.pause(2, 4)


async def clock_jump(stage: Stage) -> None:
    """As far as a clock is off that was set by hand."""
    await _jump(stage, stage.rng.uniform(5, 20))


async def clock_jump_far(stage: Stage) -> None:
    """As far as a wrong time zone, or a virtual machine that slept."""
    await _jump(stage, stage.rng.uniform(1800, 7200))


CLOCKS = (Scenario("clock", clock_jump, stage=ClockedCluster), Scenario("clock-far", clock_jump_far, stage=ClockedCluster))
