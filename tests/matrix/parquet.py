"""Parquet files, as DuckDB writes them."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.matrix.vendor import MINUS_ZERO, Columns, Rows, Vendor, quoted, values_of


def make(folder: str, table: str, columns: Columns, rows: Rows) -> str:
    """Write a file."""
    path = Path(folder) / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE made ({quoted(columns, chr(34))})")
        if rows:
            connection.execute(f"INSERT INTO made VALUES {values_of(rows)}")
        connection.execute(f"COPY made TO '{path}' (FORMAT parquet)")
    return str(path)


VENDOR = Vendor("parquet", make, ("auto", "checksum", "stream", "join"), {"N7": MINUS_ZERO})
