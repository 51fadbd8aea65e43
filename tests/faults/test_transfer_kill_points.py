"""A worker dies at each named point of a transfer, and another one brings it to its end (F01)."""

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
from tests.faults.command import run_sql, wait_until_busy
from tests.faults.ground import Worker
from tests.faults.transfer_ground import TransferGround, a_transfer_ground
from weighbridge.deliver import store
from weighbridge.fault_points import POINTS
from weighbridge.jobs.queue import request_job
from weighbridge.store.database import EVERYTHING, seen_by

# No job is stranded for longer than this after its worker died.
LONGEST = 40.0
AT_ONCE = 6
MINE = [name for name in POINTS if name.startswith(("transfer.", "load."))]
# The tool that migrates keeps its state in its module.
_MIGRATING = Lock()


@dataclass(frozen=True)
class Story:
    """What is done to a transfer while it runs, and how it must end."""

    pace: float = 0.0
    then: Literal["", "cancel", "end", "closed", "spoilt", "deleted"] = ""
    ends: str = "SUCCESS"


_CANCELLED = Story(30, "cancel", "CANCELLED")
_LEFT = Story(30, "end")
STORIES = {
    "transfer.told": Story(0.1),
    "transfer.cancel_seen": _CANCELLED,
    "transfer.failing": Story(then="spoilt", ends="PARTIAL_FAILURE"),
    "transfer.failing_whole": Story(then="deleted", ends="ERROR"),
    "transfer.leaving": _LEFT,
    "transfer.handed_back": _LEFT,
    "transfer.to_be_tried_again": Story(then="closed"),
}


def _tell(name: str, postgres: str, folder: Path) -> float:
    """Let a worker die at the point and another one come. Gives the seconds until all is over."""
    folder.mkdir()
    story = STORIES.get(name, Story())
    with ExitStack() as stack:
        with _MIGRATING:
            source, destination = (
                stack.enter_context(servers.fresh_postgres(postgres)) for _ in range(2)
            )
            ground = stack.enter_context(a_transfer_ground(postgres, source, destination, folder))
        ground.pace(story.pace)
        number = ground.asked()
        _prepare(ground, story, postgres)
        first = ground.worker(fault=name, grace=0)
        _disturb(ground, number, first, story)
        assert first.process.wait(60) == -signal.SIGKILL, first.words
        died = time.monotonic()
        assert first.words.splitlines()[-1] == f"fault {name}", first.words
        if story.then == "closed":
            _accept(postgres, destination, "true")
        ground.pace(0)
        second = ground.worker()
        ground.wait(number, story.ends, LONGEST - (time.monotonic() - died))
        ground.has_no_job(LONGEST - (time.monotonic() - died))
        took = time.monotonic() - died
        _is_not_done_twice(ground, number)
        _goes_on(ground, number, story)
        assert second.process.poll() is None
        return took


def _prepare(ground: TransferGround, story: Story, server: str) -> None:
    if story.then == "closed":
        _accept(server, ground.urls["destination"], "false")
    if story.then == "spoilt":
        ground.run_sql("destination", "create schema out", "create table out.shown (id int)")
    if story.then == "deleted":
        ground.ask_none("update weighbridge.destinations set deleted_at = now()")


def _disturb(ground: TransferGround, number: str, worker: Worker, story: Story) -> None:
    if story.pace > 1:
        wait_until_busy(ground.urls["source"], "slow", 40)
    if story.then == "cancel":
        assert ground.client.post(f"/transfers/{number}/cancel").status_code == 200
    if story.then == "end":
        worker.process.terminate()


def _accept(server: str, url: str, answer: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    run_sql(server, f"alter database {name} with allow_connections {answer}")


def _is_not_done_twice(ground: TransferGround, number: str) -> None:
    """Its job is delivered once more: nothing changes."""
    before = ground.one(number), ground.watermarks()
    with seen_by(ground.house.database, EVERYTHING) as connection:
        request_job(connection, store.JOB, transfer_id=number)
    ground.has_no_job()
    assert (ground.one(number), ground.watermarks()) == before


def _goes_on(ground: TransferGround, number: str, story: Story) -> None:
    """What was to be delivered is; the next transfer brings what came since, and no more."""
    if story.then == "deleted":
        return
    if story.then == "spoilt":
        ground.is_exact()
        return
    if story.ends == "SUCCESS":
        ground.is_whole()
        assert {mark[2] for mark in ground.watermarks()} == {ground.one(number).id}
        runs = {run.model_name: run.rows_transferred for run in ground.one(number).runs}
        assert runs == {"orders": 40, "shown": 40}
    ground.run_sql("source", "update orders set v = 'later', updated_at = now() where id in (1, 3)")
    later = ground.asked()
    ground.wait(later, "SUCCESS", LONGEST)
    ground.is_whole()


@pytest.mark.timeout(900)
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
    assert not failed
    assert max(story.result() for story in told.values()) < LONGEST
    assert len(told) == len(MINE) > 18
    assert set(STORIES) <= set(MINE)
