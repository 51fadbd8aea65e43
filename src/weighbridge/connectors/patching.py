"""SQL that puts single rows of a delivered table right, and takes that back, each statement guarded.

A statement changes a row only if it still is what it was when it was looked at. Values are what JSON
holds of them: decimals, moments and uuids as text, bytes as {"base64": …}. Every value stands as a
literal that the column itself reads; text is compared letter by letter, whatever the collation.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from weighbridge.connectors.names import quote
from weighbridge.connectors.sql import literal
from weighbridge.errors import NotComparable

Values = Mapping[str, Any]
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DATE = re.compile(r"\d{4,6}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?")


@dataclass(frozen=True)
class Held:
    """A column of a delivered table and the family of what it holds."""

    name: str
    family: str


@dataclass(frozen=True)
class Patch:
    """What puts one row right, and what takes that back; both change nothing a second time."""

    forward: str
    undo: str


class Pen(Protocol):
    """How a dialect writes a value, and compares a column with it."""

    dialect: str
    before: tuple[str, ...]

    def value(self, column: Held, value: Any) -> str:
        """Write a value. Raises NotComparable for one that the column cannot hold."""
        ...

    def same(self, column: Held, value: Any, *, ours: bool) -> str:
        """Write the condition that a column holds a value; `ours`: as we wrote it, not as it was read."""
        ...


class Table:
    """One delivered table: its parts, its columns, its key."""

    def __init__(
        self, pen: Pen, name: Sequence[str], columns: Sequence[Held], key: Sequence[str]
    ) -> None:
        self.pen = pen
        self._name = ".".join(quote(part, pen.dialect) for part in name)
        self._columns = columns
        self._key = [column for column in columns if column.name in key]

    def inserted(self, new: Values) -> Patch:
        """Add a row that is not there."""
        return Patch(self._insert(new), self._delete(new, ours=True))

    def updated(self, old: Values, new: Values) -> Patch:
        """Change a row from what it was to what it should be."""
        return Patch(self._update(old, new, ours=False), self._update(new, old, ours=True))

    def deleted(self, old: Values) -> Patch:
        """Take a row away."""
        return Patch(self._delete(old, ours=False), self._insert(old))

    def _insert(self, row: Values) -> str:
        names = ", ".join(self._quoted(column) for column in self._columns)
        values = ", ".join(self.pen.value(c, row[c.name]) for c in self._columns)
        there = " AND ".join(self._at(column, row) for column in self._key)
        # Some servers want a FROM before a WHERE.
        one = " FROM DUAL" if self.pen.dialect == "mysql" else ""
        return (
            f"INSERT INTO {self._name} ({names}) SELECT {values}{one}"
            f" WHERE NOT EXISTS (SELECT 1 FROM {self._name} WHERE {there})"
        )

    def _update(self, old: Values, new: Values, *, ours: bool) -> str:
        changes = ", ".join(
            f"{self._quoted(c)} = {self.pen.value(c, new[c.name])}"
            for c in self._columns
            if c not in self._key
        )
        return f"UPDATE {self._name} SET {changes} WHERE {self._guard(old, ours=ours)}"

    def _delete(self, old: Values, *, ours: bool) -> str:
        return f"DELETE FROM {self._name} WHERE {self._guard(old, ours=ours)}"

    def _guard(self, row: Values, *, ours: bool) -> str:
        # The plain condition on the key lets an index serve.
        parts = [self._at(column, row) for column in self._key]
        parts += [self.pen.same(c, row[c.name], ours=ours) for c in self._columns]
        return " AND ".join(parts)

    def _at(self, column: Held, row: Values) -> str:
        return f"{self._quoted(column)} = {self.pen.value(column, row[column.name])}"

    def _quoted(self, column: Held) -> str:
        return quote(column.name, self.pen.dialect)


def pen_of(dialect: str) -> Pen | None:
    """Give what writes a dialect; None where nothing does yet."""
    return {"postgres": _Postgres(), "mysql": _MySQL()}.get(dialect)


def text_of(value: Any) -> str:
    """Write a value as text, as a column of text holds it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return _bytes(value).hex()
    return value if isinstance(value, str) else repr(value)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, dict) or "base64" not in value:
        raise _unfit("bytes")
    return b64decode(value["base64"])


def _unfit(family: str) -> NotComparable:
    return NotComparable(
        f"A value is none that a column of the family {family} can be given.",
        next_step="A full refresh delivers the row as it is.",
    )


def _number(value: Any, family: str) -> str:
    """Write an exact number, as digits."""
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if family == "int" and isinstance(value, str) and _NUMBER.fullmatch(text):
        whole, _, rest = text.partition(".")
        text = whole if not rest.strip("0") else text
    if not re.fullmatch(r"-?\d+" if family == "int" else _NUMBER, text):
        raise _unfit(family)
    return text


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise _unfit("float") from None


def _truth(value: Any) -> bool:
    known: dict[object, bool] = {
        True: True,
        False: False,
        "1": True,
        "0": False,
        "true": True,
        "false": False,
    }
    if isinstance(value, dict) or value not in known:
        raise _unfit("bool")
    return known[value]


class _Postgres:
    """PostgreSQL: a literal without a type is read as its column's."""

    dialect = "postgres"
    before: tuple[str, ...] = ("SET standard_conforming_strings = on", "SET timezone = 'UTC'")

    def value(self, column: Held, value: Any) -> str:
        if value is None:
            return "NULL"
        match column.family:
            case "bool":
                return "'true'" if _truth(value) else "'false'"
            case "int":
                return literal(_number(value, "int"))
            case "decimal":
                return "'NaN'" if value == "NaN" else literal(_number(value, "decimal"))
            case "float":
                return literal(repr(_float(value)))
            case "bytes":
                return literal(f"\\x{_bytes(value).hex()}")
            case "date" | "timestamp" | "timestamptz":
                return literal(self._moment(str(value), column.family))
            case _:
                text = text_of(value)
                if "\0" in text:
                    raise _unfit("text")
                return literal(text)

    def _moment(self, text: str, family: str) -> str:
        if text in {"infinity", "-infinity"}:
            return text
        bare = text.removesuffix(" (BC)")
        if not _DATE.fullmatch(bare) or bare.startswith("0000"):
            raise _unfit(family)
        # A column without a zone does not look at it.
        zone = "+00" if len(bare) > 10 and family != "date" else ""
        return bare + zone + (" BC" if bare != text else "")

    def same(self, column: Held, value: Any, *, ours: bool) -> str:
        name, said = quote(column.name, "postgres"), self.value(column, value)
        if value is None:
            return f"{name} IS NULL"
        if column.family == "json":
            # json has no equality. What was read is its text; what we write may be kept otherwise.
            return f"{name}::jsonb = {said}::jsonb" if ours else f"{name}::text = {said}"
        if column.family == "text":
            return f'{name} = {said} COLLATE "C"'
        return f"{name} = {said}"


class _MySQL:
    """MySQL and MariaDB: text in hexadecimal, so that no backslash and no collation has a say."""

    dialect = "mysql"
    before: tuple[str, ...] = (
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
        "SET SESSION time_zone = '+00:00'",
    )

    def value(self, column: Held, value: Any) -> str:
        if value is None:
            return "NULL"
        match column.family:
            case "bool":
                return "1" if _truth(value) else "0"
            case "int":
                return _number(value, "int")
            case "float":
                return self._float(_float(value))
            case "bytes":
                return f"X'{_bytes(value).hex()}'"
            case "date":
                return f"CAST('{self._moment(str(value), 10)}' AS DATE)"
            case "timestamp" | "timestamptz":
                return f"CAST('{self._moment(str(value), 26)}' AS DATETIME(6))"
            case "decimal" if value != "NaN":
                return f"'{_number(value, 'decimal')}'"
            case _:
                return f"CONVERT(X'{text_of(value).encode().hex()}' USING utf8mb4)"

    def _float(self, value: float) -> str:
        if not math.isfinite(value):
            raise _unfit("float")
        text = repr(value)
        return text if "e" in text else f"{text}e0"

    def _moment(self, text: str, length: int) -> str:
        if not _DATE.fullmatch(text) or text.startswith("0000") or text[4] != "-":
            raise _unfit("timestamp")
        return text[:length]

    def same(self, column: Held, value: Any, *, ours: bool) -> str:
        name = quote(column.name, "mysql")
        if value is None:
            return f"{name} IS NULL"
        exact = column.family in {
            "bool",
            "int",
            "float",
            "bytes",
            "date",
            "timestamp",
            "timestamptz",
        }
        if exact:
            return f"{name} <=> {self.value(column, value)}"
        if column.family == "decimal" and ours and value != "NaN":
            # The column shows it with its own number of digits.
            written = "AS DECIMAL(65,30))"
            said = f"CAST({self.value(column, value)} {written}"
            return f"CAST({name} {written} <=> {said}"
        return f"HEX(CONVERT({name} USING utf8mb4)) <=> '{text_of(value).encode().hex().upper()}'"
