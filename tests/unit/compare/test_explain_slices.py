"""Slices, ranges and runs of keys are found where planted, and only there."""

from __future__ import annotations

import duckdb
import pytest

from tests.unit.compare.explaining import Planted, run
from weighbridge.compare.explain import explain
from weighbridge.compare.explain_frame import UNFIT, Condition, tally
from weighbridge.compare.result import Rows

# All rows have UA in one of six; the differing ones, planted from x < 400, in nearly all.
CARRIER = "list_extract(['UA', 'DL', 'AA', 'B6', 'EV', 'MQ'], (x::INT // 1000) % 6 + 1)"
NOISE = ("md5(x::VARCHAR)", "md5((x + 1)::VARCHAR)")


def test_value_shared_by_changed_rows() -> None:
    planted = Planted([(CARRIER, CARRIER), NOISE], changed="[1]", base="true", rows=1020)
    (found,) = planted.explained()
    assert found.text == "98 % of the changed rows have c0 = 'UA' (20 % of all rows; lift 4.9)"
    assert (found.support, found.of, found.kind, found.rows) == (1000, 1020, "slice", "changed")
    assert found.detail == {"slice": "values", "values": {"c0": "UA"}}
    assert found.columns == ("c0",)
    assert found.lift == pytest.approx(1000 / 1020 / 0.2)


@pytest.mark.parametrize(
    ("kind", "words"),
    [("only_left", "rows only on the left"), ("only_right", "rows only on the right")],
)
def test_value_shared_by_rows_of_one_side(kind: str, words: str) -> None:
    (found,) = Planted([(CARRIER, CARRIER), NOISE], kind=f"'{kind}'", base="true").explained()
    assert found.text == f"100 % of the {words} have c0 = 'UA' (20 % of all rows; lift 5.0)"
    assert found.rows == kind


def test_right_value_is_looked_up_in_the_left_type() -> None:
    number = "((x::INT // 1000) % 6)"
    planted = Planted(
        [(f"{number}::DECIMAL(9, 2)", f"{number}::DOUBLE")], kind="'only_right'", base="true"
    )
    (found,) = planted.explained()
    assert found.text.startswith("100 % of the rows only on the right have c0 = 0.00 (20 %")


def test_null_and_boolean_are_values() -> None:
    nothing = "CASE WHEN x >= 500 THEN md5(x::VARCHAR) END"
    (found,) = Planted([(nothing, nothing), NOISE], changed="[1]", base="true").explained()
    assert "c0 = NULL (10 % of all rows; lift 10.0)" in found.text
    assert found.detail["values"] == {"c0": None}
    flag = "x < 500"
    (found,) = Planted([(flag, flag), NOISE], changed="[1]", base="true").explained()
    assert "c0 = true" in found.text


def test_pair_is_said_only_if_it_beats_its_parents() -> None:
    # Each half is in half of all rows, both together in a quarter.
    a, b = "(x % 1000 < 500)", "(x // 500 % 4 IN (0, 3))"
    pair = Planted([(a, a), (b, b), NOISE], changed="[2]", base="true").explained()
    assert [e.detail["values"] for e in pair] == [{"c0": "true", "c1": "true"}]
    # The second says what the first does, the third is true of all rows.
    same = f"CASE WHEN {CARRIER} = 'UA' THEN 'United' ELSE 'other' END"
    one = Planted(
        [(CARRIER, CARRIER), (same, same), ("2013", "2013"), NOISE], changed="[3]", base="true"
    )
    assert [e.columns for e in one.explained()] == [("c0",)]


def test_nothing_is_said_of_what_all_rows_share_or_of_few_rows() -> None:
    common = "CASE WHEN x % 10 = 0 THEN 'b' ELSE 'a' END"
    planted = Planted([(common, common), NOISE], changed="[1]", base="true")
    assert planted.explained() == ()
    few = Planted([(CARRIER, CARRIER), NOISE], changed="[1]", base="true", rows=3)
    assert few.explained() == ()


def test_without_base_support_must_be_high_and_has_no_lift() -> None:
    (found,) = Planted([(CARRIER, CARRIER), NOISE], changed="[1]").explained()
    assert found.text == "100 % of the changed rows have c0 = 'UA'"
    assert found.lift is None
    mixed = "CASE WHEN x % 5 < 4 THEN 'a' ELSE 'b' END"
    assert Planted([(mixed, mixed), NOISE], changed="[1]").explained() == ()


def test_slice_of_the_rows_where_one_column_differs() -> None:
    half = "CASE WHEN x < 200 THEN 'UA' ELSE 'x' || x % 97 END"
    planted = Planted(
        [(half, half), NOISE, ("x", "x * x + 7 * x + 3")],
        changed="CASE WHEN x < 200 THEN [1] ELSE [2] END",
        base="true",
    )
    found = [e for e in planted.explained() if e.detail.get("where_differs") == "c1"]
    assert any("100 % of the rows where c1 differs have c0 = 'UA'" in e.text for e in found)
    assert found[0].of == 200


def test_what_a_transform_says_is_not_said_again() -> None:
    empty = "CASE WHEN x < 500 THEN NULL ELSE 'a' END"
    found = Planted([(empty, "''"), NOISE], base="true").explained()
    assert [e.kind for e in found] == ["transform"]


def test_range_of_dates() -> None:
    day = "DATE '2024-12-31' - (x // 10)::INT"
    (found,) = Planted([(day, day), NOISE], kind="'only_left'", base="true").explained()
    assert found.text == (
        "100 % of the rows only on the left have c0 ≥ '2024-11-22' (8 % of all rows; lift 12.5)"
    )
    assert found.detail == {"slice": "range", "range": {"c0": {"from": "2024-11-22", "to": None}}}


def test_range_with_outliers_keeps_its_limits() -> None:
    day = "DATE '2024-12-31' - (CASE WHEN x = 17 THEN 499 ELSE x // 10 END)::INT"
    (found,) = Planted([(day, day), NOISE], kind="'only_left'", base="true").explained()
    assert found.text.startswith("99.8 % of the rows only on the left have c0 ≥ '2024-11-22'")
    assert found.support == 399


def test_range_with_two_limits() -> None:
    number = "(x + 2000) % 5000"
    (found,) = Planted([(number, number), NOISE], kind="'only_left'", base="true").explained()
    assert "c0 from 2000 to 2399 (8 % of all rows" in found.text


def test_runs_of_keys() -> None:
    lost = Planted([NOISE], kind="'only_left'", key="x + 100001", rows=500)
    (found,) = lost.explained()
    assert found.text == "500 rows only on the left are one run of id 100001 to 100500: a lost page"
    assert found.detail["runs"] == [[100001, 100500, 500]]
    assert all(
        e.detail["slice"] != "key_run" for e in Planted([NOISE], kind="'only_left'").explained()
    )
    pages = Planted([NOISE], kind="'only_left'", key="x + 5000 * (x // 200)")
    (found,) = pages.explained()
    assert "400 rows only on the left are 2 runs of id 0 to 199, 5200 to 5399" in found.text
    edges = Planted([NOISE], kind="'only_left'", key="x * 1000 + 1000")
    (found,) = edges.explained()
    assert found.text.endswith("id 1000 to 400000 in steps of 1,000: one at each page's edge")


def test_all_kinds_at_once_and_the_order() -> None:
    kind = "CASE x % 3 WHEN 0 THEN 'changed' WHEN 1 THEN 'only_left' ELSE 'only_right' END"
    found = Planted(
        [(CARRIER, CARRIER), ("x", "x + 1")], kind=kind, changed="[1]", base="true"
    ).explained()
    assert [e.kind for e in found][:2] == ["transform", "slice"]
    assert {e.rows for e in found if e.kind == "slice"} == {"changed", "only_left", "only_right"}
    assert len({e.text for e in found}) == len(found)


def test_limit_and_leftovers() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE d AS SELECT 'changed' AS kind, [0]::USMALLINT[] AS changed, x AS k0,"
        " x AS l0, x + 1 AS r0 FROM range(50) t(x)"
    )
    con.execute("CREATE TABLE b AS SELECT l0 FROM d LIMIT 0")
    assert len(run(con, 1, limit=1)) == 1
    assert {t[0] for t in con.execute("SHOW TABLES").fetchall()} == {"b", "d"}


def test_same_answer_whatever_the_order_of_rows() -> None:
    con = duckdb.connect()
    con.execute(
        "CREATE TABLE d AS SELECT 'changed' AS kind, [0]::USMALLINT[] AS changed, x AS k0,"
        " x AS l0, x + x % 3 AS r0, x % 2 AS l1, x % 2 AS r1 FROM range(30000) t(x)"
    )
    con.execute("CREATE TABLE b AS SELECT l0, l1 FROM d")
    first = run(con, 2)
    con.execute(
        "CREATE TABLE e AS FROM d ORDER BY k0 DESC; DROP TABLE d; ALTER TABLE e RENAME TO d"
    )
    assert run(con, 2) == first


def test_no_value_columns_no_keys_and_composite_keys() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE b AS SELECT x % 40 AS k0, x AS k1 FROM range(4000) t(x)")
    con.execute(
        "CREATE TABLE d AS SELECT 'only_left' AS kind, []::USMALLINT[] AS changed,"
        " 7 AS k0, 40 * x + 7 AS k1 FROM range(60) t(x)"
    )
    asked = {"diffs": "d", "base": "b", "columns": [], "changed_counts": []}
    rows = Rows(left=4000, right=3940, matched=3940, only_left=60)
    (day, below) = explain(con, keys=["day", "id"], rows=rows, **asked)
    assert day.text.startswith("100 % of the rows only on the left have day = 7 (2 % of all rows")
    assert below.columns == ("id",)
    con.execute("ALTER TABLE d DROP k0; ALTER TABLE d DROP k1")
    assert explain(con, keys=[], rows=rows, **asked) == ()


def test_an_interrupt_is_not_a_candidate_that_does_not_suit() -> None:
    assert not issubclass(duckdb.InterruptException, UNFIT)
    assert not issubclass(duckdb.OutOfMemoryException, UNFIT)
    assert not issubclass(duckdb.IOException, UNFIT)
    con = duckdb.connect()
    con.execute("CREATE TABLE d AS SELECT 1 AS a FROM range(3)")
    conditions = [
        Condition("a = 1"),
        Condition("no_such_column = 1"),
        Condition("a = CAST({p0} AS INT)", ("1",)),
    ]
    assert tally(con, "d", conditions) == [3, None, 3]
