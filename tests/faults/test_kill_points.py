"""A worker dies at each named point of a diff's story, and another one brings it to its end (F01).

All points are tried side by side, each on a server of ours of its own: what takes time is the
silence by which a death is noticed.
"""

from __future__ import annotations

import re
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

import weighbridge
from tests import servers
from tests.faults.command import assert_quiet, run_sql, wait_until_busy
from tests.faults.ground import Ground, Worker, a_ground
from weighbridge.datadiffs import store
from weighbridge.fault_points import POINTS
from weighbridge.jobs.queue import request_job
from weighbridge.store.database import EVERYTHING, seen_by

# No job is stranded for longer than this after its worker died.
LONGEST = 40.0
AT_ONCE = 8
# Other stories have sweeps of their own.
MINE = [name for name in POINTS if name.startswith(("diff.", "job."))]
# The tool that migrates keeps its state in its module.
_MIGRATING = Lock()


@dataclass(frozen=True)
class Story:
    """What is diffed with `a`, what is done to it while it runs, and how it must end."""

    right: str = "b"
    pace: float = 0.0
    then: Literal["", "cancel", "end", "closed"] = ""
    ends: str = "done"


# Those of other stories are in test_transfer_kill_points.py.
MINE = [name for name in POINTS if name.startswith(("diff.", "job."))]
_CANCELLED = Story("slow", 30, "cancel", "cancelled")
_LEFT = Story("slow", 30, "end")
_FAILED = Story("nosuch", ends="failed")
STORIES = {
    "diff.told": Story("slow", 0.1),
    "diff.cancel_seen": _CANCELLED,
    "diff.failing": _FAILED,
    "diff.failed": _FAILED,
    "diff.leaving": _LEFT,
    "diff.handed_back": _LEFT,
    "job.giving_back": _LEFT,
    "job.given_back": _LEFT,
    "diff.to_be_tried_again": Story(then="closed"),
}


def _tell(name: str, postgres: str, folder: Path) -> float:
    """Let a worker die at the point and another one come. Gives the seconds until all is over."""
    folder.mkdir()
    story = STORIES.get(name, Story())
    with ExitStack() as stack:
        with _MIGRATING:
            url = stack.enter_context(servers.fresh_postgres(postgres))
            ground = stack.enter_context(a_ground(postgres, url, folder))
        ground.pace(story.pace)
        number = ground.diff(story.right)
        if story.then == "closed":
            _accept(postgres, url, "false")
        first = ground.worker(fault=name, grace=0)
        _disturb(ground, number, first, story)
        assert first.process.wait(60) == -signal.SIGKILL, first.words
        died = time.monotonic()
        assert first.words.splitlines()[-1] == f"fault {name}", first.words
        if story.then == "closed":
            _accept(postgres, url, "true")
        ground.pace(0)
        second = ground.worker()
        ground.wait(number, story.ends, LONGEST - (time.monotonic() - died))
        ground.has_no_job(LONGEST - (time.monotonic() - died))
        took = time.monotonic() - died
        _is_whole(ground, number, story)
        _is_not_done_twice(ground, number)
        _is_whole(ground, number, story)
        assert second.process.poll() is None
        assert_quiet(url)
        return took


def _disturb(ground: Ground, number: int, worker: Worker, story: Story) -> None:
    if story.pace > 1:
        wait_until_busy(ground.url, "slow", 40)
    if story.then == "cancel":
        assert ground.client.post(f"/datadiffs/{number}/cancel").status_code == 200
    if story.then == "end":
        worker.process.terminate()


def _accept(server: str, url: str, answer: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    run_sql(server, f"alter database {name} with allow_connections {answer}")


def _is_whole(ground: Ground, number: int, story: Story) -> None:
    if story.ends == "done":
        ground.is_exact(number)
    else:
        assert ground.ask("select 1 from weighbridge.datadiff_rows") == []


def _is_not_done_twice(ground: Ground, number: int) -> None:
    """Its job is delivered once more: nothing changes."""
    before = ground.one(number)
    with seen_by(ground.house.database, EVERYTHING) as connection:
        request_job(connection, store.JOB, datadiff_id=number)
    ground.has_no_job()
    assert ground.one(number) == before


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
    assert not failed
    assert max(story.result() for story in told.values()) < LONGEST
    assert len(told) == len(MINE) > 20


def test_every_point_is_in_the_code_once() -> None:
    """The list and the code name the same points, so that the sweep leaves none out."""
    code = "".join(file.read_text() for file in Path(weighbridge.__path__[0]).rglob("*.py"))
    named = re.findall(r'\bpoint\("([a-z._]+)"\)', code)
    assert sorted(named) == sorted(POINTS)
    assert set(STORIES) <= set(MINE)
