"""The shape that migrations make is the one that the code believes in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, make_url, text

from weighbridge.store.database import Database
from weighbridge.store.migrations import migrate
from weighbridge.store.tables import SCHEMA, metadata


@pytest.fixture
def database(fresh_postgres: str) -> Iterator[Database]:
    """Give an empty database."""
    database = Database(fresh_postgres)
    yield database
    database.close()


@pytest.fixture
def bare(fresh_postgres: str) -> Iterator[Engine]:
    """Give a door to the database in whose search path our schema is not."""
    engine = create_engine(make_url(fresh_postgres).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def differences(engine: Engine) -> list[Any]:
    def ours(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name == SCHEMA
        return kind != "table" or not str(name).startswith(("procrastinate", "alembic"))

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": ours,
                "compare_type": True,
                "compare_server_default": False,
                "version_table_schema": SCHEMA,
            },
        )
        return list(compare_metadata(context, metadata))


def shape(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select table_schema, table_name, column_name, data_type, column_default, is_nullable"
            " from information_schema.columns where table_schema in ('weighbridge', 'public')"
            " union all select n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid), '', ''"
            " from pg_constraint k join pg_class c on c.oid = k.conrelid"
            " join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'weighbridge'"
            " union all select schemaname, tablename, policyname, qual, cmd, ''"
            " from pg_policies order by 1, 2, 3, 4"
        ).fetchall()


def test_the_shape_is_the_metadata(database: Database, bare: Engine) -> None:
    migrate(database.engine())
    assert differences(bare) == []
    with bare.begin() as connection:
        connection.execute(text("alter table weighbridge.datadiffs drop column archived"))
    assert len(differences(bare)) == 1  # it would have been seen


def test_constraints_and_defaults_are_the_metadata(database: Database, bare: Engine) -> None:
    """Alembic compares no CHECK and not every default: the metadata makes a second one beside."""
    migrate(database.engine())
    url = database.url
    policies = "ALL"  # what they hold for; the metadata knows none
    made = [
        row
        for row in shape(url)
        if not row[1].startswith(("procrastinate", "alembic")) and row[4] != policies
    ]
    assert len(made) > 60
    with bare.begin() as connection:
        connection.execute(text("drop schema weighbridge cascade"))
        connection.execute(text("create schema weighbridge"))
        metadata.create_all(connection)
    assert shape(url) == made


def test_twice_changes_nothing(database: Database) -> None:
    migrate(database.engine())
    before = shape(database.url)
    with psycopg.connect(database.url) as connection:
        wal = connection.execute("select xmin from weighbridge.alembic_version").fetchall()
    migrate(database.engine())
    assert shape(database.url) == before
    with psycopg.connect(database.url) as connection:
        assert connection.execute("select xmin from weighbridge.alembic_version").fetchall() == wal


def test_some_at_once(database: Database) -> None:
    others = [Database(database.url) for _ in range(3)]
    try:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda each: migrate(each.engine()), others))
    finally:
        for other in others:
            other.close()
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("select count(*) from weighbridge.alembic_version").fetchall()
        locks = connection.execute("select from pg_locks where locktype = 'advisory'").fetchall()
    assert rows == [(1,)]
    assert locks == []


def test_nothing_of_ours_lies_in_public(database: Database) -> None:
    migrate(database.engine())
    assert [row for row in shape(database.url) if row[0] == "public"] == []


def test_a_migration_that_breaks_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue's half of the first step fails: our half is not there either (F29)."""
    from procrastinate.schema import SchemaManager  # noqa: PLC0415

    monkeypatch.setattr(SchemaManager, "get_schema", lambda: "select 1 / 0")
    with pytest.raises(Exception, match="division by zero"):
        migrate(database.engine())
    assert shape(database.url) == []
    monkeypatch.undo()
    migrate(database.engine())
    assert shape(database.url) != []
