"""A worker dies at each named point of an integrity job and of a repair, and another one ends them (F01)."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal
from urllib.parse import urlsplit

import pytest

from tests import servers
from tests.faults.command import assert_quiet, run_sql, wait_until_busy
from tests.faults.ground import Worker, until
from tests.faults.integrity_ground import IntegrityGround, integrity_ground
from weighbridge.fault_points import POINTS
from weighbridge.integrity import repairs, store
from weighbridge.jobs.queue import request_job
from weighbridge.store.database import EVERYTHING, seen_by

# No job is stranded for longer than this after its worker died.
LONGEST = 40.0
AT_ONCE = 5
MINE = [name for name in POINTS if name.startswith(("integrity.", "repair."))]
# The tool that migrates keeps its state in its module.
_MIGRATING = Lock()


@dataclass(frozen=True)
class Story:
    """What is done to a job while it runs, and how it must end."""

    pace: float = 0.0
    then: Literal["", "cancel", "end", "closed"] = ""
    ends: str = "SUCCESS"


_CANCELLED = Story(30, "cancel", "CANCELLED")
_LEFT = Story(30, "end")
STORIES = {
    "integrity.told": Story(0.1),
    "integrity.cancel_seen": _CANCELLED,
    "integrity.failing": _CANCELLED,
    "integrity.failed": _CANCELLED,
    "integrity.leaving": _LEFT,
    "integrity.handed_back": _LEFT,
    "integrity.to_be_tried_again": Story(then="closed"),
}


def _tell(name: str, postgres: str, folder: Path) -> float:
    """Let a worker die at the point and another one come. Gives the seconds until all is over."""
    folder.mkdir()
    story = STORIES.get(name, Story())
    with ExitStack() as stack:
        with _MIGRATING:
            ground = stack.enter_context(integrity_ground(postgres, folder))
        if name.startswith("repair."):
            return _repair(name, ground)
        ground.ground.pace(story.pace)
        number = ground.delivery.ask()
        if story.then == "closed":
            _accept(postgres, ground, "false")
        first = ground.ground.worker(fault=name, grace=0)
        _disturb(ground, number, first, story)
        died = _dead(first, name)
        if story.then == "closed":
            _accept(postgres, ground, "true")
        ground.ground.pace(0)
        second = ground.ground.worker()
        ground.wait(number, story.ends, LONGEST - (time.monotonic() - died))
        ground.ground.has_no_job(LONGEST - (time.monotonic() - died))
        took = time.monotonic() - died
        _is_whole(ground, number, story)
        before = ground.delivery.job(number)
        with seen_by(ground.ground.house.database, EVERYTHING) as connection:
            request_job(connection, store.JOB, job_id=number)
        ground.ground.has_no_job()
        assert ground.delivery.job(number) == before
        _is_whole(ground, number, story)
        assert second.process.poll() is None
        for url in ground.delivery.urls:
            assert_quiet(url)
        return took


def _dead(worker: Worker, name: str) -> float:
    assert worker.process.wait(60) == -signal.SIGKILL, worker.words
    assert worker.words.splitlines()[-1] == f"fault {name}", worker.words
    return time.monotonic()


def _disturb(ground: IntegrityGround, number: str, worker: Worker, story: Story) -> None:
    if story.pace > 1:
        wait_until_busy(ground.delivery.urls[0], "COPY (SELECT", 40)
    if story.then == "cancel":
        answer = ground.delivery.client.post(f"{ground.delivery.path}/{number}/cancel")
        assert answer.status_code == 200
    if story.then == "end":
        worker.process.terminate()


def _accept(server: str, ground: IntegrityGround, answer: str) -> None:
    name = urlsplit(ground.delivery.urls[1]).path.lstrip("/")
    run_sql(server, f"alter database {name} with allow_connections {answer}")


def _is_whole(ground: IntegrityGround, number: str, story: Story) -> None:
    if story.ends == "SUCCESS":
        ground.is_exact(number)
    else:
        ground.nothing_found(number)


def _repair(name: str, ground: IntegrityGround) -> float:
    """Die in a repair: what was put right is put right once, and the way back is still known."""
    number = str(ground.delivery.checked().id)
    answer = ground.delivery.client.post(
        f"{ground.delivery.path}/{number}/repair", json={"dry_run": False}
    )
    repair = answer.json()["data"]["repair"]["id"]
    died = _dead(ground.ground.worker(fault=name, grace=0), name)
    ground.ground.worker()
    until(lambda: ground.repair_of(number, repair)["status"] == "SUCCESS",
          LONGEST - (time.monotonic() - died), lambda: str(ground.repair_of(number, repair)))  # fmt: skip
    ground.ground.has_no_job(LONGEST - (time.monotonic() - died))
    took = time.monotonic() - died
    (model,) = ground.repair_of(number, repair)["models"]
    assert model["rows_repaired"] + model["rows_right_already"] == 5, model
    ground.is_repaired()
    with seen_by(ground.ground.house.database, EVERYTHING) as connection:
        request_job(connection, repairs.JOB, repair_id=repair)
    ground.ground.has_no_job()
    ground.is_repaired()
    run_sql(ground.delivery.urls[1], *model["undo_sql"])
    after = ground.delivery.ask()  # the worker does it
    ground.wait(after, "SUCCESS", LONGEST)
    ground.is_exact(after)
    return took


@pytest.mark.timeout(600)
def test_killed_at_every_point(tmp_path: Path) -> None:
    """One test for all, so that they wait side by side, however the tests are spread."""
    with (
        servers.postgres_server(settings={"max_connections": "600"}) as postgres,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        told = {
            name: pool.submit(_tell, name, postgres, tmp_path / name.replace(".", "-"))
            for name in MINE
        }
    failed = {name: repr(story.exception()) for name, story in told.items() if story.exception()}
    assert not failed, "\n".join(f"{name}: {why[:600]}" for name, why in failed.items())
    assert max(story.result() for story in told.values()) < LONGEST
    assert len(told) == len(MINE) > 20
    assert set(STORIES) <= set(MINE)
