"""Marks stand on the characters that differ, and a cut text keeps them in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from weighbridge.report.chars import Piece, clusters, differing, middle_cut, window, windows

TEXT = st.text(alphabet="abc 01é\u0301日👍\U0001f3fd⟦⟧", max_size=60)


def drawn(pieces: tuple[Piece, ...]) -> str:
    return "".join(f"[{piece.text}]" if piece.changed else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [
        ("2013-01-01 05:15:00", "2013-01-01 10:15:00", "2013-01-01 [05]:15:00 | 2013-01-01 [10]:15:00"),
        ("1400.125", "1400.13", "1400.1[25] | 1400.1[3]"),
        ("abc", "", "[abc] | []"),
        ("same", "same", "same | same"),
        ("caf\u00e9", "cafe\u0301", "caf[\u00e9] | caf[e\u0301]"),
        ("\U0001f44d\U0001f3fd x", "\U0001f44d x", "[\U0001f44d\U0001f3fd] x | [\U0001f44d] x"),
        ("one two three", "One two Three", "[o]ne two [t]hree | [O]ne two [T]hree"),
        ("a⟦ZWSP⟧b", "a⟦ZWNJ⟧b", "a[⟦ZWSP⟧]b | a[⟦ZWNJ⟧]b"),
    ],
)  # fmt: skip
def test_marks(left: str, right: str, marked: str) -> None:
    pair = differing(left, right)
    assert f"{drawn(pair[0])} | {drawn(pair[1])}" == marked


@given(TEXT, TEXT)
def test_nothing_is_lost_or_invented(left: str, right: str) -> None:
    ours, theirs = differing(left, right)
    assert "".join(piece.text for piece in ours) == left
    assert "".join(piece.text for piece in theirs) == right
    equal = ["".join(piece.text for piece in side if not piece.changed) for side in (ours, theirs)]
    assert equal[0] == equal[1]
    assert (left == right) == (not any(piece.changed for piece in (*ours, *theirs)))


@given(TEXT, TEXT, st.integers(8, 40))
def test_a_window_fits(left: str, right: str, width: int) -> None:
    for whole, cut in zip(
        differing(left, right), windows(differing(left, right), width, cell_len), strict=True
    ):
        text = "".join(piece.text for piece in cut)
        assert cell_len(text) <= max(width, max(map(cell_len, clusters(text)), default=0) + 2)
        if cell_len("".join(piece.text for piece in whole)) <= width:
            assert drawn(cut) == drawn(whole)


def test_a_window_shows_the_change() -> None:
    pair = differing("x" * 500 + "left" + "y" * 500, "x" * 500 + "Gone" + "y" * 500)
    cut = windows(pair, 30)
    assert [drawn(side) for side in cut] == [
        "…" + "x" * 12 + "[left]" + "y" * 12 + "…",
        "…" + "x" * 12 + "[Gone]" + "y" * 12 + "…",
    ]


def test_a_long_change_is_read_from_its_start() -> None:
    cut = window(differing("x" * 50 + "a" * 500, "x" * 50)[0], 30)
    assert drawn(cut) == "…xxxxxx[" + "a" * 22 + "]…"


def test_much_text_in_two_places_is_quick() -> None:
    left = "a" + "".join(chr(0x4E00 + at % 5000) for at in range(20_000)) + "b"
    right = "c" + left[1:-1][::-1] + "d"
    assert drawn(differing(left, right)[0]) == f"[{left}]"


def test_a_name_is_cut_in_its_middle() -> None:
    assert middle_cut("short", 10) == "short"
    assert middle_cut("customer_address_street", 12) == "custom…treet"
    assert cell_len(middle_cut("日本語の東京国際空港", 9, cell_len)) <= 9
