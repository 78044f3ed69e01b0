"""A client of any revision uses a server of any revision through the gateway: servers on stdio, and the built-in one.

The cells that the specification leaves empty stand in `matrix.GAPS`, each with its reason, and must not work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matrix
import pytest
from matrix_stage import found_in_gaps, peer, peers, sent_over_stdio, stdio_servers, wires, world  # noqa: F401
from peers import Peer

SETTINGS = {"pageSize": 8}


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    return stdio_servers(request.getfixturevalue("world"), request.getfixturevalue("wires"))


@pytest.mark.parametrize(("kind", "upstream", "feature"), matrix.cells(["legacy-stdio", "modern-stdio", matrix.BUILT_IN]))
async def test_a_feature_works(peer: Peer, world: Path, kind: str, upstream: str, feature: str) -> None:  # noqa: F811
    await matrix.feature_of(upstream, feature)(peer, world)


# After the cells: what they let the gateway send.


def test_what_was_sent_to_clients_in_empty_cells_conforms_to_their_revision(found_in_gaps: list[str]) -> None:  # noqa: F811
    assert not found_in_gaps, "\n".join(found_in_gaps[:10])


@pytest.mark.parametrize("server", ["legacy-stdio", "modern-stdio"])
def test_all_that_was_sent_to_a_server_conforms_to_its_revision(gateway: Any, wires: Path, server: str) -> None:  # noqa: F811
    conversations = sent_over_stdio(wires, server)
    found = [violation for conversation in conversations for violation in conversation.violations]
    assert conversations and not found, "\n".join(found[:10])


def test_all_that_was_sent_to_clients_on_stdio_conforms_to_their_revision(peers: dict[Any, Any]) -> None:  # noqa: F811
    stdio = [one for one in peers.values() if isinstance(one, Peer) and one.wire is not None]
    found = [violation for one in stdio for violation in one.violations()]
    assert stdio and not found, "\n".join(found[:10])
