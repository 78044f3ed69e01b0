"""The cluster of `make cluster` and of the tests: it comes up, survives what it is for, and leaves nothing behind."""

from __future__ import annotations

import collections
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cluster import Cluster
from command_line import ROOT, free_ports
from gateway import raw
from processes import descendants, describe, is_running, wait_until
from rawhttp import RawSession

SCRIPT = ROOT / "scripts/cluster"
pytestmark = pytest.mark.binary


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    with Cluster(directory, config={"mcpServers": {"raw": raw()}}, balance="round_robin", affinity=False, nginx_options=("--workers", "1")) as cluster:
        yield cluster


def instances_that_answer(cluster: Cluster, requests: int = 12) -> collections.Counter[str]:
    with httpx.Client() as client:
        return collections.Counter(client.get(f"{cluster.base_url}/health").json()["instance"] for _ in range(requests))


def test_every_instance_gets_its_turn(cluster: Cluster) -> None:
    assert instances_that_answer(cluster) == {"gateway-1": 4, "gateway-2": 4, "gateway-3": 4}


async def test_nginx_sends_the_requests_of_a_session_to_its_home_and_to_others_when_that_is_away(tmp_path: Path) -> None:
    with Cluster(tmp_path, config={"mcpServers": {"raw": raw()}}, redis="single") as cluster:
        log = cluster.nginx.access_log
        # The hints of the instances differ, or the test shows nothing.
        assert len(set(re.findall(r'"~\*\^(\w{3})" mcp_gateway_at', cluster.nginx.path.read_text()))) == len(cluster.instances)
        homes = set()
        for _ in range(6):
            async with RawSession(cluster.nginx.url) as session:
                before = len(log.read_text().splitlines())
                await session.initialize()
                for _ in range(4):
                    assert await session.request("ping") == {}
                wait_until("all are in the log", lambda: len(log.read_text().splitlines()) >= before + 6)  # noqa: B023
                asked = {re.findall(r'instance="([^"]*)"', line)[0] for line in log.read_text().splitlines()[before:]}
                assert len(asked) == 1, f"requests of one session went to {asked}"
                homes |= asked
                if len(homes) > 1:
                    break
        else:
            raise AssertionError("all sessions were made by one instance")
        async with RawSession(cluster.nginx.url) as session:
            await session.initialize()
            for instance in cluster.instances:
                instance.kill()
                assert await session.request("ping") == {}
                instance.start()


def test_redis_keeps_what_it_acknowledged_and_evicts_nothing(cluster: Cluster) -> None:
    for server in cluster.redis.servers:
        settings = {name: server.command("CONFIG", "GET", name)[1] for name in ("appendonly", "maxmemory-policy", "maxmemory")}
        assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction", "maxmemory": "0"}


def test_nobody_without_the_password_gets_in(cluster: Cluster) -> None:
    with socket.create_connection(("127.0.0.1", cluster.redis.master.port)) as connection:
        connection.sendall(b"GET x\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")
    secret = cluster.redis.password
    assert all(secret not in daemon.log() for daemon in cluster.daemons)
    assert all(secret not in Path(f"/proc/{daemon.pid}/cmdline").read_text() for daemon in cluster.daemons)


def test_an_instance_that_is_killed_is_missed_by_nobody_and_comes_back(cluster: Cluster) -> None:
    cluster.instances[1].kill()
    assert set(instances_that_answer(cluster, 30)) == {"gateway-1", "gateway-3"}
    cluster.instances[1].start()
    wait_until("it gets requests again", lambda: "gateway-2" in instances_that_answer(cluster, 3), 10)


def test_a_rolling_restart_replaces_every_process(cluster: Cluster) -> None:
    before = [instance.pid for instance in cluster.instances]
    cluster.rolling_restart()
    assert not set(before) & {instance.pid for instance in cluster.instances}
    assert not any(is_running(pid) for pid in before)
    wait_until("all get requests again", lambda: len(instances_that_answer(cluster)) == 3, 10)


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_the_replica_becomes_master_when_the_master_is_gone(cluster: Cluster, how: str) -> None:
    redis = cluster.redis
    redis.master.command("SET", "test", how)
    wait_until("the replica has it", lambda: redis.replica.command("GET", "test") == how)
    old = redis.kill_master() if how == "kill" else redis.freeze_master()
    new = redis.wait_for_failover(old)
    assert new is not old and new.command("GET", "test") == how
    assert new.command("SET", "test", "later") == "OK"
    if how == "kill":
        old.start()
    else:
        old.thaw()
    # It becomes the replica, and has what it missed.
    redis.wait_until_replicated()
    assert redis.master is new and old.command("GET", "test") == "later"


def test_all_of_redis_dies_and_comes_back_with_its_data(cluster: Cluster) -> None:
    redis = cluster.redis
    redis.master.command("SET", "kept", "yes")
    assert redis.master.command("WAIT", 1, 1000) == 1
    # appendfsync everysec: in the file at the latest after a second, in the system's memory at once, which a process' end does not touch.
    redis.kill_all()
    redis.start_again()
    redis.wait_until_replicated()
    assert redis.master.command("GET", "kept") == "yes"


# The command.


class Command:
    """`scripts/cluster`, started as a user would."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.output = directory / "output"
        self.process = subprocess.Popen(
            [SCRIPT, *options], cwd=directory, stdin=subprocess.DEVNULL, stdout=self.output.open("wb"), stderr=subprocess.STDOUT
        )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str, timeout: float = 45) -> None:
        def is_there() -> bool:
            if self.process.poll() is not None and text not in self.text:
                raise AssertionError(f"it ended with {self.process.returncode} before it said {text!r}:\n{self.text}")
            return text in self.text

        wait_until(text, is_there, timeout)

    def stop(self, number: signal.Signals, timeout: float = 40) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def pids(self) -> set[int]:
        return {int(pid) for pid in re.findall(r"\(pid (\d+)\)", self.text)}


def free_row(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(20_000, 30_000, count):
        try:
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
            return first
        except OSError:
            continue
    raise AssertionError(f"no {count} free ports in a row")


def test_the_command_prints_the_addresses_and_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "mcp-gateway.json").write_text(json.dumps({"mcpServers": {"raw": raw()}}))
    base = free_row(Cluster.ports_needed(2))
    command = Command(tmp_path, "--instances", "2", "--restart-after", "0.5", "--base-port", str(base))
    try:
        command.wait_for("Ctrl-C stops everything.")
        url = re.findall(r"clients connect to +(\S+)/mcp", command.text)[0]
        assert url == f"http://127.0.0.1:{base}" and f"http://127.0.0.1:{base + 2}  " in command.text
        assert httpx.get(f"{url}/health").json()["instance"] in ("gateway-1", "gateway-2")
        listed = subprocess.run(re.findall(r"^  (\S+) tools list", command.text, re.M) + ["tools", "list", "--url", f"{url}/mcp"], capture_output=True)
        assert listed.returncode == 0 and b"raw__echo" in listed.stdout
        pids = command.pids()
        # Two gateways, two Redis, three Sentinels, NGINX.
        assert len(pids) == 8 and all(is_running(pid) for pid in pids)
        # What ends is started again.
        os.kill(int(re.findall(r"gateway-2 .*\(pid (\d+)\)", command.text)[0]), signal.SIGKILL)
        command.wait_for("gateway-2 is back")
        pids |= command.pids()
    finally:
        code = command.stop(signal.SIGTERM)
    assert code == 0, command.text
    assert command.text.endswith("==> everything is stopped\n")
    assert not any(is_running(pid) for pid in pids)
    directory = re.findall(r"logs and data +(\S+)", command.text)[0]
    assert not Path(directory).exists()


def test_ctrl_c_while_it_starts_stops_what_was_started(tmp_path: Path) -> None:
    command = Command(tmp_path, "--directory", str(tmp_path / "files"))
    command.wait_for("==> Redis: master")
    assert command.stop(signal.SIGINT) == 0, command.text
    left = [pid for pid in os.listdir("/proc") if pid.isdigit() and str(tmp_path) in _command_line(pid)]
    assert not left, command.text


@pytest.mark.parametrize("said", ["stopping (SIGINT)", "calls are in progress; Ctrl-C again ends everything at once"], ids=["quick", "slow"])
async def test_a_second_ctrl_c_ends_calls_in_progress_and_leaves_nothing(tmp_path: Path, said: str) -> None:
    (tmp_path / "mcp-gateway.json").write_text(json.dumps({"mcpServers": {"raw": raw()}}))
    command = Command(tmp_path, "--instances", "2", "--redis", "single", "--directory", str(tmp_path / "files"))
    command.wait_for("Ctrl-C stops everything.")
    started: set[int] = set()
    try:
        async with RawSession(re.findall(r"clients connect to +(\S+)", command.text)[0]) as session:
            await session.initialize()
            message = session.message("tools/call", {"name": "raw__wait", "arguments": {"seconds": 60}})
            async with session.post_stream(message):
                started = descendants(command.process.pid)
                command.process.send_signal(signal.SIGINT)
                command.wait_for(said, 20)
                assert command.process.poll() is None
                began = time.monotonic()
                code = command.stop(signal.SIGINT, 20)
    finally:
        command.process.kill()
    assert code == 0, command.text
    assert time.monotonic() - began < 8, command.text
    assert command.text.count(said) == 1 and command.text.endswith("==> everything is stopped\n")
    # The servers and NGINX' workers are not among those that it names.
    assert len(started) >= len(command.pids()) + 3
    left = {pid for pid in started if is_running(pid)}
    assert not left, describe(left)


def test_killing_the_command_itself_leaves_nothing(tmp_path: Path) -> None:
    command = Command(tmp_path, "--instances", "1", "--redis", "single")
    command.wait_for("Ctrl-C stops everything.")
    pids = command.pids()
    command.process.kill()
    command.process.wait()
    wait_until("everything ended", lambda: not any(is_running(pid) for pid in pids), 20)


def test_what_cannot_be_started_is_said_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"gateway": {"prot": 1}}')
    command = Command(tmp_path, "--config", "broken.json", "--directory", str(tmp_path / "cluster"), "--instances", "1", "--redis", "single")
    assert command.process.wait(45) == 1
    assert "error: gateway-1 exited with 78 instead of starting" in command.text
    assert 'gateway.prot: unknown key; did you mean "port"?' in command.text
    assert "everything is stopped" in command.text


def test_ports_that_are_in_use_and_wrong_options_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", max(free_ports(1)[0], 2000))) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([SCRIPT, "--base-port", str(port - 1)], cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1 and re.search(rf"in use: port .*\b{port}\b", done.stderr)
    for options in (["--instances", "0"], ["--base-port", "80"], ["--config", "none.json"], ["--what"]):
        done = subprocess.run([SCRIPT, *options], cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and done.stderr, options


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
