"""`pytest --through-cluster N`: the tests' gateway is N instances behind NGINX, which sends every request to another one.

Tests of what one process does, or of what its bounds are, are left out; the tables say which and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import processes
import pytest
from cluster import Cluster
from command_line import free_ports
from gateway import Gateway
from redis_servers import Redis

ONE_PROCESS = "it looks into one process, or stops it at a moment of its own choosing"
OWN_SOCKET = "it tests how the gateway's own HTTP server reads and writes; clients meet NGINX' here"
OWN_BOUNDS = "it counts against bounds that each instance has for itself"
OWN_FIGURES = "it reads figures or logs that each instance has for itself"
OWN_SERVERS = "its server keeps state in its process, and each instance has its own: a change at one is none at another"
NO_GATEWAY = "it has no gateway, or starts programs of its own"

MODULES = {
    "test_cluster.py": NO_GATEWAY,
    "test_conformance.py": NO_GATEWAY,
    "test_matrix_directly.py": NO_GATEWAY,
    "test_nginx_config.py": NO_GATEWAY,
    "test_commands.py": NO_GATEWAY,
    "test_docs.py": NO_GATEWAY,
    "test_ends_of_connections.py": OWN_SOCKET,
    "test_malformed_requests.py": OWN_SOCKET,
    "test_pipelining.py": OWN_SOCKET,
    "test_slow_clients.py": OWN_SOCKET,
    "test_limits.py": OWN_BOUNDS,
    "test_limits_of_streams.py": OWN_BOUNDS,
    "test_health.py": OWN_FIGURES,
    "test_logs.py": OWN_FIGURES,
    "test_metrics.py": OWN_FIGURES,
}
"""Modules that are left out, with the reason."""

TESTS = {
    "test_event_feed.py::test_the_end_of_the_gateway_ends_the_feeds_at_once": ONE_PROCESS,
    "test_modern_streams.py::test_a_gateway_that_stops_ends_its_listeners_in_order": ONE_PROCESS,
    "test_restart.py::test_drain_refuses_new_sessions_lets_calls_end_and_tells_streams_to_reconnect": ONE_PROCESS,
    "test_restart.py::test_a_second_gateway_on_the_same_port_or_data_fails_with_a_message": ONE_PROCESS,
    "test_openapi.py::test_schemathesis_finds_no_difference": "NGINX refuses TRACE itself, with a page of its own",
}
"""Tests that are left out, as `module::test` with or without parameters, with the reason."""

TESTS_OF_ONE = {
    "test_request_state.py::test_no_more_exchanges_are_parked_than_the_limit_allows": OWN_BOUNDS,
    "test_conformance_2026_07_28.py::test_a_scenario_of_2026_07_28_comes_out_well[gateway-server-stateless]": OWN_SERVERS,
    "test_conformance_2026_07_28.py::test_a_scenario_of_2026_07_28_comes_out_well[crossed-server-stateless]": OWN_SERVERS,
    "test_eras_of_servers.py::test_what_was_found_is_remembered_for_later_starts": OWN_SERVERS,
    "test_eras_of_servers.py::test_a_server_over_http_that_does_not_know_the_modern_era_is_initialized": OWN_SERVERS,
    "test_children.py::test_a_killed_process_fails_the_calls_in_flight_and_is_restarted": OWN_SERVERS,
    "test_stdio_eras.py::test_a_modern_client_lives_through_a_restart_behind_connect": OWN_SERVERS,
    "test_isolation.py::test_a_shared_server_is_one_process_and_an_own_one_is_a_process_per_session": OWN_SERVERS,
    "test_stdio_eras.py::test_both_eras_live_side_by_side[connect]": OWN_SERVERS,
    "test_stdio_eras.py::test_the_sdk_hears_of_changes[connect]": OWN_SERVERS,
}
"""Those that pass through NGINX with one instance, and are left out with more."""


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through-cluster", type=int, default=0, metavar="N",
        help="put N instances behind NGINX, with round robin of every request, in place of each gateway",
    )  # fmt: skip


def instances(config: pytest.Config) -> int:
    """How many; 0: the gateway is one process that clients reach directly."""
    return config.getoption("--through-cluster")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips what the tables name."""
    if not instances(config):
        return
    tests = TESTS | (TESTS_OF_ONE if instances(config) > 1 else {})
    for item in items:
        module = item.path.name
        names = f"{module}::{item.name}", f"{module}::{getattr(item, 'originalname', item.name)}"
        if (reason := MODULES.get(module) or tests.get(names[0]) or tests.get(names[1])) is not None:
            item.add_marker(pytest.mark.skip(reason=f"through a cluster: {reason}"))


class ClusteredGateway(Gateway):
    """Several instances, handled as one gateway: killed, restarted and configured together."""

    def __init__(
        self, directory: Path, servers: dict[str, Any], gateway: dict[str, Any] | None, count: int, redis: Redis | None
    ) -> None:
        super().__init__(directory, servers, gateway)
        self.cluster = Cluster(
            directory / "cluster",
            count,
            config=self.config_path,
            redis=redis,
            balance="round_robin",
            ports=[self.port, *free_ports(count)],
            key_prefix=f"{self.mark}:"[-40:],
            # Each worker process has a turn of its own.
            nginx_options=("--workers", "1"),
        )
        self._was_started = False

    @property
    def ports(self) -> list[int]:
        return [instance.port for instance in self.cluster.instances]

    # Life: of all instances at once.

    def start(self, timeout: float = 30) -> None:
        if not self._was_started:
            self.cluster.start()
            self._was_started = True
        else:
            for instance in self.cluster.instances:
                instance.launch()
            for instance in self.cluster.instances:
                instance.wait(timeout)
        self.expected_exit = False

    def kill(self) -> None:
        self.expected_exit = True
        for instance in self.cluster.instances:
            instance.kill()

    def terminate(self, timeout: float = 30) -> int:
        self.expected_exit = True
        running = [instance for instance in self.cluster.instances if instance.is_running]
        for instance in running:
            instance.begin_to_end()
        return max(abs(instance.terminate(timeout)) for instance in running)

    def close(self) -> None:
        try:
            if not self.expected_exit and self._was_started:
                for instance in self.cluster.instances:
                    assert instance.is_running, f"{instance.name} died with {instance.exit_code}\n{instance.log_tail()}"
            problems = self.cluster.close()
            assert not problems, "\n".join(problems)
            self.assert_no_orphans()
        finally:
            self.cluster.kill()
            self.recorder.close()

    # What can be seen of it.

    def _one_process(self) -> NoReturn:
        raise AssertionError("there is no one process here: name the test in through_cluster.TESTS, with the reason")

    @property
    def process(self) -> None:  # type: ignore[override]
        self._one_process()

    @process.setter
    def process(self, _: None) -> None:
        # The base class says that there is none yet.
        pass

    @property
    def pid(self) -> int:
        self._one_process()

    def assert_no_zombies(self, timeout: float = 5) -> None:
        def gone() -> bool:
            return not any(processes.zombies(instance.pid) for instance in self.cluster.instances)

        processes.wait_until("every ended child is waited for", gone, timeout)

    def log(self) -> str:
        """The logs of all instances, one after the other."""
        return "".join(instance.log() for instance in self.cluster.instances)

    def log_tail(self, lines: int = 40) -> str:
        return self.cluster.log_tails(lines)
