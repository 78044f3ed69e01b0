"""Nothing that was acknowledged is lost, doubled or out of order, whatever is killed, frozen, restarted or cut off.

`make test` runs the scenarios of `ALWAYS`; `make chaos` all of them. Seeds are random and printed with the figures; CHAOS_SEED repeats one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaos import new_seed, run
from chaos_faults import SCENARIOS

pytestmark = [pytest.mark.binary, pytest.mark.chaos, pytest.mark.timeout(180)]

ALWAYS = {"kill", "rolling-restart", "freeze", "master-killed", "redis-emptied"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_acknowledged_call_and_every_event_is_accounted_for(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = SCENARIOS[name]
    if name not in ALWAYS and "CHAOS_ALL" not in os.environ:
        pytest.skip("runs with `make chaos`")
    if (reason := scenario.impossible()) is not None:
        pytest.skip(reason)
    report = run(scenario, new_seed(), tmp_path)
    with capsys.disabled():
        print(f"\nseed {report.seed}\n{report.text()}")
    assert not report.problems, f"again with: scripts/chaos {name} --seed {report.seed}\n{report.text()}"
