"""Run one contestant as whole processes: wall time, CPU, peak memory, and an end to patience."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).parent / "launch.py"


@dataclass(frozen=True)
class Run:
    """What one run took. `code` is the first exit code that is not 0; killed ones are negative."""

    seconds: float
    cpu: float
    peak_mb: float
    code: int
    timed_out: bool
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


def _text(path: Path) -> str:
    """An output, within reason: what a peer says of 10 % of the rows can be long."""
    return path.read_bytes()[-100_000_000:].decode(errors="replace") if path.exists() else ""


def run(commands: list[list[str]], timeout: float, env: dict[str, str] | None = None) -> Run:
    """Start all COMMANDS at once, wait for all; they are killed after TIMEOUT seconds.

    The wall time is that of the last to end, CPU is the sum over the processes and their
    children, memory the highest of any one process (what `wait4` reports).
    """
    with tempfile.TemporaryDirectory(prefix="wb-bench-") as name:
        scratch = Path(name)
        pairs = [(scratch / f"out{n}", scratch / f"err{n}") for n in range(len(commands))]
        lines = [[c, str(o), str(e)] for c, (o, e) in zip(commands, pairs, strict=True)]
        asked, answer = scratch / "asked", scratch / "answer"
        asked.write_text(json.dumps({"commands": lines, "timeout": timeout}))
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(asked), str(answer)]
        process = subprocess.Popen(launcher, env={**os.environ, **(env or {})}, cwd=scratch)
        try:
            process.wait()
        except BaseException:
            # Ctrl-C in the middle of a run: the contestant goes with us.
            process.terminate()
            process.wait()
            raise
        took = json.loads(answer.read_text())
        stdout, stderr = ("".join(_text(pair[n]) for pair in pairs) for n in (0, 1))
    return Run(**took, stdout=stdout, stderr=stderr)
