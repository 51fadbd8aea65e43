"""Workers that are stopped, starved, overtaken, told to end; sides that go away (F11, F12, F13, F16)."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import source_body
from tests.faults.command import assert_quiet, run_sql, wait_until_busy
from tests.faults.ground import Ground, a_ground, until
from tests.faults.proxy import proxied
from weighbridge.datadiffs import store
from weighbridge.jobs.queue import ATTEMPTS, SILENT, SWEEP, request_job
from weighbridge.store.database import EVERYTHING, seen_by


@pytest.fixture
def ground(postgres: str, fresh_postgres: str, tmp_path: Path) -> Iterator[Ground]:
    with a_ground(postgres, fresh_postgres, tmp_path) as opened:
        yield opened


def test_a_worker_that_was_stopped_for_long_writes_nothing(ground: Ground) -> None:
    """It wakes up when another one has finished, and its word is refused (F11)."""
    ground.pace(0.5)  # 20 s: the query ends while its worker sleeps
    number = ground.diff("slow")
    zombie = ground.worker()
    wait_until_busy(ground.url, "slow")
    zombie.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    ground.pace(0)
    ground.worker()
    ground.wait(number, "done", 40 - (time.monotonic() - stopped))
    ground.is_exact(number)
    before = ground.one(number)
    assert before.attempt == 2
    zombie.process.send_signal(signal.SIGCONT)
    until(lambda: zombie.words.count('"overtaken"') >= 2, 60, lambda: zombie.words)
    assert '"diff": 1, "attempt": 1' in zombie.words, zombie.words  # its outcome was refused
    assert '"job": 1' in zombie.words, zombie.words  # and its word on the job
    assert ground.one(number) == before
    after = ground.diff("b")  # it is of use again
    ground.wait(after, "done", 15)
    assert zombie.process.poll() is None
    ground.is_exact(number)
    ground.is_exact(after)


def test_a_worker_that_was_struck_off_comes_back(ground: Ground) -> None:
    """Silent for so long that the others forgot it, it signs on again by itself."""
    lone = ground.worker()
    until(lambda: bool(ground.ask("select 1 from weighbridge.procrastinate_workers")), 20, str)
    ground.ask("with gone as (delete from weighbridge.procrastinate_workers returning 1) select 1")
    number = ground.diff("b")
    ground.wait(number, "done", 20)
    assert lone.process.poll() is None
    ground.is_exact(number)


def test_two_at_once(ground: Ground) -> None:
    """The job of a worker that lives was handed on: both work on it, and there is one outcome."""
    ground.pace(0.15)
    number = ground.diff("slow")
    first = ground.worker()
    wait_until_busy(ground.url, "slow")
    ground.ask(
        "with late as (update weighbridge.procrastinate_workers"
        " set last_heartbeat = now() - interval '1 hour' returning 1),"
        " swept as (select weighbridge.procrastinate_retry_job_v2(id, now(), null, null, null)"
        " from weighbridge.procrastinate_jobs) select 1 from late, swept"
    )
    second = ground.worker()
    ground.wait(number, "done", 60)
    assert ground.one(number).attempt == 2  # both had it
    ground.is_exact(number)
    assert "overtaken" in first.words + second.words
    assert first.process.poll() is None
    assert second.process.poll() is None


def test_the_word_of_a_worker_counts_while_it_has_the_job(ground: Ground) -> None:
    """The first one's end must not take the job out of the second one's hands."""
    ground.pace(0.3)
    number = ground.diff("slow")
    first = ground.worker()
    wait_until_busy(ground.url, "slow")
    first.process.send_signal(signal.SIGSTOP)
    second = ground.worker()
    until(lambda: ground.one(number).attempt == 2, 40, lambda: str(ground.one(number)))
    first.process.send_signal(signal.SIGCONT)
    until(lambda: '"job": 1' in first.words, 30, lambda: first.words)
    second.process.kill()
    second.process.wait()
    ground.pace(0)
    # The job is still there, in a dead worker's hands: the living one takes it.
    ground.wait(number, "done", 40)
    assert '"lost"' not in first.words
    ground.is_exact(number)


def test_a_diff_whose_job_is_lost_is_asked_for_again(ground: Ground) -> None:
    """The queue has forgotten it: nothing but the net below it is left."""
    number = ground.diff("b")
    ground.ask("with gone as (delete from weighbridge.procrastinate_jobs returning 1) select 1")
    worker = ground.worker()
    ground.wait(number, "done", 40)
    ground.is_exact(number)
    assert f'"diff": {number}' in worker.words
    assert '"lost"' in worker.words


# Told to end ---------------------------------------------------------------------------------


def test_a_worker_that_is_told_to_end_hands_back(ground: Ground) -> None:
    """Within its grace it ends; no query is left; the next one begins at once (F13)."""
    ground.pace(30)
    number = ground.diff("slow")
    first = ground.worker(grace=2)
    wait_until_busy(ground.url, "slow")
    first.process.terminate()
    told = time.monotonic()
    assert first.process.wait(15) == 0, first.words
    assert 2 <= time.monotonic() - told < 12
    assert_quiet(ground.url, 1)
    assert ground.status(number) == "waiting"
    assert ground.ask("select status::text, scheduled_at <= now(), attempts"
                      " from weighbridge.procrastinate_jobs") == [("todo", True, 1)]  # fmt: skip
    assert ground.one(number).progress is None
    ground.pace(0)
    ground.worker()
    ground.wait(number, "done", 15)
    ground.is_exact(number)
    assert (ground.one(number).attempt, ground.one(number).tries) == (2, 1)


def test_what_ends_within_the_grace_is_finished(ground: Ground) -> None:
    ground.pace(0.1)
    number = ground.diff("slow")
    first = ground.worker(grace=30)
    wait_until_busy(ground.url, "slow")
    first.process.terminate()
    later = ground.diff("b")  # not taken any more
    assert first.process.wait(28) == 0, first.words
    assert ground.status(number) == "done"
    assert ground.status(later) == "waiting"
    assert ground.one(number).attempt == 1


def test_a_second_signal_hastens(ground: Ground) -> None:
    ground.pace(30)
    number = ground.diff("slow")
    first = ground.worker(grace=60)
    wait_until_busy(ground.url, "slow")
    first.process.terminate()
    time.sleep(1)
    assert first.process.poll() is None
    first.process.terminate()
    assert first.process.wait(10) == 0, first.words
    assert ground.status(number) == "waiting"
    assert_quiet(ground.url, 1)


def test_handed_back_more_often_than_it_may_fail(ground: Ground) -> None:
    """A week of restarts is no failure of the diff."""
    number = ground.diff("b")
    for _ in range(2 * ATTEMPTS):
        with seen_by(ground.house.database, EVERYTHING) as connection:
            diff = store.claim(connection, number)
            assert diff is not None
            assert store.hand_back(connection, diff)
    ground.worker()
    ground.wait(number, "done", 20)
    ground.is_exact(number)


def test_cancelled_and_handed_back_is_cancelled(ground: Ground) -> None:
    number = ground.diff("b")
    with seen_by(ground.house.database, EVERYTHING) as connection:
        diff = store.claim(connection, number)
        assert diff is not None
        assert store.cancel(connection, number).status == "processing"
        assert not store.hand_back(connection, diff)
        assert not store.try_again(connection, diff, {"code": "x"}, 5)
    ground.worker()
    ground.wait(number, "cancelled", 20)
    ground.has_no_job()


# Sides that go away --------------------------------------------------------------------------


def _through(ground: Ground, url: str, name: str) -> int:
    answer = ground.client.post("/data_sources", json=source_body(url, name))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def _feedback(ground: Ground, number: int) -> str:
    return str(ground.client.get(f"/datadiffs/{number}/summary").json()["feedback"])


def test_a_side_that_went_away_is_tried_again(ground: Ground) -> None:
    """The connection is reset in the middle; the way is open again at the next try."""
    name = urlsplit(ground.url).path.lstrip("/")
    other = ground.url.rpartition("/")[0] + "/postgres"
    with proxied(ground.url, how="reset") as between:
        ground.pace(0.3)
        number = ground.diff("slow", right_source=_through(ground, between.url(ground.url), "far"))
        worker = ground.worker()
        wait_until_busy(ground.url, "slow")
        run_sql(other, f"alter database {name} with allow_connections false")
        between.fire()
        until(lambda: "tried again" in _feedback(ground, number), 20,
              lambda: str(ground.one(number)))  # fmt: skip
        assert ground.status(number) == "waiting"
        assert f"of {ATTEMPTS} failed" in _feedback(ground, number)
        run_sql(other, f"alter database {name} with allow_connections true")
    # The proxy refuses for good: the source is changed to the straight way.
    ground.ask(
        "with moved as (update weighbridge.connections set options = jsonb_set(options, '{port}',"
        f" '{urlsplit(ground.url).port}') returning 1) select 1 from moved"
    )
    ground.pace(0)
    ground.wait(number, "done", 45)
    ground.is_exact(number)
    assert 2 <= ground.one(number).tries <= ATTEMPTS
    assert worker.process.poll() is None


def test_what_never_comes_back_is_told_at_last(ground: Ground) -> None:
    source = _through(ground, "postgresql://u:p@127.0.0.1:1/d", "nowhere")
    number = ground.diff("b", right_source=source)
    ground.worker()
    began = time.monotonic()
    ground.wait(number, "failed", 60)
    assert time.monotonic() - began > 20
    found = ground.one(number)
    assert (found.tries, found.error["code"]) == (ATTEMPTS, "connection_failed")
    ground.has_no_job()


@pytest.mark.parametrize(
    ("change", "right", "code"),
    [
        ({"password": "wrong"}, "b", "auth_failed"),
        ({"dbname": "nosuch"}, "b", "no_such_database"),
        ({}, "nosuch", "no_such_table"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(
    ground: Ground, change: dict[str, str], right: str, code: str
) -> None:
    body = source_body(ground.url, "other")
    body["options"] |= change
    source = ground.client.post("/data_sources", json=body).json()["id"]
    number = ground.diff(right, right_source=source)
    ground.house.run_diff(number)
    found = ground.one(number)
    assert (found.status, found.attempt, found.error["code"]) == ("failed", 1, code)


def test_many_at_once_under_one_name(ground: Ground) -> None:
    """The same job delivered to both workers' slots at once: one outcome (F07).

    Each delivery counts as a try: more than ATTEMPTS of them at once would end the diff as failed.
    """
    number = ground.diff("b")
    with seen_by(ground.house.database, EVERYTHING) as connection:
        for _ in range(ATTEMPTS - 2):
            request_job(connection, store.JOB, datadiff_id=number)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: ground.worker(), range(2)))
    ground.wait(number, "done", 30)
    ground.is_exact(number)


def test_the_figures_leave_room() -> None:
    assert SILENT + SWEEP + 2 * 2.0 < 40  # silence, the next round, the next look at the queue
