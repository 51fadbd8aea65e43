"""Rows of the catalog: added, found, paged, changed and marked as deleted, all in one way.

Each function sees what its transaction may see, and leaves out what was deleted.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from sqlalchemy import Connection, Table, func, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from weighbridge.errors import BadArgument, NoSuchObject

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Row


@dataclass(frozen=True)
class Wanted:
    """One page: `size` rows, those that follow `after` in the order of their making."""

    size: int
    after: tuple[datetime, UUID] | None = None
    descending: bool = False


def add(connection: Connection, table: Table, *, unique: str, **values: Any) -> Row[Any]:
    """Add a row. Raises BadArgument if the value of the column `unique` is taken."""
    with _told_apart(connection, table, unique, values.get(unique)):
        return connection.execute(table.insert().values(**values).returning(table)).one()


def find(
    connection: Connection,
    table: Table,
    number: UUID,
    *conditions: ColumnElement[bool],
    locked: bool = False,
) -> Row[Any]:
    """Give a row; `locked`: nobody else changes it before this transaction ends.

    Raises NoSuchObject, in the same words for one that is not there and one not to be seen.
    """
    query = select(table).where(table.c.id == number, table.c.deleted_at.is_(None), *conditions)
    row = connection.execute(query.with_for_update() if locked else query).one_or_none()
    if row is None:
        raise missing(table, str(number))
    return row


def missing(table: Table, said: str) -> NoSuchObject:
    """Make the error for a row that is not there or not to be seen."""
    return NoSuchObject(
        f"There is no {table.name.removesuffix('s')} {said[:60]!r}.",
        next_step=f"GET /{table.name} lists those that may be seen.",
    )


def page(
    connection: Connection, table: Table, wanted: Wanted, *conditions: ColumnElement[bool]
) -> tuple[list[Row[Any]], bool]:
    """Give a page of rows, and whether more follow."""
    place = tuple_(table.c.created_at, table.c.id)
    query = select(table).where(table.c.deleted_at.is_(None), *conditions)
    if wanted.after is not None:
        query = query.where(place < wanted.after if wanted.descending else place > wanted.after)
    order = (table.c.created_at, table.c.id)
    ordered = [column.desc() if wanted.descending else column for column in order]
    # One more than is shown tells whether more follow.
    found = connection.execute(query.order_by(*ordered).limit(wanted.size + 1)).all()
    return list(found[: wanted.size]), len(found) > wanted.size


def every(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> list[Row[Any]]:
    """Give all rows, in the order of their making."""
    query = select(table).where(table.c.deleted_at.is_(None), *conditions)
    return list(connection.execute(query.order_by(table.c.created_at, table.c.id)))


def change(
    connection: Connection, table: Table, number: UUID, *, unique: str, **values: Any
) -> Row[Any]:
    """Change a row that was found. Raises BadArgument if the value of `unique` is taken."""
    with _told_apart(connection, table, unique, values.get(unique)):
        return connection.execute(
            update(table)
            .where(table.c.id == number)
            .values(**values, updated_at=func.clock_timestamp())
            .returning(table)
        ).one()


def delete(connection: Connection, table: Table, number: UUID, **values: Any) -> None:
    """Mark a row that was found as deleted; what points to it still finds it."""
    connection.execute(
        update(table)
        .where(table.c.id == number)
        .values(deleted_at=func.clock_timestamp(), **values)
    )


def as_dict(row: Row[Any]) -> Mapping[str, Any]:
    """Give a row by the names of its columns."""
    return cast("Mapping[str, Any]", row._mapping)  # noqa: SLF001 SQLAlchemy's public name for it  # pyright: ignore[reportPrivateUsage]


@contextmanager
def _told_apart(connection: Connection, table: Table, column: str, value: Any) -> Generator[None]:
    """Make of a value that is taken an error of the caller's."""
    try:
        with connection.begin_nested():
            yield
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        if getattr(diagnosis, "constraint_name", None) != f"uq_{table.name}_{column}":
            raise
        raise BadArgument(
            f"{column}: {str(value)[:60]!r} is taken by another of the {table.name}.",
            next_step="Choose another one, or change that one.",
        ) from None
