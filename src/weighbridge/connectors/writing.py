"""What is asked of a place that tables are written into.

A table is made under a draft's name, filled, and published: whole, in one step, under its own name.
Each carries a mark in its comment: whose it is, and of which attempt. Only what carries the own mark
is ever dropped, and an attempt does not touch what a later one made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from weighbridge.errors import QueryFailed

if TYPE_CHECKING:
    from weighbridge.types.columns import ColumnType

_MARK = re.compile(r"(?s)(.*); attempt (\d+)")


@dataclass(frozen=True)
class Mark:
    """Whose a table is (`owner` is never used again) and which attempt at it made it."""

    owner: str
    attempt: int

    @property
    def comment(self) -> str:
        """Write the mark as a table's comment."""
        return f"{self.owner}; attempt {self.attempt}"

    @classmethod
    def read(cls, comment: str | None) -> Mark | None:
        """Read a comment; None if it is no mark."""
        found = _MARK.fullmatch(comment or "")
        return cls(found[1], int(found[2])) if found else None


@dataclass(frozen=True)
class Holding:
    """How a table holds a kind of value, which comes as canonical text `{t}`.

    `declared`: the type of its column. `fits`: DuckDB SQL over `{t}`, whether the type can hold it.
    `text`: DuckDB SQL over `{t}` for the text that the server reads.
    """

    declared: str
    fits: str = "true"
    text: str = "{t}"
    binary: bool = False


class Writer(Protocol):
    """A connection that makes tables in one schema. Not shared between threads, except `cancel`."""

    @property
    def dialect(self) -> str: ...
    @property
    def plain(self) -> Holding:
        """Give what holds any value, as text."""
        ...

    def holding(self, kind: ColumnType) -> Holding:
        """Say how a kind of value is held."""
        ...

    def row(self, cells: Sequence[tuple[Holding, str]]) -> str:
        """Write the DuckDB SQL that makes one row, as `add` takes it, of texts; null stays null."""
        ...

    def tables(self, prefix: str) -> Mapping[str, Mark | None]:
        """List the tables whose name begins so, with their marks. Raises if there is no schema."""
        ...

    def create(self, name: str, columns: Sequence[tuple[str, str]], mark: Mark) -> None:
        """Make a draft of (name, declared type) columns."""
        ...

    def add(self, name: str, rows: Sequence[str]) -> None:
        """Add rows to a draft, each written by `row`."""
        ...

    def publish(self, names: Mapping[str, str], mark: Mark) -> None:
        """Give drafts their own names, all in one step. Raises if a later attempt was there."""
        ...

    def copy(self, table: Sequence[str], name: str, mark: Mark) -> bool:
        """Copy what a view gives into a new table; False, and nothing done, if it is no view."""
        ...

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables; one that is gone is no fault."""
        ...

    def cancel(self) -> None:
        """End what is running, from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go of the connection; a draft that is not committed goes with it."""
        ...


def replaceable(
    there: Mapping[str, Mark | None], names: Mapping[str, str], mark: Mark
) -> list[str]:
    """List the tables that publishing replaces. Raises for what is not ours, or is newer."""
    replaced: list[str] = []
    for final in names.values():
        if final not in there:
            continue
        found = there[final]
        if found is None or found.owner != mark.owner:
            raise QueryFailed(
                f"There is a table {final} already, which was not made for this diff.",
                next_step="Rename it or drop it, then ask for the diff again.",
            )
        if found.attempt > mark.attempt:
            raise QueryFailed(
                f"A later attempt has written {final} already; this one came too late.",
                next_step="Nothing is to be done: the later one counts.",
            )
        replaced.append(final)
    return replaced
