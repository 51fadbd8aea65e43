"""How a name is written in each dialect, and how a user writes the name of a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighbridge.errors import BadArgument
from weighbridge.types.safe_text import safe_text


def _in_bytes(name: str) -> int:
    return len(name.encode())


@dataclass(frozen=True)
class Style:
    """How a dialect quotes, and the longest name it keeps: the rest would be cut in silence."""

    mark: str
    limit: int | None = None
    unit: str = "characters"
    length: Callable[[str], int] = len
    # MySQL and MariaDB keep names in three-byte UTF-8: https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    beyond_bmp: bool = True


STYLES = {
    "postgres": Style('"', 63, "bytes", _in_bytes),
    "mysql": Style("`", 64, beyond_bmp=False),
    "duckdb": Style('"'),
    "sqlite": Style('"'),
}

_CLOSING = {'"': '"', "`": "`"}
# What may stand in a name without quotes; wider than SQL, because every name is quoted later.
_BARE = re.compile(r"[^\s.\"'`;,()\[\]/*\\\x00-\x1f\x7f-\x9f]+")


def style_of(dialect: str) -> Style:
    """Give a dialect's style. Raises BadArgument for one that has none."""
    style = STYLES.get(dialect)
    if style is None:
        raise BadArgument(
            f"The SQL dialect {dialect!r} is not known.",
            next_step=f"Use one of: {', '.join(STYLES)}.",
        )
    return style


def quote(identifier: str, dialect: str) -> str:
    """Quote one name for a dialect; the only function that does.

    Raises BadArgument for a name that the dialect cannot hold: empty, with NUL or a lone
    surrogate, over the limit (63 bytes in PostgreSQL, 64 characters in MySQL and MariaDB).
    """
    style = style_of(dialect)
    _refuse_impossible(identifier, dialect, style)
    return style.mark + identifier.replace(style.mark, style.mark * 2) + style.mark


def _refuse_impossible(identifier: str, dialect: str, style: Style) -> None:
    if not identifier:
        raise BadArgument(
            f"An empty name cannot be used in {dialect}.",
            next_step="Give the name of a column or table.",
        )
    bad = next((c for c in identifier if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if bad is None and not style.beyond_bmp:
        bad = next((c for c in identifier if ord(c) > 0xFFFF), None)
    if bad is not None:
        raise BadArgument(
            f"The name {_shown(identifier)} holds U+{ord(bad):04X}, which no name in {dialect} can hold.",
            next_step="Rename it, or select it under another name in a query.",
        )
    if style.limit is not None and style.length(identifier) > style.limit:
        raise BadArgument(
            f"The name {_shown(identifier)} has {style.length(identifier)} {style.unit};"
            f" {dialect} keeps {style.limit} and would cut the rest.",
            next_step="Give it a shorter name, or select it under one in a query.",
        )


# What every table has beside its own columns.
_TAKEN = {"postgres": {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}}


def fitting(names: Sequence[tuple[str, str, str]], dialect: str) -> list[str]:
    """Make names of (before, name, after) that one table of a dialect can have, none twice.

    What is too long is cut within `name`; a name that is taken, also in other letters, is numbered.
    """
    style, taken, given = style_of(dialect), set(_TAKEN.get(dialect, ())), list[str]()
    for before, name, after in names:
        kept = "".join(c if style.beyond_bmp or ord(c) <= 0xFFFF else "_" for c in name)
        number = 1
        while True:
            tail = after if number == 1 else f"{after}_{number}"
            room = (style.limit or 10**6) - style.length(before + tail)
            while style.length(kept) > room:
                kept = kept[:-1]
            fitted = before + kept + tail
            fitted = fitted[:-1] + "_" if fitted.endswith(" ") else fitted
            if fitted.casefold() not in taken:
                break
            number += 1
        taken.add(fitted.casefold())
        given.append(fitted)
    return given


def table_name(text: str) -> tuple[str, ...]:
    """Take `table`, `schema.table` or `db.schema.table` apart, any part in "…" or `…`.

    Gives one to three parts, spelled as written: letters are not folded to one case. Raises
    BadArgument for what is not a name.
    """
    parts: list[str] = []
    at = 0
    while True:
        part, at = _name_part(text, at)
        parts.append(part)
        if at == len(text):
            break
        if text[at] != ".":
            raise _not_a_name(text, f"{_shown(text[at])} after {_shown(part)}")
        at += 1
    if len(parts) > 3:
        raise _not_a_name(text, f"{len(parts)} parts")
    return tuple(parts)


def _name_part(text: str, at: int) -> tuple[str, int]:
    mark = text[at : at + 1]
    if mark not in _CLOSING:
        found = _BARE.match(text, at)
        if found is None:
            raise _not_a_name(text, _shown(mark) if mark else "an empty part")
        return found.group(), found.end()
    end = at + 1
    while True:
        end = text.find(mark, end)
        if end < 0:
            raise _not_a_name(text, f"a {mark} that is not closed")
        if text[end + 1 : end + 2] != mark:
            break
        end += 2
    part = text[at + 1 : end].replace(mark * 2, mark)
    if not part or "\0" in part:
        raise _not_a_name(text, "an empty part" if not part else "NUL")
    return part, end + 1


def _shown(text: str) -> str:
    short = text if len(text) <= 80 else text[:79] + "…"
    return f"'{safe_text(short)}'"


def _not_a_name(text: str, found: str) -> BadArgument:
    return BadArgument(
        f"{_shown(text)} is not the name of a table: found {found}.",
        next_step='Write table, schema.table or "My Schema"."Tab.le", with unusual parts in quotes.',
    )
