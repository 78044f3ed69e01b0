"""Instances with network interfaces of their own, so that one can be cut off from Redis, from NGINX or from its peers alone.

Each instance has a network namespace, joined by a pair of virtual interfaces to a bridge; clients, NGINX and Redis are at the bridge itself. A cut lets
packets vanish at both ends as they come in, as a broken switch does: no connection is refused or reset, no send fails. It is made of routing rules, which
every kernel has (filters of `tc` and nftables are not everywhere); those of the local table, which come first, are moved behind them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cluster import Cluster, Instance
from daemons import Daemon, program
from processes import wait_until

BRIDGE, PREFIX = "chaos0", "10.77.0"
CUT = 10
"""The priority of the rules that cut."""
HERE_ADDRESS = f"{PREFIX}.1"
"""Of Redis and NGINX, as instances see them."""


def _as_root_in_namespace() -> list[str]:
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--user", "--map-root-user"]


def why_impossible() -> str | None:
    """Why there can be no namespaces here; None if there can be."""
    script = f"ip link add {BRIDGE} type bridge && ip link add chaos1 type veth peer name chaos2 && ip rule add ipproto tcp sport 1 blackhole"
    if os.geteuid() != 0:
        return "NGINX as another user needs root in the namespace"
    try:
        done = subprocess.run([*_as_root_in_namespace(), "sh", "-c", script], capture_output=True, text=True, timeout=20)
    except OSError as error:
        return f"no network namespaces here: {error}"
    return None if done.returncode == 0 else f"no network namespaces here: {done.stderr.strip()}"


def isolated(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs Python in a network namespace of its own, where only what it starts is."""
    # Its loopback first: free ports are looked for there.
    command = [*_as_root_in_namespace(), "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


class Network:
    """The bridge and the namespaces, one for each instance."""

    def __init__(self, directory: Path, count: int) -> None:
        self._holders = [
            Daemon(f"namespace-{number}", [program("unshare", "util-linux"), "--net", "sleep", "infinity"], directory, lambda: True)
            for number in range(1, count + 1)
        ]

    def start(self) -> None:
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{HERE_ADDRESS}/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        own = os.readlink("/proc/self/ns/net")
        for number, holder in enumerate(self._holders, 1):
            holder.launch()
            # Between the start of the program and its leaving of our namespace.
            wait_until("the namespace is there", lambda holder=holder: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
            outside = self._outside(number)
            _run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
            _run("ip", "link", "set", outside, "master", BRIDGE, "up")
            self._ip(number, "link", "set", "lo", "up")
            self._ip(number, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
            self._ip(number, "link", "set", "eth0", "up")
        for number in range(len(self._holders) + 1):
            self._ip(number, "rule", "add", "pref", "100", "lookup", "local")
            self._ip(number, "rule", "delete", "pref", "0")

    def close(self) -> None:
        for holder in self._holders:
            if holder.is_running:
                holder.kill()

    @staticmethod
    def address(number: int) -> str:
        return f"{PREFIX}.{10 + number}"

    @staticmethod
    def _outside(number: int) -> str:
        return f"instance{number}"

    def inside(self, number: int) -> list[str]:
        """Before a command that is to run where the instance is."""
        return ["nsenter", f"--net=/proc/{self._holders[number - 1].pid}/ns/net"]

    def _ip(self, number: int, *words: str) -> None:
        """Runs `ip` where an instance is; 0: at the bridge."""
        _run(*(self.inside(number) if number else []), "ip", *words)

    def drop(self, number: int, *match: str) -> None:
        """Drops what comes in where an instance is (0: at the bridge) and matches."""
        self._ip(number, "rule", "add", "pref", str(CUT), *match, "blackhole")

    def heal(self) -> None:
        """Everybody reaches everybody again."""
        for number in range(len(self._holders) + 1):
            self._ip(number, "rule", "flush", "pref", str(CUT))


class NetworkedCluster(Cluster):
    """A cluster whose instances have addresses of their own."""

    def __init__(self, directory: Path, config: dict[str, Any], **options: Any) -> None:
        # The addresses are no loopback, and nobody else is in the namespace.
        config = {**config, "gateway": {**config.get("gateway", {}), "insecureAllowRemote": True}}
        self.network = Network(directory / "network", 3)
        hosts = [self.network.address(number) for number in (1, 2, 3)]
        super().__init__(directory, config=config, hosts=hosts, redis_host=HERE_ADDRESS, **options)

    def start(self, closes: bool = True) -> None:
        self.network.start()
        for number, instance in enumerate(self.instances, 1):
            instance.arguments = [*self.network.inside(number), *instance.arguments]
        super().start(closes)

    def close(self) -> list[str]:
        try:
            return super().close()
        finally:
            self.network.close()

    @staticmethod
    def why_impossible() -> str | None:
        return why_impossible()

    # What can be cut: for each direction where it comes in.

    def cut_from_redis(self, instance: Instance) -> None:
        number, own = self._place(instance)
        for daemon in self.redis.daemons:  # type: ignore[union-attr]
            port = str(daemon.port)  # type: ignore[attr-defined]
            self.network.drop(number, "from", HERE_ADDRESS, "ipproto", "tcp", "sport", port)
            self.network.drop(0, "from", own, "ipproto", "tcp", "dport", port)

    def cut_from_balancer(self, instance: Instance) -> None:
        number, own = self._place(instance)
        port = str(instance.port)
        self.network.drop(number, "from", HERE_ADDRESS, "ipproto", "tcp", "dport", port)
        self.network.drop(0, "from", own, "ipproto", "tcp", "sport", port)

    def cut_from_peers(self, instance: Instance) -> None:
        number, own = self._place(instance)
        for other in range(1, len(self.instances) + 1):
            if other != number:
                self.network.drop(number, "from", self.network.address(other))
                self.network.drop(other, "from", own)

    def heal(self) -> None:
        self.network.heal()

    def _place(self, instance: Instance) -> tuple[int, str]:
        number = self.instances.index(instance) + 1
        return number, self.network.address(number)
