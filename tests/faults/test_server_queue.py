"""Stored diffs when workers and our own database die under them (F01, F05, F07, F11)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.api.sources import body
from tests.faults.command import busy, end_sessions, run_sql, wait_until_busy
from tests.faults.ground import Ground, a_ground, until
from weighbridge.datadiffs import store
from weighbridge.store.database import EVERYTHING, seen_by


@pytest.fixture
def ground(postgres: str, fresh_postgres: str, tmp_path: Path) -> Iterator[Ground]:
    with a_ground(postgres, fresh_postgres, tmp_path) as opened:
        yield opened


def test_a_killed_worker(ground: Ground) -> None:
    """The second worker finishes what the first one held, within 40 s."""
    ground.pace(30)
    number = ground.diff("slow")
    first = ground.worker()
    wait_until_busy(ground.url, "slow")
    assert ground.status(number) == "processing"
    first.process.kill()
    first.process.wait()
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
    until(lambda: not busy(ground.url), 5, lambda: str(busy(ground.url)))
    ground.wait(number, "cancelled", 5)
    ground.pace(0)
    after = ground.diff("slow")  # the worker lives, and its slot is free
    ground.wait(after, "done", 15)
    ground.is_exact(after)


def test_a_cancelled_diff_leaves_no_query_on_mariadb(ground: Ground, fresh_mariadb: str) -> None:
    run_sql(
        fresh_mariadb,
        "create view slow as select a.seq * 100000 + b.seq as id, md5(concat(a.seq, b.seq)) as v"
        " from seq_1_to_99999 a, seq_1_to_99999 b where md5(concat(a.seq, 'slow', b.seq)) < '00001'",
    )
    stored = ground.client.post("/data_sources", json=body(fresh_mariadb, "maria")).json()["id"]
    asked = ground.client.post(
        "/datadiffs",
        json={
            "data_source1_id": ground.source, "data_source2_id": stored,
            "table1": ["public", "a"], "table2": ["slow"], "pk_columns": ["id"],
        },
    )  # fmt: skip
    assert asked.status_code == 200, asked.text
    number = asked.json()["id"]
    ground.worker()
    wait_until_busy(fresh_mariadb, "slow")
    try:
        assert ground.client.post(f"/datadiffs/{number}/cancel").status_code == 200
        left = lambda: [*busy(fresh_mariadb), *busy(ground.url)]  # noqa: E731 both servers
        until(lambda: not left(), 5, lambda: str(left()))
        ground.wait(number, "cancelled", 5)
    finally:
        end_sessions(fresh_mariadb)


def test_our_database_ends_every_session(ground: Ground) -> None:
    """The diff goes on and its outcome is written when the database is back."""
    ground.pace(0.08)
    number = ground.diff("slow")
    worker = ground.worker()
    wait_until_busy(ground.url, "slow")
    assert len(_ended(ground)) >= 2  # the fault fired
    ground.house.database.close()  # the test's own sessions were ended, too
    assert ground.status(number) == "processing"
    ground.wait(number, "done", 60)
    after = ground.diff("b")
    ground.wait(after, "done", 15)
    assert worker.process.poll() is None
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
