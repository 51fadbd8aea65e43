"""The rows that differ, read back from the workspace: a few for the report, or all of them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from weighbridge.compare.result import Kind, RowDiff
from weighbridge.connectors.sql import literal

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.compare.task import Task
    from weighbridge.types.columns import ColumnType

_ORDER = "CASE kind WHEN 'changed' THEN 0 WHEN 'only_left' THEN 1 ELSE 2 END"


def sample_rows(task: Task, limit: int) -> Iterator[RowDiff]:
    """Give at most `limit` row diffs, some of every kind, in the order of the key."""
    keys = ", ".join(f"diffs.k{i}" for i in range(len(task.keys)))
    kinds = task.workspace.connection.execute(
        f"SELECT kind, count(*) FROM diffs GROUP BY 1 ORDER BY min({_ORDER})"
    ).fetchall()
    for kind, take in _shares(kinds, limit):
        # By their number: sorted themselves, rows of hundreds of columns would fill the memory.
        first = f"SELECT rowid FROM diffs WHERE kind = ? ORDER BY {keys} LIMIT {take}"
        batches = task.workspace.connection.execute(
            f"SELECT {_columns(task)} FROM diffs WHERE rowid IN ({first}) ORDER BY {keys}", [kind]
        ).to_arrow_table()
        for batch in batches.to_batches():
            yield from row_diffs(task.keys, task.values, batch)


def _shares(kinds: list[tuple[str, int]], limit: int) -> list[tuple[str, int]]:
    """Give each kind its even share of `limit`; what a rare kind leaves over, the others get."""
    taken: dict[str, int] = {}
    left = limit
    for place, (kind, count) in enumerate(sorted(kinds, key=lambda k: k[1])):
        taken[kind] = min(count, left // (len(kinds) - place))
        left -= taken[kind]
    return [(kind, taken[kind]) for kind, _ in kinds]


def all_rows(
    task: Task, batch_rows: int = 10_000, *, moments: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Stream every differing row as Arrow batches with the workspace's columns.

    `moments` names a column of moments (the left's name): added are moment_left and moment_right,
    microseconds since 1970, null where there is none, an end of the 64 bits for infinity.
    """
    listed = _columns(task)
    if moments is not None:
        listed += ", " + ", ".join(_moments(task, moments))
    cursor = task.workspace.cursor()
    yield from cursor.execute(f"SELECT {listed} FROM diffs").to_arrow_reader(batch_rows)


def _moments(task: Task, column: str) -> Iterator[str]:
    key = next((i for i, p in enumerate(task.keys) if p.name == column), None)
    value = next((i for i, p in enumerate(task.values) if p.name == column), None)
    for prefix, absent, side in (("l", "only_right", "left"), ("r", "only_left", "right")):
        name = f"k{key}" if key is not None else f"{prefix}{value}"
        moment = f"try_cast({name} AS TIMESTAMP)"
        # Beyond its calendar a cast gives nothing: that is later than anything.
        yield (
            f"CASE WHEN kind = '{absent}' OR {name} IS NULL THEN NULL"
            f" WHEN isfinite({moment}) THEN epoch_us({moment})"
            f" WHEN {moment} < TIMESTAMP '1970-01-01' THEN {-(2**63)}"
            f" ELSE {2**63 - 1} END::BIGINT AS moment_{side}"
        )


def _columns(task: Task) -> str:
    # Moments beyond Python's calendar and zero dates go as text.
    names = ", ".join(literal(p.name) for p in task.values)
    changed = f"list_transform(changed, i -> [{names}][i + 1])" if names else "changed::VARCHAR[]"
    listed = ["kind", f"{changed} AS changed"]
    listed += [f"{shown(p.left.type, f'k{i}')} AS k{i}" for i, p in enumerate(task.keys)]
    for prefix, side in (("l", 0), ("r", 1)):
        for i, pair in enumerate(task.values):
            column = (pair.left, pair.right)[side]
            listed.append(f"{shown(column.type, f'{prefix}{i}')} AS {prefix}{i}")
    return ", ".join(listed)


def shown(kind: ColumnType, name: str) -> str:
    """Write the expression that shows a native value as its owner knows it."""
    if kind.family in {"date", "timestamp", "timestamptz"}:
        return (
            f"CASE WHEN try_cast({name} AS TIMESTAMP) < '190000-01-01 (BC)'::TIMESTAMP"
            f" THEN '0000-00-00' ELSE CAST({name} AS VARCHAR) END"
        )
    # A number that a CSV has as text, in the order of which it was read.
    return f"CAST({name} AS VARCHAR)" if kind.loose and kind.family == "int" else name


def as_text(kind: ColumnType, native: str, name: str) -> str:
    """Write the canonical text of a native value, for a place that has types of its own."""
    match kind.family:
        case "bytes":
            return f"lower(hex({name}))"
        case "date" | "timestamp" | "timestamptz":
            written = "DATE" if kind.family == "date" else "TIMESTAMP"
            infinite = f"CAST({name} AS VARCHAR) LIKE '%infinity'"
            # Far before every calendar lie the dates that are none.
            return (
                f"CASE WHEN {infinite} THEN CAST({name} AS VARCHAR)"
                f" WHEN try_cast({name} AS TIMESTAMP) < '190000-01-01 (BC)'::TIMESTAMP"
                f" THEN '0000-00-00' ELSE CAST(CAST({name} AS {written}) AS VARCHAR) END"
            )
        case "decimal" if native == f"DECIMAL({(kind.precision or 0) + 1},{kind.scale})":
            # The first number that the column cannot hold stands for NaN on the way.
            beyond = f"1{'0' * ((kind.precision or 0) - (kind.scale or 0))}"
            return f"CASE WHEN {name} >= {beyond} THEN 'NaN' ELSE CAST({name} AS VARCHAR) END"
        case _:
            return f"CAST({name} AS VARCHAR)"


def row_diffs(
    keys: tuple[ColumnPair, ...], values: tuple[ColumnPair, ...], batch: pa.RecordBatch
) -> Iterator[RowDiff]:
    """Turn a batch of differing rows into `RowDiff` values."""
    for row in batch.to_pylist():
        kind = cast("Kind", row["kind"])
        sides: list[dict[str, Any] | None] = []
        for prefix, side, absent in (("l", 0, "only_right"), ("r", 1, "only_left")):
            named = {
                p.name: _value((p.left, p.right)[side].type, row[f"{prefix}{i}"])
                for i, p in enumerate(values)
            }
            sides.append(None if kind == absent else named)
        yield RowDiff(
            kind=kind,
            key={p.name: row[f"k{i}"] for i, p in enumerate(keys)},
            left=sides[0],
            right=sides[1],
            changed=tuple(row["changed"] or ()),
        )


def _value(kind: ColumnType, value: Any) -> Any:
    if isinstance(value, Decimal) and kind.precision is not None:
        digits = kind.precision - (kind.scale or 0)
        # One number that the column cannot hold stands for NaN on the way.
        return Decimal("NaN") if value.copy_abs() >= Decimal(10) ** digits else value
    return value
