"""A value as a person sees it: one safe line, in which NULL, '' and 'NULL' are three things."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unicodedata import normalize

from weighbridge.compare.result import RowDiff
from weighbridge.report.chars import Piece, differing
from weighbridge.types.safe_text import safe_text

# Text that a reader could take for something else is quoted.
_AMBIGUOUS = {"null", "none", "nil", "nan", "true", "false", "<null>", "\\n", "n/a"}
# What is kept of a long value: so much around its differences, and so much in all.
_AROUND, _MOST = 120, 600


@dataclass(frozen=True)
class Shown:
    """One value: its pieces, whether it is a NULL, and what cannot be seen in the pieces."""

    pieces: tuple[Piece, ...]
    null: bool = False
    note: str | None = None

    @property
    def text(self) -> str:
        """Give the value without marks."""
        return "".join(piece.text for piece in self.pieces)


def shown(value: Any, *, quoted: bool = False) -> str:
    """Write a value as one safe line. Text is quoted where it could be taken for something else."""
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return safe_text(_written(value))
    return f"'{safe_text(value)}'" if quoted or _is_odd(value) else safe_text(value)


def _is_odd(text: str) -> bool:
    return not text or text != text.strip() or text[0] in "'\"" or text.casefold() in _AMBIGUOUS


def _quotes(left: Any, right: Any) -> bool:
    """Tell whether a pair's texts need quotes: one is odd, or only one of the two is text."""
    texts = [value for value in (left, right) if isinstance(value, str)]
    values = [value for value in (left, right) if value is not None]
    return len(texts) < len(values) or any(_is_odd(text) for text in texts)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, default=_written, ensure_ascii=False)
    return str(value)


def shown_pair(left: Any, right: Any) -> tuple[Shown, Shown]:
    """Write two values that differ, with the differing characters marked."""
    ours, theirs = _near_the_change(left, right)
    quoted = _quotes(ours, theirs)
    texts = shown(ours, quoted=quoted), shown(theirs, quoted=quoted)
    if left is None or right is None:
        # Letters that NULL shares with a text mean nothing: both are marked whole.
        marked = (Piece(texts[0], True),), (Piece(texts[1], True),)
    else:
        marked = differing(*texts)
    notes = _unseen(ours, theirs, texts, marked)
    return (
        Shown(marked[0], left is None, notes[0]),
        Shown(marked[1], right is None, notes[1]),
    )


def _near_the_change(left: Any, right: Any) -> tuple[Any, Any]:
    """Cut long texts to the stretch around their first difference, so that a page stays small."""
    if not (isinstance(left, str) and isinstance(right, str)):
        return _shortened(left), _shortened(right)
    if max(len(left), len(right)) <= _MOST:
        return left, right
    shorter = min(len(left), len(right))
    same = _common(left, right, shorter)
    tail = _common(left[::-1], right[::-1], shorter - same)
    return _cut(left, same, tail), _cut(right, same, tail)


def _common(left: str, right: str, most: int) -> int:
    pairs = zip(left[:most], right[:most], strict=True)
    return next((at for at, (ours, theirs) in enumerate(pairs) if ours != theirs), most)


def _cut(text: str, same: int, tail: int) -> str:
    start = max(same - _AROUND, 0)
    stop = min(len(text) - tail + _AROUND, start + _MOST)
    return ("…" if start else "") + text[start:stop] + ("…" if stop < len(text) else "")


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MOST:
        return value[:_MOST] + "…"
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value) > _MOST // 2:
        return f"\\x{bytes(value[: _MOST // 2]).hex()}… ({len(value):,} bytes)"
    return value


def _unseen(
    left: Any, right: Any, texts: tuple[str, str], marked: tuple[tuple[Piece, ...], ...]
) -> tuple[str | None, str | None]:
    """Name what the eye cannot tell apart: the type, or the code points of look-alikes."""
    if left is None or right is None:
        return None, None
    if texts[0] == texts[1]:
        if type(left) is not type(right):
            return type(left).__name__, type(right).__name__
        return _points(str(left)), _points(str(right))
    parts = ["".join(piece.text for piece in side if piece.changed) for side in marked]
    alike = normalize("NFKC", parts[0]) == normalize("NFKC", parts[1])
    mixed = all(parts) and parts[0].isascii() != parts[1].isascii()
    if max(map(len, parts)) <= 4 and (alike or mixed) and _letters(parts):
        return _points(parts[0]), _points(parts[1])
    return None, None


def _letters(parts: list[str]) -> bool:
    return all(
        part and all(char.isalpha() or not char.isascii() for char in part) for part in parts
    )


def _points(text: str) -> str:
    return " ".join(f"U+{ord(char):04X}" for char in text[:8]) + (" …" if len(text) > 8 else "")


def shown_key(key: Mapping[str, Any]) -> str:
    """Write a row's key as `name=value name=value`."""
    return "  ".join(f"{safe_text(name)}={shown(_shortened(value))}" for name, value in key.items())


def shown_fields(row: RowDiff) -> list[tuple[str, str]]:
    """Give the columns of a row that is on one side only, without those of its key."""
    values = (row.left if row.kind == "only_left" else row.right) or {}
    return [
        (safe_text(name), shown(_shortened(value)))
        for name, value in values.items()
        if name not in row.key
    ]


def value_of(values: Mapping[str, Any] | None, column: str) -> Any:
    """Look a column's value up; a side without the row has none."""
    return None if values is None else values.get(column)
