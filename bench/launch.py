"""The small process between the harness and a contestant, so that memory is measured clean.

The kernel counts the pages of the process that starts a program into that program's peak (they
are shared until exec), so the harness, at 40 MB, would hide what a small client needs. This one
has about 10. Started with `-I -S`, reads what to run as JSON, and writes what it took.
"""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def start(command: list[str], out: str, err: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(path, flags, 0o600), number)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error}".encode())
    os._exit(127)


def main() -> None:
    asked, answer = sys.argv[1], sys.argv[2]
    spec = json.loads(Path(asked).read_text())
    expired = False

    def kill(*_: object) -> None:
        nonlocal expired
        expired = True
        for pid in running:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    began = time.perf_counter()
    pids = [start(*one) for one in spec["commands"]]
    running = set(pids)
    signal.signal(signal.SIGALRM, kill)
    signal.signal(signal.SIGTERM, kill)
    signal.setitimer(signal.ITIMER_REAL, spec["timeout"])
    cpu, peak, code = 0.0, 0.0, 0
    for pid in pids:
        _, status, usage = os.wait4(pid, 0)
        running.discard(pid)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss / 1024)
        code = code or os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    signal.setitimer(signal.ITIMER_REAL, 0)
    took = {"seconds": seconds, "cpu": cpu, "peak_mb": peak, "code": code, "timed_out": expired}
    Path(answer).write_text(json.dumps(took))


main()
