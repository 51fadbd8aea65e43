"""What a column and a table are, whatever the vendor calls them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

# DuckDB SQL of the moment at which a date that is none (0000-00-00) stands: at the far end of the
# calendar, where no server's own dates reach. Which invalid date it was lies in the 14,000 years
# after it: ((year * 16 + month) * 32 + day) days of 24 hours, and the time of day.
NO_DATE = "TIMESTAMP '220000-01-01 (BC) 00:00:00'"

Family = Literal[
    "bool",
    "int",
    "decimal",
    "float",
    "text",
    "bytes",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "json",
    "array",
    "xml",
    "inet",
    "bit",
    "geometry",
    "unreadable",
    "other",
]


@dataclass(frozen=True)
class ColumnType:
    """A type as its vendor declares it, and the family it is compared in.

    `bits`: width of an int or float, or of a bit string. `precision` and `scale`: digits of a
    decimal; for times, `scale` is the number of fractional digits. `padded`: trailing spaces
    are padding, not data. `caseless`: its own server calls 'a' and 'A' equal (citext). `loose`: the
    column is text that was never declared (CSV). `money`: an amount whose currency is not in it.
    """

    family: Family
    declared: str
    bits: int | None = None
    precision: int | None = None
    scale: int | None = None
    unsigned: bool = False
    padded: bool = False
    loose: bool = False
    caseless: bool = False
    money: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a relation; `ordinal` counts from 0."""

    name: str
    type: ColumnType
    nullable: bool = True
    ordinal: int = 0


@dataclass(frozen=True)
class Shape:
    """A relation's columns in order, and the keys that its server enforces.

    `unique` lists the column sets of unique indexes over columns that are never null.
    """

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> Column | None:
        """Find a column by its exact name."""
        return next((c for c in self.columns if c.name == name), None)

    def enforces(self, key: tuple[str, ...]) -> bool:
        """Tell whether the server itself keeps `key` unique and not null."""
        wanted = set(key)
        held = [k for k in (self.primary_key, *self.unique) if k]
        return any(set(k) <= wanted for k in held) and not any(
            c.nullable for c in self.columns if c.name in wanted
        )

    def likely_keys(self, among: Container[str]) -> list[str]:
        """Name up to four columns that may well name a row, the likeliest first: not looked at."""
        kinds = {"int", "text", "uuid", "decimal"}
        names = [c.name for c in self.columns if c.name in among and c.type.family in kinds]
        telling = [n for n in names if n.lower() in {"id", "uuid", "guid", "key", "pk", "code"}]
        telling += [n for n in names if n.lower().endswith(("_id", "id", "_key", "_uuid"))]
        return list(dict.fromkeys([*telling, *names[:1]]))[:4]
