"""The matrix: every kind of client, every kind of server, every feature; and the cells that the specification leaves empty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from features import FEATURES
from peers import KINDS, Kind

ASKING_THE_USER = {"elicitation by form", "rounds of input", "several inputs at once", "progress around an input"}
BUILT_IN = "environment"
OF_THE_BUILT_IN = {"ping", "unknown method", "unknown tool"}


@dataclass(frozen=True)
class Gap:
    """Cells that cannot work, and where the specification says so. `run` is false where a cell would wait for what never comes."""

    reason: str
    features: frozenset[str]
    revisions: frozenset[str] | None = None
    upstreams: frozenset[str] | None = None
    run: bool = True

    def covers(self, kind: Kind, upstream: str, feature: str) -> bool:
        return (
            feature in self.features
            and (self.revisions is None or kind.revision in self.revisions)
            and (self.upstreams is None or upstream in self.upstreams)
        )


def gap(reason: str, features: Iterable[str], revisions: Iterable[str] = (), upstreams: Iterable[str] = (), run: bool = True) -> Gap:
    return Gap(reason, frozenset(features), frozenset(revisions) or None, frozenset(upstreams) or None, run)


_CHANGES = {"resource updated", "tools changed", "prompts changed", "resources changed"}
GAPS = [
    gap("ping was removed (2026-07-28 changelog; any request tells as much)", {"ping"}, {"2026-07-28"}),
    gap("elicitation came with 2025-06-18 (client/elicitation)", ASKING_THE_USER, {"2024-11-05", "2025-03-26"}),
    gap(
        "elicitation by a page came with 2025-11-25 (client/elicitation, URL mode)",
        {"elicitation by page"},
        {"2024-11-05", "2025-03-26", "2025-06-18"},
    ),
    gap(
        "a server need not offer every capability (basic/lifecycle, server/discover): the built-in one has a tool and nothing else",
        set(FEATURES) - OF_THE_BUILT_IN - _CHANGES,
        upstreams={BUILT_IN},
    ),
    gap("what the built-in server offers never changes", _CHANGES, upstreams={BUILT_IN}, run=False),
]
"""The empty cells. A cell in here that works fails the test: the table tells no more than is true."""


def cells(upstreams: Iterable[str], kinds: Iterable[str] = KINDS) -> list[Any]:
    """A row for each cell; one connection serves the features of a client and a server, which therefore stand together."""
    rows = []
    for upstream in upstreams:
        for name in kinds:
            for feature in FEATURES:
                found = [one for one in GAPS if one.covers(KINDS[name], upstream, feature)]
                marks = [pytest.mark.xfail(reason=found[0].reason, run=found[0].run, strict=True)] if found else []
                rows.append(pytest.param(name, upstream, feature, marks=marks, id=f"{name}-{upstream}-{feature}"))
    return rows
