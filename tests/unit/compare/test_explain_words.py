"""Figures and values as they read in an explanation."""

from __future__ import annotations

import pytest

from weighbridge.compare.explain_types import family, readings
from weighbridge.compare.explain_words import duration, literal, percent


@pytest.mark.parametrize(
    ("part", "whole", "words"),
    [
        (5, 5, "100 %"),
        (999, 1000, "over 99.9 %"),
        (99_999, 100_000, "over 99.9 %"),
        (997, 1000, "99.7 %"),
        (98, 100, "98 %"),
        (3, 1000, "0.3 %"),
        (1, 10_000, "under 0.1 %"),
    ],
)
def test_percent_never_rounds_to_all_or_nothing(part: int, whole: int, words: str) -> None:
    assert percent(part, whole) == words


def test_duration() -> None:
    assert duration(-18_000_000_000) == "− 5 h"
    assert duration(19_800_000_000) == "+ 5 h 30 min"
    assert duration(2 * 86_400_000_000 + 1) == "+ 2 days 1 µs"


def test_literal() -> None:
    assert literal(None) == "NULL"
    assert literal("it's") == "'it''s'"
    assert literal("1.5", "DECIMAL(5,2)") == "1.5"
    assert literal("x" * 41) == "'" + "x" * 39 + "…'"
    assert literal("x" * 40) == "'" + "x" * 40 + "'"
    assert "\n" not in literal("a\nb\x1b[0m")


def test_family_of_each_type() -> None:
    assert family("UHUGEINT") == "integer"
    assert family("DECIMAL(18,3)") == "decimal"
    assert family("TIMESTAMP WITH TIME ZONE") == family("TIMESTAMP_NS") == "moment"
    assert family("TIME WITH TIME ZONE") == family("INTEGER[]") == family("STRUCT(a INTEGER)")
    assert family("INTERVAL") == family("BLOB") == family("TIME WITH TIME ZONE") == "other"
    assert set(readings("BLOB", "BLOB")) == {"any"}
    assert readings("DECIMAL(9,2)", "DECIMAL(12,4)")["exact"].left == "CAST({x} AS DECIMAL(38, 4))"
