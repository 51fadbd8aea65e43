"""Rows from a server to Arrow, through DuckDB's scanner of that vendor: one place knows how."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from weighbridge.connectors.base import Output
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sql import literal, missing_extra, scrub
from weighbridge.errors import Cancelled, ConnectionLost, QueryFailed, WeighbridgeError

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 32_768
_BATCH_VALUES = 230_000
# A bare column, or one made wider: Arrow does it in less than DuckDB needs to look.
_CARRIED = re.compile(r'\(*(CAST\()?"\w+"( AS (BIGINT|DOUBLE)\))?\)*')


def batch_rows(columns: int) -> int:
    """Choose how many rows travel at once: fewer where they are wide, for memory's sake."""
    return max(1, min(BATCH_ROWS, _BATCH_VALUES // max(1, columns)))


def guarded(
    reader: pa.RecordBatchReader,
    translate: Callable[[Exception], WeighbridgeError],
    *,
    then: Callable[[], None] = lambda: None,
) -> pa.RecordBatchReader:
    """Give the same batches, and do something when all have been read.

    A driver's failure on the way becomes an error of ours.
    """
    import pyarrow as pa  # noqa: PLC0415 heavy

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
            then()
        except (duckdb.Error, pa.ArrowException, RuntimeError, OSError) as error:
            raise translate(error) from None

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def finished(
    local: duckdb.DuckDBPyConnection,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    outputs: Sequence[tuple[str, str]],
    *,
    translate: Callable[[Exception], WeighbridgeError],
) -> pa.RecordBatchReader:
    """Apply (DuckDB expression, name) outputs to batches as they arrive.

    One batch at a time: given the stream itself, DuckDB reads far ahead of its reader and
    holds what it read. A column that only changes its width does not go through DuckDB.
    """
    import pyarrow as pa  # noqa: PLC0415 heavy

    carried = {name for expression, name in outputs if _CARRIED.fullmatch(expression)}
    made = [f'{expression} AS "{name}"' for expression, name in outputs if name not in carried]

    def make(batch: pa.RecordBatch, columns: list[str]) -> pa.Table:
        local.register("arriving", batch)
        return local.execute(f"SELECT {', '.join(columns)} FROM arriving").to_arrow_table()

    def of(batch: pa.RecordBatch) -> pa.RecordBatch:
        table = make(batch, made).combine_chunks() if made else None
        arrays = [
            batch.column(f.name).cast(f.type)
            if table is None or f.name in carried
            else pa.concat_arrays(table.column(f.name).chunks)
            for f in shape
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=shape)

    def all_of() -> Iterator[pa.RecordBatch]:
        try:
            for batch in batches:
                if batch.num_rows:
                    yield of(batch)
        except (duckdb.Error, pa.ArrowException, RuntimeError, OSError) as error:
            raise translate(error) from None

    listed = [f'{expression} AS "{name}"' for expression, name in outputs]
    try:
        shape = make(pa.RecordBatch.from_pylist([], schema=schema), listed).schema
    except duckdb.Error as error:
        raise translate(error) from None
    return pa.RecordBatchReader.from_batches(shape, all_of())


class Transport:
    """A private DuckDB that only carries rows; each reading has a connection of its own.

    `backends` are the server's process numbers of the readings, for cancelling them.
    """

    def __init__(self, extension: str, kind: str, secrets: Sequence[str | None]) -> None:
        self._kind = kind
        self._secrets = secrets
        # One thread: the reader runs the scan itself. With two, half of the client's time went
        # into waking and waiting.
        self._duckdb = private_duckdb(threads=1, megabytes=256, unsigned=True)
        try:
            self._duckdb.execute(f"LOAD {literal(str(extension_path(extension)))}")
        except (ImportError, duckdb.Error):
            raise missing_extra(kind, kind) from None
        self._duckdb.execute("SET pg_pool_max_connections = 8")
        self._readings: list[duckdb.DuckDBPyConnection] = []
        self.backends: list[int] = []

    def attach(self, conninfo: str) -> None:
        """Connect to the server; the connection string holds the secret and is not kept."""
        try:
            self._duckdb.execute(
                f"ATTACH {literal(conninfo)} AS far (TYPE {self._kind}, READ_ONLY)"
            )
        except duckdb.Error as error:
            raise ConnectionLost(
                f"A second connection to the server failed: {scrub(error, *self._secrets)}.",
                next_step="Check the server's limit of connections, then run it again.",
            ) from None

    def read(
        self, sql: str, outputs: Sequence[Output], prelude: Sequence[str] = ()
    ) -> pa.RecordBatchReader:
        """Stream the far SELECT `sql`; each output's DuckDB expression is applied on arrival.

        `prelude` runs first in the far transaction (to enter a snapshot, to set the planner).
        """
        reading = self._duckdb.cursor()
        self._readings.append(reading)
        columns = ", ".join(
            o.expression.replace("{x}", f'"{o.name}"') + f' AS "{o.name}"' for o in outputs
        )
        try:
            reading.execute("BEGIN")
            for statement in prelude:
                reading.execute(f"CALL {self._kind}_execute('far', {literal(statement)})")
            self._remember_backend(reading)
            reading.execute(f"SELECT {columns} FROM {self._kind}_query('far', {literal(sql)})")
            reader = reading.to_arrow_reader(batch_rows(len(outputs)))
        except duckdb.Error as error:
            raise self._error(error) from None
        return guarded(reader, self._error, then=lambda: self._let_go(reading))

    def _let_go(self, reading: duckdb.DuckDBPyConnection) -> None:
        """Give the far connection of a reading that was read to its end to the next one."""
        try:
            reading.execute("COMMIT")
            reading.close()
            self._readings.remove(reading)
        except duckdb.Error as error:
            raise self._error(error) from None

    def _remember_backend(self, reading: duckdb.DuckDBPyConnection) -> None:
        row = reading.execute(
            f"SELECT * FROM {self._kind}_query('far', 'SELECT pg_backend_pid()')"
        ).fetchone()
        if row:
            self.backends.append(int(row[0]))

    def _error(self, error: Exception) -> WeighbridgeError:
        text = scrub(error, *self._secrets)
        if isinstance(error, duckdb.InterruptException) or "user request" in text:
            return Cancelled("A query was cancelled.", next_step="Run it again when you like.")
        if "statement timeout" in text:
            return QueryFailed(
                f"The server stopped a query: {text}.",
                next_step="Raise the role's statement_timeout, or narrow the diff with --where.",
            )
        lost = ("server closed", "connection", "terminating", "SSL", "broken pipe")
        if any(word.lower() in text.lower() for word in lost):
            return ConnectionLost(
                f"The connection was lost while rows were read: {text}.",
                next_step="Check the server and the network, then run the diff again.",
            )
        return QueryFailed(
            f"The server failed while rows were read: {text}.",
            next_step="Run `--explain` to see the SQL, and try it in the server's own client.",
        )

    def interrupt(self) -> None:
        """Stop every reading that is running."""
        for reading in self._readings:
            with contextlib.suppress(duckdb.Error):
                reading.interrupt()

    def close(self) -> None:
        """Close every reading and the private database."""
        self.interrupt()
        for reading in self._readings:
            # Left to the destructor, a rollback on a lost connection would end this process.
            with contextlib.suppress(duckdb.Error):
                reading.execute("ROLLBACK")
            with contextlib.suppress(duckdb.Error):
                reading.close()
        with contextlib.suppress(duckdb.Error):
            self._duckdb.close()


def extension_path(name: str) -> Path:
    """Find the extension in its own wheel: installed with us, from the same lock file as DuckDB.

    Loaded from there, nothing is copied to the user's home, and its 40 MB are not hashed each
    time to check a signature (0.15 s).
    """
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    if found is None or not found.submodule_search_locations:
        raise ImportError(name)
    folder = Path(next(iter(found.submodule_search_locations)))
    return folder / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
