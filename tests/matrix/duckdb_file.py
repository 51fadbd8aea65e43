"""DuckDB, a database in a file."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.matrix.vendor import MINUS_ZERO, Columns, Rows, Vendor, quoted, values_of


def make(folder: str, table: str, columns: Columns, rows: Rows) -> str:
    """Make a table in a file of its own: an open database cannot be written."""
    path = Path(folder) / f"{table}.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f'CREATE TABLE "{table}" ({quoted(columns, chr(34))})')
        if rows:
            connection.execute(f'INSERT INTO "{table}" VALUES {values_of(rows)}')
    return f"duckdb:///{path}#{table}"


VENDOR = Vendor("duckdb", make, ("auto", "checksum", "stream", "join"), {"N7": MINUS_ZERO})
