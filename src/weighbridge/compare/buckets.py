"""How rows are grouped so that one fingerprint stands for a few hundred neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from weighbridge.connectors.base import Grouping, Hashed

if TYPE_CHECKING:
    from weighbridge.compare.task import Task

# Scattered differences make every bucket that they touch be read again: small buckets read
# little twice, and cost a group each. 256 is where the two costs meet.
ROWS_PER_BUCKET = 256
# In a bucket of at most 64 neighbouring keys, a bitmap counts the distinct ones for free.
BITMAP_SHIFT = 6


def choose_grouping(task: Task, side: int, rows: int, span: tuple[int, int] | None) -> Grouping:
    """Choose the grouping of both sides, written with the key columns of `side`.

    `span` holds the lowest and highest key of both sides; None groups by a hash of the key.
    """
    hashed = tuple(Hashed((p.left, p.right)[side], p.form or "") for p in task.keys)
    shift = None if span is None else _choose_shift(task, rows, span)
    if shift is None:
        count = 2 ** max(0, math.ceil(math.log2(max(1, rows / ROWS_PER_BUCKET))))
        return Grouping(hashed, count=count)
    bitmap = shift == BITMAP_SHIFT and not all(task.unique)
    return Grouping(hashed, shift=shift, bitmap=bitmap)


def _choose_shift(task: Task, rows: int, span: tuple[int, int]) -> int | None:
    """Choose how many low bits of the key a bucket overlooks; None if it would end past int64."""
    width = max(1.0, (span[1] - span[0] + 1) / max(1, rows))
    shift = max(0, round(math.log2(ROWS_PER_BUCKET * width)))
    if not all(task.unique) and 16 * width <= 2**BITMAP_SHIFT:
        shift = BITMAP_SHIFT
    # Servers shift by at most 63, and the ranges of `bucket_ranges` are int64 with an open end.
    shift = min(shift, 62)
    return shift if ((span[1] >> shift) + 1) << shift < 2**63 else None


def other_side(grouping: Grouping, task: Task, side: int) -> Grouping:
    """Write the same grouping with the key columns of `side`."""
    return replace(
        grouping, keys=tuple(Hashed((p.left, p.right)[side], p.form or "") for p in task.keys)
    )


def bucket_ranges(buckets: Iterable[int], shift: int) -> list[tuple[int, int]]:
    """Turn sorted bucket numbers into half-open key ranges, neighbours joined."""
    ranges: list[tuple[int, int]] = []
    for bucket in buckets:
        low, high = bucket << shift, (bucket + 1) << shift
        if ranges and ranges[-1][1] == low:
            ranges[-1] = (ranges[-1][0], high)
        else:
            ranges.append((low, high))
    return ranges


def in_portions(buckets: Iterable[tuple[int, int]], most: int) -> Iterator[tuple[list[int], int]]:
    """Cut (bucket, rows) into portions of about `most` rows: (buckets, rows)."""
    portion: list[int] = []
    rows = 0
    for bucket, count in buckets:
        portion.append(bucket)
        rows += count
        if rows >= most:
            yield portion, rows
            portion, rows = [], 0
    if portion:
        yield portion, rows


def sample_ranges(span: tuple[int, int], share: float, pieces: int) -> list[tuple[int, int]]:
    """Spread `pieces` half-open ranges over a span so that they cover `share` of it."""
    low, high = span
    step = (high - low + 1) / pieces
    width = max(1, int(step * share))
    starts = [low + int(step * i) for i in range(pieces)]
    return [(start, start + width) for start in starts]
