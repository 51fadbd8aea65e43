"""What is measured: `weighbridge serve` as a user starts it, beside a PostgreSQL with two tables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psycopg

from tests.servers.postgres import postgres_server
from tests.servers.processes import free_port

API = "/datafold/api/v1"
COMMAND = str(Path(sys.executable).with_name("weighbridge"))
# The right table has one row in 10,000 changed.
_TABLES = (
    (
        "create table {name} as select i as id, (i::bigint * 7919 % 100003)::int as qty, (i % 1000000 / 100.0)::"
        "numeric(12,2) as amount, timestamp '2020-01-01' + i * interval '1 second' as happened_at,"
        " 'name ' || case when {wrong} then 0 else i end as name from generate_series(1, {rows}) i"
    ),
    "alter table {name} add primary key (id)",
    "analyze {name}",
)


@dataclass(frozen=True)
class House:
    """A running server, its admin's key, and the database whose tables it compares."""

    address: str
    key: str
    tables: str
    source: int
    supervisor: int = 0

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API; give what it says."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}{API}{path}", data=data, method=method)  # noqa: S310 ours
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Key {self.key}")
        with urlopen(request, timeout=60) as answer:  # noqa: S310 ours
            return json.loads(answer.read())

    def wish(self, left: str, right: str) -> dict[str, Any]:
        """Write the request for a diff of two tables."""
        return {
            "data_source1_id": self.source, "data_source2_id": self.source,
            "table1": ["public", left], "table2": ["public", right], "pk_columns": ["id"],
        }  # fmt: skip

    def memory(self) -> float:
        """Give the resident memory of the process that answers, in MB."""
        found = 0.0
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                said = dict(line.split(":", 1) for line in status.read_text().splitlines())
                words = status.with_name("cmdline").read_bytes()
                if b"weighbridge.api" in words and self._is_below(int(status.parent.name)):
                    found = max(found, int(said["VmRSS"].split()[0]) / 1024)
        assert found, "no process answers"
        return found

    def _is_below(self, pid: int) -> bool:
        while pid > 1 and pid != self.supervisor:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        return pid == self.supervisor

    def diff(self, left: str, right: str) -> int:
        """Ask for a diff and wait until its figures are there; give its number."""
        number = self.ask("POST", "/datadiffs", self.wish(left, right))["id"]
        while (said := self.ask("GET", f"/datadiffs/{number}/summary_results"))["status"] in {
            "waiting", "running",
        }:  # fmt: skip
            time.sleep(0.02)
        assert said["status"] == "success", said
        return number


@contextmanager
def a_house(rows: int) -> Generator[House]:
    """Start it all; `rows` are those of the large tables (`small_a`, `small_b` have 1,000)."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres_server())
        for name, wrong, count in (
            ("a", "false", rows), ("b", "i % 10000 = 0", rows),
            ("small_a", "false", 1_000), ("small_b", "i % 100 = 0", 1_000),
        ):  # fmt: skip
            _fill(url, name, wrong, count)
        folder = Path(tempfile.mkdtemp(prefix="weighbridge-bench-"))
        folder.chmod(0o755)  # the embedded database's user must reach it
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        address, key, supervisor = stack.enter_context(_serving(folder))
        house = House(address, key, url, 0, supervisor)
        yield replace(house, source=house.ask("POST", "/data_sources", _source(url))["id"])


def _fill(url: str, name: str, wrong: str, rows: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _TABLES:
            connection.execute(statement.format(name=name, wrong=wrong, rows=rows).encode())


def _source(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "name": "bench", "type": "pg",
        "options": {
            "host": parts.hostname, "port": parts.port, "user": parts.username,
            "password": parts.password, "dbname": parts.path.lstrip("/"),
        },
    }  # fmt: skip


@contextmanager
def _serving(folder: Path) -> Generator[tuple[str, str, int]]:
    port, words = free_port(), folder / "words"
    environ = {n: v for n, v in os.environ.items() if n != "DATABASE_URL"}
    with words.open("w") as out, (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(port), "--data", str(folder / "data")],
            stdout=out, stderr=log, env=environ,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/readyz", process)
        yield address, words.read_text().split("admin key")[1].split()[0], process.pid
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def bare_route() -> Generator[str]:
    """Serve the bare route; give its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.serving.bare", str(port)])
    try:
        _wait_for(f"http://127.0.0.1:{port}/bare", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, f"it ended with {process.returncode}"
        try:
            with urlopen(url, timeout=5):  # noqa: S310 ours
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(url)
