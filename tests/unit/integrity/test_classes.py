"""The five classes against the rule said row by row; ranges of time that hold every row."""

from __future__ import annotations

import itertools
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import BadArgument, NotComparable
from weighbridge.integrity.classes import CLASSES, Kept, Watermark, classified, counted, relevant
from weighbridge.integrity.keys import as_values, key_of
from weighbridge.integrity.partitions import MOST, Places
from weighbridge.types.columns import Column, ColumnType

EDGES = (-(2**63), -1, 0, 1, 2**63 - 1)
MOMENTS = st.one_of(st.none(), st.sampled_from(EDGES), st.integers(-(10**17), 10**17))
KINDS = ("only_left", "only_right", "changed")
ROWS = st.lists(st.tuples(st.sampled_from(KINDS), MOMENTS, MOMENTS), max_size=40)


def batch(rows: list[tuple[str, int | None, int | None]]) -> pa.RecordBatch:
    kinds, left, right = ([row[i] for row in rows] for i in range(3))
    return pa.record_batch(
        {
            "kind": pa.array(kinds, pa.string()),
            "moment_left": pa.array(left, pa.int64()),
            "moment_right": pa.array(right, pa.int64()),
        }
    )


def by_the_rule(kind: str, moment: int | None, mark: int | None, timeless: bool) -> str:
    """Say the class as the decision does, of one row."""
    if kind == "only_right":
        return "orphaned"
    later = not timeless if moment is None else mark is None or moment > mark
    if kind == "only_left":
        return "pending" if later else "missing"
    return "stale" if later else "incorrect"


@given(ROWS, st.one_of(st.none(), st.sampled_from(EDGES), MOMENTS), st.booleans())
def test_classes(
    rows: list[tuple[str, int | None, int | None]], mark: int | None, timeless: bool
) -> None:
    found = classified(batch(rows), Watermark(mark, timeless))
    expected = [by_the_rule(kind, left, mark, timeless) for kind, left, _ in rows]
    assert found.to_pylist() == expected
    assert counted(found) == Counter(expected)
    assert set(expected) <= set(CLASSES)


@given(ROWS, MOMENTS, MOMENTS)
def test_the_window(
    rows: list[tuple[str, int | None, int | None]], since: int | None, until: int | None
) -> None:
    kept = relevant(batch(rows), (since, until)).to_pylist()

    def inside(row: tuple[str, int | None, int | None]) -> bool:
        moment = row[2] if row[0] == "only_right" else row[1]
        if since is None and until is None:
            return True
        return moment is not None and (
            (since is None or moment >= since) and (until is None or moment < until)
        )

    assert [tuple(row.values()) for row in kept] == [row for row in rows if inside(row)]


@given(st.lists(ROWS, max_size=5))
def test_ranges(batches: list[list[tuple[str, int | None, int | None]]]) -> None:
    places = Places()
    for rows in batches:
        places.add(batch(rows))
    ranges = places.ranges()
    assert len(ranges) <= MOST
    assert all(until - since == places.width for since, until in ranges)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))
    low, high = -62135596800 * 10**6, 253402214400 * 10**6
    moments = [m for rows in batches for row in rows for m in row[1:] if m is not None]
    known = [m for m in moments if low <= m < high]
    held = [sum(since * 10**6 <= m < until * 10**6 for since, until in ranges) for m in known]
    assert held == [1] * len(known)
    if not known:
        assert ranges == []


def test_of_what_is_expected_some_rows_are_kept() -> None:
    keep = Kept()
    kept: Counter[str] = Counter()
    for _ in range(3):
        classes = pa.array(["pending", "missing"] * 700 + ["stale"])
        kept.update(classes.filter(keep.wanted(classes)).to_pylist())
    assert kept == {"pending": 1_000, "missing": 2_100, "stale": 3}


def test_keys() -> None:
    assert key_of("a b", 1) == ("a b",)
    assert key_of('["x", 9007199254740993, true]', 3) == ("x", "9007199254740993", "true")
    for text in ("x", "[1]", "[1, null]", '[1, {"a": 1}]', "1", "[" * 100_000, '{"a": 1}'):
        with pytest.raises(BadArgument):
            key_of(text, 2)
    number, uid = (
        Column("n", ColumnType("int", "bigint")), Column("u", ColumnType("uuid", "uuid")),
    )  # fmt: skip
    uids = ["abcdefab-cdef-4000-8000-ffffffffffff", "ABCDEFABCDEF40008000FFFFFFFFFFFF", "no"]
    assert as_values([(u,) for u in uids], (uid,)) == [(uids[0],)]
    texts = ["1", "01", "x", "", "1.0", "٣", str(2**70), "-5", "1\0"]
    assert as_values([(t,) for t in texts], (number,)) == [("1",), ("-5",)]
    moment, truth = (
        Column("m", ColumnType("timestamptz", "timestamptz")), Column("b", ColumnType("bool", "bool")),
    )  # fmt: skip
    texts = ["2024-01-01T02:00:00+02:00", "2024-01-01", "never", "0001-01-01T00:00:00+14:00"]
    assert as_values([(t,) for t in texts], (moment,)) == [("2024-01-01 00:00:00",)]
    assert as_values([("true",), ("0",), ("maybe",)], (truth,)) == [("1",), ("0",)]
    with pytest.raises(NotComparable):
        as_values([("x",)], (Column("j", ColumnType("json", "json")),))
