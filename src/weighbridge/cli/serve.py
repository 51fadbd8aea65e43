"""`weighbridge serve`: the database, the API and a worker under one supervisor.

The supervisor starts the processes, starts again what dies, and ends them in order: first the
API, which answers what was asked, then the worker, which finishes or hands back its jobs, last
the database.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weighbridge.catalog.api_keys import SCOPES, list_keys
from weighbridge.cli.data_folder import Ground, ground
from weighbridge.cli.faults import report_error
from weighbridge.cli.key_commands import make_noted
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import NotNow, RunFailed, WeighbridgeError
from weighbridge.process import SUPERVISED, grace_seconds
from weighbridge.store.database import EVERYTHING, seen_by

# How long a process may take to end, beyond what a worker may finish meanwhile.
PATIENCE = 15.0
# A process that dies at once, again and again, is not started for ever.
_SOON, _TRIES = 10.0, 5


def serve(host: str, port: int, data: Path | None, slots: int, *, around: Surroundings) -> int:
    """Serve until a signal ends it. Gives the exit code."""
    try:
        with ground(data, around.environ) as found:
            if not found.alone:
                raise NotNow(
                    f"Another `weighbridge serve` runs in {found.folder}.",
                    next_step="End it first, or choose another folder with --data.",
                )
            _first_key(found, around)
            grace = grace_seconds(around.environ)
            listens = (host, port)
            processes = _processes(found, listens, slots, grace=grace)
            _supervise(processes, found, listens, around)
    except WeighbridgeError as error:
        return report_error(error, around)
    return 0


def worker(data: Path | None, slots: int, *, around: Surroundings) -> int:
    """Work jobs off, in this process, until a signal ends it."""
    try:
        with ground(data, around.environ) as found:
            if found.embedded and found.alone:
                raise NotNow(
                    f"No server runs in {found.folder}, and DATABASE_URL is not set.",
                    next_step="Set DATABASE_URL and WEIGHBRIDGE_KEY_RING to the server's.",
                )
            process = subprocess.Popen(  # noqa: S603 our own words
                _worker(slots), env=_environment(found), stdin=subprocess.PIPE,
                # Ctrl-C in the terminal is for this process, which passes it on once.
                start_new_session=True,
            )  # fmt: skip
            with process:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: process.terminate())
                return process.wait()
    except WeighbridgeError as error:
        return report_error(error, around)


def _first_key(found: Ground, around: Surroundings) -> None:
    """Make and show an admin's key if there is none at all."""
    with seen_by(found.database, EVERYTHING) as connection:
        if list_keys(connection):
            return
        made = make_noted(connection, "admin", environment="production", scopes=SCOPES)
    print(f"admin key  {made.token}", file=around.stdout)
    around.say("weighbridge: keep this key; it is shown this once. More: `weighbridge keys`.")


# The processes -------------------------------------------------------------------------------


@dataclass
class _Process:
    """One process that is to run for as long as the server does."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    patience: float = PATIENCE
    began: list[float] = field(default_factory=list[float])
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.began = [*self.began[1 - _TRIES :], time.monotonic()]
        # It ends when the other end of its stdin does: with us, whatever happens to us.
        self.running = subprocess.Popen(  # noqa: S603 our own words
            self.command, env=self.environment, stdin=subprocess.PIPE, start_new_session=True
        )

    def keep(self) -> None:
        """Start it again if it has died. Raises RunFailed if it does nothing but die."""
        if self.running is None or self.running.poll() is None:
            return
        if len(self.began) == _TRIES and self.began[-1] - self.began[0] < _SOON * _TRIES:
            raise RunFailed(
                f"The {self.name} ended {_TRIES} times in a row (code {self.running.returncode}).",
                next_step="Its last words are above.",
            )
        self.start()

    def tell(self) -> None:
        """Ask it to end; asked again, it hastens."""
        if self.running is not None and self.running.poll() is None:
            self.running.terminate()

    def end(self) -> None:
        self.tell()
        if self.running is None:
            return
        try:
            self.running.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


def _environment(found: Ground) -> dict[str, str]:
    # By environment, never by argument: every user of the machine can read arguments.
    return {
        **os.environ,
        "DATABASE_URL": found.url,
        "WEIGHBRIDGE_KEY_RING": str(found.ring_path),
        SUPERVISED: "1",
    }


def _worker(slots: int) -> list[str]:
    return [sys.executable, "-P", "-m", "weighbridge.worker", str(slots)]


def _processes(
    found: Ground, listens: tuple[str, int], slots: int, *, grace: float
) -> list[_Process]:
    host, port = listens
    api = [sys.executable, "-P", "-m", "weighbridge.api", host, str(port)]
    environment = _environment(found)
    return [
        _Process("API", api, environment, PATIENCE + 20),
        _Process("worker", _worker(slots), environment, PATIENCE + grace),
    ]


def _supervise(
    processes: Sequence[_Process], found: Ground, listens: tuple[str, int], around: Surroundings
) -> None:
    ended = threading.Event()

    def hear(*_: object) -> None:
        if ended.is_set():
            for process in processes:
                process.tell()
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hear)
    address = f"http://{listens[0]}:{listens[1]}"
    try:
        for process in processes:
            process.start()
        around.say(f"weighbridge: serving at {address}; Ctrl-C ends it.")
        around.say(
            f"  Datafold's API   {address}/datafold/api/v1  a page to try it: {address}/datafold/docs"
        )
        around.say(
            f"  Prequel's API    {address}/prequel  a page to try it: {address}/prequel/docs"
        )
        while not ended.wait(0.5):
            found.keep()
            for process in processes:
                process.keep()
        around.say("weighbridge: finishing what is under way …")
    finally:
        for process in processes:
            process.end()
