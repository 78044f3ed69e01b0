"""Finds or makes what a run needs: the release build and the virtual environment of the peers."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from .failure import MeasurementFailed

TOOLS = ("mcp-echo", "mcp-bench-load", "mcp-bench-recording")


def build(repository: Path, products: list[str]) -> Path:
    """Builds the products for release and returns their folder. The compiler's output goes to stderr."""
    base = ["swift", "build", "-c", "release", "--package-path", str(repository)]
    try:
        for product in products:
            subprocess.run([*base, "--product", product], check=True, stdout=sys.stderr)
        shown = subprocess.run([*base, "--show-bin-path"], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise MeasurementFailed("swift is not on PATH: install it from https://www.swift.org/install") from error
    except subprocess.CalledProcessError as error:
        raise MeasurementFailed(f"`{' '.join(error.cmd)}` ended with {error.returncode}") from error
    return Path(shown.stdout.strip())


def has_tools(folder: Path) -> bool:
    return all((folder / name).is_file() for name in TOOLS)


def virtual_environment(benchmarks: Path) -> Path:
    """The interpreter of benchmarks/.venv, made or brought up to date when requirements.txt asks for it."""
    folder, requirements = benchmarks / ".venv", benchmarks / "requirements.txt"
    stamp, wanted = folder / "requirements.sha256", hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if python.exists() and (not stamp.exists() or stamp.read_text() == wanted) and (folder / "bin" / "mcp-proxy").exists():
        return python
    print("benchmarks/.venv: installing requirements.txt", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, stdout=sys.stderr)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MeasurementFailed(
            "cannot make benchmarks/.venv (it needs python3-venv and PyPI): run scripts/install-dependencies --bench") from error
    stamp.write_text(wanted)
    return python
