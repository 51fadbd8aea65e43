"""A DuckDB in memory for one source: what it spills lies where the user said, and goes with it."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

import duckdb


def private_duckdb(
    *, threads: int, megabytes: int, unsigned: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB of its own. DuckDB makes the folder when it spills, and removes it.

    `unsigned` lets it load an extension whose signature nobody checks.
    """
    parent = os.environ.get("WEIGHBRIDGE_TMPDIR") or tempfile.gettempdir()
    return duckdb.connect(
        config={
            "threads": threads,
            "allow_unsigned_extensions": unsigned,
            "memory_limit": f"{megabytes}MB",
            "temp_directory": str(Path(parent) / f"weighbridge-{uuid.uuid4().hex[:12]}"),
        }
    )
