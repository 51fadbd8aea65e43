"""Join both sides where they are: inside the one server that has both, or in DuckDB here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from weighbridge.compare.buckets import sample_ranges
from weighbridge.compare.by_checksum import LocalSides
from weighbridge.compare.match import outputs
from weighbridge.compare.staging import compare_tables, parts_of
from weighbridge.compare.task import Task
from weighbridge.connectors.base import Joined, Joins, Reading

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.connectors.base import Source

# Share of the left's rows that are looked at for what all rows have in common.
BASE_SHARE = 0.02


def one_place(sources: tuple[Source, Source]) -> bool:
    """Tell whether one server has both sides and can join them."""
    places = [cast("Joins", s).place if s.traits.joins else None for s in sources]
    return places[0] is not None and places[0] == places[1]


def join(task: Task) -> None:
    """Compare every value without fingerprints."""
    if one_place(task.sources):
        _join_there(task)
    else:
        _join_here(task)


def _join_here(task: Task) -> None:
    sides = LocalSides(task)
    task.phase = "joining"
    names = (_at_hand(sides, 0), _at_hand(sides, 1))
    for side in (0, 1):
        task.arrived(side, task.workspace.scalar(f"SELECT count(*) FROM {names[side]}"), 0)
    task.check()
    compare_tables(task, names)


def _at_hand(sides: LocalSides, side: int) -> str:
    """Name what can be read several times: text is parsed once and written down."""
    task = sides.task
    task.check()
    if task.sources[side].traits.cheap_rescan and parts_of(task, _rows(task, side)) <= 1:
        return f"side_{side}"
    sides.run(f"CREATE OR REPLACE TABLE staged_{side} AS SELECT * FROM side_{side}")
    return f"staged_{side}"


def _rows(task: Task, side: int) -> int:
    return task.workspace.scalar(f"SELECT count(*) FROM side_{side}")


def _join_there(task: Task) -> None:
    """Let the server send what differs: keys are unique on both sides, and none is null."""
    from weighbridge.compare.windows import Waiting  # noqa: PLC0415 heavy

    task.phase = "joining"
    left, right = (cast("Joins", s) for s in task.sources)
    columns = joined_columns(task.keys, task.values)
    sql = left.join_sql(right, columns)
    for side in (0, 1):
        task.sql[side].append(sql)
    counts = left.counts(right)
    for side in (0, 1):
        task.arrived(side, counts[side], 0)
    waiting = Waiting(task)
    for batch in left.joined(right, columns):
        task.check()
        sides = [_side_of(batch, prefix) for prefix in "lr"]
        for side, rows in enumerate(sides):
            task.rows_fetched[side] += rows.num_rows - rows.column("here").null_count
        task.nbytes += batch.nbytes
        waiting.add(sides)
    waiting.hand_over()
    # What was not sent is equal on both sides.
    task.tally.matched += counts[0] - task.rows_fetched[0]
    if any(task.rows_fetched):
        _keep_base(task)


def joined_columns(
    keys: tuple[ColumnPair, ...], values: tuple[ColumnPair, ...]
) -> tuple[Joined, ...]:
    """List the columns of a join: native values ride along and decide nothing."""
    forms = {f"{letter}{i}": p.form or "" for letter in "km" for i, p in enumerate(keys)}
    forms |= {f"{letter}{i}": p.form or "" for letter in "cn" for i, p in enumerate(values)}
    pairs = zip(outputs(keys, values, 0), outputs(keys, values, 1), strict=True)
    return tuple(Joined(ours, theirs, forms[ours.name]) for ours, theirs in pairs)


def _side_of(batch: pa.RecordBatch, prefix: str) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 heavy

    names = [n for n in batch.schema.names if n.startswith(f"{prefix}_")]
    table = pa.Table.from_batches([batch.select(names)])
    return table.rename_columns([n.removeprefix(f"{prefix}_") for n in names])


def _keep_base(task: Task) -> None:
    """Keep some rows of the left, for the lift of explanations."""
    pair = task.keys[0]
    span = task.sources[0].span(pair.left) if pair.left.type.family == "int" else None
    if span is None or len(task.keys) > 1:
        return
    ranges = tuple(sample_ranges(span, BASE_SHARE, 64))
    reading = Reading(task.outputs(0), key=pair.left, keys=(pair.left,), ranges=ranges)
    for batch in task.sources[0].read(reading):
        task.workspace.connection.register("seen", batch)
        task.workspace.keep_base_of("seen")
        task.workspace.connection.unregister("seen")
