from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import processes
import pytest
import through_cluster
from gateway import BINARY, Gateway, everything, raw
from redis_servers import Redis
from target import Target
from upstreams import http_server

processes.become_subreaper()


def pytest_addoption(parser: pytest.Parser) -> None:
    through_cluster.add_option(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    needing = [item for item in items if "gateway" in item.fixturenames or "start_gateway" in item.fixturenames]
    through_cluster.leave_out(config, items, needing)
    needing += [item for item in items if item.get_closest_marker("binary") and item not in needing]
    if BINARY.exists() or not needing:
        return
    if "INTEROP_WITHOUT_GATEWAY" not in os.environ:
        # Not a skip: a test run that silently leaves out all of this would say nothing.
        raise pytest.UsageError(f"no gateway at {BINARY}: `make build` first, or set MCP_GATEWAY_BINARY")
    for item in needing:
        item.add_marker(pytest.mark.skip(reason="INTEROP_WITHOUT_GATEWAY is set"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def check_conformance(gateways: list[Gateway]) -> None:
    found = [violation for gateway in gateways for violation in gateway.recorder.violations()]
    if found:
        shown = "\n".join(found[:10])
        pytest.fail(
            f"{len(found)} message(s) of the gateway do not conform to the schema of their revision:\n{shown}", pytrace=False
        )


Make = Callable[..., Gateway]


@pytest.fixture(scope="session")
def make_gateway(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes gateways of a directory, servers and settings: one process each, or a cluster (`--through-cluster`)."""
    count = through_cluster.instances(pytestconfig)
    if not count:
        yield Gateway
        return
    # One alone needs nobody to share with.
    redis = Redis(tmp_path_factory.mktemp("redis"), sentinels=0) if count > 1 else None
    if redis is not None:
        redis.start()
    yield lambda directory, servers, settings=None: through_cluster.ClusteredGateway(directory, servers, settings, count, redis)
    if redis is not None:
        assert not redis.close()


@pytest.fixture(scope="module")
def _module_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Gateway]]:
    gateways: list[Gateway] = []
    yield gateways
    for gateway in gateways:
        gateway.close()


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make_gateway: Make, _module_gateways: list[Gateway]
) -> Gateway:
    """The module's gateway. `SERVERS` and `SETTINGS` of the module configure it."""
    servers = getattr(request.module, "SERVERS", {"everything": everything(isolation="session"), "raw": raw(isolation="shared")})
    if callable(servers):
        servers = servers(request)
    gateway = make_gateway(tmp_path_factory.mktemp("gateway"), servers, getattr(request.module, "SETTINGS", None))
    _module_gateways.append(gateway)
    gateway.start()
    return gateway


@pytest.fixture
def start_gateway(tmp_path: Path, make_gateway: Make) -> Iterator[Callable[..., Gateway]]:
    """Starts a gateway for one test alone, which may kill it."""
    gateways: list[Gateway] = []

    def start(servers: dict[str, Any], settings: dict[str, Any] | None = None, data: Path | None = None) -> Gateway:
        gateway = make_gateway(tmp_path / f"gateway-{len(gateways)}", servers, settings)
        gateway.data = data or gateway.data
        gateways.append(gateway)
        gateway.start()
        return gateway

    yield start
    try:
        check_conformance(gateways)
    finally:
        for gateway in gateways:
            gateway.close()


@pytest.fixture(scope="module")
def target(gateway: Gateway) -> Iterator[Target]:
    """The module's gateway for bare sockets; its servers are `raw` and `other`. Afterwards it has no descriptor more than before."""
    target = Target(gateway)
    target.assert_healthy()
    ready = f"http://127.0.0.1:{gateway.port}/ready"
    processes.wait_until("every server was tried", lambda: httpx.get(ready).status_code == 200, 20)
    processes.wait_until("the first connections are closed", lambda: target.connections() == 0)
    before = target.descriptors()
    yield target
    assert all(processes.is_running(pid) for pid in gateway.pids), "the gateway is gone"
    processes.wait_until("every connection is closed", lambda: target.connections() == 0, 15)
    # The store and the event loops may have opened something of their own meanwhile; a leak would be one for each connection.
    try:
        processes.wait_until("every descriptor is closed", lambda: len(target.descriptors()) <= len(before) + 4 * len(gateway.pids), 15)
    except AssertionError:
        raise AssertionError(f"more descriptors than before:\n{before}\n{target.descriptors()}") from None


@pytest.fixture(autouse=True)
def conformance(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: everything that the module's gateway sent in it conforms."""
    gateways = request.getfixturevalue("_module_gateways") if "gateway" in request.fixturenames else []
    yield
    check_conformance(gateways)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.failed:
        for name in ("gateway",):
            gateway = getattr(item, "funcargs", {}).get(name)
            if isinstance(gateway, Gateway):
                report.sections.append(("gateway log", gateway.log_tail()))
    return report


@pytest.fixture(scope="session")
def remote_server() -> Iterator[str]:
    """The server that uses everything, over Streamable HTTP; its URL."""
    with http_server("everything.py", "legacy") as url:
        yield url
