"""PostgreSQL, the reference that every other vendor is compared with."""

from __future__ import annotations

import psycopg

from tests.matrix.vendor import MINUS_ZERO, Columns, Rows, Vendor, quoted, values_of

TYPES = (
    "create extension if not exists citext",
    "create extension if not exists hstore",
    "create type mood as enum ('fine', 'bad')",
    "create domain short_text as varchar(10) check (length(value) < 10)",
    "create type couple as (a int, b text)",
)


def prepare(url: str) -> str:
    """Make the types that the cases need in an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in TYPES:
            connection.execute(statement)
    return url


def make(url: str, table: str, columns: Columns, rows: Rows) -> str:
    """Make a table and name it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'create table "{table}" ({quoted(columns, chr(34))})'.encode())
        if rows:
            connection.execute(f'insert into "{table}" values {values_of(rows)}'.encode())
        connection.execute(f'analyze "{table}"'.encode())
    return f"{url}#{table}"


VENDOR = Vendor("postgresql", make, ("auto", "checksum", "stream"), {"N7": MINUS_ZERO})
