"""Pairs that other tools' hashes call equal, or that PostgreSQL's own hash functions fold.

Each must be different by checksum, where the data is. Two rows a table at least, so that what
cancels in a sum or an XOR has something to cancel.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.matrix.engines import Engines
from tests.matrix.vendor import Columns, Rows
from weighbridge.library import compare


@dataclass(frozen=True)
class Trap:
    """The same columns on both sides, without the key, and the rows of each side."""

    name: str
    columns: Columns
    left: Rows
    right: Rows
    duckdb: tuple[str, ...] | None = None

    def types(self, engine: str) -> Columns:
        """Give the columns in an engine's own types."""
        if engine == "postgresql" or self.duckdb is None:
            return self.columns
        return [(n, kind) for (n, _), kind in zip(self.columns, self.duckdb, strict=True)]


def one(
    name: str, kind: str, left: str | None, right: str | None, duckdb: str | None = None
) -> Trap:
    """Make a trap of one column and one row that differs, beside one that does not."""
    other = right if left is None else left
    return Trap(
        name, [("v", kind)], [[left], [other]], [[right], [other]], (duckdb,) if duckdb else None
    )


TWO = [("v", "text"), ("w", "text")]
TRAPS = (
    one("hashint8 folds 64 bits into 32", "bigint", "1", "4294967296"),
    one("hashint8 folds the sign", "bigint", "-1", "0"),
    one("hashint8 folds the halves", "bigint", "4294967297", "0"),
    one("hash_numeric drops the sign", "numeric(10,2)", "5", "-5"),
    one("hash_numeric without bounds drops the sign", "numeric", "5", "-5", "decimal(10,2)"),
    one("the scale of a decimal", "numeric(10,4)", "1.0049", "1.0050"),
    one("6 and 6.40", "numeric(10,2)", "6", "6.40"),
    one("1e-20 and 2e-20", "float8", "1e-20", "2e-20"),
    one("1e-20 and 2e-20, exact", "numeric(30,25)", "0.00000000000000000001", "0.00000000000000000002"),
    one("neighbouring doubles", "float8", "0.1", "0.10000000000000002"),
    one("infinities", "float8", "'Infinity'", "'-Infinity'"),
    one("NaN and 0", "float8", "'NaN'", "0"),
    one("NaN in a numeric and 0", "numeric(10,2)", "'NaN'", "0", "float8"),
    one("NULL and 0", "bigint", None, "0"),
    one("NULL and 7, which may stand for it", "boolean", None, "true"),
    one("NULL and false", "boolean", None, "false"),
    one("NULL and the text <null>", "text", None, "'<null>'"),
    one("NULL and the empty text", "text", None, "''"),
    one("NULL and 2000-01-01", "timestamp", None, "'2000-01-01'"),
    one("NULL and 0 in a numeric", "numeric(10,2)", None, "0"),
    one("NULL and a zero UUID", "uuid", None, "'00000000-0000-0000-0000-000000000000'"),
    one("the sign in jsonb", "jsonb", "'5'", "'-5'", "json"),
    one("the sign inside jsonb", "jsonb", "'{\"a\": 5}'", "'{\"a\": -5}'", "json"),
    one("timestamps that fold alike", "timestamp", "'2000-01-01 00:00:00.000001'", "'2000-01-01 01:11:34.967296'"),
    one("timestamps about 2000", "timestamp", "'1999-12-31 23:59:59.999999'", "'2000-01-01 00:00:00'"),
    one("a microsecond in the year 9000", "timestamp", "'9000-01-01 00:00:00.000001'", "'9000-01-01 00:00:00.000002'"),
    one("instants an hour apart", "timestamptz", "'2024-01-01 00:00:00+00'", "'2024-01-01 00:00:00+01'"),
    one("timestamps on the edge of what is folded", "timestamp", "'1999-12-31 22:48:25.032704'", "'1999-12-31 21:36:50.065409'"),
    one("the ends of time", "timestamp", "'infinity'", "'-infinity'"),
    one("dates a day apart", "date", "'2024-02-28'", "'2024-02-29'"),
    one("times a microsecond apart", "time", "'12:00:00.000001'", "'12:00:00.000002'"),
    one("case", "text", "'A'", "'a'"),
    one("a space at the end", "text", "'a '", "'a'"),
    one("the last byte", "bytea", "'\\x6100'", "'\\x61'", "varchar"),
    Trap("NaN and 0 trade columns", [("v", "numeric(10,2)"), ("w", "numeric(10,2)")], [["'NaN'", "0"]], [["0", "'NaN'"]], ("float8", "float8")),
    Trap("booleans swapped between two rows", [("v", "boolean")], [["true"], ["false"]], [["false"], ["true"]]),
    Trap("0 and NULL swapped between two rows", [("v", "numeric(10,2)")], [["0"], [None]], [[None], ["0"]]),
    Trap("values swapped between two rows", [("v", "bigint")], [["1"], ["2"]], [["2"], ["1"]]),
    Trap("texts swapped between two rows", [("v", "text")], [["'a'"], ["'b'"]], [["'b'"], ["'a'"]]),
    Trap("values swapped between two columns", TWO, [["'a'", "'b'"]], [["'b'", "'a'"]]),
    Trap("a bar at the edge of two columns", TWO, [["'a|b'", "'c'"]], [["'a'", "'b|c'"]]),
    Trap("the edge of two columns", TWO, [["'ab'", "'c'"]], [["'a'", "'bc'"]]),
    Trap("NULL on the other side of an edge", TWO, [[None, "'a'"]], [["'a'", None]]),
    Trap("one column of two rows swapped", TWO, [["'a'", "'x'"], ["'b'", "'y'"]], [["'a'", "'y'"], ["'b'", "'x'"]]),
)  # fmt: skip
ENGINES = ("postgresql", "duckdb", "parquet")


def sides(
    engines: Engines, engine: str, name: str, tables: tuple[tuple[Columns, Rows], ...]
) -> list[str]:
    """Make the same table on the left and right place of an engine."""
    return [
        engines.make(engine, f"{name}_{'lr'[side]}", columns, rows, side)
        for side, (columns, rows) in enumerate(tables)
    ]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("trap", TRAPS, ids=lambda t: t.name)
def test_trap(engines: Engines, engine: str, trap: Trap) -> None:
    columns = [("id", "bigint"), *trap.types(engine)]
    keyed = [
        (columns, [[str(n), *row] for n, row in enumerate(rows)])
        for rows in (trap.left, trap.right)
    ]
    name = f"trap_{TRAPS.index(trap)}"
    left, right = sides(engines, engine, name, tuple(keyed))
    with compare(left, right, key="id", strategy="checksum") as found:
        assert found.report.plan.strategy == "checksum", found.report.plan.reasons
        assert found.report.verdict == "different"
    if engine == "parquet":  # DuckDB hashes it as it hashes its own
        return
    with compare(left, left, key="id", strategy="checksum") as found:
        assert found.report.verdict == "identical"


@pytest.mark.parametrize("trap", TRAPS, ids=lambda t: t.name)
def test_trap_in_a_join_of_one_server(engines: Engines, trap: Trap) -> None:
    columns = [("id", "bigint primary key"), *trap.columns]
    left, right = (
        engines.make(
            "postgresql",
            f"joined_{TRAPS.index(trap)}_{name}",
            columns,
            [[str(n), *row] for n, row in enumerate(rows)],
            0,
        )
        for name, rows in (("l", trap.left), ("r", trap.right))
    )
    with compare(left, right, key="id", strategy="join") as found:
        assert found.report.plan.strategy == "join", found.report.plan.reasons
        assert found.report.verdict == "different"
    with compare(left, left, key="id", strategy="join") as found:
        assert found.report.verdict == "identical"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("times", [(2, 0), (2, 4), (1, 3), (3, 1)])
def test_duplicates_cancel_nothing(engines: Engines, engine: str, times: tuple[int, int]) -> None:
    columns = [("id", "bigint"), ("v", "text")]
    rows = [["1", "'a'"]]
    tables = tuple((columns, [["0", "'z'"], *rows * n]) for n in times)
    left, right = sides(engines, engine, f"dup_{times[0]}_{times[1]}", tables)
    with compare(left, right, key="id", strategy="checksum") as found:
        assert found.report.plan.strategy == "checksum"
        assert found.report.verdict == "different"
        assert found.report.rows.only_left - found.report.rows.only_right == times[0] - times[1]
