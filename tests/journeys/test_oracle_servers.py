"""Random tables on real servers: every way of comparing says what plain Python says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.servers import mariadb as mariadb_tools
from tests.unit.compare.agree import SQLITE_TYPES, TUNINGS, agree, as_parquet, as_sqlite, tuned
from tests.unit.compare.oracle import Row
from tests.unit.compare.tables import ALL_KINDS, KEYS, KINDS, Recipe, Tables, make_tables, recipes

# Hypothesis runs many examples on one database: each makes tables of its own and drops them.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
EXAMPLES = int(__import__('os').environ.get('EX','0')) or max(150, settings.default.max_examples if settings.default else 0)
# Examples cost too much here for the phase that varies parts of a failing one.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
by_oracle = settings(max_examples=EXAMPLES, suppress_health_check=SHARED, phases=PHASES)
numbers = itertools.count()

# What the server itself keeps of the key: nothing, all of it, or it leads a wider index.
INDEXES = ("none", "primary", "prefix")
POSTGRES_TYPES = {"BLOB": "BYTEA"}
MARIADB_TYPES = {
    "INTEGER": "INT", "TEXT": "LONGTEXT COLLATE utf8mb4_bin", "BLOB": "LONGBLOB",
    "BOOLEAN": "TINYINT(1)", "TIMESTAMP": "DATETIME(6)", "UUID": "CHAR(36)",
}  # fmt: skip
# MariaDB has no NaN and no infinity.
MARIADB_KINDS = tuple(k for k in ALL_KINDS if k != "oddfloat")
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
        strategy=st.sampled_from(("checksum", "stream")),
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
        on_postgres(fresh_postgres, tables, tables.left, "prefix" if recipe.doubles else "primary") as left,
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
@drawn(keys=("dense", "sparse", "top", "bottom", "text", "pair", "none"), kinds=tuple(SQLITE_TYPES))
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
