"""What is measured: each subject starts its processes and says where and how it is called."""

import json
import os
import pwd
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .failure import MeasurementFailed
from .mcp_probe import get_status, offers_tool
from .processes import Process, Processes, children_of, free_port


@dataclass
class Paths:
    gateway: Path | None
    echo: Path
    load: Path
    recording: Path
    python: Path | None       # of the virtual environment with mcp-proxy and fastmcp
    work: Path


@dataclass
class Subject:
    name: str
    title: str
    port: int
    mode: str = "call"        # of mcp-bench-load
    path: str = "/mcp"
    tool: str = "echo"
    cpu_of: list[int] = field(default_factory=list)
    process: Process | None = None


def start_gateway(
    paths: Paths, processes: Processes, name: str, port: int | None = None, settings: dict | None = None
) -> tuple[Process, int]:
    """A gateway with the echo server behind it and a data directory of its own; `port` is given for a restart."""
    if paths.gateway is None:
        raise MeasurementFailed("there is no gateway binary: give --binary PATH, or build it with `make release`")
    directory = paths.work / name
    directory.mkdir(exist_ok=True)
    configuration = directory / "config.json"
    configuration.write_text(json.dumps({"mcpServers": {"echo": {"command": str(paths.echo)}}, "gateway": settings or {}}))
    port = port or free_port()
    process = processes.start(name, [
        str(paths.gateway), "serve", "--config", str(configuration), "--port", str(port),
        "--data-directory", str(directory / "data")])
    process.wait_until("status 200 of GET /health", lambda: get_status(port, "/health") == 200)
    return process, port


def gateway(paths: Paths, processes: Processes, name: str = "gateway", settings: dict | None = None) -> Subject:
    process, port = start_gateway(paths, processes, name, settings=settings)
    process.wait_until("the tool echo__echo", lambda: offers_tool(port, "echo__echo"))
    return Subject(name, "mcp-gateway → echo (stdio)", port, tool="echo__echo", cpu_of=[process.pid], process=process)


def static_route(gateway_subject: Subject, path: str) -> Subject:
    return Subject("static", f"mcp-gateway, GET {path}", gateway_subject.port, "get", path, "", gateway_subject.cpu_of, gateway_subject.process)


def direct(paths: Paths, processes: Processes) -> Subject:
    port = free_port()
    process = processes.start("echo-http", [str(paths.echo), "--http", str(port)])
    process.wait_until("the tool echo", lambda: offers_tool(port, "echo"))
    return Subject("direct", "echo (HTTP), nothing between", port, cpu_of=[process.pid], process=process)


NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log warn;
{user}
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    upstream echo {{ server 127.0.0.1:{backend}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://echo; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def find_nginx() -> str:
    path = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise MeasurementFailed("nginx is not installed: run scripts/install-dependencies --bench (Debian: nginx-light)")
    return path


def nginx(paths: Paths, processes: Processes, backend: int) -> Subject:
    program, port, directory = find_nginx(), free_port(), paths.work / "nginx"
    directory.mkdir()
    # A master that runs as root would give its workers to a user who cannot enter the work directory.
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX_CONFIGURATION.format(directory=directory, user=user, backend=backend, port=port))
    process = processes.start("nginx", [program, "-c", str(configuration), "-e", str(directory / "nginx-error.log")])
    process.wait_until("the tool echo", lambda: offers_tool(port, "echo"))
    return Subject("nginx", "NGINX (1 worker) → echo (HTTP)", port, cpu_of=children_of(process.pid), process=process)


def require_python(paths: Paths) -> Path:
    if paths.python is None:
        raise MeasurementFailed("benchmarks/.venv is missing: run scripts/install-dependencies --bench")
    return paths.python


def mcp_proxy(paths: Paths, processes: Processes) -> Subject:
    program, port = require_python(paths).parent / "mcp-proxy", free_port()
    process = processes.start("mcp-proxy", [
        str(program), "--host", "127.0.0.1", "--port", str(port), "--log-level", "WARNING", str(paths.echo)])
    process.wait_until("the tool echo", lambda: offers_tool(port, "echo"))
    return Subject("mcp-proxy", "mcp-proxy → echo (stdio)", port, cpu_of=[process.pid], process=process)


def fastmcp(paths: Paths, processes: Processes) -> Subject:
    port, script = free_port(), Path(__file__).resolve().parent.parent / "fastmcp_proxy.py"
    process = processes.start("fastmcp", [str(require_python(paths)), str(script), str(port), str(paths.echo)])
    process.wait_until("the tool echo", lambda: offers_tool(port, "echo"))
    return Subject("fastmcp", "fastmcp → echo (stdio)", port, cpu_of=[process.pid], process=process)
