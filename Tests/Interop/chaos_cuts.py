"""Cuts in the network, each a scenario of `chaos.py`: one instance is out of reach for some, and goes on working for the others."""

from __future__ import annotations

from collections.abc import Callable

from chaos import Scenario, Stage, blocking
from chaos_network import NetworkedCluster
from cluster import Instance


async def _cut(stage: Stage, what: str, cut: Callable[[NetworkedCluster, Instance], None], least: float, most: float) -> None:
    cluster = stage.cluster
    assert isinstance(cluster, NetworkedCluster)
    victim = stage.any_instance()
    stage.fault(f"{victim.name} is cut off from {what}")
    await blocking(cut, cluster, victim)
    await stage.pause(least, most)
    await blocking(cluster.heal)
    stage.note(f"{victim.name} is reached again")


async def cut_redis(stage: Stage) -> None:
    """For longer than the lease: it loses its sessions."""
    await _cut(stage, "Redis", NetworkedCluster.cut_from_redis, 5, 8)


async def cut_redis_shortly(stage: Stage) -> None:
    await _cut(stage, "Redis", NetworkedCluster.cut_from_redis, 0.5, 2)


async def cut_balancer(stage: Stage) -> None:
    await _cut(stage, "NGINX", NetworkedCluster.cut_from_balancer, 3, 8)


async def cut_peers(stage: Stage) -> None:
    """Redis takes all for alive, and requests cannot be forwarded."""
    await _cut(stage, "its peers", NetworkedCluster.cut_from_peers, 3, 8)


CUTS = (
    Scenario("cut-redis", cut_redis, loses_calls=True, loses_processes=True, stage=NetworkedCluster),
    Scenario("cut-redis-short", cut_redis_shortly, stage=NetworkedCluster),
    Scenario("cut-balancer", cut_balancer, loses_calls=True, stage=NetworkedCluster),
    Scenario("cut-peers", cut_peers, loses_calls=True, loses_processes=True, stage=NetworkedCluster),
)
