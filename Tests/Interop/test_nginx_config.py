"""`mcp-gateway nginx-config`: what it writes, NGINX takes; and what NGINX then does in front of instances."""

from __future__ import annotations

import collections
import contextlib
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from gateway import ROOT, CommandLine, Gateway, free_port, raw
from nginx import Nginx, nginx_program
from processes import wait_until
from rawhttp import RawSession
from restapi import RestClient
from scripted_instances import HANDED_BACK, RESET, ScriptedInstance

SERVERS = {"raw": raw(isolation="shared"), "own": raw(isolation="session")}
SETTINGS = {"limits": {"maxBodyBytes": "2MiB"}, "streams": {"keepAlive": "300ms"}}
THREE = ["--instance", "http://127.0.0.1:1", "--instance", "http://127.0.0.1:2", "--instance", "http://127.0.0.1:3"]
Front = Callable[..., Nginx]


def nginx_config(*options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(CommandLine.nginx_config(*options), cwd=cwd, capture_output=True, text=True, timeout=30)


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """Starts NGINX in front of addresses."""
    running: list[Nginx] = []

    def start(*instances: str, options: list[str] | None = None, config: Path | None = None) -> Nginx:
        nginx = Nginx(tmp_path / f"nginx-{len(running)}", instances, *(options or []), config=config)
        running.append(nginx)
        nginx.start()
        return nginx

    yield start
    problems = [problem for nginx in running if (problem := nginx.close()) is not None]
    assert not problems, problems


@pytest.fixture(scope="module")
def nginx(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """In front of the module's gateway; clients ask NGINX, which asks the recorder."""
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), [gateway.base_url], config=gateway.config_path)
    nginx.start()
    yield nginx
    assert nginx.close() is None


# What is written.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("tls")
    files = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1],
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


@pytest.mark.parametrize(
    "options",
    [
        [],
        THREE[:2],
        THREE,
        [*THREE, "--only-http"],
        [*THREE, "--balance", "round_robin", "--server-name", "a.example", "--server-name", "*.b.example"],
        ["--instance", "http://[::1]:3001", "--instance", "http://localhost", "--listen", "[::1]:8081", "--workers", "3"],
    ],
)
def test_nginx_takes_what_is_written(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "a b").mkdir()
    output = tmp_path / "a b" / "it's.conf"
    done = nginx_config("--output", str(output), "--directory", str(tmp_path / "new" / "directory of nginx"), *options, cwd=tmp_path)
    assert done.returncode == 0 and "NGINX accepts it" in done.stderr, done.stderr
    assert [path.name for path in output.parent.iterdir()] == [output.name], "something was left behind"
    if "--only-http" not in options:
        assert subprocess.run([nginx_program(), "-t", "-c", output], capture_output=True).returncode == 0


def test_what_nginx_refuses_is_not_written(tmp_path: Path) -> None:
    output = tmp_path / "nginx.conf"
    output.write_text("# as it was\n")
    options = ["--tls-certificate", str(tmp_path / "none.pem"), "--tls-key", str(tmp_path / "none.key")]
    done = nginx_config("--output", str(output), "--directory", str(tmp_path), *options, cwd=tmp_path)
    assert done.returncode == 1 and "stays as it was" in done.stderr and "none.pem" in done.stderr, done.stderr
    assert output.read_text() == "# as it was\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--instance", "https://127.0.0.1:1"], "serves no TLS"),
        (["--instance", "127.0.0.1:1"], "an address such as"),
        (["--instance", "http://a;b"], "an address such as"),
        ([*THREE, *THREE], "named twice"),
        (["--listen", "8080;"], "NGINX listens on"),
        (["--server-name", "a b"], "host name"),
        (["--pid", "/tmp/$x"], "no $"),
        (["--tls-key", "/k"], "belong together"),
        (["--workers", "many"], "auto or a number"),
    ],
)
def test_what_nginx_cannot_be_told_is_refused_with_advice(tmp_path: Path, options: list[str], expected: str) -> None:
    done = nginx_config(*options, cwd=tmp_path)
    assert done.returncode != 0 and expected in done.stderr and done.stdout == "", done.stderr


def test_the_configuration_names_the_instances_and_the_bounds(tmp_path: Path) -> None:
    config = tmp_path / "mcp-gateway.yaml"
    config.write_text(
        "gateway:\n  nginx: {instances: ['http://10.0.0.5:3001', 'http://10.0.0.6:3001']}\n"
        "  limits: {maxBodyBytes: 5MiB, bodyTimeout: 90s, idleTimeout: 20s}\n"
    )
    text = nginx_config(cwd=tmp_path).stdout
    assert "server 10.0.0.5:3001 " in text and "server 10.0.0.6:3001 " in text
    assert f"client_max_body_size {5 << 20};" in text and "client_body_timeout 90s;" in text
    # Sooner than the instances do it.
    assert "    keepalive_timeout 10s;" in text


def test_what_clients_would_run_into_is_said(tmp_path: Path) -> None:
    done = nginx_config("--listen", "443", "--server-name", "gateway.example.com", cwd=tmp_path)
    assert done.returncode == 0
    assert "everyone who reaches it can call every tool" in done.stderr
    assert "allowedHosts" in done.stderr and "gateway.example.com" in done.stderr


def test_the_sample_is_what_the_command_prints() -> None:
    sample = ROOT / "deploy/nginx/nginx.conf"
    command = sample.with_name("README.md").read_text().split("```sh\n")[1].split("\n```")[0].replace("\\\n", "")
    assert command.startswith("mcp-gateway nginx-config ")
    done = nginx_config(*command.split()[2:], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == sample.read_text(), f"make it again: {command} > deploy/nginx/nginx.conf"


# In front of a real gateway.


async def test_the_events_of_a_stream_arrive_at_once(gateway: Gateway, nginx: Nginx) -> None:
    async with RawSession(nginx.url) as session:
        await session.initialize()
        call = session.message(
            "tools/call", {"name": "raw__progress", "arguments": {"steps": 4, "delay": 0.5}, "_meta": {"progressToken": 1}}
        )
        arrived: list[float] = []
        async with session.post_stream(call) as stream:
            async for event in stream:
                if event.data:
                    arrived.append(time.monotonic())
        assert len(arrived) == 5
        assert all(later - earlier > 0.25 for earlier, later in zip(arrived[:4], arrived[1:], strict=False)), arrived


async def test_a_listening_stream_gets_its_comments_while_nothing_happens(nginx: Nginx) -> None:
    async with RawSession(nginx.url) as session:
        await session.initialize()
        with anyio.move_on_after(1.5):
            async with session.get_stream() as stream:
                async for _ in stream:
                    pass
        assert stream.comments >= 3


async def test_a_stream_is_resumed_through_nginx(nginx: Nginx) -> None:
    async with RawSession(nginx.url) as session:
        await session.initialize()
        call = session.message(
            "tools/call", {"name": "own__progress", "arguments": {"steps": 10, "delay": 0.03}, "_meta": {"progressToken": 1}}
        )
        seen: list[int] = []
        last: str | None = None
        async with session.post_stream(call) as stream:
            async for event in stream:
                last = event.id
                if event.data:
                    seen.append(event.message["params"]["progress"])
                if len(seen) == 3:
                    break
        async with session.get_stream(last) as stream:
            async for event in stream:
                if event.data and "params" in event.message:
                    seen.append(event.message["params"]["progress"])
        assert seen == list(range(1, 11))


@pytest.mark.parametrize("path", ["/mcp", "/servers/raw/mcp"])
async def test_a_large_body_passes_both_ways(nginx: Nginx, path: str) -> None:
    async with RawSession(nginx.base_url + path) as session:
        await session.initialize()
        tool = "raw__echo" if path == "/mcp" else "echo"
        text = "x" * (2 * 2**20 - 2000)
        result = await session.call(tool, {"text": text})
        assert result["structuredContent"] == {"text": text}


async def test_a_body_that_is_too_large_gets_the_gateways_answer(nginx: Nginx) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        body = b"x" * (2 * 2**20 + 1)
        # Under /api the gateway itself says so; it has other bounds there too.
        response = await client.post(nginx.url, content=body, headers={"content-type": "application/json"})
        assert response.status_code == 413 and "limits.maxBodyBytes" in response.json()["error"]["message"]
        response = await client.post(f"{nginx.base_url}/api/session/create", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 413 and response.json()["error"]["code"] == "too_large"


async def test_header_fields_that_are_too_large_get_a_json_error(nginx: Nginx) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        for size in (20_000, 40_000):
            response = await client.post(nginx.url, content=b"{}", headers={"x-large": "x" * size, "x-too": "x" * 20_000})
            assert response.status_code == 431 and "limits.maxHeaderBytes" in response.json()["error"]["message"], size


async def test_the_rest_api_its_feed_and_http_sse_pass(nginx: Nginx) -> None:
    async with RestClient(nginx.base_url) as client:
        await client.create()
        assert (await client.request("GET", "/api/mcp/tools")).status_code == 200
        with anyio.fail_after(10):
            async with client.events() as stream:
                await stream.next("connected")
    async with httpx.AsyncClient(timeout=10) as http, http.stream("GET", f"{nginx.base_url}/sse") as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                assert line.startswith("data: /messages?sessionId=")
                break


def test_probes_pass_and_metrics_and_unknown_paths_do_not(gateway: Gateway, nginx: Nginx) -> None:
    assert httpx.get(f"{nginx.base_url}/health").json()["version"]
    wait_until("the instance is ready", lambda: httpx.get(f"{nginx.base_url}/ready").status_code == 200, 20)
    for path in ("/metrics", "/nothing", "/servers", "/api", "/sse/", "/mcp/"):
        response = httpx.get(nginx.base_url + path)
        assert response.status_code == 404 and response.json()["error"], path
    # Behind it they are there.
    assert httpx.get(f"http://127.0.0.1:{gateway.port}/metrics").status_code == 200


async def test_reloading_does_not_cut_streams(nginx: Nginx) -> None:
    async with RawSession(nginx.url) as session:
        await session.initialize()
        call = session.message(
            "tools/call", {"name": "raw__progress", "arguments": {"steps": 8, "delay": 0.2}, "_meta": {"progressToken": 1}}
        )
        seen: list[int] = []
        async with session.post_stream(call) as stream:
            async for event in stream:
                if event.data and "params" in event.message:
                    seen.append(event.message["params"]["progress"])
                    if len(seen) == 2:
                        await anyio.to_thread.run_sync(nginx.reload)
        assert seen == list(range(1, 9))
        await session.request("ping")


async def test_https_is_served_where_there_is_a_certificate(
    gateway: Gateway, front: Front, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    options = ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1]), "--server-name", "localhost"]
    nginx = front(gateway.base_url, options=options)
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with RawSession(f"https://localhost:{nginx.port}/mcp") as session:
        await session.http.aclose()
        session.http = httpx.AsyncClient(timeout=30, verify=context)
        await session.initialize()
        assert (await session.call("raw__echo", {"a": 1}))["structuredContent"] == {"a": 1}


# In front of several.


@pytest.fixture
def two() -> Iterator[tuple[ScriptedInstance, ScriptedInstance]]:
    with ScriptedInstance() as one, ScriptedInstance() as other:
        yield one, other


@pytest.mark.parametrize("balance", ["least_conn", "round_robin"])
def test_a_request_is_worked_on_by_the_next_instance_when_one_is_away(front: Front, balance: str) -> None:
    away = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with ScriptedInstance() as instance:
        nginx = front(*away, instance.address, options=["--balance", balance])
        for number in range(30):
            assert httpx.post(nginx.url, content=str(number).encode()).status_code == 200
        assert [int(seen.body) for seen in instance.seen] == list(range(30))


def test_round_robin_reaches_every_instance_in_turn(front: Front, two: tuple[ScriptedInstance, ScriptedInstance]) -> None:
    nginx = front(*(one.address for one in two), options=["--balance", "round_robin", "--workers", "1"])
    with httpx.Client() as client:
        for _ in range(10):
            assert client.post(nginx.url, content=b"x").status_code == 200
    assert [len(one.seen) for one in two] == [5, 5]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_request_that_may_be_repeated_is_repeated_when_an_instance_breaks_off(
    front: Front, two: tuple[ScriptedInstance, ScriptedInstance], method: str
) -> None:
    two[0].answer = RESET
    nginx = front(*(one.address for one in two))
    for _ in range(6):
        assert httpx.request(method, nginx.url).status_code == 200
    assert two[0].seen and len(two[1].seen) == 6


def test_a_post_that_was_sent_is_never_sent_again(front: Front, two: tuple[ScriptedInstance, ScriptedInstance]) -> None:
    two[0].answer = RESET
    nginx = front(*(one.address for one in two), options=["--balance", "round_robin", "--workers", "1"])
    statuses: collections.Counter[int] = collections.Counter()
    for number in range(12):
        response = httpx.post(nginx.url, content=str(number).encode())
        statuses[response.status_code] += 1
        if response.status_code != 200:
            assert response.status_code == 502 and response.headers["retry-after"] == "1"
            assert response.json()["jsonrpc"] == "2.0" and "not known whether" in response.json()["error"]["message"]
    bodies = [seen.body for one in two for seen in one.seen]
    assert len(bodies) == len(set(bodies)) == 12, "a POST came twice, or not at all"
    # Instances that break off are left out for a while.
    assert statuses[502] == len(two[0].seen) >= 1


@pytest.mark.parametrize("balance", ["least_conn", "round_robin"])
@pytest.mark.parametrize("path", ["/mcp", "/servers/a%2Fb/mcp?x=%20y", "/messages?sessionId=1", "/api/mcp/call"])
def test_a_request_that_an_instance_handed_back_goes_to_another(front: Front, balance: str, path: str) -> None:
    with ScriptedInstance(HANDED_BACK) as one, ScriptedInstance() as other, ScriptedInstance(HANDED_BACK) as third:
        nginx = front(one.address, other.address, options=["--balance", balance])
        for number in range(10):
            headers = {"mcp-session-id": "s", "x-request-id": f"r{number}"}
            response = httpx.post(nginx.base_url + path, content=b"b" * 300_000 + str(number).encode(), headers=headers)
            assert response.status_code == 200, response.text
        assert [seen.body[300_000:] for seen in other.seen] == [str(number).encode() for number in range(10)]
        assert {seen.target for seen in other.seen} == {path}
        assert {seen.method for seen in other.seen} == {"POST"}
        assert [seen.header("x-request-id") for seen in other.seen] == [f"r{number}" for number in range(10)]
        assert one.seen and not third.seen


def test_what_two_instances_handed_back_is_told_to_the_client(front: Front) -> None:
    with contextlib.ExitStack() as stack:
        instances = [stack.enter_context(ScriptedInstance(HANDED_BACK)) for _ in range(3)]
        nginx = front(*(one.address for one in instances))
        response = httpx.post(nginx.url, content=b"x")
        assert response.status_code == 421 and response.content == HANDED_BACK.split(b"\r\n\r\n")[1]
        assert sorted(len(one.seen) for one in instances) == [0, 1, 1], "asked once more, and another one"


def test_when_all_others_are_away_after_one_handed_back_the_client_is_told_so_in_json(front: Front) -> None:
    with ScriptedInstance(HANDED_BACK) as one:
        nginx = front(one.address, f"http://127.0.0.1:{free_port()}")
        for path in ("/mcp", "/sse/events", "/api/mcp/call"):
            response = httpx.post(nginx.base_url + path, content=b"x")
            assert response.status_code == 502 and response.headers["retry-after"] == "1", response.text
            assert response.json()["error"]["message"]


def test_when_no_instance_is_there_the_client_is_told_so_in_json(front: Front) -> None:
    nginx = front(f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")
    for path in ("/mcp", "/servers/x/mcp", "/sse"):
        # At first they are asked, later known to be away.
        for _ in range(5):
            response = httpx.post(nginx.base_url + path, content=b"x")
            assert response.status_code == 503 and response.headers["retry-after"] == "1"
            assert "was not executed" in response.json()["error"]["message"]


def test_header_fields_pass_as_they_are(front: Front) -> None:
    with ScriptedInstance() as instance:
        nginx = front(instance.address)
        headers = {"Mcp-Param-user_id": "1", "Mcp-Param-a.b!c": "2", "Host": "gateway.example:99", "traceparent": "00-1-2-01"}
        httpx.post(nginx.url, content=b"x", headers=headers)
        httpx.post(nginx.url, content=b"x", headers={"X-Request-ID": "mine", "Connection": "upgrade", "Upgrade": "websocket"})
        first, second = instance.seen
        assert (first.header("mcp-param-user_id"), first.header("mcp-param-a.b!c")) == ("1", "2")
        assert first.header("host") == "gateway.example:99" and first.header("traceparent") == "00-1-2-01"
        assert first.header("x-forwarded-for") == "127.0.0.1" and first.header("x-forwarded-proto") == "http"
        assert first.header("x-forwarded-host") == "gateway.example:99"
        made = first.header("x-request-id")
        assert made and len(made) == 32 and second.header("x-request-id") == "mine"
        assert second.header("connection") is None and second.header("upgrade") is None
        # And NGINX' own log has the name.
        wait_until("the log is written", lambda: "request=mine" in nginx.access_log.read_text())
        assert f"request={made}" in nginx.access_log.read_text()


def test_the_log_holds_no_session_and_no_ticket(front: Front) -> None:
    with ScriptedInstance() as instance:
        nginx = front(instance.address)
        httpx.get(f"{nginx.base_url}/sse/events?ticket=hunter2")
        httpx.post(f"{nginx.base_url}/messages?sessionId=hunter2", content=b"x", headers={"Mcp-Session-Id": "hunter2"})
        wait_until("the log is written", lambda: len(nginx.access_log.read_text().splitlines()) == 2)
        assert "hunter2" not in nginx.access_log.read_text() + json.dumps(nginx.log())
