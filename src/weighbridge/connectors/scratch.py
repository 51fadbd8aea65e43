"""A DuckDB in memory for one source: what it spills lies where the user said, and goes with it."""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path

import duckdb

# DuckDB keeps what was freed for a second: beside what is in use, 60 MB of groups of rows that were
# read before. Asked for these two, it gives them back to the system at once.
SPARING = {
    "allocator_flush_threshold": "1MB",
    "allocator_bulk_deallocation_flush_threshold": "1MB",
}


def private_duckdb(
    *, threads: int, megabytes: int, unsigned: bool = False, sparing: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB of its own. DuckDB makes the folder when it spills, and removes it.

    `unsigned` lets it load an extension whose signature nobody checks; `sparing` keeps no memory
    that is not in use, which takes the time of asking for it again.
    """
    parent = os.environ.get("WEIGHBRIDGE_TMPDIR") or tempfile.gettempdir()
    return duckdb.connect(
        config={
            "threads": threads,
            "allow_unsigned_extensions": unsigned,
            "memory_limit": f"{megabytes}MB",
            **(SPARING if sparing else {}),
            "temp_directory": str(Path(parent) / f"weighbridge-{uuid.uuid4().hex[:12]}"),
        }
    )
