"""Watches in Redis where sessions are at home: a session has one home at a time, and it changes in one direction."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from redis_servers import Redis, RedisError, RedisServer

if TYPE_CHECKING:
    from chaos_clients import LoadClient
    from cluster import Cluster

INTERVAL = 0.25
"""Seconds between two looks."""


class Homes:
    def __init__(self, cluster: Cluster, clients: Sequence[LoadClient]) -> None:
        self._cluster, self._clients = cluster, clients
        self._seen: dict[str, list[tuple[int, str, str]]] = {}
        """By client: epoch, instance and incarnation, when they changed."""

    async def watch(self) -> None:
        while True:
            await anyio.to_thread.run_sync(self._look)
            await anyio.sleep(INTERVAL)

    def _look(self) -> None:
        redis = self._cluster.redis
        assert isinstance(redis, Redis)
        # Not of every server that calls itself master: one that was killed does so again until the Sentinels tell it better.
        with contextlib.suppress(OSError, RedisError, AssertionError):
            master = redis.master
            if master.is_running and not master.frozen and (len(redis.servers) == 1 or master.role == "master"):
                self._read(master)

    def _read(self, server: RedisServer) -> None:
        for client in self._clients:
            if client.wire.session_id is None:
                continue
            key = f"{self._cluster.key_prefix}session:{client.wire.session_id}"
            epoch, home, incarnation = server.command("HMGET", key, "epoch", "home", "incarnation", timeout=0.5)
            if epoch is None:
                continue
            now = (int(epoch), str(home), str(incarnation))
            mine = self._seen.setdefault(client.name, [])
            if not mine or mine[-1] != now:
                mine.append(now)

    def problems(self) -> list[str]:
        found = [] if self._seen else ["nobody's home was seen in Redis"]
        for client, seen in self._seen.items():
            for before, after in zip(seen, seen[1:]):
                if after[0] < before[0] or after[0] == before[0] and after[1] and after != before and before[1]:
                    found.append(f"{client}: its home went from {before} to {after}")
        return found
