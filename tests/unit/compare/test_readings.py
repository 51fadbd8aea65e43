"""A text beside a decimal: equal exactly where a person who reads both says so."""

from __future__ import annotations

import re
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.compare.readings import READINGS
from weighbridge.types.columns import ColumnType

# No zero in front, no plus, no exponent; .5 and 5. are numbers, as Oracle and others write them.
PLAIN = re.compile(r"-?((0|[1-9][0-9]*)([.][0-9]*)?|[.][0-9]+)")
ODD = ["", " 1", "1 ", "+1", "01", "-01.50", "1e2", "1E2", "0x1", ".", "-", "-.", "1,5", "1.5.0", "NaN",
       "nan", "Infinity", "-0", "-0.000", "0.", ".0", "-.5", "1_000", "½", "\u0661", "1" * 39, "0." + "1" * 39]  # fmt: skip
SHAPES = [(12, 2), (5, 0), (38, 10), (3, 3), (18, 18), (38, 38), (19, 0)]


def equal(text: str, value: Decimal, precision: int, scale: int) -> bool:
    """Ask the two readings."""
    kind = ColumnType("decimal", "numeric", precision=precision, scale=scale)
    native = f"DECIMAL({precision},{scale})"
    read, typed, _ = READINGS["decimal"](kind, native)
    sql = f"SELECT ({read.replace('{x}', 't')}) = ({typed.replace('{x}', 'v')})"
    row = duckdb.execute(
        f"{sql} FROM (SELECT ?::VARCHAR AS t, CAST(? AS {native}) AS v)", [text, format(value, "f")]
    ).fetchone()
    assert row is not None
    return row[0]


def expected(text: str, value: Decimal) -> bool:
    """Say what a person says."""
    return PLAIN.fullmatch(text) is not None and Decimal(text) == value


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Decimal, int, int]:
    """Draw a value that fits a column, and a text that is near it."""
    precision, scale = draw(st.sampled_from(SHAPES))
    units = draw(st.integers(-(10**precision) + 1, 10**precision - 1) | st.integers(-120, 120))
    units = max(min(units, 10**precision - 1), -(10**precision) + 1)
    value = Decimal(f"{units}E-{scale}")
    text = format(value, "f")
    change = draw(st.sampled_from(["none", "zeros", "trim", "digit", "front", "dot", "odd"]))
    if change == "zeros":
        text += ("" if "." in text else ".") + "0" * draw(st.integers(0, 4))
    elif change == "trim" and "." in text:
        text = text.rstrip("0").rstrip(".")
    elif change == "digit":
        text += ("" if "." in text else ".") + str(draw(st.integers(0, 9)))
    elif change == "front":
        text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else "0" + text
    elif change == "dot" and "." not in text:
        text += "."
    elif change == "odd":
        text = draw(st.sampled_from(ODD))
    return text, value, precision, scale


@given(pairs())
def test_text_equals_decimal(drawn: tuple[str, Decimal, int, int]) -> None:
    text, value, precision, scale = drawn
    assert equal(text, value, precision, scale) is expected(text, value)


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("value", ["0", "1", "-1.5", "1.5", "100"])
def test_odd_texts(text: str, value: str) -> None:
    assert equal(text, Decimal(value), 12, 2) is expected(text, Decimal(value))
