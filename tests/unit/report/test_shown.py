"""A value as a person sees it: what is different never looks the same."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from weighbridge.compare.result import RowDiff
from weighbridge.report.shown import shown, shown_fields, shown_key, shown_pair


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        ("", "''"),
        ("NULL", "'NULL'"),
        ("null", "'null'"),
        ("'x", "''x'"),
        ("plain", "plain"),
        (" lead", "' lead'"),
        ("trail ", "'trail·'"),
        ("a\tb", "a→b"),
        (True, "true"),
        ("true", "'true'"),
        (7, "7"),
        (Decimal("1.50"), "1.50"),
        (float("nan"), "nan"),
        ("nan", "'nan'"),
        (b"\x00\xff", "\\x00ff"),
        (datetime(2013, 1, 1, 5, 15), "2013-01-01 05:15:00"),
        ([1, None, "x"], '[1, null, "x"]'),
        ({"a": Decimal("1.5")}, '{"a": "1.5"}'),
    ],
)
def test_shown(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("left", "right", "texts"),
    [
        ("N1 ", "N1", ("'N1·'", "'N1'")),
        (None, "", ("NULL", "''")),
        (None, "NULL", ("NULL", "'NULL'")),
        (227, "227", ("227", "'227'")),
        ("a", "b", ("a", "b")),
    ],
)
def test_pairs_look_different(left: Any, right: Any, texts: tuple[str, str]) -> None:
    pair = shown_pair(left, right)
    assert (pair[0].text, pair[1].text) == texts


@pytest.mark.parametrize(
    ("left", "right", "notes"),
    [
        ("caf\u00e9", "cafe\u0301", ("U+00E9", "U+0065 U+0301")),
        ("p\u0430ypal", "paypal", ("U+0430", "U+0061")),
        (1, Decimal(1), ("int", "Decimal")),
        ("abc", "abd", (None, None)),
        ("日本", "日木", (None, None)),
        (None, "x", (None, None)),
    ],
)
def test_look_alikes_are_told_apart(
    left: Any, right: Any, notes: tuple[str | None, str | None]
) -> None:
    pair = shown_pair(left, right)
    assert (pair[0].note, pair[1].note) == notes


def test_null_is_marked_as_null() -> None:
    pair = shown_pair(None, "NUL")
    assert pair[0].null
    assert not pair[1].null
    assert all(piece.changed for side in pair for piece in side.pieces)


@pytest.mark.parametrize("size", [10_000, 2_000_000])
def test_long_texts_keep_their_difference(size: int) -> None:
    pair = shown_pair("x" * size + "left" + "y" * size, "x" * size + "right!" + "y" * size)
    assert [len(side.text) < 700 for side in pair] == [True, True]
    marked = ["".join(piece.text for piece in side.pieces if piece.changed) for side in pair]
    assert marked == ["left", "right!"]


def test_long_bytes_say_their_size() -> None:
    assert shown_pair(b"a" * 5000, None)[0].text.endswith("(5,000 bytes)")


def test_a_row_without_its_key() -> None:
    row = RowDiff("only_right", {"id": 1}, None, {"id": 1, "a\n": None, "b": ""})
    assert shown_fields(row) == [("a␊", "NULL"), ("b", "''")]
    assert shown_key({"id": 1, "day": "x "}) == "id=1  day='x·'"
