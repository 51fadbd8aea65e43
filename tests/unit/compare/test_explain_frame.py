"""Counting by conditions: a value is a value, whatever it looks like."""

from __future__ import annotations

import duckdb
import hypothesis.strategies as st
from hypothesis import given

from weighbridge.compare.explain_frame import Condition, tally

ODD = ["'", "''", "{p1}", "{p0}", "$c0_0", "\\", "\0", "a\0b", ";--", "%", "é", ""]
texts = st.lists(st.sampled_from(ODD) | st.text(alphabet="a'{}p01$\0\\"), min_size=1, max_size=6)


@given(rows=texts, asked=texts)
def test_any_text_is_counted_as_itself(rows: list[str], asked: list[str]) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (a VARCHAR, b VARCHAR)")
        con.executemany("INSERT INTO t VALUES (?, ?)", [(r, r[::-1]) for r in rows])
        conditions = [Condition("a = {p0} AND b = {p1}", (v, v[::-1])) for v in asked]
        assert tally(con, "t", conditions) == [rows.count(v) for v in asked]
