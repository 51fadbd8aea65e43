"""Random tables on real servers: every way of comparing says what plain Python says."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.servers import mariadb as mariadb_tools
from tests.unit.compare.agree import SQLITE_TYPES, TUNINGS, agree, as_parquet, as_sqlite, tuned
from tests.unit.compare.oracle import Row
from tests.unit.compare.tables import (
    ALL_KINDS,
    HIGH,
    KINDS,
    LOW,
    Recipe,
    Tables,
    make_tables,
    recipes,
)

# Hypothesis runs many examples on one database: each makes tables of its own and drops them.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
EXAMPLES = 3000 if os.environ.get("HYPOTHESIS_PROFILE") == "full" else 150
# Examples cost too much here for the phase that varies parts of a failing one.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
by_oracle = settings(max_examples=EXAMPLES, suppress_health_check=SHARED, phases=PHASES)
numbers = itertools.count()
# Each test is hundreds of comparisons.
pytestmark = pytest.mark.timeout(7200 if EXAMPLES > 150 else 1200)

# What the server itself keeps of the key: nothing, all of it, or it leads a wider index.
INDEXES = ("none", "primary", "prefix")
POSTGRES_TYPES = {"BLOB": "BYTEA"}
MARIADB_TYPES = {
    "INTEGER": "INT", "TEXT": "LONGTEXT COLLATE utf8mb4_bin", "BLOB": "LONGBLOB",
    "BOOLEAN": "TINYINT(1)", "TIMESTAMP": "DATETIME(6)", "UUID": "CHAR(36)",
}  # fmt: skip
# MariaDB has no NaN and no infinity.
MARIADB_KINDS = tuple(k for k in ALL_KINDS if k != "oddfloat")
# No bytes and no nulls: see test_oracle_gaps.py.
SQLITE_KINDS = tuple(k for k in SQLITE_TYPES if k != "bytes")
ORDERED = ("dense", "small", "sparse", "top", "bottom")


def primary_of(tables: Tables, rows: Sequence[Row], index: str) -> list[str]:
    """List the columns of a primary key that the rows allow; none where they do not."""
    if index == "none" or not tables.keys:
        return []
    width = tables.keys + (index == "prefix")
    held = [row[:width] for row in rows]
    kinds = set(tables.kinds[:width])
    if kinds - {"int", "bigint", "date", "decimal", "uuid"} or len(set(held)) < len(held):
        return []
    return tables.names[:width] if all(v is not None for row in held for v in row) else []


def declared(tables: Tables, rows: Sequence[Row], index: str, types: dict[str, str]) -> str:
    """Write the columns of a CREATE TABLE."""
    kinds = [KINDS[kind][0] for kind in tables.kinds]
    columns = [f"{n} {types.get(k, k)}" for n, k in zip(tables.names, kinds, strict=True)]
    primary = primary_of(tables, rows, index)
    return ", ".join([*columns, f"PRIMARY KEY ({', '.join(primary)})"] if primary else columns)


@contextmanager
def on_postgres(url: str, tables: Tables, rows: Sequence[Row], index: str) -> Iterator[str]:
    """Load rows into a table of its own and give its side."""
    name = f"t{next(numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        columns = declared(tables, rows, index, POSTGRES_TYPES)
        connection.execute(f"CREATE TABLE {name} ({columns})".encode())
        with connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        try:
            yield f"{url}#{name}"
        finally:
            connection.execute(f"DROP TABLE {name}".encode())


@contextmanager
def on_mariadb(url: str, tables: Tables, rows: Sequence[Row], index: str) -> Iterator[str]:
    """Load rows into a table of its own and give its side."""
    name = f"t{next(numbers)}"
    with mariadb_tools.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {name} ({declared(tables, rows, index, MARIADB_TYPES)})")
        marks = ", ".join(["%s"] * len(tables.kinds))
        sent = [tuple(_sent(v) for v in row) for row in rows]
        cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", sent)
        try:
            yield f"{url}#{name}"
        finally:
            cursor.execute(f"DROP TABLE {name}")


def _sent(value: Any) -> Any:
    return str(value) if type(value).__name__ == "UUID" else value


def drawn(**wishes: Any) -> Callable[[Any], Any]:
    """Give every server test the same draws; `wishes` narrow the recipes."""
    return given(
        recipe=recipes(most=120, **wishes),
        tuning=st.sampled_from(sorted(TUNINGS)),
        index=st.sampled_from(INDEXES),
        strategy=st.sampled_from(("checksum", "stream", "join")),
    )


@by_oracle
@drawn()
def test_postgres_and_postgres(
    fresh_postgres: str, recipe: Recipe, tuning: str, index: str, strategy: str
) -> None:
    tables = make_tables(recipe)
    with (
        on_postgres(fresh_postgres, tables, tables.left, index) as left,
        on_postgres(fresh_postgres, tables, tables.right, index) as right,
        tuned(tuning),
    ):
        agree(tables, (left, right), strategy=strategy)


@by_oracle
@drawn(keys=ORDERED)
def test_postgres_and_postgres_by_ranges_of_the_key(
    fresh_postgres: str, recipe: Recipe, tuning: str, index: str, strategy: str
) -> None:
    tables = make_tables(replace(recipe, null_keys=0.0))
    with (
        on_postgres(
            fresh_postgres, tables, tables.left, "prefix" if recipe.doubles else "primary"
        ) as left,
        on_postgres(fresh_postgres, tables, tables.right, index) as right,
        tuned(tuning),
    ):
        agree(tables, (left, right), strategy=strategy)


@by_oracle
@drawn(kinds=MARIADB_KINDS)
def test_postgres_and_mariadb(
    fresh_postgres: str, fresh_mariadb: str, recipe: Recipe, tuning: str, index: str, strategy: str
) -> None:
    tables = make_tables(recipe)
    with (
        on_postgres(fresh_postgres, tables, tables.left, index) as left,
        on_mariadb(fresh_mariadb, tables, tables.right, index) as right,
        tuned(tuning),
    ):
        agree(tables, (left, right), strategy=strategy)


@by_oracle
@drawn(keys=("dense", "sparse", "top", "bottom", "text", "pair", "none"), kinds=SQLITE_KINDS)
def test_mariadb_and_sqlite(
    fresh_mariadb: str, tmp_path: Path, recipe: Recipe, tuning: str, index: str, strategy: str
) -> None:
    tables = make_tables(replace(recipe, null_keys=0.0, null_values=0.0))
    with on_mariadb(fresh_mariadb, tables, tables.left, index) as left, tuned(tuning):
        agree(tables, (left, as_sqlite(tables, tmp_path)[1]), strategy=strategy, loose=True)


@by_oracle
@drawn()
def test_postgres_and_parquet(
    fresh_postgres: str, tmp_path: Path, recipe: Recipe, tuning: str, index: str, strategy: str
) -> None:
    tables = make_tables(recipe)
    with on_postgres(fresh_postgres, tables, tables.left, index) as left, tuned(tuning):
        agree(tables, (left, as_parquet(tables, tmp_path)[1]), strategy=strategy)


@pytest.mark.parametrize("tuning", sorted(TUNINGS))
@pytest.mark.parametrize("ids", [[LOW, HIGH], [-5, HIGH - 3], [LOW, -7], [LOW, HIGH, *range(60)]])
def test_buckets_at_the_ends_of_int64(fresh_postgres: str, ids: list[int], tuning: str) -> None:
    # Ranges of a bucket that ended past int64 were refused by the server.
    left: list[Row] = [(key, "a") for key in ids]
    tables = Tables(("bigint", "text"), 1, left, [(key, "b") for key in ids])
    with (
        on_postgres(fresh_postgres, tables, tables.left, "primary") as a,
        on_postgres(fresh_postgres, tables, tables.right, "primary") as b,
        tuned(tuning),
    ):
        with psycopg.connect(fresh_postgres) as connection:
            connection.execute("ANALYZE")
        agree(tables, (a, b), strategy="checksum")


# What the servers' own hashes forget ---------------------------------------------------------


def trade_places(url: str, kind: str, rows: list[Row]) -> None:
    """Compare rows with their mirror image, each in a bucket of its own: all must differ."""
    left: list[Row] = [(n << 12, *row) for n, row in enumerate(rows)]
    right: list[Row] = [(n << 12, *row[::-1]) for n, row in enumerate(rows)]
    tables = Tables(("bigint", *[kind] * len(rows[0])), 1, left, right)
    with (
        on_postgres(url, tables, left, "primary") as a,
        on_postgres(url, tables, right, "primary") as b,
        tuned("tiny"),
    ):
        found = agree(tables, (a, b), strategy="checksum")
    assert found.report.plan.strategy == "checksum"
    assert found.report.rows.changed == len(rows)


EPOCH, NAN = date(1970, 1, 1), float("nan")
# hashfloat8 gives its seed back for 0, and hash_numeric for NaN: such a value leaves no trace.
FORGOTTEN: dict[str, list[Row]] = {
    "double": [(0.0, 1.5), (7.25, 0.0), (-0.0, -2.5), (None, 0.0)],
    "oddfloat": [(0.0, NAN), (NAN, 1.0), (0.0, float("inf"))],
    "date": [(EPOCH, date(2024, 2, 29)), (None, EPOCH)],
    "decimal": [
        (Decimal("NaN"), Decimal("1.50")),
        (Decimal(0), Decimal("1.50")),
        (None, Decimal("NaN")),
    ],
    "timestamp": [(datetime(1970, 1, 1), datetime(2024, 1, 1)), (None, datetime(2000, 1, 1))],
    "bigint": [(0, 1), (-1, 0), (2**63 - 1, -(2**63)), (None, 0)],
    "bool": [(False, True), (None, False)],
    "text": [("", "a"), (None, ""), ("a|b", "a")],
    "bytes": [(b"", b"a"), (None, b"")],
}


# postgresql_types.chain maps such a value to one that the hash takes in.
@pytest.mark.parametrize("kind", list(FORGOTTEN))
def test_values_that_trade_places(fresh_postgres: str, kind: str) -> None:
    trade_places(fresh_postgres, kind, FORGOTTEN[kind])


@pytest.mark.parametrize("kind", ["double", "date", "decimal"])
def test_a_value_that_moves_across_two_columns(fresh_postgres: str, kind: str) -> None:
    nothing, some = {
        "double": (0.0, 1.5), "date": (EPOCH, date(2024, 2, 29)),
        "decimal": (Decimal("NaN"), Decimal(7)),
    }[kind]  # fmt: skip
    trade_places(fresh_postgres, kind, [(nothing, nothing, some), (nothing, some, some)])
