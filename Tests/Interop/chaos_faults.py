"""What is broken, and how it is mended; each a scenario of `chaos.py`."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from pathlib import Path

import processes
from chaos import Scenario, Stage, blocking, play
from chaos_clock import CLOCKS
from chaos_cuts import CUTS
from redis_servers import Redis


def _redis(stage: Stage) -> Redis:
    redis = stage.cluster.redis
    assert isinstance(redis, Redis)
    return redis


# Instances.


async def kill(stage: Stage) -> None:
    victim = stage.any_instance()
    stage.fault(f"kill -9 of {victim.name}")
    await blocking(victim.kill)
    await stage.pause(0.5, 4)
    await blocking(victim.start)
    stage.note(f"{victim.name} is back")


async def terminate(stage: Stage) -> None:
    victim = stage.any_instance()
    stage.fault(f"SIGTERM to {victim.name}")
    code = await blocking(victim.terminate, 40)
    stage.note(f"{victim.name} ended with {code}")
    assert code == 0, victim.log_tail()
    await stage.pause(0, 2)
    await blocking(victim.start)
    stage.note(f"{victim.name} is back")


async def rolling_restart(stage: Stage) -> None:
    for number, instance in enumerate(stage.rng.sample(stage.cluster.instances, len(stage.cluster.instances))):
        stage.fault(f"SIGTERM to {instance.name}")
        await blocking(instance.restart)
        stage.note(f"{instance.name} is back")
        await stage.pause(0.1, 1)


async def freeze(stage: Stage) -> None:
    """For longer than the lease: the others take its sessions over, and it wakes up believing that they are its own."""
    victim = stage.any_instance()
    stage.fault(f"{victim.name} is frozen")
    victim.freeze()
    await stage.pause(4.5, 8)
    victim.thaw()
    stage.note(f"{victim.name} goes on")


async def stumble(stage: Stage) -> None:
    """For less than the lease, several times."""
    for _ in range(3):
        victim = stage.any_instance()
        stage.fault(f"{victim.name} is frozen")
        victim.freeze()
        await stage.pause(0.5, 2)
        victim.thaw()
        stage.note(f"{victim.name} goes on")
        await stage.pause(0.2, 1)


# Redis.


async def _failover(stage: Stage, how: str) -> None:
    redis = _redis(stage)
    old = await blocking(lambda: redis.master)
    stage.fault(f"{old.name}, the master: {how}")
    if how == "kill":
        old.kill()
    else:
        old.freeze()
    await blocking(redis.wait_for_failover, old)
    stage.elected_at = time.monotonic()
    stage.note("there is a new master")
    await stage.pause(0.5, 3)
    if how == "kill":
        await blocking(old.start)
    else:
        old.thaw()
    stage.note(f"{old.name} is back")
    await blocking(redis.wait_until_replicated)
    stage.note(f"{old.name} is the replica")


async def kill_master(stage: Stage) -> None:
    await _failover(stage, "kill")


async def freeze_master(stage: Stage) -> None:
    await _failover(stage, "freeze")


def _empty(redis: Redis) -> None:
    for server in redis.servers:
        shutil.rmtree(server.directory / "appendonlydir", ignore_errors=True)


async def _all_gone(stage: Stage, empties: bool) -> None:
    redis = _redis(stage)
    stage.fault("all of Redis is killed")
    await blocking(redis.kill_all)
    await stage.pause(1, 6)
    if empties:
        _empty(redis)
    await blocking(redis.start_again)
    stage.note(f"Redis is back{', empty' if empties else ''}")


async def redis_gone(stage: Stage) -> None:
    await _all_gone(stage, empties=False)


async def redis_emptied(stage: Stage) -> None:
    await _all_gone(stage, empties=True)


async def redis_frozen(stage: Stage) -> None:
    """Nobody refuses a connection; nothing is answered."""
    redis = _redis(stage)
    stage.fault("all of Redis is frozen")
    await blocking(redis.freeze_all)
    await stage.pause(1, 6)
    await blocking(redis.thaw_all)
    stage.note("Redis goes on")


# Two at once.


async def kill_without_redis(stage: Stage) -> None:
    """Nobody can take over what the instance had; others stand in until Redis is back."""
    redis, victim = _redis(stage), stage.any_instance()
    stage.fault("all of Redis is killed")
    await blocking(redis.kill_all)
    await stage.pause(0, 2)
    stage.fault(f"kill -9 of {victim.name}")
    await blocking(victim.kill)
    await stage.pause(4, 7)
    await blocking(redis.start_again)
    stage.note("Redis is back")
    await stage.pause(0, 2)
    await blocking(victim.start)
    stage.note(f"{victim.name} is back")


async def start_at_empty(stage: Stage) -> None:
    """An instance that remembers nothing may be the first to find Redis again, which remembers nothing either."""
    redis, starting = _redis(stage), stage.any_instance()
    stage.fault(f"SIGTERM to {starting.name}")
    await blocking(lambda: starting.terminate(60))
    stage.fault("all of Redis is killed")
    await blocking(redis.kill_all)
    _empty(redis)
    await stage.pause(0, 2)
    starting.launch()
    await stage.pause(1, 3)
    await blocking(redis.start_again)
    stage.note("Redis is back, empty")
    await blocking(starting.wait)
    await blocking(lambda: starting.wait_until_ready(30))
    stage.note(f"{starting.name} is back")


async def failover_while_restarting(stage: Stage) -> None:
    """A deployment goes on while the Sentinels make the replica the master."""
    redis = _redis(stage)
    instances = stage.rng.sample(stage.cluster.instances, len(stage.cluster.instances))
    stage.fault(f"SIGTERM to {instances[0].name}")
    await blocking(instances[0].restart)
    stage.note(f"{instances[0].name} is back")
    old = await blocking(lambda: redis.master)
    stage.fault(f"{old.name}, the master: kill; SIGTERM to {instances[1].name}")
    old.kill()
    await blocking(instances[1].restart)
    stage.note(f"{instances[1].name} is back")
    await blocking(redis.wait_for_failover, old)
    stage.elected_at = time.monotonic()
    stage.note("there is a new master")
    await blocking(old.start)
    await blocking(redis.wait_until_replicated)
    stage.fault(f"SIGTERM to {instances[2].name}")
    await blocking(instances[2].restart)
    stage.note(f"{instances[2].name} is back")


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("kill", kill, loses_calls=True, loses_processes=True),
        Scenario("terminate", terminate, loses_processes=True),
        Scenario("rolling-restart", rolling_restart, loses_processes=True),
        Scenario("freeze", freeze, loses_calls=True, loses_processes=True),
        Scenario("stumble", stumble, loses_calls=True, loses_processes=True),
        Scenario("redis-gone", redis_gone),
        Scenario("redis-emptied", redis_emptied),
        Scenario("redis-frozen", redis_frozen),
        Scenario("master-killed", kill_master, redis="sentinel"),
        Scenario("master-frozen", freeze_master, redis="sentinel"),
        Scenario("sentinels-gone", redis_gone, redis="sentinel"),
        # Who stands in does not know what the client can do, nor what its streams had.
        Scenario(
            "kill-without-redis", kill_without_redis, loses_calls=True, fails_calls=True, loses_processes=True, loses_events=True
        ),
        Scenario("start-at-empty", start_at_empty, loses_processes=True),
        Scenario("failover-while-restarting", failover_while_restarting, redis="sentinel", loses_processes=True),
        *CUTS,
        *CLOCKS,
    )
}

if __name__ == "__main__":
    # What `chaos.run` starts in a network namespace of its own: NAME SEED DIRECTORY.
    processes.become_subreaper()
    print(json.dumps(dataclasses.asdict(play(SCENARIOS[sys.argv[1]], sys.argv[2], Path(sys.argv[3])))))
