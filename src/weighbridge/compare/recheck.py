"""Read the rows that differ again, so that a row in flight is not called different.

The differing keys are read from both sides in new snapshots, a few times within the grace
time. A row that has become equal, or has gone from both sides, was in flight. A difference
is reported when it showed in every reading and either stood unchanged between two of them
or lasted for the whole grace time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from weighbridge.compare.match import Matcher, Tally
from weighbridge.compare.staging import stage_rows
from weighbridge.connectors.base import Reading

if TYPE_CHECKING:
    from weighbridge.compare.task import Task
    from weighbridge.connectors.base import Source

# Keys that are asked for in one query.
KEYS_AT_ONCE = 1_000
# Readings within the grace time; two in a row that agree are enough.
READINGS = 4
# Key families whose text form every server reads back as the same value.
FINDABLE = frozenset({"int", "text", "uuid", "date", "decimal"})


def recheck(task: Task, reopen: Callable[[], tuple[Source, Source]]) -> list[str]:
    """Read the differing rows again until they settle; give what was found, in words."""
    first = task.workspace.scalar("SELECT count(*) FROM diffs")
    if not first:
        return []
    families = {c.type.family for p in task.keys for c in (p.left, p.right)}
    if task.whole_row or any(task.tally.null_keys) or not families <= FINDABLE:
        return ["These keys cannot be asked for again: the differences were not rechecked."]
    grace = task.options.recheck or 0.0
    task.phase = "rechecking"
    ends = time.monotonic() + grace
    settled = False
    while not settled and task.workspace.scalar("SELECT count(*) FROM diffs"):
        _wait(task, grace / READINGS)
        task.workspace.connection.execute("CREATE OR REPLACE TABLE before AS SELECT * FROM diffs")
        _read_again(task, reopen)
        settled = time.monotonic() >= ends or not task.workspace.scalar(
            "SELECT count(*) FROM (SELECT * FROM diffs EXCEPT SELECT * FROM before)"
        )
    kept = task.workspace.scalar("SELECT count(*) FROM diffs")
    told = (
        f"Rechecked for up to {grace:g} s: {kept:,} of {first:,} differences stood,"
        f" {first - kept:,} were rows in flight."
    )
    return [told]


def _wait(task: Task, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task.check()
        time.sleep(min(0.1, max(0.0, until - time.monotonic())))


def _read_again(task: Task, reopen: Callable[[], tuple[Source, Source]]) -> None:
    """Match the differing keys anew, in later snapshots, and put that in place of before."""
    sources = reopen()
    for source in sources:
        task.stop.on_set(source.cancel)
    held, task.sources = task.sources, sources
    whole, fresh = task.tally, Tally.of(len(task.values))
    task.matcher = Matcher(task.workspace, fresh)
    run = task.workspace.connection.execute
    run("DELETE FROM diffs")
    unique = all(
        not task.workspace.scalar(f"SELECT count(*) FROM dupes_{side}")
        for side in ("left", "right")
    )
    try:
        for keys in _portions(task):
            task.check()
            task.both(lambda side, keys=keys: _stage(task, side, keys))
            task.matcher.match("again_0", "again_1", unique=unique)
    finally:
        task.sources = held
        for source in sources:
            source.close()
    _settle(whole, fresh)
    task.matcher = Matcher(task.workspace, whole)


def _portions(task: Task) -> Iterator[tuple[tuple[str, ...], ...]]:
    listed = ", ".join(f"CAST(k{i} AS VARCHAR)" for i in range(len(task.keys)))
    cursor = task.workspace.connection.cursor()
    cursor.execute(f"SELECT DISTINCT {listed} FROM before")
    while rows := cursor.fetchmany(KEYS_AT_ONCE):
        yield tuple(tuple(str(v) for v in row) for row in rows)


def _stage(task: Task, side: int, keys: tuple[tuple[str, ...], ...]) -> None:
    columns = tuple((p.left, p.right)[side] for p in task.keys)
    reading = Reading(task.outputs(side), keys=columns, key_values=keys)
    before = task.rows_read[side]
    rows = stage_rows(task, side, reading, f"again_{side}")
    task.rows_read[side] = before
    task.rows_fetched[side] += rows


def _settle(whole: Tally, fresh: Tally) -> None:
    # Only the differing keys were read again: their equal rows join those matched before.
    whole.matched += fresh.matched
    whole.only_left, whole.only_right = fresh.only_left, fresh.only_right
    whole.changed = fresh.changed
    whole.exclusives = list(fresh.exclusives)
    whole.exclusive_dupes = fresh.exclusive_dupes
    whole.differences = list(fresh.differences)
    whole.depends = [a + b for a, b in zip(whole.depends, fresh.depends, strict=True)]
    whole.equal_under_rule += fresh.equal_under_rule
    whole.equal_nulls = [a + b for a, b in zip(whole.equal_nulls, fresh.equal_nulls, strict=True)]
