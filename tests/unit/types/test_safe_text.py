"""Nothing hostile is left in a shown text, and no two texts look the same."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.types.safe_text import LEGEND, safe_text

HOSTILE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
TRICKY = st.text(st.sampled_from(" ·\t→␉␊\n\r⟦⟧U+0·ab\u00a0⍽\u200b\ufeff\u3000□\u0301\x00␀"))


@given(st.text(st.characters()) | TRICKY)
@example("\x1b]0;x\x07")
@example("\ud800\udfff")
def test_nothing_hostile_is_left(value: str) -> None:
    shown = safe_text(value)
    assert not [c for c in shown if unicodedata.category(c) in HOSTILE or c in BIDI]
    shown.encode()


def test_every_character_there_is_ends_harmless() -> None:
    for start in range(0, sys.maxunicode + 1, 0x1000):
        shown = set(safe_text("x" + "".join(map(chr, range(start, start + 0x1000))) + "x"))
        assert not [hex(ord(c)) for c in shown if unicodedata.category(c) in HOSTILE]


@given(TRICKY, TRICKY)
def test_two_texts_never_look_the_same(one: str, other: str) -> None:
    assert (safe_text(one) == safe_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", ""),
        ("plain text", "plain text"),
        ("Zürich, 東京, עברית, 👍", "Zürich, 東京, עברית, 👍"),
        ("a  ", "a··"),
        ("  a", "  a"),
        (" ", "·"),
        ("a· ", "a⟦U+00B7⟧·"),
        ("l·l", "l·l"),
        ("a\tb\r\nc", "a→b␍␊c"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x00\x7f", "␀␡"),
        ("\x85\x9b31m", "⟦U+0085⟧⟦U+009B⟧31m"),
        ("a\u00a0b", "a⍽b"),
        ("a\u3000b", "a□b"),
        ("a\u2003b", "a⟦U+2003⟧b"),
        ("\ufeffa", "⟦BOM⟧a"),
        ("a\u200bb\u200cc\u200dd", "a⟦ZWSP⟧b⟦ZWNJ⟧c⟦ZWJ⟧d"),
        ("a\u202eb\u202c\u2066c\u2069", "a⟦RLO⟧b⟦PDF⟧⟦LRI⟧c⟦PDI⟧"),
        ("a\u2028b\u2029", "a⟦LS⟧b⟦PS⟧"),
        ("\ud800", "⟦U+D800⟧"),
        ("a\U000e0041", "a⟦U+E0041⟧"),
        ("a\ufe0f", "a⟦U+FE0F⟧"),
        ("\u0301a", "⟦U+0301⟧a"),
        ("a\u0301", "a\u0301"),
        ("␊", "⟦U+240A⟧"),
        ("→", "⟦U+2192⟧"),
        ("a\n level=error", "a␊ level=error"),
        ("[link=http://x]a[/link]", "[link=http://x]a[/link]"),
        ("<script>", "<script>"),
    ],
)
def test_each_kind_has_its_glyph(value: str, shown: str) -> None:
    assert safe_text(value) == shown


def test_the_legend_explains_every_glyph() -> None:
    for code in [*range(0x20), 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x202E, 0x2028, 0xFEFF, 0xD800]:
        shown = safe_text(f"{chr(code)}x")
        assert [words for glyph, words in LEGEND.items() if glyph in shown], hex(code)
    assert LEGEND["→"] == "tab"
    assert LEGEND["·"] == "space at the end"


def test_the_glyphs_themselves_are_visible() -> None:
    for glyph in LEGEND:
        assert all(unicodedata.category(c) not in HOSTILE | {"Zs"} for c in glyph)
