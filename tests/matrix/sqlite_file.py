"""SQLite, whose columns hold any type in any row."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.matrix.vendor import MINUS_ZERO, Columns, Rows, Vendor, quoted, values_of


def make(folder: str, table: str, columns: Columns, rows: Rows) -> str:
    """Make a table in a file of its own."""
    path = Path(folder) / f"{table}.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f'CREATE TABLE "{table}" ({quoted(columns, chr(34))})')
        if rows:
            connection.execute(f'INSERT INTO "{table}" VALUES {values_of(rows)}')
        connection.commit()
    return f"sqlite:///{path}#{table}"


VENDOR = Vendor("sqlite", make, ("auto", "stream"), {"N7": MINUS_ZERO})
