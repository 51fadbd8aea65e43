"""How figures and values read in an explanation. Values are hostile: none leaves as it came."""

from __future__ import annotations

from weighbridge.compare.explain_frame import Group
from weighbridge.compare.explain_types import family
from weighbridge.compare.result import Kind
from weighbridge.types.safe_text import safe_text

_CAP = 40
_MICROS = (
    ("day", 86_400_000_000),
    ("h", 3_600_000_000),
    ("min", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("µs", 1),
)
_KINDS: dict[Kind, str] = {
    "changed": "changed rows",
    "only_left": "rows only on the left",
    "only_right": "rows only on the right",
}


def safe(text: str) -> str:
    """Show what is invisible or hostile as glyphs, and no more than the first 40 characters."""
    return safe_text(text) if len(text) <= _CAP else safe_text(text[: _CAP - 1]) + "…"


def literal(value: str | None, type_name: str = "VARCHAR") -> str:
    """Write a value as SQL would: text in quotes, NULL and numbers bare."""
    if value is None:
        return "NULL"
    if family(type_name) in {"integer", "decimal", "float", "boolean"}:
        return safe(value)
    return "'" + safe(value).replace("'", "''") + "'"


def name(column: str) -> str:
    """Write a column's name."""
    return safe(column)


def duration(micros: int) -> str:
    """Write a signed length of time, such as `− 5 h 30 min`."""
    rest, parts = abs(micros), list[str]()
    for unit, size in _MICROS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}{'s' if unit == 'day' and count != 1 else ''}")
    return f"{'−' if micros < 0 else '+'} {' '.join(parts)}"


def percent(part: float, whole: float) -> str:
    """Write a share; 100 % and 0 % are said only when they are exact."""
    if part >= whole:
        return "100 %"
    share = 100 * part / whole
    if share >= 99.5:
        return f"{min(share, 99.9):.1f} %" if share < 99.9 else "over 99.9 %"
    if share >= 1:
        return f"{share:.0f} %"
    return f"{share:.1f} %" if share >= 0.1 else "under 0.1 %"


def rows_of(group: Group, columns: tuple[str, ...]) -> str:
    """Name a group of rows."""
    if group.column is None:
        return _KINDS[group.kind]
    return f"rows where {name(columns[group.column])} differs"
