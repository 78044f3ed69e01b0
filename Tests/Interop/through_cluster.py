"""`pytest --through-cluster N`: the tests' gateway is N instances behind NGINX, which sends every request to another one.

Tests of what one process does, or of what its bounds are, are left out; the tables say which and why.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

import processes
import pytest
from cluster import Cluster
from command_line import free_ports
from gateway import Gateway
from redis_servers import Redis

ONE_PROCESS = "it starts a second process of the gateway's, or waits for one that is not ready"
NGINX = "it tests how the gateway's own HTTP server reads, writes and waits; clients meet NGINX' here"
OWN_BOUNDS = "it counts against bounds that each instance has for itself"
OWN_FIGURES = "it reads figures of one process, which NGINX does not pass on"
OWN_STORE = "its store is a file; sessions are in Redis here"
OWN_SERVERS = "its server keeps state in its process, and each instance has its own: a change at one is none at another"

MALFORMED = "test_malformed_requests.py::test_every_malformed_request_is_answered_as_it_must_be"
METRICS = "test_metrics.py::test"
SLOW = "test_slow_clients.py::test_a"

MODULES = {"test_nginx_config.py": "it puts an NGINX of its own before its gateways"}
"""Modules that are left out, with the reason."""

TESTS = {
    "test_docs.py::test_the_commands_work_as_they_are_written[docs/operations.md]": OWN_FIGURES,
    "test_ends_of_connections.py::test_a_header_that_is_cut_off_by_the_shutdown_does_not_end_the_process": NGINX,
    "test_ends_of_connections.py::test_a_length_that_no_number_holds_is_too_large_and_takes_no_place": NGINX,
    "test_ends_of_connections.py::test_bytes_behind_an_early_answer_get_no_answer_of_their_own": NGINX,
    "test_ends_of_connections.py::test_a_client_that_stops_sending_late_gets_the_whole_of_a_long_answer": NGINX,
    "test_health.py::test_it_is_alive_and_not_ready_until_a_required_server_is_up": ONE_PROCESS,
    "test_health.py::test_health_and_ready_answer_while_the_gateway_waits_for_its_servers": ONE_PROCESS,
    "test_health.py::test_the_crash_of_a_required_server_shows_until_it_is_back": OWN_SERVERS,
    "test_health.py::test_a_full_disk_degrades_the_store_and_the_event_log": OWN_STORE,
    "test_limits.py::test_a_body_beyond_the_limit": NGINX,
    "test_limits.py::test_a_header_beyond_the_limit": NGINX,
    "test_limits.py::test_more_connections_than_the_limit": NGINX,
    "test_limits_of_streams.py::test_a_client_that_takes_too_long_to_send": NGINX,
    "test_limits_of_streams.py::test_a_connection_without_a_request_for_too_long": NGINX,
    "test_limits_of_streams.py::test_a_client_that_takes_nothing_for_too_long": NGINX,
    f"{MALFORMED}[field: *": NGINX,
    f"{MALFORMED}[smuggling: *": NGINX,
    f"{MALFORMED}[chunks: *": NGINX,
    f"{MALFORMED}[line: *": NGINX,
    **{
        f"{MALFORMED}[{row}]": NGINX
        for row in (
            "host: a list",
            "host: none in HTTP/1.1",
            "host: an empty value",
            "host: another name at a path that does not exist",
            "twice: Host",
            "twice: Host with the same value",
            "method: TRACE",
            "path: one with NUL",
            "path: one with a bad escape",
            "path: one that is a file",
            "size: a chunk of an exabyte is announced",
            "expect: 100-continue with another content type",
            "expect: 100-continue from another site",
            "rest: create with sixteen megabytes",
            "rest: create with an exabyte",
            "rest: no host",
            "rest: both Content-Length and Transfer-Encoding",
            "rest: a bad chunk",
            "rest: a header beyond the limit",
            "modern header: names beyond the limit",
            "modern: a body beyond the limit",
        )
    },
    f"{METRICS}_the_text_format_is_the_answer_unless_openmetrics_is_asked_for": OWN_FIGURES,
    f"{METRICS}_openmetrics_is_the_answer_where_it_is_asked_for": OWN_FIGURES,
    f"{METRICS}_openmetrics_is_not_the_answer_where_it_is_refused": OWN_FIGURES,
    f"{METRICS}_promtool_finds_nothing_to_complain_of": OWN_FIGURES,
    f"{METRICS}_every_metric_has_its_name_its_kind_and_a_description": OWN_STORE,
    f"{METRICS}_buckets_are_cumulative_and_agree_with_the_count": OWN_FIGURES,
    f"{METRICS}_the_process_is_described_as_the_kernel_does": OWN_FIGURES,
    f"{METRICS}_metrics_are_for_this_machine": OWN_FIGURES,
    f"{METRICS}_prometheus_counts_what_was_asked": OWN_FIGURES,
    f"{METRICS}_what_is_in_progress_is_counted_and_forgotten": OWN_FIGURES,
    "test_pipelining.py::test_the_gateway_ends_a_connection_itself[sent1]": NGINX,
    "test_pipelining.py::test_an_answer_that_refuses_a_body_is_read_by_a_client_that_still_sends": NGINX,
    "test_restart.py::test_a_second_gateway_on_the_same_port_or_data_fails_with_a_message": ONE_PROCESS,
    f"{SLOW}_header_that_comes_byte_by_byte_is_answered_with_408": NGINX,
    f"{SLOW}_header_that_stops_is_answered_with_408": NGINX,
    f"{SLOW.removesuffix('a')}the_header_of_a_later_request_has_its_time_too": NGINX,
    f"{SLOW}_body_that_stops_is_answered_with_408": NGINX,
    f"{SLOW}_body_that_comes_byte_by_byte_is_answered_with_408": NGINX,
    f"{SLOW}_connection_that_says_nothing_is_closed_after_its_time": NGINX,
    f"{SLOW}_reader_that_takes_a_little_at_a_time_gets_everything": NGINX,
    f"{SLOW}_client_that_closes_its_sending_side_still_gets_its_answer": NGINX,
    f"{SLOW}_half_closed_client_gets_the_answer_of_a_long_call": NGINX,
}
"""Tests that are left out, as `module::test` with or without parameters, or up to a `*`, with the reason."""

TESTS_OF_SEVERAL = {
    "test_conformance_2026_07_28.py::test_a_scenario_of_2026_07_28_comes_out_well[gateway-server-stateless]": OWN_SERVERS,
    "test_conformance_2026_07_28.py::test_a_scenario_of_2026_07_28_comes_out_well[crossed-server-stateless]": OWN_SERVERS,
    "test_limits.py::test_more_requests_of_all_clients_at_once_than_the_limit": OWN_BOUNDS,
    "test_limits.py::test_more_requests_of_all_sessions_of_a_client_per_second_than_the_limit": OWN_BOUNDS,
    "test_limits.py::test_more_listeners_of_2026_07_28_than_the_limit": OWN_BOUNDS,
    "test_limits_of_streams.py::test_more_calls_of_a_server_at_once_than_the_limit": OWN_BOUNDS,
    "test_limits_of_streams.py::test_more_processes_of_a_server_than_the_limit": OWN_BOUNDS,
    "test_request_state.py::test_no_more_exchanges_are_parked_than_the_limit_allows": OWN_BOUNDS,
    "test_stdio_eras.py::test_a_modern_client_lives_through_a_restart_behind_connect": OWN_SERVERS,
    "test_stdio_eras.py::test_both_eras_live_side_by_side[connect]": OWN_SERVERS,
    "test_stdio_eras.py::test_the_sdk_hears_of_changes[connect]": OWN_SERVERS,
}
"""Those that pass through NGINX with one instance, and are left out with more."""


CORE = {
    "test_event_feed.py",
    "test_fidelity.py",
    "test_http_sse.py",
    "test_isolation.py",
    "test_modern_streams.py",
    "test_rest_api.py",
    "test_restart.py",
    "test_streams.py",
    "test_tasks.py",
    "test_tasks_across_eras.py",
    "test_unfinished_calls.py",
}
CORE_CELLS = ("test_a_feature_works[http-2025-11-25-", "test_a_feature_works[http-2026-07-28-")
"""What depends most on where a request lands, marked `core`: these modules, and these clients in the matrix."""


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(
        "--through-cluster", type=int, default=0, metavar="N",
        help="put N instances behind NGINX, with round robin of every request, in place of each gateway",
    )  # fmt: skip


def instances(config: pytest.Config) -> int:
    """How many; 0: the gateway is one process that clients reach directly."""
    return config.getoption("--through-cluster")


def leave_out(config: pytest.Config, items: list[pytest.Item], needing: list[pytest.Item]) -> None:
    """Takes out what needs no gateway of the tests, or starts programs of its own, and skips what the tables name."""
    if not instances(config):
        return
    config.hook.pytest_deselected(items=[item for item in items if item not in needing])
    items[:] = needing
    for item in items:
        if item.path.name in CORE or item.name.startswith(CORE_CELLS):
            item.add_marker("core")
        if (reason := _reason(item, instances(config))) is not None:
            item.add_marker(pytest.mark.skip(reason=f"through a cluster: {reason}"))


def _reason(item: pytest.Item, count: int) -> str | None:
    tests = TESTS | (TESTS_OF_SEVERAL if count > 1 else {})
    name = f"{item.path.name}::{item.name}"
    start = next((start for start in tests if start.endswith("*") and name.startswith(start[:-1])), "")
    return MODULES.get(item.path.name) or tests.get(name) or tests.get(name.partition("[")[0]) or tests.get(start)


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
            balance="round_robin", affinity=False,
            ports=[self.port, *free_ports(count)],
            key_prefix=f"{self.mark}:"[-40:],
            # Each worker process has a turn of its own.
            nginx_options=("--workers", "1"),
        )
        self._was_started = False

    @property
    def ports(self) -> list[int]:
        return [instance.port for instance in self.cluster.instances]

    @property
    def pids(self) -> list[int]:
        return [instance.pid for instance in self.cluster.instances]

    @property
    def front_pids(self) -> list[int]:
        return sorted({self.cluster.nginx.pid, *processes.descendants(self.cluster.nginx.pid)})

    @property
    def instance_names(self) -> list[str]:
        return [instance.instance_id for instance in self.cluster.instances]

    @property
    def is_behind_nginx(self) -> bool:
        return True

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

    def begin_to_end(self) -> None:
        self.expected_exit = True
        for instance in self.cluster.instances:
            if instance.is_running:
                instance.begin_to_end()

    def wait_for_end(self, timeout: float = 30) -> int:
        """Answers the worst exit code."""
        for instance in self.cluster.instances:
            processes.wait_until(f"{instance.name} has ended", lambda instance=instance: not instance.is_running, timeout)
        return max(abs(instance.exit_code or 0) for instance in self.cluster.instances)

    def close(self) -> None:
        try:
            if not self.expected_exit and self._was_started:
                for instance in self.cluster.instances:
                    assert instance.is_running, f"{instance.name} died with {instance.exit_code}\n{instance.log_tail()}"
            self._assert_every_instance_had_its_turn()
            problems = self.cluster.close()
            assert not problems, "\n".join(problems)
            self.assert_no_orphans()
        finally:
            self.cluster.end_at_once()
            self.recorder.close()

    def _assert_every_instance_had_its_turn(self) -> None:
        log = self.cluster.nginx.access_log
        asked = re.findall(r' instance="([^",:]+:\d+)', log.read_text()) if log.exists() else []
        # NGINX writes a line when a request is over.
        if len(asked) >= 4 * len(self.ports):
            assert len(set(asked)) == len(self.ports), f"NGINX asked {set(asked)} alone"

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
