"""Rows and differences by time: minutes to years of one column, in UTC, weeks from Monday on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.compare.normalise import needs_native
from weighbridge.connectors.base import Output, Reading

if TYPE_CHECKING:
    from weighbridge.compare.task import Task

# More of them are no help to anyone who looks.
MOST_BUCKETS = 10_000
_COUNTS = ("left_rows", "right_rows", "changed", "only_left", "only_right")
_TIMES = {"date", "timestamp", "timestamptz"}


@dataclass(frozen=True)
class Bucket:
    """What one span of time holds; `start` (ISO 8601, UTC) is None for rows without a moment.

    A changed pair of rows falls where its left row does.
    """

    start: str | None
    rows: tuple[int, int]
    changed: int
    only: tuple[int, int]


def timeline(task: Task, column: str, unit: str) -> list[Bucket] | str:
    """Count by `unit` of a compared column (the left's name), or say why it cannot be done.

    The buckets of a side add up to its rows, those of a kind of difference to its count; a side
    that has no snapshot of its own is read once more, as it is then.
    """
    places = [("k", i) for i, p in enumerate(task.keys) if p.name == column]
    places += [("v", i) for i, p in enumerate(task.values) if p.name == column]
    if not places:
        return f"Rows are not counted by time: the column {column} was not compared."
    letter, index = places[0]
    pair = (task.keys if letter == "k" else task.values)[index]
    if not {pair.left.type.family, pair.right.type.family} <= _TIMES:
        return f"Rows are not counted by time: the column {column} holds no moments on both sides."
    run = task.workspace.connection.execute
    columns = ", ".join(f"{name} BIGINT" for name in _COUNTS)
    run(f"CREATE OR REPLACE TABLE moments (moment TIMESTAMP, {columns})")
    for side in (0, 1):
        _count_rows(task, side, (letter, index), unit)
    _count_differences(task, (letter, index), unit)
    sums = ", ".join(f"sum({name})::BIGINT" for name in _COUNTS)
    found = run(
        f"SELECT strftime(moment, '%Y-%m-%dT%H:%M:%S+00:00'), {sums} FROM moments"
        f" GROUP BY moment ORDER BY moment NULLS LAST LIMIT {MOST_BUCKETS + 1}"
    ).fetchall()
    run("DROP TABLE moments")
    if len(found) > MOST_BUCKETS:
        return f"Rows are not counted by {unit}: there would be more than {MOST_BUCKETS:,} spans."
    return [Bucket(row[0], (row[1], row[2]), row[3], (row[4], row[5])) for row in found]


def _count_differences(task: Task, place: tuple[str, int], unit: str) -> None:
    letter, index = place
    left, right = (f"{prefix if letter == 'v' else 'k'}{index}" for prefix in "lr")
    moment = (
        f"CASE WHEN kind = 'only_right' THEN {_bucket(right, unit)} ELSE {_bucket(left, unit)} END"
    )
    counts = ", ".join(
        f"count(*) FILTER (kind = '{kind}')" for kind in ("changed", "only_left", "only_right")
    )
    task.workspace.connection.execute(
        f"INSERT INTO moments SELECT {moment}, 0, 0, {counts} FROM diffs GROUP BY 1"
    )


def _bucket(value: str, unit: str) -> str:
    # Far before every calendar lie the dates that are none; infinity is no moment either.
    moment = f"try_cast({value} AS TIMESTAMP)"
    return (
        f"CASE WHEN isfinite({moment}) AND {moment} > '190000-01-01 (BC)'::TIMESTAMP"
        f" THEN date_trunc('{unit}', {moment}) END"
    )


def _count_rows(task: Task, side: int, place: tuple[str, int], unit: str) -> None:
    """Count a side's rows: those that lie here, else its one column is read, in its snapshot."""
    letter, index = place
    pair = (task.keys if letter == "k" else task.values)[index]
    counts = "count(*), 0" if side == 0 else "0, count(*)"
    into = f"INSERT INTO moments SELECT {{moment}}, {counts}, 0, 0, 0 FROM {{rows}} GROUP BY 1"
    staged = f"staged_{side}"
    if task.workspace.has_table(staged):
        letters = "km" if letter == "k" else "cn"
        moment = _bucket(f"{letters[needs_native(pair)]}{index}", unit)
        task.workspace.connection.execute(into.format(moment=moment, rows=staged))
        return
    column = (pair.left, pair.right)[side]
    output = Output("moment", column, _bucket("{x}", unit))
    for batch in task.sources[side].read(Reading((output,))):
        task.check()
        task.workspace.connection.register("arriving", batch)
        task.workspace.connection.execute(into.format(moment="moment", rows="arriving"))
        task.workspace.connection.unregister("arriving")
