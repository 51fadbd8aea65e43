"""Read the rows that differ again, so that a row in flight is not called different.

The differing keys are read from both sides in new snapshots. A row that has become equal, or
has gone from both sides, was in flight. A difference that stood unchanged for the grace time is
reported: it is older than the time that the copy may lag. One that keeps changing is watched
for twice as long, and then reported with a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from weighbridge.compare.reread import Pair, read_again, whole_keys

if TYPE_CHECKING:
    from weighbridge.compare.task import Task

# Readings within the grace time: each is a chance to meet a busy row while it is equal.
READINGS = 4
# How many grace times a row is watched that changes all the time.
PATIENCE = 2


def recheck(task: Task, reopen: Callable[[], Pair]) -> list[str]:
    """Read the differing rows again until they settle; give what was found, in words."""
    found = task.workspace.scalar("SELECT count(*) FROM diffs")
    if not found:
        return []
    if task.whole_row:
        return ["Rows without a key cannot be found again: the differences were not rechecked."]
    first = _watched(task)
    told: list[str] = []
    if first < found:
        told.append(
            f"{found - first:,} differing rows have a null in their key, so they cannot be"
            " found again and were not rechecked."
        )
    if first:
        told += _watch(task, reopen, first)
    return told


def _watch(task: Task, reopen: Callable[[], Pair], first: int) -> list[str]:
    grace = task.options.recheck or 0.0
    task.phase = "rechecking"
    ends = time.monotonic() + PATIENCE * grace
    # Those of the first reading may be older; when their rows were read is not known.
    _note_ages(task, time.monotonic())
    restless = 0
    while _watched(task):
        _wait(task, grace / READINGS)
        asked = time.monotonic()
        read_again(task, reopen)
        _note_ages(task, time.monotonic())
        restless = task.workspace.scalar(f"SELECT count(*) FROM ages WHERE since > {asked - grace}")
        if not restless or asked >= ends:
            break
    task.workspace.connection.execute("DROP TABLE ages")
    kept = _watched(task)
    flying = max(0, first - kept)
    told = [
        f"Rechecked for {grace:g} s: {kept:,} of {first:,} differences stood, {flying:,} were rows in flight."
    ]
    if restless and kept:
        told.append(
            f"{restless:,} of them kept changing, so they may be rows in flight all the same."
        )
    return told


def _watched(task: Task) -> int:
    return task.workspace.scalar(f"SELECT count(*) FROM diffs WHERE {whole_keys(task)}")


def _note_ages(task: Task, now: float) -> None:
    """Note since when each difference has stood as it does; a new one, since `now`."""
    run = task.workspace.connection.execute
    run("CREATE TABLE IF NOT EXISTS ages (print VARCHAR, since DOUBLE)")
    run(
        f"CREATE OR REPLACE TABLE ages AS SELECT print, coalesce(min(since), {now}) AS since"
        " FROM (SELECT md5(CAST(d AS VARCHAR)) AS print FROM diffs d"
        f" WHERE {whole_keys(task)}) LEFT JOIN ages USING (print) GROUP BY print"
    )


def _wait(task: Task, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task.check()
        time.sleep(min(0.1, max(0.0, until - time.monotonic())))
