"""The differing rows of a finished diff, as they were written down: counted, by page, or all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from weighbridge.errors import BadArgument, NotNow, StoreFailed
from weighbridge.store.tables import datadiff_rows, datadiffs

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.datadiffs.store import Diff

Kind = Literal["changed", "only_left", "only_right"]
# Rows held at once while all are given.
BATCH = 1_000

Sees = Callable[[], AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Wanted:
    """Which rows: of one kind, or those in which one column changed. None: all."""

    kind: Kind | None = None
    column: str | None = None

    @property
    def everything(self) -> bool:
        """Tell whether no row is left out."""
        return self.kind is None and self.column is None


def check_readable(diff: Diff, wanted: Wanted) -> None:
    """Refuse to read rows that are not there. Raises NotNow, and BadArgument for the column."""
    if diff.status != "done" or diff.report is None:
        raise NotNow(
            f"The diff {diff.id} has no rows: it is {diff.status}.",
            next_step="Wait until its status is done."
            if diff.status in {"waiting", "processing"}
            else "Ask for the diff again.",
        )
    if diff.purged:
        raise NotNow(
            f"The rows of the diff {diff.id} were purged.",
            next_step="Its summary is still there; for the rows, ask for the diff again.",
        )
    names = value_names(diff)
    if wanted.column is not None and wanted.column not in names:
        raise BadArgument(
            "The column that is asked for was not compared.",
            next_step=f"Choose one of {', '.join(names[:50])}." if names else "Leave it out.",
        )


def key_names(diff: Diff) -> list[str]:
    """Give the columns of the key."""
    return list((diff.report or {})["key"]["left"])


def value_names(diff: Diff) -> list[str]:
    """Give the compared columns without those of the key."""
    keys = key_names(diff)
    return [c["name"] for c in (diff.report or {})["columns"] if c["name"] not in keys]


def count(connection: Connection, diff: Diff, wanted: Wanted) -> int:
    """Count the rows that are wanted."""
    return connection.execute(
        select(func.count()).select_from(datadiff_rows).where(*_conditions(diff, wanted))
    ).scalar_one()


def page(
    connection: Connection,
    diff: Diff,
    wanted: Wanted,
    *,
    after: int = 0,
    offset: int = 0,
    limit: int,
) -> list[Row[Any]]:
    """Give rows in their order: those after the n-th, without the first `offset` of them."""
    if wanted.everything:
        # Rows are numbered from 1 without a gap: a page is a range of the primary key.
        after, offset = after + offset, 0
    return list(
        connection.execute(
            select(datadiff_rows)
            .where(*_conditions(diff, wanted), datadiff_rows.c.n > after)
            .order_by(datadiff_rows.c.n)
            .offset(offset)
            .limit(limit)
        )
    )


def batches(sees: Sees, diff: Diff, wanted: Wanted) -> Iterator[list[Row[Any]]]:
    """Give every row that is wanted, some at a time, each time in a short transaction of its own.

    Raises StoreFailed if rows went away meanwhile (a purge): half of them must not pass for all.
    """
    with sees() as connection:
        expected = count(connection, diff, wanted)
    given = after = 0
    while given < expected:
        with sees() as connection:
            rows = page(connection, diff, wanted, after=after, limit=BATCH)
        if not rows:
            raise StoreFailed(
                "The rows were purged while they were read.", next_step="Ask for the diff again."
            )
        given, after = given + len(rows), rows[-1].n
        yield rows


def _conditions(diff: Diff, wanted: Wanted) -> list[ColumnElement[bool]]:
    outcome = select(datadiffs.c.outcome_attempt).where(datadiffs.c.id == diff.id)
    found: list[ColumnElement[bool]] = [
        datadiff_rows.c.datadiff_id == diff.id,
        datadiff_rows.c.attempt == outcome.scalar_subquery(),
    ]
    if wanted.kind is not None:
        found.append(datadiff_rows.c.kind == wanted.kind)
    if wanted.column is not None:
        found.append(datadiff_rows.c.changed.contains([wanted.column]))
    return found
