"""What the matrix asks of a vendor: make a table in a place, and say how to name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# (name, declared type) of each column; rows of literals, None for NULL.
Columns = Sequence[tuple[str, str]]
Rows = Sequence[Sequence[str | None]]

MINUS_ZERO = (
    "-0.0 equals 0.0, as the rule says, but rows that lean on it are not counted: every server's"
    " own hash and comparison folds them, and to look at each sign costs every float"
)


@dataclass(frozen=True)
class Vendor:
    """`make(place, table, columns, rows)` gives the side; a place is a URL or a folder.

    `gaps` are the cases that cannot be right here yet, each with its reason: strict marks.
    `strategies`: those that two tables of this vendor can be compared by.
    """

    name: str
    make: Callable[[str, str, Columns, Rows], str]
    strategies: tuple[str, ...]
    gaps: Mapping[str, str]


def values_of(rows: Rows) -> str:
    """Write rows as the list of VALUES."""
    return ", ".join(f"({', '.join('NULL' if v is None else v for v in row)})" for row in rows)


def quoted(columns: Columns, mark: str) -> str:
    """Write the columns of a CREATE TABLE."""
    return ", ".join(f"{mark}{name.replace(mark, mark * 2)}{mark} {kind}" for name, kind in columns)
