"""What cannot be seen, shown: the one way by which data reaches a terminal, a page or a log.

Two different texts never look the same afterwards: a character that is used here as a sign
is itself written by its code point when it stands in the data. Markup is NOT escaped: for
Rich make a `Text` of the result (never a str with markup on), for HTML escape it as any text
and put it in `<bdi>`, so that letters of right-to-left scripts reorder only themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

# C0 pictures are U+2400 + code; DEL has its own.
_CONTROLS = [
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR"),
    *("SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB"),
    *("ESC", "FS", "GS", "RS", "US"),
]
_NAMED = {
    0x00AD: ("SHY", "soft hyphen"),
    0x061C: ("ALM", "Arabic letter mark"),
    0x200B: ("ZWSP", "zero-width space"),
    0x200C: ("ZWNJ", "zero-width non-joiner"),
    0x200D: ("ZWJ", "zero-width joiner"),
    0x200E: ("LRM", "left-to-right mark"),
    0x200F: ("RLM", "right-to-left mark"),
    0x2028: ("LS", "line separator"),
    0x2029: ("PS", "paragraph separator"),
    0x202A: ("LRE", "left-to-right embedding"),
    0x202B: ("RLE", "right-to-left embedding"),
    0x202C: ("PDF", "end of a direction"),
    0x202D: ("LRO", "left-to-right override"),
    0x202E: ("RLO", "right-to-left override"),
    0x2060: ("WJ", "word joiner"),
    0x2066: ("LRI", "left-to-right isolate"),
    0x2067: ("RLI", "right-to-left isolate"),
    0x2068: ("FSI", "first-strong isolate"),
    0x2069: ("PDI", "end of an isolate"),
    0xFEFF: ("BOM", "byte order mark"),
}
_TRAILING_SPACE = "·"
_OPEN, _CLOSE = "⟦", "⟧"

_GLYPHS: dict[int, tuple[str, str]] = {
    **{code: (chr(0x2400 + code), f"control code {name}") for code, name in enumerate(_CONTROLS)},
    **{code: (f"{_OPEN}{short}{_CLOSE}", words) for code, (short, words) in _NAMED.items()},
    0x09: ("→", "tab"),
    0x0A: ("␊", "line feed"),
    0x0D: ("␍", "carriage return"),
    0x7F: ("␡", "delete"),
    0xA0: ("⍽", "no-break space"),
    0x3000: ("□", "ideographic space"),
}

LEGEND: Mapping[str, str] = MappingProxyType(
    {
        **dict(_GLYPHS.values()),
        _TRAILING_SPACE: "space at the end",
        f"{_OPEN}U+": "character shown by its code point",
    }
)
"""Glyph to words, for a legend: every key that occurs in a shown text explains a part of it."""

_SIGNS = frozenset(glyph for glyph, _ in _GLYPHS.values() if len(glyph) == 1) | {_OPEN, _CLOSE}
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Invisible although their category does not say so (Default_Ignorable_Code_Point, and a blank):
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_HIDDEN_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2060, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),
)


def safe_text(value: str) -> str:
    """Give the text on one line with everything invisible or hostile shown as a glyph.

    The result holds no control code, no bidi control, no line break and no lone surrogate, so
    it encodes to UTF-8. Different values give different results.
    """
    if value.isascii() and value.isprintable():
        shown = value
    else:
        shown = "".join(map(_shown, value))
        if unicodedata.category(value[0]).startswith("M"):
            # A leading accent would sit on whatever the page or terminal has before the value.
            shown = _by_code(ord(value[0])) + shown[len(_shown(value[0])) :]
    return _with_visible_end(shown)


def _with_visible_end(shown: str) -> str:
    kept = shown.rstrip(" " + _TRAILING_SPACE)
    if len(kept) == len(shown):
        return shown
    # A dot that was in the data must not be taken for a space.
    tail = shown[len(kept) :].replace(_TRAILING_SPACE, _by_code(ord(_TRAILING_SPACE)))
    return kept + _spaces_shown(tail)


def _spaces_shown(tail: str) -> str:
    kept = tail.rstrip(" ")
    return kept + _TRAILING_SPACE * (len(tail) - len(kept))


def _shown(char: str) -> str:
    code = ord(char)
    if code in _GLYPHS:
        return _GLYPHS[code][0]
    if char == " ":
        return char
    if char in _SIGNS or unicodedata.category(char) in _HIDDEN_CATEGORIES or _is_hidden(code):
        return _by_code(code)
    return char


def _is_hidden(code: int) -> bool:
    return code & 0xFFFE == 0xFFFE or any(low <= code <= high for low, high in _HIDDEN_RANGES)


def _by_code(code: int) -> str:
    return f"{_OPEN}U+{code:04X}{_CLOSE}"
