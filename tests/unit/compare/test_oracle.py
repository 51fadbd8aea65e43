"""Random tables and edits: every way of comparing says what plain Python says."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.compare.agree import (
    SQLITE_TYPES,
    TUNINGS,
    agree,
    as_csv,
    as_duckdb,
    as_parquet,
    as_sqlite,
    in_key_order,
    tuned,
)
from tests.unit.compare.oracle import weigh
from tests.unit.compare.tables import KEYS, Recipe, make_tables, recipes
from weighbridge.compare import staging
from weighbridge.compare.request import SampleWish
from weighbridge.compare.result import Keys, Rows
from weighbridge.library import compare

pytestmark = pytest.mark.long

# `make check` has a minute for everything; the profile `full` has none.
FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
SLOW = [HealthCheck.too_slow]
ORDERED = ("dense", "small", "sparse", "top", "bottom")
TUNED = st.sampled_from(sorted(TUNINGS))


def examples(number: int) -> settings:
    """Take so many examples, or as many times more as the full profile asks for."""
    return settings(
        max_examples=number * (20 if FULL else 1), deadline=None, suppress_health_check=SLOW
    )


@examples(40)
@given(
    recipe=recipes(),
    tuning=TUNED,
    strategy=st.sampled_from(("checksum", "checksum", "join", "stream")),
    limit=st.sampled_from((0, 1, 5, 100)),
    database=st.booleans(),
)
# A condition of three ORed parts counted rows of any key as null.
@example(
    recipe=Recipe("pair", ("text",), 4, 6, 0, 0.5, 0.02, ("change", "double"), shuffled=True),
    tuning="patient",
    strategy="stream",
    limit=5,
    database=False,
)
def test_files(recipe: Recipe, tuning: str, strategy: str, limit: int, database: bool) -> None:
    tables = make_tables(recipe)
    with TemporaryDirectory() as folder, tuned(tuning):
        sides = (as_duckdb if database else as_parquet)(tables, Path(folder))
        agree(tables, sides, strategy=strategy, limit=limit)


@examples(25)
@given(recipe=recipes(keys=ORDERED), tuning=TUNED)
def test_windows_of_the_key(recipe: Recipe, tuning: str) -> None:
    tables = make_tables(recipe)
    with TemporaryDirectory() as folder, tuned(tuning), in_key_order():
        agree(tables, as_parquet(tables, Path(folder)), strategy="stream")


@examples(10)
@given(
    recipe=recipes(keys=("dense", "text", "pair", "none"), kinds=("text", "bigint")), tuning=TUNED
)
def test_text_files(recipe: Recipe, tuning: str) -> None:
    tables = make_tables(recipe).texts
    with TemporaryDirectory() as folder, tuned(tuning):
        agree(tables, as_csv(tables, Path(folder)), loose=True)


# The connector leaves cursors to the garbage collector.
LEAVES_CURSORS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@LEAVES_CURSORS
@examples(10)
@given(
    recipe=recipes(
        keys=("dense", "small", "sparse", "top", "bottom", "text", "pair", "none"),
        kinds=tuple(k for k in SQLITE_TYPES if k != "bytes"),
    ),
    tuning=TUNED,
)
def test_sqlite(recipe: Recipe, tuning: str) -> None:
    # Without nulls: see test_oracle_gaps.py.
    tables = make_tables(replace(recipe, null_values=0.0, null_keys=0.0))
    if any(None in row for row in (*tables.left, *tables.right)):
        return
    with TemporaryDirectory() as folder, tuned(tuning):
        agree(tables, as_sqlite(tables, Path(folder)), loose=True)


@examples(8)
@given(recipe=recipes(), tunings=st.tuples(TUNED, TUNED))
def test_sides_may_be_swapped_and_sizes_may_change(
    recipe: Recipe, tunings: tuple[str, str]
) -> None:
    tables = make_tables(recipe)
    with TemporaryDirectory() as folder:
        left, right = as_parquet(tables, Path(folder))
        with tuned(tunings[0]):
            one = agree(tables, (left, right)).report
        with tuned(tunings[1]):
            other = agree(tables.swapped, (right, left)).report
    assert one.verdict == other.verdict
    assert one.rows == replace(
        other.rows,
        left=other.rows.right,
        right=other.rows.left,
        only_left=other.rows.only_right,
        only_right=other.rows.only_left,
    )
    assert one.keys.dupes == other.keys.dupes[::-1]


MANY = sorted(KEYS) if FULL else ["dense", "sparse", "composite"]


@pytest.mark.parametrize("key", MANY)
@pytest.mark.parametrize("strategy", ["checksum", "stream"])
def test_many_rows_over_many_buckets(key: str, strategy: str, tmp_path: Path) -> None:
    edits = ("change", "delete", "insert", "swap", "double", "nullify")
    recipe = Recipe(key, ("text", "decimal", "double"), 3000, 7, 0.05, 0.01, 0.02, edits)
    tables = make_tables(recipe)
    with tuned("many"):
        agree(tables, as_parquet(tables, tmp_path), strategy=strategy, limit=10)


@pytest.mark.parametrize("edits", [(), ("all",), ("delete", "insert")])
def test_every_sampled_difference_is_one(edits: tuple[str, ...], tmp_path: Path) -> None:
    tables = make_tables(Recipe("dense", ("text",), 300, 3, edits=edits))
    truth = weigh(tables.left, tables.right, [0])
    wish = SampleWish(rate=0.5)
    with compare(*as_parquet(tables, tmp_path), key="id0", sample=wish) as found:
        seen = {(diff.kind, diff.key["id0"]) for diff in found}
        assert seen <= {(kind, key[0]) for kind, key, *_ in truth.diffs}
        assert 0 < found.report.rows.left < 300
        rows, sampling = found.report.rows, found.report.sampling
        assert sampling is not None
        assert sampling.rows == max(rows.left, rows.right)
        expected = "different" if seen else "no_difference_in_sample"
        assert found.report.verdict == expected


def test_a_key_that_is_named_like_a_value_on_its_way(tmp_path: Path) -> None:
    for name, moved in (("left", 0), ("right", 1)):
        duckdb.sql(
            f"COPY (SELECT i AS c0, CAST((i * 7 + {moved}) % 100 AS INTEGER) AS v FROM range(100) t(i))"
            f" TO '{tmp_path}/{name}.parquet'"
        )
    sides = (f"{tmp_path}/left.parquet", f"{tmp_path}/right.parquet")
    with in_key_order(), tuned("small"), compare(*sides, key="c0", strategy="stream") as found:
        assert found.report.rows.changed == 100


def test_a_key_of_moments_before_the_calendar_of_python(tmp_path: Path) -> None:
    for name, value in (("left", 1), ("right", 2)):
        duckdb.sql(
            f"COPY (SELECT TIMESTAMP '0001-01-01' - INTERVAL 400 DAYS AS k, {value} AS v)"
            f" TO '{tmp_path}/{name}.parquet'"
        )
    with compare(f"{tmp_path}/left.parquet", f"{tmp_path}/right.parquet", key="k") as found:
        assert found.report.rows.changed == 1
        assert [row.key for row in found] == [{"k": "0002-11-28 (BC) 00:00:00"}]


def test_the_oracle_itself() -> None:
    left = [(1, "a"), (1, "b"), (2, "c"), (None, "d"), (None, "d"), (4, "e")]
    right = [(1, "b"), (1, "x"), (1, "y"), (2, "C"), (None, "d"), (5, "e")]
    truth = weigh(left, right, [0])
    assert truth.rows == Rows(
        6, 6, matched=2, only_left=2, only_right=2, changed=2, compared=1, unique_changed=1
    )
    assert truth.unique_differences == [1]
    assert truth.keys == Keys(nulls=(2, 1), dupes=(2, 3), distincts=(3, 3), exclusives=(1, 1))
    assert weigh(left, left, []).same


def test_a_long_side_joined_with_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "PART_VALUES", 100)
    for name, rows in (("left", 200), ("right", 5)):
        duckdb.sql(
            f"COPY (SELECT 'k' || i AS k, i AS v FROM range({rows}) t(i)) TO '{tmp_path}/{name}.parquet'"
        )
    sides = [str(tmp_path / f"{name}.parquet") for name in ("left", "right")]
    with compare(*sides, key="k", strategy="join") as found:
        assert found.report.rows.only_left == 195
        assert found.report.keys.collisions == 0
