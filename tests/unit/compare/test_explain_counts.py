"""What is claimed is what a count in Python over the same rows finds."""

from __future__ import annotations

from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.compare.explaining import run
from weighbridge.compare.result import Explanation

# Few values, so that transforms and slices arise by chance.
TEXTS = st.none() | st.text(alphabet="aA \u00e90,.\n\"'&;", max_size=5)
NUMBERS = st.none() | st.integers(-4, 4) | st.sampled_from([2**53 + 1, -(2**62), 100, 1000])
ROW = st.tuples(
    st.sampled_from(["changed", "only_left", "only_right"]), TEXTS, TEXTS, NUMBERS, NUMBERS
)
W = " \t\n\x0b\x0c\r\xa0"

# Python's word for what the SQL says; a name that is not here is checked by its bounds alone.
SHOWS: dict[str, Any] = {
    "null_to_value": lambda a, b, d: a is None and str(b) == d["right"],
    "value_to_null": lambda a, b, d: b is None and str(a) == d["left"],
    "right_null": lambda a, b, d: a is not None and b is None,
    "left_null": lambda a, b, d: a is None and b is not None,
    "replaced": lambda a, b, d: str(a) == d["left"] and str(b) == d["right"],
    "constant": lambda a, b, d: str(b) == d["right"],
    "negated": lambda a, b, d: b == -a,
    "sign_lost": lambda a, b, d: b == abs(a),
    "float64": lambda a, b, d: float(a) == float(b),
    "offset": lambda a, b, d: b - a == d["offset"],
    "trim": lambda a, b, d: b == a.strip(W),
    "trim_right": lambda a, b, d: b == a.rstrip(W),
    "trim_left": lambda a, b, d: b == a.lstrip(W),
    "pad": lambda a, b, d: a.strip(W) == b.strip(W) and len(b) > len(a),
    "pad_right": lambda a, b, d: a.rstrip(W) == b.rstrip(W) and len(b) > len(a),
    "pad_left": lambda a, b, d: a.lstrip(W) == b.lstrip(W) and len(b) > len(a),
    "upper": lambda a, b, d: b == a.upper(),
    "lower": lambda a, b, d: b == a.lower(),
    "case": lambda a, b, d: b.lower() == a.lower(),
    "truncate_chars": lambda a, b, d: b == a[: d["length"]],
    "prefix_added": lambda a, b, d: b == d["text"] + a,
    "suffix_added": lambda a, b, d: b == a + d["text"],
    "prefix_removed": lambda a, b, d: a == d["text"] + b,
    "suffix_removed": lambda a, b, d: a == b + d["text"],
}


def _shows(explanation: Explanation, left: Any, right: Any) -> bool:
    name = explanation.detail["transform"]
    if (
        left != right
        and None in {left, right}
        and name not in {"null_to_value", "value_to_null", "right_null", "left_null", "constant"}
    ):
        return False
    return left != right and bool(SHOWS[name](left, right, explanation.detail))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=40), st.booleans())
def test_support_is_what_python_counts(rows: list[tuple[Any, ...]], with_base: bool) -> None:
    con = duckdb.connect(config={"threads": 1})
    con.execute(
        "CREATE TABLE d (kind VARCHAR, changed USMALLINT[], k0 BIGINT,"
        " l0 VARCHAR, r0 VARCHAR, l1 BIGINT, r1 BIGINT)"
    )
    kept: list[tuple[Any, ...]] = []
    for n, (kind, a, b, c, d) in enumerate(rows):
        changed = [i for i, (x, y) in enumerate(((a, b), (c, d))) if x != y]
        if kind == "changed" and not changed:
            continue
        left = (None, None) if kind == "only_right" else (a, c)
        right = (None, None) if kind == "only_left" else (b, d)
        listed = changed if kind == "changed" else []
        kept.append((kind, listed, n, left[0], right[0], left[1], right[1]))
    if kept:
        con.executemany("INSERT INTO d VALUES (?, ?, ?, ?, ?, ?, ?)", kept)
    con.execute(
        f"CREATE TABLE b AS SELECT l0, l1 FROM d WHERE {with_base} AND kind <> 'only_right'"
    )
    for explanation in run(con, 2):
        assert 0 < explanation.support <= explanation.of
        if explanation.kind == "transform" and len(explanation.columns) == 1:
            _check_transform(explanation, kept)
        elif explanation.detail.get("slice") == "values":
            _check_values(explanation, kept)


def _check_transform(explanation: Explanation, rows: list[tuple[Any, ...]]) -> None:
    i = int(explanation.columns[0][1:])
    pairs = [(r[3 + 2 * i], r[4 + 2 * i]) for r in rows if r[0] == "changed" and i in r[1]]
    assert explanation.of == len(pairs)
    if explanation.detail["transform"] in SHOWS:
        assert explanation.support == sum(_shows(explanation, a, b) for a, b in pairs)


def _check_values(explanation: Explanation, rows: list[tuple[Any, ...]]) -> None:
    where = explanation.detail.get("where_differs")
    side = 4 if explanation.rows == "only_right" else 3
    group = [
        r for r in rows if r[0] == explanation.rows and (where is None or int(where[1:]) in r[1])
    ]
    assert explanation.of == len(group)
    count = 0
    for r in group:
        shown = {c: r[side + 2 * int(c[1:])] for c in explanation.columns}
        count += all(
            (None if shown[c] is None else str(shown[c])) == v
            for c, v in explanation.detail["values"].items()
        )
    assert explanation.support == count
