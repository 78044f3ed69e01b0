"""Runs a server on stdio and writes down every line that passes, in both directions.

    tee.py DIRECTORY COMMAND [ARGUMENT...]

Each process writes to a file of its own in DIRECTORY: one JSON array [direction, line] a line, in the order in which they passed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path


def main() -> int:
    directory, command = Path(sys.argv[1]), sys.argv[2:]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    lock = threading.Lock()
    with (directory / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl").open("w", buffering=1) as log:

        def pump(direction: str, source: int, sink: object) -> None:
            with os.fdopen(source, "rb", closefd=False) as lines:
                for line in lines:
                    with lock:
                        log.write(json.dumps([direction, line.decode("utf-8", "replace")]) + "\n")
                    sink.write(line)  # type: ignore[attr-defined]
                    sink.flush()  # type: ignore[attr-defined]

        def to_server() -> None:
            try:
                pump("gateway", 0, child.stdin)
            except BrokenPipeError:
                pass
            child.stdin.close()

        threading.Thread(target=to_server, daemon=True).start()
        pump("server", child.stdout.fileno(), sys.stdout.buffer)
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())
