"""DuckDB's own hash forgets things that a fingerprint must not: each of these was called equal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from tests.unit.compare.agree import agree, as_parquet, tuned
from tests.unit.compare.oracle import Row
from tests.unit.compare.tables import Tables

pytestmark = pytest.mark.long

HALVES = (UUID(int=(1 << 127) + (5 << 64) + 9), UUID(int=((1 << 127) ^ (9 << 64)) + 5))
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def differ(kind: str, pairs: list[tuple[object, object]], folder: Path) -> None:
    """Compare pairs of unlike values, each in a table of its own bucket: all must be found."""
    left: list[Row] = [(n << 12, a) for n, (a, _) in enumerate(pairs)]
    right: list[Row] = [(n << 12, b) for n, (_, b) in enumerate(pairs)]
    tables = Tables(("bigint", kind), 1, left, right)
    with tuned("tiny"):
        found = agree(tables, as_parquet(tables, folder), strategy="checksum")
    assert found.report.plan.strategy == "checksum"
    assert found.report.rows.changed == len(pairs)


def test_texts_that_differ_at_the_8th_and_16th_byte(tmp_path: Path) -> None:
    # 3,844 such texts had 256 hashes: the last byte of a block of 8 never reaches the others.
    texts = [f"1234567{a}1234567{b}-more" for a in LETTERS for b in LETTERS]
    differ("text", [(texts[0], text) for text in texts[1:]], tmp_path)


@pytest.mark.parametrize("before", range(9))
def test_bytes_that_differ_in_two_blocks(before: int, tmp_path: Path) -> None:
    def value(a: int, b: int) -> bytes:
        return bytes(before) + bytes([a]) + bytes(7) + bytes([b]) + bytes(9)

    pairs = [
        (value(0, 0), value(a, b)) for a in range(0, 256, 17) for b in range(0, 256, 3) if a or b
    ]
    differ("bytes", pairs, tmp_path)


def test_a_wide_decimal_of_minus_one_unit_is_not_zero(tmp_path: Path) -> None:
    # Both halves of the 128 bits hash alike and cancelled each other.
    unit = Decimal((1, (1,), -10))
    differ("decimal37", [(Decimal(0), unit), (Decimal(1), Decimal(-1))], tmp_path)
    halves = [
        Decimal((0, tuple(map(int, str(v))), -10))
        for v in (7 << 64, 7, (3 << 64) + 9, (9 << 64) + 3)
    ]
    differ("decimal37", [(halves[0], halves[1]), (halves[2], halves[3])], tmp_path)


def test_a_uuid_whose_halves_are_swapped(tmp_path: Path) -> None:
    nil_like = UUID(int=1 << 127), UUID(int=(1 << 127 ^ 7 << 64) + 7)
    differ("uuid", [HALVES, nil_like], tmp_path)


def test_values_that_trade_places(tmp_path: Path) -> None:
    pool: list[Row] = [("", "a"), ("ab", "c"), ("a|b", "c"), ("1234567a12345678", ""), (None, "")]
    left: list[Row] = [(n << 12, *row) for n, row in enumerate(pool)]
    right: list[Row] = [(n << 12, *row[::-1]) for n, row in enumerate(pool)]
    tables = Tables(("bigint", "text", "text"), 1, left, right)
    with tuned("tiny"):
        agree(tables, as_parquet(tables, tmp_path), strategy="checksum")
