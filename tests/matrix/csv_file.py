"""CSV: text that was never declared. NULL is an empty field, the empty text a quoted one."""

from __future__ import annotations

from pathlib import Path

from tests.matrix.vendor import Columns, Rows, Vendor


def make(folder: str, table: str, columns: Columns, rows: Rows) -> str:
    """Write a file; a row's values are text as it stands."""
    path = Path(folder) / f"{table}.csv"
    lines = [",".join(_field(name) for name, _ in columns)]
    lines += [",".join("" if v is None else _field(v) for v in row) for row in rows]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return str(path)


def _field(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


VENDOR = Vendor("csv", make, ("auto", "stream", "join"), {})
