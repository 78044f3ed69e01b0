"""`/metrics`: the format, the names, the numbers as the real Prometheus sees them, and labels that no client can make grow."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import anyio
import httpx
import pytest
from gateway import Gateway, raw
from metrics import PROMETHEUS_ACCEPT, Metrics, parse_openmetrics, scrape, wait_for_metric
from prometheus import Prometheus, program
from rawhttp import RawSession, RPCError
from restapi import RestClient
from wire import Wire, request

SERVERS = {"raw": raw(), "down": raw(env={"RAW_HANDSHAKE": "exit"})}
SETTINGS = {"startupWait": "1s", "instanceID": "one", "colour": "blue"}
Start = Callable[..., Gateway]

NAMES = {
    # The names of the contract with dashboards and alerts; with their kind.
    "http_requests": "counter", "http_request_duration_seconds": "histogram", "http_requests_in_progress": "gauge",
    "http_connections": "gauge", "mcp_requests": "counter", "mcp_upstream_duration_seconds": "histogram", "mcp_upstream_up": "gauge",
    "mcp_upstream_restarts": "counter", "mcp_upstream_in_flight": "gauge", "mcp_upstream_queued_bytes": "gauge",
    "mcp_active_sessions": "gauge", "mcp_stored_sessions": "gauge", "mcp_sse_connections": "gauge", "mcp_events": "counter",
    "mcp_events_replayed": "counter", "mcp_events_dropped": "counter", "mcp_limit_hits": "counter", "mcp_degraded": "gauge",
    "mcp_store_queue_operations": "gauge", "mcp_store_queue_bytes": "gauge", "mcp_store_operations": "counter",
    "mcp_store_batches": "counter", "mcp_store_rejected_operations": "counter", "mcp_store_failed_operations": "counter",
    "mcp_parked_exchanges": "gauge", "mcp_parked_exchange_ends": "counter",
    "mcp_log_lines_lost": "counter", "mcp_child_stderr_lines_dropped": "counter", "mcp_build_info": "gauge",
    "process_cpu_seconds": "counter", "process_resident_memory_bytes": "gauge", "process_virtual_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge", "process_open_fds": "gauge", "process_max_fds": "gauge", "process_threads": "gauge",
}  # fmt: skip
BUCKETS = [
    "0.0005",
    "0.001",
    "0.0025",
    "0.005",
    "0.01",
    "0.025",
    "0.05",
    "0.1",
    "0.25",
    "0.5",
    "1",
    "2.5",
    "5",
    "10",
    "30",
    "60",
    "+Inf",
]


@pytest.fixture(scope="module")
def used(gateway: Gateway) -> Gateway:
    """The module's gateway after some of everything, so that every metric has a series."""

    async def use() -> None:
        async with RawSession(gateway.url) as mcp, RestClient(gateway.base_url) as rest:
            await mcp.initialize()
            await mcp.call("raw__echo", {})
            await mcp.call("raw__noisy", {"lines": 10})
            with pytest.raises(RPCError):
                await mcp.call("nothing", {})
            message = mcp.message(
                "tools/call", {"name": "raw__progress", "arguments": {"steps": 2}, "_meta": {"progressToken": 1}}
            )
            async with mcp.post_stream(message) as stream:
                identifiers = [event.id async for event in stream]
            async with mcp.get_stream(identifiers[0]) as stream:
                await anext(aiter(stream))
            await rest.create()
            await rest.call("raw__echo", {})

    anyio.run(use)
    return gateway


# Format.


@pytest.mark.parametrize(
    "accept", [None, "*/*", "text/plain", "text/plain;version=0.0.4", "text/html", "application/json", "nonsense"]
)
def test_the_text_format_is_the_answer_unless_openmetrics_is_asked_for(used: Gateway, accept: str | None) -> None:
    response = scrape(used, accept)
    content_type = response.headers["content-type"].replace(" ", "")
    assert content_type.startswith("text/plain;version=0.0.4"), content_type
    assert "# EOF" not in response.text and response.text.endswith("\n")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8", PROMETHEUS_ACCEPT]
)
def test_openmetrics_is_the_answer_where_it_is_asked_for(used: Gateway, accept: str) -> None:
    response = scrape(used, accept)
    assert response.headers["content-type"].replace(" ", "").startswith("application/openmetrics-text;version=1.0.0")
    assert response.text.endswith("# EOF\n")
    # The strict parser: units, suffixes, order, duplicates.
    assert len(list(parse_openmetrics(response.text))) > 20


@pytest.mark.parametrize("accept", ["application/openmetrics-text;q=0", "text/plain, application/openmetrics-text;q=0"])
def test_openmetrics_is_not_the_answer_where_it_is_refused(used: Gateway, accept: str) -> None:
    assert scrape(used, accept).headers["content-type"].startswith("text/plain")


def test_promtool_finds_nothing_to_complain_of(used: Gateway) -> None:
    result = subprocess.run([program("promtool"), "check", "metrics"], input=scrape(used).text, capture_output=True, text=True)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_every_metric_has_its_name_its_kind_and_a_description(used: Gateway) -> None:
    families = {family.name: family for family in Metrics(used).families}
    missing = set(NAMES) - set(families)
    assert not missing, missing
    for name, kind in NAMES.items():
        assert families[name].type == kind, (name, families[name].type)
        assert len(families[name].documentation) > 10, name
    unknown = {name for name in families if not name.startswith(("http_", "mcp_", "process_"))}
    assert not unknown


def test_both_formats_have_the_same_series(used: Gateway) -> None:
    def names(metrics: Metrics) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        # OpenMetrics writes the bound 60 as 60.0, and each scrape is a request itself.
        return {
            one
            for one in metrics.series()
            if not one[0].endswith(("_bucket", "_created")) and not one[0].startswith("http_request")
        }

    assert names(Metrics(used)) == names(Metrics(used, openmetrics=True))


def test_histograms_begin_at_half_a_millisecond(used: Gateway) -> None:
    metrics = Metrics(used)
    for name in ("http_request_duration_seconds", "mcp_upstream_duration_seconds"):
        bounds = [s.labels["le"] for s in metrics.samples if s.name == f"{name}_bucket"]
        assert [float(bound) for bound in bounds[: len(BUCKETS)]] == [float(bound) for bound in BUCKETS], bounds[: len(BUCKETS)]


def test_buckets_are_cumulative_and_agree_with_the_count(used: Gateway) -> None:
    metrics = Metrics(used)
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for sample in metrics.samples:
        if sample.name == "http_request_duration_seconds_bucket":
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            series.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
    assert series
    for labels, buckets in series.items():
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == metrics.value("http_request_duration_seconds_count", **dict(labels))


def test_the_process_is_described_as_the_kernel_does(used: Gateway) -> None:
    def status() -> dict[str, int]:
        with open(f"/proc/{used.pid}/status") as file:
            values = dict(line.split(":", 1) for line in file)
        return {"resident": int(values["VmRSS"].split()[0]) * 1024, "threads": int(values["Threads"])}

    # The kernel may take pages back meanwhile.
    before, metrics, after = status(), Metrics(used), status()
    resident = sorted((before["resident"], after["resident"]))
    assert 0.8 * resident[0] < metrics.value("process_resident_memory_bytes") < 1.2 * resident[1]
    assert metrics.value("process_threads") == pytest.approx(after["threads"], abs=2)
    assert 5 < metrics.value("process_open_fds") < metrics.value("process_max_fds")
    assert 0 < metrics.value("process_cpu_seconds_total") < 60
    assert time.time() - 120 < metrics.value("process_start_time_seconds") < time.time() + 1
    assert metrics.value("mcp_build_info", instance_id="one", colour="blue") == 1


def test_metrics_are_for_this_machine(used: Gateway) -> None:
    url = f"http://127.0.0.1:{used.port}/metrics"
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(url, headers={"origin": "http://evil.example"}).status_code == 403
    response = httpx.post(url)
    assert response.status_code == 405 and "GET" in response.headers["allow"]


def test_metrics_can_be_switched_off(start_gateway: Start) -> None:
    gateway = start_gateway({}, {"metrics": {"enabled": False}})
    assert httpx.get(f"{gateway.base_url}/metrics").status_code == 404
    assert httpx.get(f"{gateway.base_url}/health").status_code == 200


# Numbers.


@pytest.fixture
def prometheus(start_gateway: Start, tmp_path) -> Iterator[tuple[Gateway, Prometheus]]:
    gateway = start_gateway(SERVERS, SETTINGS)
    server = Prometheus(tmp_path / "prometheus", gateway)
    yield gateway, server
    server.close()


async def test_prometheus_counts_what_was_asked(prometheus: tuple[Gateway, Prometheus]) -> None:
    gateway, server = prometheus
    server.wait_for('up{job="gateway"}', 1)
    async with RawSession(gateway.url) as mcp, RestClient(gateway.base_url) as rest:
        await mcp.initialize()
        for number in range(7):
            await mcp.call("raw__echo", {"number": number})
        for _ in range(3):
            with pytest.raises(RPCError):
                await mcp.call("nothing", {})
        for _ in range(2):
            assert (await mcp.post(b'{"jsonrpc":')).status_code == 400
        assert (await mcp.post(mcp.message("ping"), mcp_session_id=str(uuid.uuid4()))).status_code == 404
        await rest.create()
        for _ in range(4):
            await rest.call("raw__echo", {})
        assert (await rest.call_response("nothing")).status_code == 404
        async with mcp.get_stream() as stream, rest.events() as feed:
            await feed.next("connected")
            assert stream.response.status_code == 200
            await mcp.call("raw__progress", {"steps": 5}, _meta={"progressToken": 1})
            post = 'http_requests_total{route="/mcp",method="POST",status="%d"}'
            for expression, expected in {
                # initialize, 7 + 3 calls, one that became a stream
                f"sum({post % 200})": 12,
                f"sum({post % 202})": 1,
                f"sum({post % 400})": 2,
                f"sum({post % 404})": 1,
                'sum(http_requests_total{route="/mcp"})': 17,
                'sum(http_requests_total{route="/api/mcp/call",status="200"})': 4,
                'sum(http_requests_total{route="/api/mcp/call",status="404"})': 1,
                'sum(http_requests_total{route="/api/session/create"})': 1,
                'sum(http_request_duration_seconds_count{route="/mcp",method="POST"})': 16,
                'sum(mcp_requests_total{method="tools/call",upstream="raw",outcome="ok"})': 12,
                'sum(mcp_requests_total{method="tools/call",upstream="gateway",outcome="error"})': 4,
                'sum(mcp_requests_total{method="tools/call"})': 16,
                'sum(mcp_requests_total{method="initialize",outcome="ok"})': 1,
                'sum(mcp_upstream_duration_seconds_count{upstream="raw"}) >= 12 and on() vector(1)': None,
                "mcp_active_sessions": 2,
                "mcp_sse_connections": 2,
                'mcp_upstream_up{upstream="raw"}': 1,
                'mcp_upstream_up{upstream="down"}': 0,
                'mcp_degraded{component="upstream"}': 1,
                'mcp_degraded{component="store"}': 0,
                'mcp_build_info{instance_id="one",colour="blue"}': 1,
                "mcp_log_lines_lost_total": 0,
                "mcp_store_failed_operations_total": 0,
            }.items():  # fmt: skip
                if expected is not None:
                    server.wait_for(expression, expected)
        for quantile in (0.5, 0.95, 0.99):
            value = server.value(
                f'histogram_quantile({quantile}, sum by (le) (http_request_duration_seconds_bucket{{route="/mcp"}}))'
            )
            assert value is not None and 0 < value < 30
        server.wait_for("mcp_sse_connections", 0)
        await mcp.delete()
        server.wait_for("mcp_active_sessions", 1)
    assert (server.value("process_resident_memory_bytes") or 0) > 1 << 20
    targets = server.targets()
    assert [target["health"] for target in targets] == ["up"], targets


async def test_what_is_in_progress_is_counted_and_forgotten(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()}, {"streams": {"firstEventWait": "30s"}})
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize()
        # The scrape itself is one.
        quiet = Metrics(gateway).value("http_requests_in_progress")
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(mcp.call, "raw__wait", {"seconds": 1})
            with anyio.fail_after(10):
                while Metrics(gateway).value("mcp_upstream_in_flight", upstream="raw") != 3:
                    await anyio.sleep(0.02)
            assert Metrics(gateway).value("http_requests_in_progress") == quiet + 3
        wait_for_metric(gateway, "nothing is in progress", lambda m: m.value("http_requests_in_progress") == quiet)
        wait_for_metric(gateway, "nothing is in flight", lambda m: m.value("mcp_upstream_in_flight") == 0)


async def test_a_restart_of_a_server_is_counted(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize()
        assert Metrics(gateway).value("mcp_upstream_restarts_total", upstream="raw") == 0
        with pytest.raises(RPCError):
            await mcp.call("raw__die")
        wait_for_metric(
            gateway, "it is up again",
            lambda m: m.value("mcp_upstream_restarts_total", upstream="raw") == 1 and m.value("mcp_upstream_up", upstream="raw") == len(gateway.ports), 15,
        )  # fmt: skip
        assert Metrics(gateway).value("mcp_requests_total", method="tools/call", upstream="raw", outcome="error") == 1


async def test_a_cancelled_call_is_counted_as_one(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize()
        before = Metrics(gateway).value("mcp_requests_total", outcome="cancelled")
        async with anyio.create_task_group() as group:
            group.start_soon(mcp.post, mcp.message("tools/call", {"name": "raw__silent"}, id=77))
            with anyio.fail_after(10):
                while Metrics(gateway).value("mcp_upstream_in_flight", upstream="raw") != 1:
                    await anyio.sleep(0.02)
            await mcp.notify("notifications/cancelled", {"requestId": 77})
            wait_for_metric(gateway, "it is counted", lambda m: m.value("mcp_requests_total", outcome="cancelled") == before + 1)
            group.cancel_scope.cancel()


async def test_events_and_replays_are_counted(gateway: Gateway) -> None:
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize()
        before = Metrics(gateway)
        message = mcp.message("tools/call", {"name": "raw__progress", "arguments": {"steps": 5}, "_meta": {"progressToken": 1}})
        async with mcp.post_stream(message) as stream:
            events = [event async for event in stream]
        sent = wait_for_metric(gateway, "6 events", lambda m: m.value("mcp_events_total") >= before.value("mcp_events_total") + 6)
        assert sent.value("mcp_events_replayed_total") == before.value("mcp_events_replayed_total")
        first = next(event.id for event in events if event.data)
        async with mcp.get_stream(first) as stream:
            replayed = 0
            async for event in stream:
                replayed += bool(event.data)
                if replayed == 5:
                    break
        wait_for_metric(
            gateway, "5 replays", lambda m: m.value("mcp_events_replayed_total") == before.value("mcp_events_replayed_total") + 5
        )  # fmt: skip


# Labels.


def hostile(gateway: Gateway, session: str, marker: str) -> None:
    """One request of each kind that holds a name of the client's choice."""
    headers = {"accept": "application/json, text/event-stream", "mcp-session-id": session}
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}", timeout=10) as http:

        def post(method: str, params: dict | None = None, path: str = "/mcp") -> None:
            http.post(path, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}, headers=headers)

        post(f"{marker}/method")
        post("tools/call", {"name": f"{marker}__tool"})
        post("tools/call", {"name": f"raw__{marker}"})
        post("prompts/get", {"name": marker})
        post("resources/read", {"uri": f"{marker}://x"})
        post("ping", path=f"/servers/{marker}/mcp")
        post("ping", path=f"/{marker}")
        http.get(f"/api/{marker}")
        http.post("/api/session/create", json={"clientId": marker})
        http.post("/api/mcp/call", json={"name": marker}, headers={"x-session-id": session})
        http.get(f"/sse/events?ticket={marker}")
        http.get("/api/sessions", params={"clientId": marker}, headers={"x-session-id": session})
        http.get("/health", headers={"x-request-id": marker, "user-agent": marker, "origin": f"http://{marker}.example"})
        http.post("/mcp", headers={**headers, "mcp-protocol-version": marker})
    for line in (f"{marker.upper()} /mcp HTTP/1.1", f"GET /{marker} HTTP/1.1", f"POST /mcp?{marker} HTTP/1.1"):
        with Wire(gateway.port) as wire:
            wire.send(line.encode() + b"\r\n" + request(method="X", headers={"Connection": "close"}).split(b"\r\n", 1)[1])
            wire.finish_sending()
            wire.drain()


async def test_nothing_that_a_client_chooses_becomes_a_label(start_gateway: Start) -> None:
    gateway = start_gateway({"raw": raw()})
    async with RawSession(gateway.url) as mcp:
        await mcp.initialize()
        assert mcp.session_id is not None
        hostile(gateway, mcp.session_id, "first-hostile-name")
        # A scrape counts itself in the next one.
        Metrics(gateway)
        before = Metrics(gateway).series()
        for _ in range(20):
            hostile(gateway, mcp.session_id, f"hostile-{uuid.uuid4().hex}")
        after = Metrics(gateway)
        assert after.series() == before
        assert "hostile" not in after.text and mcp.session_id not in after.text and mcp.session_id[:8] not in after.text
        assert after.labels("http_requests_total", "route") <= {
            "/mcp", "/servers/{server}/mcp", "/sse", "/servers/{server}/sse", "/messages", "/servers/{server}/messages", "/health", "/ready", "/metrics", "/sse/events", "other", "/api/session/create",
            "/api/session/validate", "/api/session", "/api/sessions", "/api/session/ticket", "/api/mcp/tools", "/api/mcp/call",
            "/api/openapi.json",
        }  # fmt: skip
        assert after.labels("http_requests_total", "method") <= {
            "GET",
            "POST",
            "DELETE",
            "OPTIONS",
            "HEAD",
            "PUT",
            "PATCH",
            "other",
        }
        assert after.labels("mcp_requests_total", "upstream") <= {"raw", "environment", "gateway"}
        assert after.labels("mcp_requests_total", "outcome") <= {"ok", "error", "cancelled"}
