"""What is served while nobody reaches Redis, and by whom: the homes of sessions go on, and one instance stands in for a home that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Cluster, Instance
from gateway import raw
from processes import wait_until
from rawhttp import RawSession
from redis_servers import Redis

pytestmark = pytest.mark.binary
STANDS_IN = "session served without the store: only its id is known"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    config = {"mcpServers": {"shared": raw(isolation="shared"), "own": raw(isolation="session")}}
    with Cluster(tmp_path, config=config, redis="single", balance="round_robin", affinity=False, nginx_options=("--workers", "1")) as cluster:
        yield cluster


def home(cluster: Cluster, session: RawSession) -> Instance:
    assert isinstance(cluster.redis, Redis)
    name = cluster.redis.master.command("HGET", f"{cluster.key_prefix}session:{session.session_id}", "home")
    return next(one for one in cluster.instances if one.name == name)


async def pid(session: RawSession, server: str) -> int:
    result = await session.request("tools/call", {"name": f"{server}__pid", "arguments": {}})
    return result["structuredContent"]["pid"]


def stand_ins(cluster: Cluster, session: RawSession) -> list[str]:
    """Who has said that it stands in for the session's home."""
    shortened = str(session.session_id)[:8]
    lines = {one.name: one.log_path.read_text().splitlines() for one in cluster.instances}
    return [name for name, log in lines.items() if any(STANDS_IN in line and shortened in line for line in log)]


async def test_homes_go_on_and_one_instance_stands_in_for_one_that_is_gone(cluster: Cluster) -> None:
    assert isinstance(cluster.redis, Redis)
    victim = cluster.instances[1]
    async with RawSession(cluster.url) as lost, RawSession(cluster.url) as kept:
        for session, is_victims in ((lost, True), (kept, False)):
            await session.initialize()
            while (home(cluster, session) is victim) != is_victims:
                session.session_id = None
                await session.initialize()
        processes = {server: await pid(kept, server) for server in ("shared", "own")}
        before = await pid(lost, "own")

        cluster.redis.kill_all()
        victim.kill()
        # Each request lands at another instance. Until the leases have lapsed they wait.
        found = {await pid(lost, "own") for _ in range(6)}
        assert len(found) == 1 and before not in found, "one process, at one instance, whoever is asked"
        for server, process in processes.items():
            assert {await pid(kept, server) for _ in range(4)} == {process}
        assert len(stand_ins(cluster, lost)) == 1
        assert stand_ins(cluster, kept) == []

        cluster.redis.start_again()
        victim.start()
        wait_until("all are well", lambda: all(one.health()["components"]["store"]["status"] == "ok" for one in cluster.instances), 15)
        # What the client had said of itself is known again, and the processes of the one that stood in are gone.
        after = {await pid(lost, "own") for _ in range(4)}
        assert len(after) == 1 and not after & found
        assert {await pid(kept, "own") for _ in range(4)} == {processes["own"]}
        assert home(cluster, lost).name in {one.name for one in cluster.instances}
