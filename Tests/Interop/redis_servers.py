"""Redis as it runs in earnest: a master and a replica that keep an append-only file and evict nothing, and three Sentinels. All real.

Needs nothing but Python's own library.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command_line import free_ports
from daemons import Daemon, program
from processes import wait_until

MASTER_NAME = "mcp"
"""What the Sentinels call the master."""


class RedisError(Exception):
    """An error that Redis answered."""


def redis_command(
    port: int, *words: str | int | bytes, password: str | None = None, timeout: float = 2, host: str = "127.0.0.1"
) -> Any:
    """Sends one command on a connection of its own and answers what came back (RESP2); raises OSError when nothing does."""
    commands = ([("AUTH", password)] if password else []) + [words]
    with socket.create_connection((host, port), timeout=timeout) as connection, connection.makefile("rb") as stream:
        for command in commands:
            parts = [word if isinstance(word, bytes) else str(word).encode() for word in command]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            reply = _read(stream)
        return reply


def _read(stream: Any) -> Any:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection ended within an answer")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise RedisError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2].decode(errors="replace")
    if kind == b"*":
        return None if rest == b"-1" else [_read(stream) for _ in range(int(rest))]
    raise ConnectionError(f"no RESP: {line!r}")


class RedisServer(Daemon):
    """One redis-server, which may be master or replica; that changes."""

    def __init__(
        self, name: str, directory: Path, port: int, password: str, master: int | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.host, self.port = host, port
        self.password = password
        directory.mkdir(parents=True, exist_ok=True)
        self.config_path = directory / "redis.conf"
        lines = [
            f"port {port}", f"bind {host}", f"dir {directory}", f"requirepass {password}", f"masterauth {password}",
            # What was acknowledged survives a crash of the process; sessions are never evicted.
            "appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", 'save ""',
            "repl-diskless-sync-delay 0", "repl-ping-replica-period 1", "repl-timeout 5",
        ]  # fmt: skip
        if master is not None:
            lines.append(f"replicaof {host} {master}")
        # Redis rewrites it when its role changes.
        self.config_path.write_text("\n".join(lines) + "\n")
        self.config_path.chmod(0o600)
        super().__init__(name, [program("redis-server", "redis-server"), self.config_path], directory, self._answers)

    def terminate(self, timeout: float = 30) -> int:
        """Redis refuses to end while it writes its first append-only file, and forgets that it was told to."""
        deadline = time.monotonic() + timeout
        while True:
            self.is_ending = False
            try:
                return super().terminate(0.5)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise

    def command(self, *words: str | int | bytes, timeout: float = 2) -> Any:
        return redis_command(self.port, *words, password=self.password, timeout=timeout, host=self.host)

    @property
    def role(self) -> str:
        """`master`, `slave`, or `none` while it does not answer."""
        try:
            return self.command("ROLE", timeout=0.5)[0]
        except (OSError, RedisError):
            return "none"

    @property
    def is_in_sync(self) -> bool:
        """A replica that has all of its master's data and follows it."""
        try:
            role = self.command("ROLE", timeout=0.5)
            return role[0] == "slave" and role[3] == "connected"
        except (OSError, RedisError):
            return False

    def _answers(self) -> bool:
        try:
            return self.command("PING") == "PONG"
        except (OSError, RedisError):
            return False


class Sentinel(Daemon):
    """One redis-sentinel. It writes what it finds out into its configuration, so that is in a directory of its own."""

    def __init__(self, name: str, directory: Path, port: int, master: RedisServer, failover_timeout: int) -> None:
        self.host, self.port = master.host, port
        directory.mkdir(parents=True, exist_ok=True)
        self.config_path = directory / "sentinel.conf"
        self.config_path.write_text(
            f"port {port}\nbind {master.host}\ndir {directory}\n"
            f"sentinel monitor {MASTER_NAME} {master.host} {master.port} 2\n"
            f"sentinel auth-pass {MASTER_NAME} {master.password}\n"
            f"sentinel down-after-milliseconds {MASTER_NAME} 1000\n"
            f"sentinel failover-timeout {MASTER_NAME} {failover_timeout}\n"
            f"sentinel parallel-syncs {MASTER_NAME} 1\n"
        )
        self.config_path.chmod(0o600)
        super().__init__(name, [program("redis-sentinel", "redis-sentinel"), self.config_path], directory, self._knows_all)

    def command(self, *words: str | int, timeout: float = 2) -> Any:
        return redis_command(self.port, *words, timeout=timeout, host=self.host)

    def master_port(self) -> int | None:
        """Where it says the master is; None while it does not answer."""
        try:
            address = self.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME, timeout=0.5)
        except (OSError, RedisError):
            return None
        return address and int(address[1])

    def knows(self, replicas: int, others: int) -> bool:
        """Whether it could fail over: it has seen the replicas and enough of the other Sentinels."""
        try:
            master = self.command("SENTINEL", "MASTER", MASTER_NAME)
            found = dict(zip(master[::2], master[1::2], strict=True))
            self.command("SENTINEL", "CKQUORUM", MASTER_NAME)
            return found["num-slaves"] == str(replicas) and found["num-other-sentinels"] == str(others)
        except (OSError, RedisError):
            return False

    def _knows_all(self) -> bool:
        return self.knows(replicas=1, others=2)


class Redis:
    """A master with a replica and three Sentinels, or (`sentinels=0`) one server alone."""

    def __init__(self, directory: Path, sentinels: int = 3, ports: list[int] | None = None, failover_timeout: int = 3000, host: str = "127.0.0.1") -> None:
        assert sentinels in (0, 3)
        ports = ports or free_ports(self.ports_needed(sentinels))
        self.host = host
        self.password = secrets.token_hex(16)
        first = RedisServer("redis-1", directory / "redis-1", ports[0], self.password, host=host)
        self.servers = [first]
        self.sentinels: list[Sentinel] = []
        if sentinels:
            self.servers.append(RedisServer("redis-2", directory / "redis-2", ports[1], self.password, master=first.port, host=host))
            for number in range(1, sentinels + 1):
                name = f"sentinel-{number}"
                self.sentinels.append(Sentinel(name, directory / name, ports[1 + number], first, failover_timeout))

    @staticmethod
    def ports_needed(sentinels: int) -> int:
        return 2 + sentinels if sentinels else 1

    @property
    def daemons(self) -> list[Daemon]:
        """In the order in which they start."""
        return [*self.servers, *self.sentinels]

    @property
    def url(self) -> str:
        """The gateway's `store.redis.url`."""
        return self.url_with(self.password)

    def url_with(self, password: str) -> str:
        if not self.sentinels:
            return f"redis://:{password}@{self.host}:{self.servers[0].port}/0"
        hosts = ",".join(f"{self.host}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://:{password}@{hosts}/{MASTER_NAME}/0"

    def start(self, progress: Callable[[str], None] = lambda _: None) -> None:
        for server in self.servers:
            server.start()
        if len(self.servers) > 1:
            wait_until("the replica follows the master", lambda: self.servers[1].is_in_sync, 15)
        progress("Redis: " + ", ".join(f"{one.role.replace('slave', 'replica')} {one.host}:{one.port}" for one in self.servers))
        for sentinel in self.sentinels:
            sentinel.launch()
        for sentinel in self.sentinels:
            sentinel.wait()
        if self.sentinels:
            progress("Sentinels: " + ", ".join(f"{one.host}:{one.port}" for one in self.sentinels))

    def close(self) -> list[str]:
        """Stops all of it, Sentinels first, so that nobody sees a failure; what was wrong with that."""
        return [problem for daemon in reversed(self.daemons) if (problem := daemon.close()) is not None]

    # Who is who, and trouble.

    @property
    def master(self) -> RedisServer:
        """The server that most Sentinels call the master."""
        if not self.sentinels:
            return self.servers[0]
        votes = [port for sentinel in self.sentinels if sentinel.is_running and (port := sentinel.master_port()) is not None]
        ports = [server.port for server in self.servers]
        elected = max(set(votes) & set(ports), key=votes.count, default=None)
        assert elected is not None, "no Sentinel knows a master"
        return self.servers[ports.index(elected)]

    @property
    def replica(self) -> RedisServer:
        return next(server for server in self.servers if server is not self.master)

    def kill_master(self) -> RedisServer:
        """kill -9; answers the one that was killed."""
        master = self.master
        master.kill()
        return master

    def freeze_master(self) -> RedisServer:
        """SIGSTOP; answers the one that is frozen."""
        master = self.master
        master.freeze()
        return master

    def wait_for_failover(self, old: RedisServer, timeout: float = 30) -> RedisServer:
        """Waits until another one is the master and takes writes, and every Sentinel says so."""

        def is_over() -> bool:
            ports = {sentinel.master_port() for sentinel in self.sentinels if sentinel.is_running}
            return len(ports) == 1 and old.port not in ports and None not in ports and self.master.role == "master"

        wait_until("the Sentinels have elected another master", is_over, timeout)
        return self.master

    def wait_until_replicated(self, timeout: float = 30) -> None:
        """Waits until the servers are a master and a replica that follows it again, and the Sentinels could fail over."""
        wait_until("the other server follows the master", lambda: self.replica.is_in_sync, timeout)
        for sentinel in self.sentinels:
            wait_until(f"{sentinel.name} could fail over", sentinel._knows_all, timeout)

    def kill_all(self) -> None:
        """All of Redis is gone."""
        for daemon in self.daemons:
            if daemon.is_running:
                daemon.kill()

    def freeze_all(self) -> None:
        for daemon in self.daemons:
            daemon.freeze()

    def thaw_all(self) -> None:
        for daemon in self.daemons:
            daemon.thaw()

    def start_again(self) -> None:
        """Starts what does not run, with the data that is on disk."""
        for daemon in self.daemons:
            if not daemon.is_running:
                daemon.launch()
        for server in self.servers:
            server.wait()
