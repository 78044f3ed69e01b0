"""A client of any revision uses a server of any revision through the gateway: servers over Streamable HTTP.

The cells that the specification leaves empty stand in `matrix.GAPS`, each with its reason, and must not work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matrix
import pytest
from matrix_stage import found_in_gaps, http_servers, peer, peers, remote, sent_over_http, wires, world  # noqa: F401
from peers import Peer
from recorder import Recorder

SETTINGS = {"pageSize": 8}


def SERVERS(request: pytest.FixtureRequest) -> dict[str, Any]:
    return http_servers(request.getfixturevalue("remote"))


@pytest.mark.parametrize(("kind", "upstream", "feature"), matrix.cells(["legacy-http", "modern-http"]))
async def test_a_feature_works(peer: Peer, world: Path, kind: str, upstream: str, feature: str) -> None:  # noqa: F811
    await matrix.feature_of(upstream, feature)(peer, world)


# After the cells: what they let the gateway send.


def test_what_was_sent_to_clients_in_empty_cells_conforms_to_their_revision(found_in_gaps: list[str]) -> None:  # noqa: F811
    assert not found_in_gaps, "\n".join(found_in_gaps[:10])


@pytest.mark.parametrize("server", ["legacy-http", "modern-http"])
def test_all_that_was_sent_to_a_server_conforms_to_its_revision(
    gateway: Any,
    remote: dict[str, Recorder],  # noqa: F811
    server: str,
) -> None:
    conversations = sent_over_http(remote[server])
    found = [violation for conversation in conversations for violation in conversation.violations]
    assert conversations and not found, "\n".join(found[:10])
