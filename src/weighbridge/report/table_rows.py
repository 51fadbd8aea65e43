"""Row diffs on a terminal: one head line each, then the columns that differ, left over right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from weighbridge.compare.result import RowDiff
from weighbridge.report.chars import Piece, clusters, middle_cut, window, windows
from weighbridge.report.shown import Shown, shown_fields, shown_key, shown_pair, value_of
from weighbridge.report.words import KIND_SYMBOL, KIND_WORDS
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_STYLE = {"−": "dark_orange", "+": "deep_sky_blue1", "≠": "bold"}
_DIM = "bright_black"
_MOST_COLUMNS = 12
_INDENT = 4


def row_lines(rows: Iterable[RowDiff], console: Console) -> list[RenderableType]:
    """Draw row diffs for a console: marks are underlined there, or have carets below."""
    width = max(console.width - _INDENT, 16)
    carets = console.color_system is None or console.no_color
    lines: list[RenderableType] = []
    for row in rows:
        lines.extend(
            _changed(row, width, carets) if row.kind == "changed" else [_one_sided(row, width)]
        )
    return lines


def _head(row: RowDiff, width: int) -> Text:
    symbol = KIND_SYMBOL[row.kind]
    label = KIND_WORDS[row.kind]
    text = Text(f"{symbol} ", style=_STYLE[symbol], no_wrap=True)
    key = shown_key(row.key) if row.key else "(no key)"
    text.append(_fitted(key, width - len(label) - 4), style="bold")
    return text.append(f"  {label}", style=_DIM)


def _fitted(text: str, width: int) -> str:
    return _plain(window([Piece(text)], max(width, 8), cell_len))


def _plain(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _one_sided(row: RowDiff, width: int) -> Text:
    text = _head(row, width)
    fields = "  ".join(f"{name}={value}" for name, value in shown_fields(row))
    room = width - text.cell_len - 2
    if fields and room >= 20:
        text.append(f"  {_fitted(fields, room)}", style="default")
    elif fields:
        text.append(f"\n    {_fitted(fields, width - 4)}", style="default")
    return text


def _changed(row: RowDiff, width: int, carets: bool) -> list[RenderableType]:
    lines: list[RenderableType] = [_head(row, width)]
    names = [safe_text(name) for name in row.changed[:_MOST_COLUMNS]]
    label = min(max((cell_len(name) for name in names), default=0), max(width // 4, 8))
    for column, name in zip(row.changed, names, strict=False):
        pair = shown_pair(value_of(row.left, column), value_of(row.right, column))
        lines.extend(_pair_lines(_cell(name, label), pair, width, carets))
    more = len(row.changed) - len(names)
    if more > 0:
        lines.append(Text(f"  and {more:,} more columns", style=_DIM))
    return lines


def _cell(text: str, width: int) -> str:
    return set_cell_size(middle_cut(text, width, cell_len), width)


def _pair_lines(
    name: str, pair: tuple[Shown, Shown], width: int, carets: bool
) -> Iterable[RenderableType]:
    notes = [f"  ({side.note})" if side.note else "" for side in pair]
    room = width - cell_len(name) - 6 - max(map(cell_len, notes))
    cut = windows([side.pieces for side in pair], max(room, 8), cell_len)
    heads = (name, " " * cell_len(name))
    for sign, head, side, pieces, note in zip("−+", heads, pair, cut, notes, strict=True):
        line = Text(f"  {head}  ", no_wrap=True, overflow="ellipsis")
        line.append(f"{sign} ", style=_STYLE[sign])
        start = line.cell_len
        for piece in pieces:
            line.append(piece.text, style=_marked(sign, side) if piece.changed else "default")
        yield line.append(note, style=_DIM)
        below = _carets(pieces, start) if carets else None
        if below:
            yield below


def _marked(sign: str, side: Shown) -> str:
    return f"italic {_STYLE[sign]}" if side.null else f"bold underline {_STYLE[sign]}"


def _carets(pieces: tuple[Piece, ...], start: int) -> Text | None:
    """Point at the changed characters, unless the whole value changed or nothing is there."""
    if all(piece.changed for piece in pieces) or not any(
        piece.changed and piece.text for piece in pieces
    ):
        return None
    marks = "".join(
        ("^" if piece.changed else " ") * sum(map(cell_len, clusters(piece.text)))
        for piece in pieces
    )
    return Text(" " * start + marks.rstrip(), style=_DIM, no_wrap=True)
