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
    # Each session's line, and not one in 10 seconds.
    config = {
        "gateway": {"log": {"levels": ["gateway.core=debug"]}},
        "mcpServers": {"shared": raw(isolation="shared"), "own": raw(isolation="session")},
    }
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
    async with (
        RawSession(cluster.url) as lost,
        RawSession(cluster.url) as kept,
        RawSession(f"{cluster.base_url}/servers/own/mcp") as single,
        RawSession(cluster.url, "2025-03-26") as old,
    ):
        for session, is_victims in ((lost, True), (kept, False), (single, True), (old, True)):
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

        # A session of one server's endpoint, and one of a revision with batches, have nothing but their ids, either.
        for session, tool in ((single, "pid"), (old, "own__pid")):
            call = session.message("tools/call", {"name": tool, "arguments": {}})
            for _ in range(4):
                response = await session.post([call] if session is old else call)
                assert response.status_code == 200, f"{response.status_code} {response.text}"

        cluster.redis.start_again()
        victim.start()
        wait_until("all are well", lambda: all(one.health()["components"]["store"]["status"] == "ok" for one in cluster.instances), 15)
        # What the client had said of itself is known again, and the processes of the one that stood in are gone.
        after = {await pid(lost, "own") for _ in range(4)}
        assert len(after) == 1 and not after & found
        assert {await pid(kept, "own") for _ in range(4)} == {processes["own"]}
        assert home(cluster, lost).name in {one.name for one in cluster.instances}


async def test_an_instance_that_is_frozen_meanwhile_holds_nobody_up_whose_home_is_another(cluster: Cluster) -> None:
    assert isinstance(cluster.redis, Redis)
    frozen, home_of_kept = cluster.instances[0], cluster.instances[1]
    async with RawSession(home_of_kept.url) as kept:
        await kept.initialize()
        process = await pid(kept, "own")
        cluster.redis.kill_all()
        frozen.freeze()
        try:
            # Once the frozen one has been waited for, in vain, it is asked for nothing more.
            wait_until("its lease has lapsed", lambda: home_of_kept.health()["components"]["store"]["status"] == "degraded", 15)
            call = {"name": "own__pid", "arguments": {}}
            answers = [(await kept.post(kept.message("tools/call", call))).json() for _ in range(8)]
            assert sum("error" in answer for answer in answers) <= 1, answers
            assert {answer["result"]["structuredContent"]["pid"] for answer in answers if "error" not in answer} == {process}
            assert await pid(kept, "own") == process
        finally:
            frozen.thaw()
            cluster.redis.start_again()
        wait_until("all are well", lambda: all(one.health()["components"]["store"]["status"] == "ok" for one in cluster.instances), 15)
        assert await pid(kept, "own") == process
