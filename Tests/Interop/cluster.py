"""Several instances that are one gateway, on loopback: Redis with its Sentinels, `mcp-gateway serve` several times, NGINX before them.

For the tests, and for `make cluster` (`scripts/cluster`). Needs nothing but Python's own library.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import processes
from command_line import SCRIPTS, CommandLine, free_ports
from daemons import Daemon
from nginx import Nginx
from redis_servers import Redis

if TYPE_CHECKING:
    from typing import Self

STORE = "redis"
"""What instances keep their sessions in where there is a Redis (`store.kind`)."""


class Instance(Daemon):
    """One gateway of several. Its configuration file is everybody's; what is its own is in variables."""

    def __init__(self, cluster: Cluster, number: int, port: int, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.instance_id = f"gateway-{number}"
        directory = cluster.directory / self.instance_id
        super().__init__(
            self.instance_id,
            CommandLine.serve(cluster.config_path, port, directory / "data"),
            directory,
            self._is_listening,
            env={
                **cluster.environment,
                "MCP_GATEWAY_INSTANCE_ID": self.instance_id,
                "MCP_GATEWAY_HOST": host,
                "MCP_GATEWAY_CLUSTER_ADDRESS": f"http://{host}:{port}",
            },
        )

    @property
    def base_url(self) -> str:
        """Past NGINX, at this instance itself."""
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.base_url}/mcp"

    def start(self, timeout: float = 30) -> None:
        """Starts it and waits until it may get requests."""
        super().start(timeout)
        self.wait_until_ready(timeout)

    def wait_until_ready(self, timeout: float = 30) -> None:
        try:
            processes.wait_until(f"{self.name} is ready", lambda: self._status("/ready") == 200, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_tail()}") from None

    def restart(self, how: str = "terminate") -> None:
        if how == "kill":
            self.kill()
        else:
            code = self.terminate(60)
            assert code == 0, f"{self.name} ended with {code}\n{self.log_tail()}"
        self.start()

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.base_url}/health", timeout=5) as response:
            return json.load(response)

    def _is_listening(self) -> bool:
        return self._status("/health") == 200

    def _status(self, path: str) -> int | None:
        try:
            with urllib.request.urlopen(self.base_url + path, timeout=2) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None


class Cluster:
    """The whole. `redis` is `"sentinel"`, `"single"`, None, or a Redis that others started; `config` is a file, or what is to be in it."""

    SLOW = 2
    """Seconds; a gateway that takes longer to end has calls in progress."""

    def __init__(
        self,
        directory: Path,
        instances: int = 3,
        config: Path | dict[str, Any] | None = None,
        redis: str | Redis | None = "sentinel",
        *,
        balance: str = "least_conn",
        affinity: bool = True,
        ports: list[int] | None = None,
        key_prefix: str = "mcp:",
        nginx_options: tuple[str, ...] = (),
        progress: Callable[[str], None] = lambda _: None,
        hosts: list[str] | None = None,
        redis_host: str = "127.0.0.1",
    ) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.progress = progress
        self.key_prefix = key_prefix
        self.mark = f"INTEROP_MARK_{uuid.uuid4().hex}"
        """In the environment of every gateway and of its children."""
        own = redis if isinstance(redis, str) else None
        sentinels = 3 if own == "sentinel" else 0
        redis_ports = Redis.ports_needed(sentinels) if own else 0
        ports = ports or free_ports(self.ports_needed(instances, own))
        self._ends_at_once = False
        self.redis = Redis(directory, sentinels, ports[1 + instances : 1 + instances + redis_ports], host=redis_host) if own else redis
        self._owns_redis = own is not None
        self.config_path = config if isinstance(config, Path) else directory / "mcp-gateway.json"
        if not isinstance(config, Path):
            self.write_config(config or {})
        self.environment = self._environment()
        hosts = hosts or ["127.0.0.1"] * instances
        self.instances = [Instance(self, number + 1, ports[1 + number], hosts[number]) for number in range(instances)]
        self.nginx = Nginx(
            directory / "nginx", [one.base_url for one in self.instances], "--balance", balance,
            *([] if affinity else ["--no-affinity"]), *nginx_options, port=ports[0],
            config=self.config_path, env=self.environment,
        )  # fmt: skip

    @staticmethod
    def ports_needed(instances: int, redis: str | None = "sentinel") -> int:
        return 1 + instances + {"sentinel": 5, "single": 1, None: 0}[redis]

    def _environment(self) -> dict[str, str]:
        """What every instance has. Variables beat the file, which may be anybody's."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("MCP_", "PYTEST_")) and name != "REDIS_URL"
        }
        environment |= {
            "PATH": f"{SCRIPTS}:{environment.get('PATH', '')}",
            "INTEROP_MARK": self.mark,
            "MCP_GATEWAY_TRANSPORT": "http",
        }
        if isinstance(self.redis, Redis):
            environment |= {
                "MCP_GATEWAY_STORE_KIND": STORE,
                "MCP_GATEWAY_STORE_REDIS_URL": self.redis.url,
                "MCP_GATEWAY_STORE_REDIS_KEY_PREFIX": self.key_prefix,
            }
        return environment

    def write_config(self, config: dict[str, Any]) -> None:
        """Replaces the file in one step, as editors do; the instances take it up."""
        temporary = self.config_path.with_suffix(".new")
        temporary.write_text(json.dumps(config, indent=2))
        temporary.replace(self.config_path)

    # Addresses. Clients use NGINX'.

    @property
    def base_url(self) -> str:
        return self.nginx.base_url

    @property
    def url(self) -> str:
        return self.nginx.url

    # Life.

    def start(self, closes: bool = True) -> None:
        """Starts everything and waits until it works. If something does not, all is stopped (if `closes`), and the error has its log."""
        try:
            if self._owns_redis and isinstance(self.redis, Redis):
                self.redis.start(self.progress)
            self._remember()
            for instance in self.instances:
                instance.launch()
            for instance in self.instances:
                instance.wait()
                instance.wait_until_ready(60)
                self.progress(f"{instance.name}: {instance.base_url}")
            self.nginx.start()
            self.progress(f"NGINX: {self.base_url}")
        except BaseException:
            if closes:
                self.close()
            raise

    def _remember(self) -> None:
        """Leaves in Redis what a cluster of before would have. Instances that find nothing wait, lest it was lost a moment ago."""
        if isinstance(self.redis, Redis):
            for field in ("id", "secret"):
                self.redis.master.command("HSETNX", f"{self.key_prefix}cluster", field, secrets.token_hex(32))

    def close(self, when_slow: Callable[[list[str]], None] = lambda _: None) -> list[str]:
        """Stops everything, what clients see first; answers what was wrong with that. Nothing is left, whatever was.

        `when_slow` gets the names of the gateways that are still at work after `SLOW` seconds, once and if there are any.
        """
        problems = [self.nginx.close()]
        for instance in self.instances:
            if instance.is_running:
                instance.begin_to_end()
        deadline = time.monotonic() + self.SLOW
        while (running := [one.name for one in self.instances if one.is_running]) and time.monotonic() < deadline:
            time.sleep(0.02)
        if running:
            when_slow(running)
        problems += [instance.close(60) for instance in self.instances]
        if self._owns_redis and isinstance(self.redis, Redis):
            problems += self.redis.close()
        if self._ends_at_once:
            # How what was killed ended is no news.
            problems = []
        problems.append(self._orphans())
        return [problem for problem in problems if problem is not None]

    def end_at_once(self) -> None:
        """Ends what `close` is waiting for. Waits for nothing itself, so that a signal's handler may call it."""
        self._ends_at_once = True
        for daemon in self.daemons:
            if daemon.is_running:
                # A master of NGINX that is killed leaves its workers behind; this signal ends them at once.
                os.kill(daemon.pid, signal.SIGTERM if daemon is self.nginx else signal.SIGKILL)

    def _orphans(self, timeout: float = 10) -> str | None:
        deadline = time.monotonic() + timeout
        while left := processes.marked(self.mark):
            is_late = time.monotonic() > deadline
            text = processes.describe(left)
            if is_late or self._ends_at_once:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            if is_late:
                return f"servers were left behind:\n{text}"
            time.sleep(0.02)
        return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        problems = self.close()
        assert kind is not None or not problems, "\n".join(problems)

    def rolling_restart(self) -> None:
        """One instance after the other, each with SIGTERM, as a deployment does."""
        for instance in self.instances:
            instance.restart()

    # What can be seen of it.

    @property
    def daemons(self) -> list[Daemon]:
        return [*(self.redis.daemons if self._owns_redis and isinstance(self.redis, Redis) else []), *self.instances, self.nginx]

    def log_tails(self, lines: int = 30) -> str:
        return "\n".join(daemon.log_tail(lines) for daemon in self.daemons)


def ports_in_use(ports: list[int]) -> list[int]:
    """Those on which somebody listens on loopback."""
    taken = []
    for port in ports:
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
    return taken
