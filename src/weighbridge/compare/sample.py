"""Look at a share of the keys: the same keys on both sides, whatever the order of rows."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from weighbridge.compare.by_stream import can_window
from weighbridge.compare.result import Sampling
from weighbridge.compare.staging import compare_tables, stage_rows
from weighbridge.connectors.base import Reading

if TYPE_CHECKING:
    from weighbridge.compare.task import Task

# Every key is placed on a circle of this many points by a hash; the sample is an arc.
POINTS = 1_000_000


def choose_sample(task: Task) -> Sampling | None:
    """Choose the share of keys; None when it would be everything."""
    wish = task.options.sample
    if wish is None:
        return None
    rows = max(s.estimate().rows or 0 for s in task.sources)
    needed = math.ceil(math.log(1 - wish.confidence) / math.log(1 - wish.tolerance))
    rate = wish.rate if wish.rate is not None else (needed / rows if rows else 1.0)
    if rate >= 1.0:
        return None
    return Sampling(rate=rate, rows=0, tolerance=wish.tolerance, confidence=wish.confidence)


def compare_sample(task: Task, sampling: Sampling) -> None:
    """Read the sampled keys of both sides and compare them value by value."""
    task.phase = "reading the sample"
    ranges = _draw(task, sampling.rate)

    def stage(side: int) -> int:
        columns = tuple((p.left, p.right)[side] for p in task.keys)
        reading = Reading(
            task.outputs(side), key=columns[0], keys=columns, ranges=ranges, key_nulls=False
        )
        rows = stage_rows(task, side, reading, f"staged_{side}")
        if ranges is None:
            _thin_out(task, f"staged_{side}", sampling.rate)
        return rows

    task.both(stage)
    compare_tables(task, ("staged_0", "staged_1"))


def _draw(task: Task, rate: float) -> tuple[tuple[int, int], ...] | None:
    """Draw single keys evenly from the span of an indexed integer key."""
    if not can_window(task):
        return None
    pair = task.keys[0]
    spans = [s.span(c) for s, c in zip(task.sources, (pair.left, pair.right), strict=True)]
    known = [s for s in spans if s is not None]
    if len(known) < 2:
        return None
    low, high = min(s[0] for s in known), max(s[1] for s in known)
    wish = task.options.sample
    count = min(200_000, max(1, int((high - low + 1) * rate)))
    if high - low + 1 > 2**62 or count >= 200_000:
        return None
    drawn = random.Random(wish.seed if wish else 0).sample(range(low, high + 1), count)  # noqa: S311 no secret
    return tuple((k, k + 1) for k in sorted(drawn))


def _thin_out(task: Task, table: str, rate: float) -> None:
    wish = task.options.sample
    seed = wish.seed if wish else 0
    keys = ", ".join(f"CAST(k{i} AS VARCHAR)" for i in range(len(task.keys)))
    task.workspace.cursor().execute(
        f"DELETE FROM {table} WHERE hash({seed}, {keys}) % {POINTS} >= {int(rate * POINTS)}"
    )
