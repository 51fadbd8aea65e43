"""The key of a row as one text: a single column's value as it is, several as a JSON array."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from uuid import UUID

from weighbridge.errors import BadArgument, NotComparable

if TYPE_CHECKING:
    from weighbridge.types.columns import Column

# The families whose values a server finds again by their text.
_FINDABLE = {
    "int", "uuid", "decimal", "float", "bool", "date", "timestamp", "timestamptz", "text",
}  # fmt: skip


def key_of(text: str, width: int) -> tuple[str, ...]:
    """Take a key of `width` columns apart. Raises BadArgument."""
    if width == 1:
        return (text,)
    try:
        parts = json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or len(parts) != width or not all(map(_plain, parts)):
        raise BadArgument(
            f"sample_primary_key_ids: expected a JSON array of {width} values as one text.",
            next_step='Write a key of several columns as "[\\"a\\", 1]".',
        )
    return tuple(part if isinstance(part, str) else json.dumps(part) for part in parts)


def _plain(part: object) -> bool:
    return isinstance(part, (str, bool))


def as_values(
    keys: Iterable[tuple[str, ...]], columns: tuple[Column, ...]
) -> list[tuple[str, ...]]:
    """Keep the keys that the columns can hold, in the form in which servers write them.

    One that is no value of its column is no row's: it is left out, so that no server refuses all.
    Raises NotComparable for columns by whose text no row is found.
    """
    for column in columns:
        if column.type.family not in _FINDABLE:
            raise NotComparable(
                f"The key column {column.name} is {column.type.declared}: single rows cannot be"
                " asked for by it.",
                next_step="Ask for a window, or for all rows.",
            )
    found: list[tuple[str, ...]] = []
    for key in keys:
        parts = [_value(text, c) for text, c in zip(key, columns, strict=True)]
        whole = tuple(part for part in parts if part is not None)
        if len(whole) == len(columns):
            found.append(whole)
    return list(dict.fromkeys(found))


def _value(text: str, column: Column) -> str | None:
    """Give a value's text as its server reads it, None for what is none."""
    if "\0" in text:
        return None
    with suppress(ValueError, KeyError, OverflowError, InvalidOperation):
        text.encode()  # a lone surrogate is nobody's
        match column.type.family:
            case "int":
                number = int(text)
                return str(number) if -(2**63) <= number < 2**64 and text.isascii() else None
            case "uuid":
                return str(UUID(text))
            case "decimal":
                number = Decimal(text)
                return (
                    f"{number:f}" if number.is_finite() and abs(number.adjusted()) < 200 else None
                )
            case "float":
                return repr(float(text))
            case "bool":
                return {"true": "1", "1": "1", "false": "0", "0": "0"}[text.lower()]
            case "date":
                return date.fromisoformat(text[:10]).isoformat()
            case "timestamp" | "timestamptz":
                moment = datetime.fromisoformat(text)
                # Sessions stand at UTC; not every server reads an offset.
                if moment.tzinfo is not None:
                    moment = moment.astimezone(UTC).replace(tzinfo=None)
                return moment.isoformat(sep=" ")
            case _:
                return text
    return None
