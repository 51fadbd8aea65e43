"""A server of ours whose workers are real processes, with diffs that take as long as a test wants."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.api.conftest import source_body
from tests.faults.command import run_sql
from tests.house import House, a_house
from weighbridge.datadiffs import store
from weighbridge.fault_points import VARIABLE
from weighbridge.store.database import EVERYTHING, seen_by

ROWS = 40
# Each row of the slow side takes this long: it is surely running when the fault comes.
SLOW = (
    f"create table a as select i::int as id, 'v' || i as v from generate_series(1, {ROWS}) i",
    "alter table a add primary key (id)",
    "create table b as select id, case when id % 4 = 0 then 'w' else v end as v from a",
    "alter table b add primary key (id)",
    (
        "create function wait(n float) returns text language plpgsql volatile cost 1000000"
        " as $$ begin perform pg_sleep(n); return ''; end $$"
    ),
    "create table pace (seconds float)",
    "insert into pace values (0)",
    "create view slow as select id, v || wait((select seconds from pace)) as v from b",
)
WORKER = (
    "import sys, pathlib; from weighbridge.store.sealed import open_ring;"
    "from weighbridge.worker import work;"
    "from weighbridge.process import begin; begin('worker');"
    "work(sys.stdin.readline().strip(), open_ring(pathlib.Path(sys.argv[1])), slots=2,"
    " grace=float(sys.argv[2]))"
)


class Worker:
    """A worker's process and what it says."""

    def __init__(self, process: subprocess.Popen[str], words: Path) -> None:
        self.process, self._words = process, words

    @property
    def words(self) -> str:
        return self._words.read_text()


class Ground:
    """A server of ours without workers, a slow and a short diff to be asked for."""

    def __init__(self, house: House, url: str, ring: Path, stack: ExitStack) -> None:
        self.house, self.url, self._ring, self._stack = house, url, ring, stack
        self.client = house.client()
        answer = self.client.post("/data_sources", json=source_body(url, "shop"))
        self.source = int(answer.json()["id"])

    def diff(self, right: str, *, right_source: int | None = None) -> int:
        """Ask for a diff of `a` with a table or view."""
        answer = self.client.post(
            "/datadiffs",
            json={
                "data_source1_id": self.source, "data_source2_id": right_source or self.source,
                "table1": ["public", "a"], "table2": ["public", right], "pk_columns": ["id"],
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def pace(self, seconds: float) -> None:
        """Say how long the slow view takes for each row from now on."""
        run_sql(self.url, f"update pace set seconds = {seconds}")

    def worker(self, *, fault: str = "", grace: float = 20.0) -> Worker:
        """Start a worker's process; `fault` names the point at which it kills itself."""
        words = self._ring.parent / f"worker-{len(list(self._ring.parent.iterdir()))}.log"
        with words.open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-c", WORKER, str(self._ring), str(grace)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err, text=True,
                env={**os.environ, VARIABLE: fault},
            )  # fmt: skip
        self._stack.callback(_end, process)
        assert process.stdin is not None
        process.stdin.write(self.house.database.url + "\n")
        process.stdin.close()
        return Worker(process, words)

    def status(self, number: int) -> str:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, number).status

    def wait(self, number: int, status: str, seconds: float) -> None:
        """Wait until a diff is there; fail if it ended otherwise or takes longer."""
        until(
            lambda: self.status(number) == status, seconds,
            lambda: f"{number} is {self.status(number)}: {self.one(number)}",
        )  # fmt: skip

    def one(self, number: int) -> Any:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, number)

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def has_no_job(self, seconds: float = 10) -> None:
        """Wait until the queue is empty."""
        until(
            lambda: not self.ask("select 1 from weighbridge.procrastinate_jobs"), seconds,
            lambda: str(self.ask("select * from weighbridge.procrastinate_jobs")),
        )  # fmt: skip

    def is_exact(self, number: int) -> None:
        """Hold that there is one outcome: each differing row once, none lost, no job left."""
        self.has_no_job()
        rows = self.ask(
            "select cast(key ->> 'id' as int), kind, r.attempt = d.outcome_attempt"
            " from weighbridge.datadiff_rows r join weighbridge.datadiffs d on d.id = datadiff_id"
            " where d.id = :number order by 1",
            number=number,
        )
        assert rows == [(i, "changed", True) for i in range(4, ROWS + 1, 4)]


@contextmanager
def a_ground(postgres: str, url: str, folder: Path) -> Iterator[Ground]:
    """Open a server of ours; `url` is the database of the tables to be compared."""
    with ExitStack() as stack, a_house(postgres, folder) as house:
        run_sql(url, *SLOW)
        try:
            yield Ground(house, url, folder / "keys.json", stack)
        finally:
            stack.close()  # the workers go before their database


def until(fact: Callable[[], bool], seconds: float, words: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, words()
        time.sleep(0.1)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
