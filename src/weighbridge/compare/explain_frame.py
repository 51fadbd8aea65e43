"""What every explainer looks at: the tables, a sample of them, and exact counts over all rows.

A sample finds candidates and decides nothing: whatever is said was counted over every row. Which
rows are in it follows from the hash of their keys, so the order of rows and the number of threads
change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from weighbridge.compare.result import Kind, Rows
from weighbridge.connectors.sql import literal

SAMPLE = 1_000
"""Rows looked at per column and per kind: a share of 50 % is seen there to within 4 points."""
NEAR = 0.8
"""A candidate whose share in the sample is this part of what it must reach goes on to the count."""

# What a candidate that does not suit the data raises: it does not bind to the type, or overflows.
# An interrupt, a full disk and a want of memory are none of these and reach the caller.
UNFIT = (duckdb.DataError, duckdb.ProgrammingError, duckdb.NotSupportedError)

_HASHES = 2**64
_PLACE = re.compile(r"\{p(\d+)\}")


@dataclass(frozen=True)
class Condition:
    """SQL that is true of the rows to count; its `{p0}`, `{p1}` are bound to `values` as text."""

    sql: str
    values: tuple[str, ...] = ()
    guard: str = "true"


@dataclass(frozen=True)
class Group:
    """Differing rows that may share something: those of one kind, or where one column differs."""

    kind: Kind
    of: int
    column: int | None = None

    @property
    def where(self) -> str:
        """The rows, as SQL over the differences."""
        among = (
            "" if self.column is None else f" AND list_contains(changed, {self.column}::USMALLINT)"
        )
        return f"kind = '{self.kind}'{among}"

    @property
    def sampled(self) -> str:
        """The same rows in the sample, at most about `SAMPLE` of them."""
        return f"{self.where} AND h <= {threshold(self.of)}"


@dataclass(frozen=True)
class Frame:
    """One comparison's differences; types are DuckDB's names, in the order of the columns."""

    con: duckdb.DuckDBPyConnection
    diffs: str
    base: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[int, ...]
    rows: Rows
    types: dict[str, str]
    base_columns: frozenset[str]
    base_rows: int
    sample: str

    @property
    def changed_columns(self) -> tuple[int, ...]:
        """Which columns differ in any row."""
        return tuple(i for i, n in enumerate(self.counts) if n > 0)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups with enough rows to have something in common."""
        rows = self.rows
        kinds = (
            Group("changed", rows.changed),
            Group("only_left", rows.only_left),
            Group("only_right", rows.only_right),
        )
        # A column that differs in nearly every changed row says what the changed rows say.
        own = [i for i in self.changed_columns if self.counts[i] < 0.9 * rows.changed]
        columns = (Group("changed", self.counts[i], i) for i in own)
        return tuple(g for g in (*kinds, *columns) if g.of >= 5)


def threshold(of: int) -> int:
    """Give the greatest hash that is in the sample, where `of` rows are to choose from."""
    return _HASHES - 1 if of <= SAMPLE else SAMPLE * _HASHES // of


def frame(
    con: duckdb.DuckDBPyConnection,
    tables: tuple[str, str],
    *,
    keys: Sequence[str],
    columns: Sequence[str],
    counts: Sequence[int],
    rows: Rows,
    sample: str,
) -> Frame:
    """Describe both tables and take the sample, in one scan, into the temporary table `sample`."""
    diffs, base = tables
    types = _described(con, diffs)
    base_columns = frozenset(_described(con, base))
    (base_rows,) = one(con, f"SELECT count(*) FROM {base}")
    parts = [f"k{i}" for i in range(len(keys))] or [c for c in types if c[0] in "lr"] or ["kind"]
    limits = ", ".join(str(threshold(n)) for n in counts) or "0"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {sample} AS
        SELECT * FROM (SELECT *, hash({", ".join(parts)}) AS h FROM {diffs})
        WHERE CASE kind
            WHEN 'only_left' THEN h <= {threshold(rows.only_left)}::UBIGINT
            WHEN 'only_right' THEN h <= {threshold(rows.only_right)}::UBIGINT
            ELSE h <= {threshold(rows.changed)}::UBIGINT OR h <= list_max(list_transform(
                changed, lambda i: list_extract([{limits}]::UBIGINT[], i + 1)))
            END"""
    )
    return Frame(
        con=con,
        diffs=diffs,
        base=base,
        keys=tuple(keys),
        columns=tuple(columns),
        counts=tuple(counts),
        rows=rows,
        types=types,
        base_columns=base_columns,
        base_rows=base_rows,
        sample=sample,
    )


def _described(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {row[0]: row[1] for row in con.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()}


def one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """Give the only row of an answer."""
    row = con.execute(sql).fetchone()
    assert row is not None  # noqa: S101 - aggregates without GROUP BY always give one row
    return row


def tally(
    con: duckdb.DuckDBPyConnection, source: str, conditions: Sequence[Condition]
) -> list[int | None]:
    """Count the rows of `source` of which each condition is true, all in one scan.

    TRY makes a value that a condition cannot take (an overflow, a bad date) a row that does not
    count. A condition that does not even bind counts None: the halves are then asked again.
    """
    if not conditions:
        return []
    values: dict[str, str] = {}
    counted: list[str] = []
    for n, condition in enumerate(conditions):
        # The driver looks for pandas at each value that is bound: three times the whole count.
        # SQL's text ends at a NUL, so a value with one is bound all the same.
        bound = {m: f"c{n}_{m}" for m, value in enumerate(condition.values) if "\0" in value}
        values |= {place: condition.values[m] for m, place in bound.items()}
        written = [
            f"${bound[m]}" if m in bound else literal(v) for m, v in enumerate(condition.values)
        ]
        # In one pass: a value may hold what looks like a place.
        sql = _PLACE.sub(lambda found, w=written: w[int(found[1])], condition.sql)
        counted.append(f"count_if(CASE WHEN {condition.guard} THEN TRY(({sql})) END)")
    try:
        row = con.execute(f"SELECT {', '.join(counted)} FROM {source}", values).fetchone()
    except UNFIT:
        if len(conditions) == 1:
            return [None]
        half = len(conditions) // 2
        return [
            *tally(con, source, conditions[:half]),
            *tally(con, source, conditions[half:]),
        ]
    return [int(n or 0) for n in row or ()]
