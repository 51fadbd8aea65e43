"""The report as a comment on a change: the verdict first, the rest folded, at most 60 lines.

Cell data is escaped for GitHub's Markdown: it can start no table cell, code, link, mention,
issue reference or HTML. Values stand in `<code>`, where only the escaped forms are left.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from weighbridge.compare.result import Report, RowDiff
from weighbridge.report import words
from weighbridge.report.chars import Piece, window, windows
from weighbridge.report.shown import shown_fields, shown_key, shown_pair, value_of
from weighbridge.types.safe_text import safe_text

# Everything that Markdown, its extensions or HTML could read as more than text becomes its
# number: a link needs a colon or a dot, a list, a table and code need a sign.
_ACTIVE = re.compile(r"[!-$&'*-+\-./:<-@\[-`{-~)]")
# GitHub looks for mentions and issues in the finished page, but not within code; a
# zero-width space ends them (https://github.com/dependabot/dependabot-core does the same).
_CALLS = re.compile("&#(64|35);")
_COLUMNS, _ROWS, _REASONS, _FEW, _VALUE = 7, 7, 4, 3, 60


def markdown(report: Report, *, title: str | None = None) -> str:
    """Give the comment as text."""
    head = words.headline(report)
    sides = [code(words.side_words(side)) for side in (report.left, report.right)]
    lines = [
        f"### {head.symbol} {text(safe_text(title) if title else 'weighbridge diff')}: {head.title}",
        "",
        f"**{text(_capital(head.sentence))}**",
        "",
        f"left {sides[0]}, right {sides[1]}, key {code(words.key_words(report.key))}",
    ]
    why = [words.explanation_words(item) for item in report.explanations]
    lines += _list([*why, *(f"Look out: {safe_text(line)}" for line in report.warnings)], _REASONS)
    lines += _folded("Schema", _list(words.schema_lines(report), _FEW))
    lines += _folded("Columns that differ", _columns(report))
    lines += _folded("Rows that differ", _rows(report))
    lines += _folded("Not compared", _list(_left_out(report), _FEW))
    return "\n".join([*lines, "", _foot(report), ""])


def text(value: str) -> str:
    """Escape text, so that Markdown, GitHub and HTML see letters only."""
    return _CALLS.sub(r"&#\1;&#8203;", _escaped(value.strip()))


def _escaped(value: str) -> str:
    return _ACTIVE.sub(lambda match: f"&#{ord(match.group())};", value)


def code(value: str, width: int = 160) -> str:
    """Escape text and set it as code. Backticks would not do: a `|` ends a table cell even there."""
    return f"<code>{_escaped(_plain(window([Piece(value)], width)))}</code>"


def _plain(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _list(lines: Iterable[str], most: int) -> list[str]:
    every = list(lines)
    more = len(every) - most
    shown = [f"- {text(_plain(window([Piece(line)], 240)))}" for line in every[:most]]
    return ["", *shown, *([f"- and {more:,} more"] if more > 0 else [])] if every else []


def _folded(title: str, body: list[str]) -> list[str]:
    if not body:
        return []
    return ["", f"<details><summary>{title}</summary>", *body, "</details>"]


def _columns(report: Report) -> list[str]:
    differing = [column for column in words.by_difference(report.columns) if column.differences]
    if not differing:
        return []
    lines = ["", "| column | match | differ | rule |", "|---|---:|---:|---|"]
    for column in differing[:_COLUMNS]:
        match = text(words.percent(column.match, column.differences))
        cells = (code(words.column_name(column), 60), match, words.number(column.differences))
        lines.append(f"| {' | '.join(cells)} | {text(words.rule_words(column)[:160])} |")
    more = len(differing) - _COLUMNS
    return [*lines, *([f"| and {more:,} more | | | |"] if more > 0 else []), ""]


def _rows(report: Report) -> list[str]:
    if not report.sample:
        return []
    lines = ["", "| row | column | left | right |", "|---|---|---|---|"]
    shown = 0
    for row in report.sample:
        added = list(_row(row))
        if len(lines) - 3 + len(added) > _ROWS and shown:
            break
        lines += added[:_ROWS]
        shown += 1
    return [*lines, "", words.shown_of(report, shown)]


def _row(row: RowDiff) -> Iterable[str]:
    name = f"{words.KIND_SYMBOL[row.kind]} {code(shown_key(row.key) or '(no key)', _VALUE)}"
    if row.kind != "changed":
        fields = code("  ".join(f"{column}={value}" for column, value in shown_fields(row)), _VALUE)
        sides = (fields, "") if row.kind == "only_left" else ("", fields)
        yield f"| {name} | {words.KIND_WORDS[row.kind]} | {' | '.join(sides)} |"
        return
    for column in row.changed:
        pair = shown_pair(value_of(row.left, column), value_of(row.right, column))
        cut = windows([side.pieces for side in pair], _VALUE)
        cells = [
            _marked(pieces) + (f" ({text(side.note)})" if side.note else "")
            for side, pieces in zip(pair, cut, strict=True)
        ]
        yield f"| {name} | {code(safe_text(column), _VALUE)} | {' | '.join(cells)} |"
        name = ""


def _marked(pieces: Iterable[Piece]) -> str:
    body = "".join(
        f"<b>{_escaped(piece.text)}</b>" if piece.changed and piece.text else _escaped(piece.text)
        for piece in pieces
    )
    return f"<code>{body}</code>"


def _left_out(report: Report) -> list[str]:
    return [f"{name}: {reason}" for name, reason in map(words.left_out_words, report.not_compared)]


def _foot(report: Report) -> str:
    left, right = (side.level.replace("_", " ") for side in report.consistency)
    read = left if left == right else f"{left} left, {right} right"
    cost = words.duration(report.stats.seconds)
    return f"<sub>by {report.plan.strategy}, read as {read}, in {cost}; weighbridge</sub>"
