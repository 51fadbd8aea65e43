"""Stored diffs when workers and our own database die under them (F01, F05, F07, F11)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from tests.api.conftest import source_body
from tests.faults.command import busy, run_sql, wait_until_busy
from tests.house import House, a_house
from weighbridge.datadiffs import store
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
    "work(sys.stdin.readline().strip(), open_ring(pathlib.Path(sys.argv[1])), slots=2)"
)


class Ground:
    """A server of ours without workers, a slow and a short diff to be asked for."""

    def __init__(self, house: House, url: str, ring: Path, stack: ExitStack) -> None:
        self.house, self.url, self._ring, self._stack = house, url, ring, stack
        self.client = house.client()
        answer = self.client.post("/data_sources", json=source_body(url, "shop"))
        self.source = int(answer.json()["id"])

    def diff(self, right: str) -> int:
        """Ask for a diff of `a` with a table or view."""
        answer = self.client.post(
            "/datadiffs",
            json={
                "data_source1_id": self.source, "data_source2_id": self.source,
                "table1": ["public", "a"], "table2": ["public", right], "pk_columns": ["id"],
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def pace(self, seconds: float) -> None:
        """Say how long the slow view takes for each row from now on."""
        run_sql(self.url, f"update pace set seconds = {seconds}")

    def worker(self) -> subprocess.Popen[str]:
        """Start a worker's process."""
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(self._ring)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._stack.callback(_end, process)
        assert process.stdin is not None
        process.stdin.write(self.house.database.url + "\n")
        process.stdin.close()
        return process

    def status(self, number: int) -> str:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, number).status

    def wait(self, number: int, status: str, seconds: float) -> None:
        """Wait until a diff is there; fail if it ended otherwise or takes longer."""
        _until(
            lambda: self.status(number) == status, seconds,
            lambda: f"{number} is {self.status(number)}: {self.one(number)}",
        )  # fmt: skip

    def one(self, number: int) -> Any:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, number)

    def ask(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def is_exact(self, number: int) -> None:
        """Hold that there is one outcome: each differing row once, none lost, no job left."""
        _until(
            lambda: not self.ask("select 1 from weighbridge.procrastinate_jobs"), 10,
            lambda: str(self.ask("select * from weighbridge.procrastinate_jobs")),
        )  # fmt: skip
        rows = self.ask(
            "select cast(key ->> 'id' as int), kind, r.attempt = d.outcome_attempt"
            " from weighbridge.datadiff_rows r join weighbridge.datadiffs d on d.id = datadiff_id"
            " where d.id = :number order by 1",
            number=number,
        )
        assert rows == [(i, "changed", True) for i in range(4, ROWS + 1, 4)]


@pytest.fixture
def ground(postgres: str, fresh_postgres: str, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack, a_house(postgres, tmp_path) as house:
        run_sql(fresh_postgres, *SLOW)
        try:
            yield Ground(house, fresh_postgres, tmp_path / "keys.json", stack)
        finally:
            stack.close()  # the workers go before their database


def test_a_killed_worker(ground: Ground) -> None:
    """The second worker finishes what the first one held, within 40 s."""
    ground.pace(30)
    number = ground.diff("slow")
    first = ground.worker()
    wait_until_busy(ground.url, "slow")
    assert ground.status(number) == "processing"
    first.kill()
    first.wait()
    killed = time.monotonic()
    ground.pace(0)
    short = ground.diff("b")
    ground.worker()
    ground.wait(short, "done", 15)
    ground.wait(number, "done", 40 - (time.monotonic() - killed))
    assert ground.one(number).attempt == 2  # the fault fired
    ground.is_exact(number)
    ground.is_exact(short)


def test_a_cancelled_diff_leaves_no_query(ground: Ground) -> None:
    ground.pace(30)
    number = ground.diff("slow")
    ground.worker()
    wait_until_busy(ground.url, "slow")
    answer = ground.client.post(f"/datadiffs/{number}/cancel")
    assert answer.status_code == 200, answer.text
    _until(lambda: not busy(ground.url), 5, lambda: str(busy(ground.url)))
    ground.wait(number, "cancelled", 5)
    ground.pace(0)
    after = ground.diff("slow")  # the worker lives, and its slot is free
    ground.wait(after, "done", 15)
    ground.is_exact(after)


def test_our_database_ends_every_session(ground: Ground) -> None:
    """The diff goes on and its outcome is written when the database is back."""
    ground.pace(0.08)
    number = ground.diff("slow")
    worker = ground.worker()
    wait_until_busy(ground.url, "slow")
    assert len(_ended(ground)) >= 2  # the fault fired
    assert ground.status(number) == "processing"
    ground.wait(number, "done", 60)
    after = ground.diff("b")
    ground.wait(after, "done", 15)
    assert worker.poll() is None
    ground.is_exact(number)
    ground.is_exact(after)


def test_a_worker_whose_job_was_taken_over_writes_nothing(ground: Ground) -> None:
    number = ground.diff("b")
    with seen_by(ground.house.database, EVERYTHING) as connection:
        stale = store.claim(connection, number)
    with seen_by(ground.house.database, EVERYTHING) as connection:
        newer = store.claim(connection, number)
    assert stale is not None
    assert newer is not None
    assert newer.attempt == stale.attempt + 1
    refused = 0
    before = ground.one(number)
    for write in (
        lambda c: store.note_progress(c, stale, {"phase": "x", "rows": 1, "total": 1}),
        lambda c: store.fail(c, stale, {"code": "x"}, status="failed"),
        lambda c: store.fail(c, stale, {"code": "x"}, status="cancelled"),
        lambda c: store.finish(c, stale, {"code": "x"}),
    ):  # fmt: skip
        with seen_by(ground.house.database, EVERYTHING) as connection:
            refused += not write(connection)
    assert refused == 4
    assert ground.one(number) == before
    ground.house.run_diff(number)  # a third claim
    done = ground.one(number)
    with seen_by(ground.house.database, EVERYTHING) as connection:
        assert not store.finish(connection, newer, {"code": "x"})
        assert store.claim(connection, number) is None
    assert ground.one(number) == done
    assert done.status == "done"


def test_the_whole_story_of_a_zombie(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is overtaken when its comparison is over and before it writes: not one row is added."""
    from weighbridge.datadiffs import run  # noqa: PLC0415

    number = ground.diff("b")
    overtaken: list[int] = []
    written = run._write  # pyright: ignore[reportPrivateUsage]

    def late(*words: Any) -> None:
        if not overtaken:
            overtaken.append(1)
            ground.house.run_diff(number)
        written(*words)

    monkeypatch.setattr(run, "_write", late)
    ground.house.run_diff(number)
    assert overtaken
    assert ground.one(number).attempt == 2
    ground.ask("with gone as (delete from weighbridge.procrastinate_jobs returning 1) select 1")
    ground.is_exact(number)


def test_a_commit_whose_answer_was_lost(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is there, the worker was told that it is not (F04)."""
    from weighbridge.datadiffs import run  # noqa: PLC0415
    from weighbridge.errors import StoreFailed  # noqa: PLC0415

    number, lost = ground.diff("b"), []
    written = run._write_once  # pyright: ignore[reportPrivateUsage]

    def deaf(*words: Any) -> None:
        written(*words)
        if not lost:
            lost.append(1)
            raise StoreFailed("Its answer was lost.", next_step="Ask again.")

    monkeypatch.setattr(run, "_write_once", deaf)
    ground.house.run_diff(number)
    assert lost
    assert ground.status(number) == "done"
    ground.ask("with gone as (delete from weighbridge.procrastinate_jobs returning 1) select 1")
    ground.is_exact(number)


def test_a_diff_that_kills_each_worker_comes_to_an_end(ground: Ground) -> None:
    """It is begun ATTEMPTS times and told as failed, instead of again for ever (F24)."""
    number = ground.diff("b")
    for _ in range(run_attempts()):
        with seen_by(ground.house.database, EVERYTHING) as connection:
            assert store.claim(connection, number) is not None
    ground.house.run_diff(number)
    found = ground.one(number)
    assert (found.status, found.error["code"]) == ("failed", "run_failed")


def run_attempts() -> int:
    from weighbridge.jobs.queue import ATTEMPTS  # noqa: PLC0415

    return ATTEMPTS


def _ended(ground: Ground) -> list[Any]:
    """End every session of our own database; give those that were there."""
    name = ground.house.database.url.rpartition("/")[2]
    with psycopg.connect(ground.url, autocommit=True) as connection:
        return connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
        ).fetchall()


def _until(fact: Callable[[], bool], seconds: float, words: Callable[[], str]) -> None:
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
