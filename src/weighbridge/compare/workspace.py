"""The scratch DuckDB of one comparison: bounded memory, a spill folder, and what was found.

Tables: `diffs` holds every row that differs (kind, exclusive, changed, k…, l…, r…), where
l and r are the sides' native values; `base` a sample of the left's rows for the lift of
explanations; `dupes_left` and `dupes_right` each duplicated key with its number of rows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from weighbridge.compare.canonical import register_functions
from weighbridge.compare.normalise import ColumnPair, needs_native
from weighbridge.errors import Cancelled, RunFailed, SpillFull, WeighbridgeError

if TYPE_CHECKING:
    import pyarrow as pa

BASE_ROWS = 20_000
# Values and rows of a group of rows, at most. A full group goes straight to the file; what is less
# stays in memory and goes through a log first.
GROUP_VALUES, GROUP_ROWS = 655_360, 40_960
# Every column of a group that is being filled holds a block: of DuckDB's own size, 60 columns would
# take a quarter of the memory before they hold anything.
BLOCK = 64 * 1024
# Each step of a query passes rows on in vectors, one for each column: what many columns
# need before anything can be spilled.
WIDTH_NEEDS = 640 * 1024
# DuckDB makes a group of whole vectors, of so many rows.
VECTOR = 2_048


class Workspace:
    """A DuckDB database in a folder of its own, removed by `close`."""

    def __init__(
        self,
        keys: Sequence[ColumnPair],
        values: Sequence[ColumnPair],
        natives: Sequence[tuple[str, str]],
        *,
        memory: int,
    ) -> None:
        self.keys = keys
        self.values = values
        self.base_full = False
        parent = os.environ.get("WEIGHBRIDGE_TMPDIR") or None
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="weighbridge-", dir=parent))
        except OSError as error:
            raise SpillFull(
                f"No temporary folder can be made: {error.strerror}.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a folder that can be written.",
            ) from None
        width = 3 + len(keys) + 2 * len(values)
        self._least = width * WIDTH_NEEDS
        self._memory = max(memory, self._least)
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{self._memory // 2**20}MB",
            "temp_directory": str(self.folder / "spill"),
            "threads": min(os.cpu_count() or 2, 8),
            "preserve_insertion_order": False,
        }
        self.connection = duckdb.connect(config=config)
        file = str(self.folder / "work.duckdb").replace("'", "''")
        group = max(1, min(GROUP_ROWS, GROUP_VALUES // width) // VECTOR) * VECTOR
        self.connection.execute(
            f"ATTACH '{file}' AS work (ROW_GROUP_SIZE {group}, BLOCK_SIZE {BLOCK})"
        )
        self.connection.execute("USE work")
        # What is written here is read once or twice: compressing it costs more than it saves.
        self.connection.execute("PRAGMA force_compression = 'uncompressed'")
        # Nobody opens this database again: its end is to be deleted.
        self.connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        register_functions(self.connection)
        self._create(natives)

    def _create(self, natives: Sequence[tuple[str, str]]) -> None:
        n_keys = len(self.keys)
        columns = ["kind VARCHAR", "exclusive BOOLEAN", "changed USMALLINT[]"]
        self.key_types = [left if left == right else "VARCHAR" for left, right in natives[:n_keys]]
        columns += [f"k{i} {kind}" for i, kind in enumerate(self.key_types)]
        columns += [f"l{i} {left}" for i, (left, _) in enumerate(natives[n_keys:])]
        columns += [f"r{i} {right}" for i, (_, right) in enumerate(natives[n_keys:])]
        self.connection.execute(f"CREATE TABLE diffs ({', '.join(columns)})")
        base = [f"l{i} {left}" for i, (left, _) in enumerate(natives[n_keys:])]
        self.connection.execute(f"CREATE TABLE base ({', '.join(base) or 'l0 INTEGER'})")
        listed = ", ".join(f"k{i} {self._key_type(i, natives)}" for i in range(n_keys))
        for side in ("left", "right"):
            self.connection.execute(f"CREATE TABLE dupes_{side} ({listed}, n BIGINT)")

    def _key_type(self, index: int, natives: Sequence[tuple[str, str]]) -> str:
        left, _ = natives[index]
        expression = self.keys[index].strict[0].replace("{x}", f"CAST(NULL AS {left})")
        row = self.connection.execute(f"SELECT typeof({expression})").fetchone()
        return str(row[0]) if row else "VARCHAR"

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Open a second connection to the same tables, for another thread; the caller closes it."""
        cursor = self.connection.cursor()
        cursor.execute("USE work")
        return cursor

    def insert(self, table: str, batches: Iterable[pa.RecordBatch]) -> int:
        """Append Arrow batches to a table of the same columns; give the number of rows."""
        rows = 0
        cursor = self.cursor()
        for batch in batches:
            cursor.register("arriving", batch)
            cursor.execute(f"INSERT INTO {table} SELECT * FROM arriving")
            cursor.unregister("arriving")
            rows += batch.num_rows
        cursor.close()
        return rows

    def keep_base_of(self, table: str) -> None:
        """Keep a sample of a table of left rows, as they stand, for the lift of slices."""
        if not self.base_full and self.values:
            listed = ", ".join(
                f"{'n' if needs_native(p) else 'c'}{i}" for i, p in enumerate(self.values)
            )
            self.connection.execute(
                f"INSERT INTO base SELECT {listed} FROM {table} USING SAMPLE 5000 ROWS"
            )
            self.base_full = self.scalar("SELECT count(*) FROM base") >= BASE_ROWS

    def scalar(self, sql: str) -> int:
        """Run a query of one integer."""
        row = self.connection.execute(sql).fetchone()
        return int(row[0] or 0) if row else 0

    def has_table(self, name: str) -> bool:
        """Tell whether there is a table of this name."""
        return bool(
            self.scalar(f"SELECT count(*) FROM duckdb_tables() WHERE table_name = '{name}'")
        )

    def error(self, error: Exception) -> WeighbridgeError:
        """Translate a failure of the scratch database itself."""
        if isinstance(error, WeighbridgeError):
            return error
        text = str(error).splitlines()[0]
        if isinstance(error, duckdb.InterruptException):
            return Cancelled("The diff was cancelled.", next_step="Run it again when you like.")
        full = ("No space left", "max_temp_directory_size", "Could not write", "failed to offload")
        if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) or any(
            word in text for word in full
        ):
            return SpillFull(
                f"There is no room for temporary data: {text}.",
                next_step="Free space, set WEIGHBRIDGE_TMPDIR to a larger disk, or raise WEIGHBRIDGE_MEMORY.",
            )
        return RunFailed(
            f"The comparison failed inside: {text}.",
            next_step="This is a fault of weighbridge; please report it with --debug's output.",
        )

    @contextlib.contextmanager
    def translated(self) -> Generator[None]:
        """Raise as an error of ours what the scratch database raises in the context."""
        try:
            yield
        except duckdb.Error as error:
            raise self.error(error) from error

    @contextlib.contextmanager
    def sparing(self) -> Generator[None]:
        """Take half as much memory in the context, beside readers that work in this process, too.

        What is written is spilled earlier; nothing that is joined or sorted here waits for it.
        """
        less = max(self._memory // 2, self._least)
        self.connection.execute(f"SET memory_limit = '{less // 2**20}MB'")
        try:
            yield
        finally:
            with contextlib.suppress(duckdb.Error):
                self.connection.execute(f"SET memory_limit = '{self._memory // 2**20}MB'")

    def interrupt(self) -> None:
        """End what runs here; it may have ended, and been closed, meanwhile."""
        with contextlib.suppress(duckdb.Error):
            self.connection.interrupt()

    def close(self) -> None:
        """Remove everything."""
        with contextlib.suppress(duckdb.Error):
            self.connection.close()
        shutil.rmtree(self.folder, ignore_errors=True)
