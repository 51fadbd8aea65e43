"""Which characters of two texts differ, and the part of a long text worth showing.

Works on text that is already safe to show, in clusters (a letter with its accents, an
emoji with its skin tone): a mark never falls between a letter and its accent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Measure = Callable[[str], int]
Sides = tuple["tuple[Piece, ...]", "tuple[Piece, ...]"]

# Longer stretches are marked whole: matching them costs the square of their length.
_MOST_CLUSTERS = 400
# Equal characters in the middle of a change count from this length on; shorter ones are chance.
_SHORTEST_EQUAL = 3
# A sign of `safe_text` (⟦ZWSP⟧), or a character with the accents and skin tone that follow it.
_ACCENTS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u0900-\u0903\u093a-\u094f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_CLUSTER = re.compile(f"(?:⟦[^⟧]*⟧|.)[{_ACCENTS}\U0001f3fb-\U0001f3ff]*", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A stretch of text. A changed piece without text is the place where something is missing."""

    text: str
    changed: bool = False


def clusters(text: str) -> list[str]:
    """Split a text into what a reader takes for single characters."""
    return list(text) if text.isascii() else _CLUSTER.findall(text)


def differing(left: str, right: str) -> Sides:
    """Cut both texts into equal and changed pieces."""
    ours, theirs = clusters(left), clusters(right)
    start = _common(ours, theirs)
    end = _common(ours[start:][::-1], theirs[start:][::-1])
    head = "".join(ours[:start])
    tail = "".join(ours[len(ours) - end :])
    middle = _middle(ours[start : len(ours) - end], theirs[start : len(theirs) - end])
    return _framed(head, middle[0], tail), _framed(head, middle[1], tail)


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def _framed(head: str, middle: Iterable[Piece], tail: str) -> tuple[Piece, ...]:
    pieces = [Piece(head), *middle, Piece(tail)]
    return tuple(piece for piece in pieces if piece.text or piece.changed)


def _middle(left: list[str], right: list[str]) -> Sides:
    whole = ((Piece("".join(left), True),), (Piece("".join(right), True),))
    if not left and not right:
        return (), ()
    if not left or not right or max(len(left), len(right)) > _MOST_CLUSTERS:
        return whole
    from difflib import SequenceMatcher  # noqa: PLC0415 only for two changes in one value

    ours: list[Piece] = []
    theirs: list[Piece] = []
    at_left = at_right = 0
    for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        if 0 < block.size < _SHORTEST_EQUAL:
            continue
        ours.append(Piece("".join(left[at_left : block.a]), True))
        theirs.append(Piece("".join(right[at_right : block.b]), True))
        at_left, at_right = block.a + block.size, block.b + block.size
        equal = "".join(left[block.a : at_left])
        if equal:
            ours.append(Piece(equal))
            theirs.append(Piece(equal))
    return tuple(ours), tuple(theirs)


def window(pieces: Iterable[Piece], width: int, measure: Measure = len) -> tuple[Piece, ...]:
    """Cut pieces to `width` cells around the first change; `…` stands for what is left out."""
    return windows((pieces,), width, measure)[0]


def windows(
    sides: Iterable[Iterable[Piece]], width: int, measure: Measure = len
) -> list[tuple[Piece, ...]]:
    """Cut texts that were compared to `width` cells, all from the same place."""
    every = [_parts(pieces) for pieces in sides]
    before = min(_room_before(parts, width, measure) for parts in every)
    return [_cut(parts, _start(parts, before, measure), width, measure) for parts in every]


def middle_cut(text: str, width: int, measure: Measure = len) -> str:
    """Cut a name to `width` cells in its middle: both ends tell names apart."""
    marks = clusters(text)
    if sum(map(measure, marks)) <= width:
        return text
    head = _joined(_taken(marks, (width - 1) - (width - 1) // 2, measure))
    tail = _joined(_taken(marks[::-1], (width - 1) // 2, measure)[::-1])
    return f"{head[0].text if head else ''}…{tail[0].text if tail else ''}"


def _taken(marks: list[str], width: int, measure: Measure) -> list[tuple[str, bool]]:
    used, taken = 0, list[tuple[str, bool]]()
    for mark in marks:
        used += measure(mark)
        if used > width:
            break
        taken.append((mark, False))
    return taken


def _parts(pieces: Iterable[Piece]) -> list[tuple[str, bool]]:
    return [(mark, piece.changed) for piece in pieces for mark in (clusters(piece.text) or [""])]


def _room_before(parts: list[tuple[str, bool]], width: int, measure: Measure) -> int:
    """Give the cells of context in front of the first change; all of it where the text fits."""
    if sum(measure(mark) for mark, _ in parts) <= width:
        return width
    changed = [index for index, (_, marked) in enumerate(parts) if marked] or [0]
    room = max(width - 2, 1)
    middle = sum(measure(mark) for mark, _ in parts[changed[0] : changed[-1] + 1])
    # A change that does not fit is read from its start, after a little context.
    return min(room // 4, 6) if middle >= room else (room - middle) // 2


def _start(parts: list[tuple[str, bool]], before: int, measure: Measure) -> int:
    start = next((index for index, (_, marked) in enumerate(parts) if marked), 0)
    used = 0
    while start > 0 and used + measure(parts[start - 1][0]) <= before:
        start -= 1
        used += measure(parts[start][0])
    return start


def _cut(
    parts: list[tuple[str, bool]], start: int, width: int, measure: Measure
) -> tuple[Piece, ...]:
    shown: list[tuple[str, bool]] = [("…", False)] if start else []
    room = width - len(shown)
    end, used = start, 0
    whole = sum(measure(mark) for mark, _ in parts[start:])
    limit = room if whole <= room else room - 1
    while end < len(parts) and used + measure(parts[end][0]) <= limit:
        used += measure(parts[end][0])
        end += 1
    shown.extend(parts[start:end])
    if end < len(parts):
        shown.append(("…", False))
    return _joined(shown)


def _joined(parts: Iterable[tuple[str, bool]]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for mark, changed in parts:
        if pieces and pieces[-1].changed == changed:
            pieces[-1] = Piece(pieces[-1].text + mark, changed)
        else:
            pieces.append(Piece(mark, changed))
    return tuple(pieces)
