"""Is what was found what the oracle says? And the sides, written where the engine reads them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.unit.compare.oracle import Row, Truth, plain, weigh
from tests.unit.compare.tables import KINDS, Tables
from weighbridge.compare import buckets, by_checksum, staging
from weighbridge.compare.result import RowDiff
from weighbridge.connectors import files, local, transport
from weighbridge.library import Comparison, compare

# Sizes at which the engine's paths part, by name of the case; the usual ones are far above any test.
TUNINGS: dict[str, dict[str, float]] = {
    "usual": {},
    "tiny": {"rows": 1, "portion": 1, "batch": 1, "bitmap": 0},
    "small": {"rows": 2, "portion": 5, "batch": 3, "bitmap": 1, "parts": 60},
    "primes": {"rows": 7, "portion": 23, "batch": 13, "bitmap": 3},
    "eager": {"rows": 4, "portion": 3, "batch": 31, "too_many": 0.05, "sampling": 1},
    "patient": {"rows": 16, "portion": 10**9, "batch": 64, "too_many": 2.0, "sampling": 1},
    "many": {"rows": 16, "portion": 100, "batch": 500, "bitmap": 4, "parts": 200},
    "wide": {"rows": 10**6, "portion": 1, "batch": 2},
}


@contextmanager
def tuned(name: str) -> Iterator[None]:
    """Set the engine's sizes while the context lasts."""
    sizes = TUNINGS[name]
    places = {
        "rows": [(buckets, "ROWS_PER_BUCKET")],
        "bitmap": [(buckets, "BITMAP_SHIFT")],
        "portion": [(by_checksum, "PORTION"), (by_checksum, "LOCAL_VALUES")],
        "parts": [(staging, "PART_VALUES")],
        "too_many": [(by_checksum, "TOO_MANY")],
        "sampling": [(by_checksum, "WORTH_SAMPLING")],
        "batch": [(transport, "BATCH_ROWS")],
    }
    with pytest.MonkeyPatch.context() as patch:
        for size, value in sizes.items():
            for module, attribute in places[size]:
                patch.setattr(module, attribute, value)
        yield


@contextmanager
def in_key_order() -> Iterator[None]:
    """Let files be read in the order of the key, so that `stream` compares windows of them."""
    with pytest.MonkeyPatch.context() as patch:
        for kind in (local.LocalSource, files.FileSource):
            patch.setattr(kind, "in_order", lambda _, column: not column.type.loose)
        yield


# Writing ---------------------------------------------------------------------------------

_ARROW: dict[str, pa.DataType] = {
    "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DECIMAL(10,2)": pa.decimal128(10, 2),
    "DECIMAL(18,4)": pa.decimal128(18, 4), "DECIMAL(37,10)": pa.decimal128(37, 10),
    "DOUBLE PRECISION": pa.float64(), "TEXT": pa.string(), "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"), "BLOB": pa.binary(), "UUID": pa.string(),
}  # fmt: skip


def arrow_of(tables: Tables, rows: list[Row]) -> pa.Table:
    """Give rows as Arrow; a uuid as text."""
    columns: list[pa.Array] = []
    for i, kind in enumerate(tables.kinds):
        target = _ARROW[KINDS[kind][0]]
        values = [row[i] for row in rows]
        if kind == "uuid":
            values = [None if v is None else str(v) for v in values]
        columns.append(pa.array(values, type=target))
    return pa.table(columns, names=tables.names)


def _typed(tables: Tables) -> str:
    pairs = zip(tables.names, tables.kinds, strict=True)
    return ", ".join(f"CAST({name} AS {KINDS[kind][0]}) AS {name}" for name, kind in pairs)


def as_parquet(tables: Tables, folder: Path) -> tuple[str, str]:
    """Write two Parquet files of many row groups."""
    paths: list[str] = []
    for name, rows in (("left", tables.left), ("right", tables.right)):
        path = folder / f"{name}.parquet"
        with duckdb.connect() as database:
            database.register("arriving", arrow_of(tables, rows))
            database.execute(
                f"COPY (SELECT {_typed(tables)} FROM arriving) TO '{path}'"
                " (FORMAT parquet, ROW_GROUP_SIZE 2048)"
            )
        paths.append(str(path))
    return paths[0], paths[1]


def as_duckdb(tables: Tables, folder: Path) -> tuple[str, str]:
    """Write two tables of one DuckDB database."""
    path = folder / "both.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as database:
        for name, rows in (("left", tables.left), ("right", tables.right)):
            database.register("arriving", arrow_of(tables, rows))
            database.execute(f"CREATE TABLE t_{name} AS SELECT {_typed(tables)} FROM arriving")
    return f"duckdb:///{path}#t_left", f"duckdb:///{path}#t_right"


def as_csv(tables: Tables, folder: Path) -> tuple[str, str]:
    """Write two CSV files: NULL is nothing, and the empty text is quoted."""
    paths: list[str] = []
    for name, rows in (("left", tables.left), ("right", tables.right)):
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(",".join(tables.names) + "\n")
            for row in rows:
                file.write(",".join(_csv_field(v) for v in row) + "\n")
        paths.append(str(path))
    return paths[0], paths[1]


def _csv_field(value: Any) -> str:
    return "" if value is None else '"' + str(value).replace('"', '""') + '"'


SQLITE_TYPES = {
    "bigint": "INTEGER",
    "int": "INTEGER",
    "double": "REAL",
    "text": "TEXT",
    "bytes": "BLOB",
}


def as_sqlite(
    tables: Tables, folder: Path, sides: tuple[str, ...] = ("left", "right")
) -> tuple[str, str]:
    """Write tables of one SQLite database, with an index on the key where it is unique."""
    path = folder / "both.sqlite"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    for name in sides:
        rows = tables.left if name == "left" else tables.right
        pairs = zip(tables.names, tables.kinds, strict=True)
        columns = ", ".join(f"{column} {SQLITE_TYPES[kind]}" for column, kind in pairs)
        database.execute(f"CREATE TABLE t_{name} ({columns})")
        marks = ", ".join("?" * len(tables.kinds))
        database.executemany(f"INSERT INTO t_{name} VALUES ({marks})", rows)
    database.commit()
    database.close()
    return f"sqlite:///{path}#t_left", f"sqlite:///{path}#t_right"


WRITERS = {"parquet": as_parquet, "duckdb": as_duckdb, "csv": as_csv, "sqlite": as_sqlite}


# Comparing -------------------------------------------------------------------------------


def agree(
    tables: Tables, sides: tuple[str, str], *, loose: bool = False, **wishes: Any
) -> Comparison:
    """Compare two sides and hold every figure and every row against the oracle.

    `loose`: an equal pair may lean on a rule, for the sides have types of their own.
    """
    with compare(*sides, key=tables.key, **wishes) as found:
        keys = [tables.names.index(name) for name in found.report.key.left]
        if found.report.key.source == "whole_row":
            keys = []
        truth = weigh(tables.left, tables.right, keys)
        _same_counts(found, truth, tables, keys, loose=loose)
        _same_rows(found, truth, tables, keys)
    return found


def _same_counts(
    found: Comparison, truth: Truth, tables: Tables, keys: list[int], *, loose: bool
) -> None:
    report = found.report
    rows = replace(report.rows, equal_under_rule=0) if loose else report.rows
    assert rows == truth.rows
    assert replace(report.keys, collisions=0) == truth.keys
    assert not report.not_compared
    expected = ("identical", "identical_under_rules") if loose else ("identical",)
    assert report.verdict in (expected if truth.same else ("different",))
    assert found.same == truth.same
    if not report.key.left or report.key.source == "whole_row":
        return
    columns = {c.name: c for c in report.columns}
    paired = truth.rows.matched + truth.rows.changed
    values = [name for i, name in enumerate(tables.names) if i not in keys]
    assert all(columns[name].compared == paired for name in values)
    unique = truth.unique_differences or [0] * len(values)
    assert [columns[name].unique_differences for name in values] == unique
    if truth.differences:
        assert [columns[name].differences for name in values] == truth.differences
        assert all(
            (columns[name].match == 100.0) == (not columns[name].differences) for name in values
        )


def _same_rows(found: Comparison, truth: Truth, tables: Tables, keys: list[int]) -> None:
    kinds = dict(zip(tables.names, tables.kinds, strict=True))
    whole = found.report.key.source == "whole_row"
    vague = {key for _, key, _, _, places in truth.diffs if places is None}
    rows = Counter(_entries(found, kinds, vague, whole=whole))
    assert rows == truth.diffs
    limit = found._outcome.task.options.limit
    sample = Counter(_entries(found.report.sample, kinds, vague, whole=whole))
    assert sample <= rows
    assert sample.total() <= limit
    assert bool(sample) == bool(rows and limit)


def _entries(
    diffs: Iterable[RowDiff], kinds: Mapping[str, str], vague: set[Row], *, whole: bool
) -> Iterator[Row]:
    for diff in diffs:
        key = _values(diff.key, kinds) or ()
        left, right = (_values(side, kinds) for side in (diff.left, diff.right))
        if key in vague:
            yield (diff.kind, key, None, None, None)
            continue
        if whole:
            # The whole row is the key.
            left, right = (None if side is None else key for side in (left, right))
            yield (diff.kind, (), left, right, ())
            continue
        names = [name for name in kinds if name not in diff.key]
        yield (diff.kind, key, left, right, tuple(names.index(name) for name in diff.changed))


def _values(row: Mapping[str, Any] | None, kinds: Mapping[str, str]) -> Row | None:
    return None if row is None else tuple(_value(v, kinds[name]) for name, v in row.items())


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    # Sides of two kinds show a value as its own side has it, and a key as text.
    if isinstance(value, str) and kind.startswith("decimal"):
        return Decimal(value)
    if kind == "bool":
        return str(value in {True, "true", "1"})
    if isinstance(value, str) and kind == "date":
        return date.fromisoformat(value.removesuffix(" 00:00:00"))
    if isinstance(value, str) and kind == "timestamp":
        return datetime.fromisoformat(value)
    if isinstance(value, datetime) and kind == "date":
        return value.date()
    return plain(value)
