"""Row-level security: a session of one environment has nothing to do with the other's rows (T05)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Boolean, Integer, LargeBinary, Table, Text, Uuid, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import ProgrammingError

from tests.house import House
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.tables import metadata

TABLES = [table for table in metadata.sorted_tables if "environment" in table.c]
# What a row needs beside its defaults, by the column's type.
_VALUES: dict[type, Any] = {
    JSONB: {},
    LargeBinary: b"x",
    ARRAY: ["x"],
    Integer: 1,
    Boolean: False,
    Uuid: UUID(int=1),
}


def add(database: Database, table: Table, environment: str, *, seen: str = EVERYTHING) -> None:
    """Add a row to a table, and before it to every table that it points to."""
    values: dict[str, Any] = {"environment": environment}
    for column in table.c:
        if column.foreign_keys:
            target = next(iter(column.foreign_keys)).column
            with seen_by(database, EVERYTHING) as connection:
                values[column.name] = connection.execute(
                    select(target).where(target.table.c.environment == environment)
                    .order_by(target.desc()).limit(1)
                ).scalar_one()  # fmt: skip
        elif not (
            column.name in values or column.identity or column.nullable or column.server_default
        ):
            values[column.name] = _value(column.type, environment)
    with seen_by(database, seen) as connection:
        connection.execute(table.insert().values(**values))


def _value(kind: object, environment: str) -> Any:
    if isinstance(kind, Text):
        return f"of {environment}"
    return next(value for known, value in _VALUES.items() if isinstance(kind, known))


@pytest.fixture(scope="module")
def filled(ground: House) -> House:
    """Give a server with a row of production in every table."""
    for table in TABLES:
        for environment in ("production", "staging"):
            add(ground.database, table, environment)
    return ground


def counted(house: House, table: Table, seen: str, environment: str) -> int:
    with seen_by(house.database, seen) as connection:
        return len(
            connection.execute(select(table).where(table.c.environment == environment)).fetchall()
        )


def test_every_table_is_looked_at() -> None:
    """A table without the column is seen by all: there is none, and a new one must be thought of."""
    assert {t.name for t in metadata.sorted_tables} == {t.name for t in TABLES}
    assert len(TABLES) >= 7


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_sees_nothing_of_the_other(filled: House, table: Table) -> None:
    assert counted(filled, table, EVERYTHING, "production") > 0
    assert counted(filled, table, "production", "production") > 0
    assert counted(filled, table, "staging", "production") == 0
    assert counted(filled, table, "staging", "staging") > 0


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_adds_nothing_to_the_other(filled: House, table: Table) -> None:
    before = counted(filled, table, EVERYTHING, "production")
    with pytest.raises(ProgrammingError, match="row-level security"):
        add(filled.database, table, "production", seen="staging")
    assert counted(filled, table, EVERYTHING, "production") == before


@pytest.mark.parametrize("table", [t for t in TABLES if t.name != "audit"], ids=lambda t: t.name)
def test_changes_nothing_of_the_other(filled: House, table: Table) -> None:
    before = counted(filled, table, EVERYTHING, "production")
    with seen_by(filled.database, "staging") as connection:
        assert connection.execute(
            table.update().where(table.c.environment == "production")
            .values(environment="production")
        ).rowcount == 0  # fmt: skip
        gone = table.delete().where(table.c.environment == "production")
        assert connection.execute(gone).rowcount == 0
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        seen_by(filled.database, "staging") as connection,
    ):
        connection.execute(table.update().values(environment="production"))
    assert counted(filled, table, EVERYTHING, "production") == before


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_session_without_a_word_sees_nothing(filled: House, table: Table) -> None:
    with seen_by(filled.database, "staging") as connection:
        connection.execute(text("reset weighbridge.environment"))
        connection.execute(text("set local weighbridge.environment = ''"))
        assert connection.execute(select(table)).fetchall() == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_owner_is_held_too(filled: House, table: Table) -> None:
    with seen_by(filled.database, EVERYTHING) as connection:
        forced = connection.execute(
            text("select relrowsecurity and relforcerowsecurity from pg_class"
                 " where oid = cast(:name as regclass)"), {"name": table.fullname},
        )  # fmt: skip
        assert forced.scalar_one()
