"""Our own database is killed, postmaster and all, while diffs run and clients ask (F05).

Once it is the embedded one, which the supervisor starts again, once one of the user's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests import servers
from tests.api.conftest import source_body
from tests.faults.command import run_sql, wait_until_busy
from tests.faults.ground import ROWS, SLOW, until
from tests.journeys.test_serve import Server, serving
from tests.servers.postgres import PASSWORD
from tests.servers.processes import as_server_user, free_port

API = "/datafold/api/v1"
CYCLES = 3
# How soon a client hears that the database is away, and that it is back.
REFUSED, BACK = 2.0, 5.0
# What is committed must outlive the postmaster, as on any server that is not thrown away.
DURABLE = {"synchronous_commit": "on"}


@dataclass
class Asker:
    """A client that asks again and again, and notes what it was told and how long that took."""

    server: Server
    path: str
    heard: list[tuple[float, int, float]] = field(default_factory=list[tuple[float, int, float]])
    ended: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Ask until it is told to end."""
        while not self.ended.wait(0.05):
            began = time.monotonic()
            status = self._status()
            self.heard.append((began, status, time.monotonic() - began))

    def _status(self) -> int:
        request = Request(f"{self.server.address}{self.path}")  # noqa: S310 ours
        request.add_header("Authorization", f"Key {self.server.key}")
        try:
            with urlopen(request, timeout=20) as answer:  # noqa: S310 ours
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0


@contextmanager
def asking(server: Server, path: str) -> Iterator[Asker]:
    """Ask in the background."""
    asker = Asker(server, path)
    thread = threading.Thread(target=asker.ask)
    thread.start()
    try:
        yield asker
    finally:
        asker.ended.set()
        thread.join()


@pytest.fixture
def data() -> Iterator[Path]:
    """Give a folder that the embedded database's user can reach, too."""
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_embedded_one(data: Path, fresh_postgres: str) -> None:
    """The supervisor starts it again, without a person."""

    def kill() -> None:
        pid = data / "postgres" / "data" / "postmaster.pid"
        os.kill(int(pid.read_text().split()[0]), signal.SIGKILL)

    def again() -> None:
        password = (data / "postgres" / "password").read_text()
        url = f"postgresql://weighbridge:{password}@/weighbridge?host={data / 'postgres'}"
        until(lambda: _answers(url), 20, lambda: (data / "postgres/server.log").read_text()[-2000:])

    with serving(data, free_port()) as server:
        _survives(server, fresh_postgres, kill, again)


def test_a_given_one(data: Path, fresh_postgres: str) -> None:
    """It comes back after three seconds, as a failed-over or upgraded server does."""
    with servers.postgres_server(settings=DURABLE) as url, _restarts(url) as (kill, again):
        with servers.fresh_postgres(url) as ours:
            name = urlsplit(ours).path.lstrip("/")
            run_sql(
                ours,
                f"create role ours login password '{PASSWORD}'",
                f'alter database "{name}" owner to ours',
            )
            given = ours.replace("weigh:", "ours:")
            with serving(data, free_port(), DATABASE_URL=given) as server:
                _survives(server, fresh_postgres, kill, again)
        assert 503 in _heard


@contextmanager
def _restarts(url: str) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """Give what kills a server of the tests, and what starts it again as it was."""
    started: list[subprocess.Popen[bytes]] = []
    command: list[str] = []

    def kill() -> None:
        pid, command[:] = _postmaster(urlsplit(url).port or 0)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)  # our own child: as long as it is a zombie, it seems to run

    def again() -> None:
        time.sleep(3)
        until(lambda: _started(url, command, started), 30, str)

    try:
        yield kill, again
    finally:
        for process in started:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


_heard: list[int] = []


def _survives(
    server: Server, url: str, kill: Callable[[], None], again: Callable[[], None]
) -> None:
    """Kill the database CYCLES times, each time while a diff runs, and hold what must hold."""
    _heard.clear()
    run_sql(url, *SLOW)
    source = server.ask("POST", f"{API}/data_sources", source_body(url, "shop"))["id"]
    numbers: list[int] = []
    with asking(server, f"{API}/datadiffs") as asker:
        for _ in range(CYCLES):
            run_sql(url, "update pace set seconds = 0.08")
            numbers.append(_ask_for_diff(server, source))
            wait_until_busy(url, "slow", 40)
            kill()
            again()
            back = time.monotonic()
            until(lambda back=back: _is_well(asker, back), 10, lambda: str(asker.heard[-40:]))
            ready = next(b for b, status, _ in asker.heard if b > back and status == 200)
            assert ready - back <= BACK
            until(
                lambda: _status(server, numbers[-1]) == "success", 40 - (time.monotonic() - back),
                lambda: str(server.ask("GET", f"{API}/datadiffs/{numbers[-1]}")),
            )  # fmt: skip
    _heard[:] = [status for _, status, _ in asker.heard]
    assert set(_heard) <= {200, 503}
    slow = [heard for heard in asker.heard if heard[1] == 503 and heard[2] > REFUSED]
    assert not slow, slow
    for number in numbers:
        rows = server.ask("GET", f"{API}/datadiffs/{number}/results?page_size=100")["results"]
        assert sorted(row["key"]["id"] for row in rows) == list(range(4, ROWS + 1, 4))
    assert server.process.poll() is None


def _is_well(asker: Asker, since: float) -> bool:
    return any(began > since and status == 200 for began, status, _ in asker.heard)


def _ask_for_diff(server: Server, source: int) -> int:
    body = {
        "data_source1_id": source, "data_source2_id": source,
        "table1": ["public", "a"], "table2": ["public", "slow"], "pk_columns": ["id"],
    }  # fmt: skip
    return int(server.ask("POST", f"{API}/datadiffs", body)["id"])


def _status(server: Server, number: int) -> Any:
    return server.ask("GET", f"{API}/datadiffs/{number}/summary_results")["status"]


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _postmaster(port: int) -> tuple[int, list[str]]:
    """Find the server that listens on the port: its process, and how it was started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
        except OSError:
            continue
        if words[:1] and words[0].endswith("/postgres") and words[3:5] == ["-p", str(port)]:
            return int(folder.name), words
    raise AssertionError(f"no server listens on {port}")


def _started(url: str, command: list[str], started: list[subprocess.Popen[bytes]]) -> bool:
    """Start the server again; the last sessions of the killed one may hold its memory a while."""
    if not started or started[-1].poll() is not None:
        started.append(
            subprocess.Popen(
                as_server_user(*command, end_with=signal.SIGQUIT),
                cwd=command[2], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip
        time.sleep(0.3)
    return _answers(url)
