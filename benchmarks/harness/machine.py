"""Facts about the machine and the software that a figure means nothing without."""

import importlib.metadata
import mmap
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path


def first_line(command: list[str], directory: Path | None = None) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=directory)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if text else None


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def sync_microseconds(directory: Path) -> float:
    """The median time of fdatasync after 4 KiB were appended: what one durable commit must cost at least."""
    times = []
    path = directory / "sync-probe"
    with open(path, "wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1e6)
    path.unlink()
    return statistics.median(times)


def is_debug_build(binary: Path) -> bool:
    """Whether a Swift executable was compiled without optimisation: only such code links the library that is looked for."""
    with open(binary, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"libswiftSwiftOnoneSupport") >= 0


def package_versions(environment: Path, names: tuple[str, ...]) -> dict[str, str]:
    folders = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    found = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions(path=folders)}
    return {name: found[name] for name in names if name in found}


def facts(repository: Path, work: Path, gateway: Path | None, nginx: str | None) -> dict:
    memory = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory) // 1024,
        "kernel": platform.release(),
        "load_average_before": os.getloadavg()[0],
        "file_system": first_line(["stat", "-f", "-c", "%T", str(work)]),
        "sync_us": sync_microseconds(work),
        "commit": first_line(["git", "describe", "--always", "--dirty"], repository),
        "gateway": first_line([str(gateway), "--version"]) if gateway else None,
        "debug_build": is_debug_build(gateway) if gateway else None,
        "nginx": first_line([nginx, "-v"]) if nginx else None,
        "packages": package_versions(repository / "benchmarks" / ".venv", ("mcp-proxy", "fastmcp", "mcp", "uvicorn")),
    }
