"""Nothing that was acknowledged is lost, doubled or out of order, whatever is killed, frozen, restarted or cut off.

`make test` runs the scenarios of `ALWAYS`; `make chaos` all of them. Seeds are random and printed with the figures; CHAOS_SEED repeats one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaos import AFFINITY, new_seed, run
from chaos_faults import SCENARIOS

pytestmark = [pytest.mark.binary, pytest.mark.chaos, pytest.mark.timeout(180)]

ALWAYS = {"kill", "rolling-restart", "freeze", "master-killed", "redis-emptied"}
WITH_AFFINITY = {"freeze"}
"""Those of them that are also played with an NGINX that sends sessions home."""


@pytest.mark.parametrize("affinity", [False, True], ids=["in-turn", "affinity"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_acknowledged_call_and_every_event_is_accounted_for(
    name: str, affinity: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = SCENARIOS[name]
    if affinity:
        monkeypatch.setenv(AFFINITY, "yes")
    if name not in (WITH_AFFINITY if affinity else ALWAYS) and "CHAOS_ALL" not in os.environ:
        pytest.skip("runs with `make chaos`")
    if (reason := scenario.impossible()) is not None:
        pytest.skip(reason)
    report = run(scenario, new_seed(), tmp_path)
    with capsys.disabled():
        print(f"\nseed {report.seed}\n{report.text()}")
    assert not report.problems, f"again with: {report.again}\n{report.text()}"
