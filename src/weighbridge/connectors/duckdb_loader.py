"""Loading models into a database of DuckDB: a file of this machine, or one at MotherDuck.

A file is locked by who writes it. Rows are therefore staged in a database of our own, and the file is
open for as long as one transaction takes: the fence, the rows, the ledger's line.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from weighbridge.connectors import duckdb_place
from weighbridge.connectors.duckdb_ledger import Ledger
from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sql import scrub
from weighbridge.errors import (
    BadArgument,
    Busy,
    Cancelled,
    ConnectionLost,
    NotComparable,
    Overtaken,
    QueryFailed,
    SpillFull,
    Unreadable,
    WeighbridgeError,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.types.columns import ColumnType

LOCK_SECONDS = 10.0
_AGAIN_SECONDS = 0.1
_INTS = {16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}
_TYPES = {
    "bool": "BOOLEAN", "float": "DOUBLE", "date": "DATE", "timestamp": "TIMESTAMP", "json": "JSON",
    "timestamptz": "TIMESTAMP WITH TIME ZONE", "uuid": "UUID", "bytes": "BLOB",
}  # fmt: skip


def column_type(kind: ColumnType) -> str:
    """Name the type of a delivered column."""
    if kind.family == "int":
        return _INTS[kind.bits or 64]
    if kind.family == "decimal":
        p = kind.precision
        return "VARCHAR" if p is None or p > 38 else f"DECIMAL({p},{kind.scale or 0})"
    return _TYPES.get(kind.family, "VARCHAR")


class DuckDBLoader:
    """Loads into one schema of a DuckDB database."""

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        quote(schema, "duckdb")
        self._place = duckdb_place.place_of(spec, policy)
        if self._place.file is not None and not self._place.file.parent.is_dir():
            raise BadArgument(
                f"There is no folder for {self._place.name}.", next_step="Make it, or correct it."
            )
        self._schema = schema
        self._local = private_duckdb(threads=2, megabytes=256, unsigned=self._place.file is None)
        self._local.execute("SET TimeZone = 'UTC'")
        self._load: Load | None = None
        self._rows = self._sent = 0
        self._cancelled = False
        try:
            duckdb_place.prepare(self._local, self._place)
            # Whoever cannot be reached is found out here, as with any other destination.
            if self._place.file is None or self._place.file.exists():
                with self._opened(read_only=True):
                    pass
        except BaseException:
            self.close()
            raise

    # The protocol --------------------------------------------------------------------------

    def find(self, load: Load) -> Loaded | None:
        """Look into the table `_transfer_status`."""
        if self._place.file is not None and not self._place.file.exists():
            return None
        with self._opened(read_only=True) as name:
            return self._ledger(name).find(load)

    def claim(self, load: Load) -> None:
        """Fence out earlier attempts, make the ledger, and bring the table into shape."""
        self._load = None
        with self._opened() as name, self._transaction():
            self._ask(f"CREATE SCHEMA IF NOT EXISTS {name}.{quote(self._schema, 'duckdb')}")
            ledger = self._ledger(name)
            ledger.make()
            ledger.claim(load)
            self._shape(name, load)
        self._ask("DROP TABLE IF EXISTS memory.main.staged")
        self._ask(f"CREATE TABLE memory.main.staged ({_declared(load)})")
        self._load, self._rows, self._sent = load, 0, 0

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Stage rows; what memory does not hold goes to a temporary file."""
        self._claimed()
        for batch in rows:
            if self._cancelled:
                raise _cancelled(self._place.label)
            self._local.register("arriving", batch)
            self._ask("INSERT INTO memory.main.staged SELECT * FROM arriving")
            self._rows += batch.num_rows
            self._sent += batch.nbytes

    def publish(self, loaded: Loaded) -> Loaded:
        """Merge or replace, write the ledger, and commit: all or nothing."""
        load = self._claimed()
        if self._rows != loaded.rows:
            raise QueryFailed(
                f"Of {loaded.rows} rows of {load.table}, {self._rows} arrived; nothing was published.",
                next_step="It is tried again; if it stays so, report it.",
            )
        with self._opened() as name, self._transaction():
            ledger = self._ledger(name)
            before = ledger.hold(load)
            if before is not None:
                return before
            changed = self._merge(self._named(name, load.table), load)
            self._empty(name, ledger.removed(load), load)
            done = Loaded(loaded.rows, loaded.bytes or self._sent, loaded.latest, changed)
            ledger.write(load, done)
        self._load = None
        return done

    def cancel(self) -> None:
        """Stop what is running."""
        self._cancelled = True
        with contextlib.suppress(duckdb.Error):
            self._local.interrupt()

    def close(self) -> None:
        """Let go of what was staged."""
        with contextlib.suppress(duckdb.Error):
            self._local.close()

    # The table -----------------------------------------------------------------------------

    def _shape(self, name: str, load: Load) -> None:
        """Make the table, or add the columns that are new. Raises NotComparable."""
        table = self._named(name, load.table)
        catalog = self._place.name if self._place.file is None else name
        views = self._ask(
            "SELECT 1 FROM duckdb_views() WHERE database_name = ? AND schema_name = ?"
            " AND view_name = ?", catalog, self._schema, load.table,
        )  # fmt: skip
        if load.table == LEDGER or views:
            raise NotComparable(
                f"{load.table} cannot be a delivered table in the destination.",
                next_step="Rename the model, or rename what has its name there.",
            )
        self._ask(f"CREATE TABLE IF NOT EXISTS {table} ({_declared(load)})")
        there = self._columns(catalog, load.table)
        _check_types(load, there)
        self._check_key(catalog, load)
        for field in load.fields:
            if field.name not in there:
                self._ask(
                    f"ALTER TABLE {table} ADD COLUMN {quote(field.name, 'duckdb')}"
                    f" {column_type(field.type)}"
                )

    def _columns(self, catalog: str, table: str) -> dict[str, str]:
        rows = self._ask(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ?"
            " AND schema_name = ? AND table_name = ?", catalog, self._schema, table,
        )  # fmt: skip
        return {str(column): str(kind) for column, kind in rows}

    def _check_key(self, catalog: str, load: Load) -> None:
        rows = self._ask(
            "SELECT constraint_column_names FROM duckdb_constraints() WHERE database_name = ?"
            " AND schema_name = ? AND table_name = ? AND constraint_type = 'PRIMARY KEY'",
            catalog, self._schema, load.table,
        )  # fmt: skip
        if {str(name) for row in rows for name in row[0]} != set(load.key):
            key = ", ".join(load.key)
            raise NotComparable(
                f"The table {load.table} of the destination has no primary key ({key}).",
                next_step=f"Drop the table and ask for a full refresh: ({key}) names the model's"
                " rows.",
            )

    # The rows ------------------------------------------------------------------------------

    def _merge(self, target: str, load: Load) -> int:
        """Bring the staged rows into the table; give how many were new, changed or dropped."""
        keys = [quote(name, "duckdb") for name in load.key]
        same = " AND ".join(f"t.{k} = s.{k}" for k in keys)
        staged, count = "memory.main.staged AS s", 0
        if load.full:
            count += self._count(
                f"DELETE FROM {target} AS t WHERE NOT EXISTS (SELECT 1 FROM {staged} WHERE {same})"
            )
        others = [quote(f.name, "duckdb") for f in load.fields if f.name not in load.key]
        if others:
            sets = ", ".join(f"{name} = s.{name}" for name in others)
            differs = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in others)
            older = ""
            if not load.full and load.last_modified:
                moment = quote(load.last_modified, "duckdb")
                # Null is no moment, so nothing is older than it.
                older = f" AND coalesce(s.{moment} >= t.{moment}, true)"
            count += self._count(
                f"UPDATE {target} AS t SET {sets} FROM {staged} WHERE {same} AND ({differs}){older}"
            )
        listed = ", ".join(quote(f.name, "duckdb") for f in load.fields)
        return count + self._count(
            f"INSERT INTO {target} ({listed}) SELECT {listed} FROM {staged}"
            f" WHERE NOT EXISTS (SELECT 1 FROM {target} AS t WHERE {same})"
        )

    def _empty(self, name: str, removed: Sequence[str], load: Load) -> None:
        """Let the columns that the model has no more hold null."""
        catalog = self._place.name if self._place.file is None else name
        there = self._columns(catalog, load.table)
        names = [quote(column, "duckdb") for column in removed if column in there]
        if names:
            self._ask(
                f"UPDATE {self._named(name, load.table)}"
                f" SET {', '.join(f'{n} = NULL' for n in names)}"
                f" WHERE {' OR '.join(f'{n} IS NOT NULL' for n in names)}"
            )

    # Asking --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _opened(self, *, read_only: bool = False) -> Generator[str]:
        """Open the database for a moment, after waiting for others who have it open."""
        until = time.monotonic() + LOCK_SECONDS
        while True:
            if self._cancelled:
                raise _cancelled(self._place.label)
            try:
                name = duckdb_place.attach(self._local, self._place, read_only=read_only)
                break
            except Busy:
                if time.monotonic() > until:
                    raise
                time.sleep(_AGAIN_SECONDS)
        try:
            yield name
        finally:
            if self._place.file is not None:
                with contextlib.suppress(duckdb.Error):
                    self._local.execute(f"DETACH {name}")

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        self._ask("BEGIN")
        try:
            yield
            self._ask("COMMIT")
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                self._local.execute("ROLLBACK")
            raise

    def _claimed(self) -> Load:
        if self._load is None:
            raise Overtaken("Nothing was claimed.", next_step="Run the transfer again.")
        return self._load

    def _ledger(self, name: str) -> Ledger:
        catalog = self._place.name if self._place.file is None else name
        return Ledger(self._ask, name, catalog, self._schema)

    def _named(self, name: str, table: str) -> str:
        return f"{name}.{quote(self._schema, 'duckdb')}.{quote(table, 'duckdb')}"

    def _count(self, sql: str) -> int:
        return int(self._ask(sql)[0][0])

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._local.execute(sql, list(values) or None).fetchall()
        except duckdb.Error as error:
            raise self._error(error) from None

    def _error(self, error: duckdb.Error) -> WeighbridgeError:
        label, said = self._place.label, scrub(error, self._place.token)
        if isinstance(error, duckdb.InterruptException):
            return _cancelled(label)
        if isinstance(error, duckdb.ConstraintException) or "constraint violation" in said.lower():
            # Its words repeat the value.
            return Unreadable(
                f"The rows for {label} are not unique, or null in the key: several share one.",
                next_step="Choose columns as is_primary_key that are unique and never null.",
            )
        if isinstance(error, duckdb.ConversionException | duckdb.InvalidInputException):
            return Unreadable(
                f"A value cannot be held by {label} as its column's type.",
                next_step="Correct the value in the source, or change the column's data_type.",
            )
        if isinstance(error, duckdb.TransactionException):
            return Busy(f"{label} was changed by another one.", next_step="It is tried again.")
        if isinstance(error, duckdb.OutOfMemoryException) or "No space left" in said:
            return SpillFull(
                f"There is no room for the rows of {label}.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            )
        if isinstance(error, duckdb.ConnectionException | duckdb.HTTPException):
            return ConnectionLost(
                f"The connection to {label} was lost: {said}.",
                next_step="Check the network; the transfer is tried again.",
            )
        return QueryFailed(
            f"{label} refused the load: {said}.",
            next_step=f"Check that tables can be made and changed in the schema {self._schema}.",
        )


def _declared(load: Load) -> str:
    columns = [f"{quote(f.name, 'duckdb')} {column_type(f.type)}" for f in load.fields]
    key = ", ".join(quote(name, "duckdb") for name in load.key)
    return ", ".join([*columns, f"PRIMARY KEY ({key})"])


def _check_types(load: Load, there: Mapping[str, str]) -> None:
    for field in load.fields:
        found, wanted = there.get(field.name), column_type(field.type)
        if found is not None and found != wanted:
            raise NotComparable(
                f"The column {field.name} of {load.table} is {found} in the destination, expected"
                f" {wanted}.",
                next_step="Rename or drop the column there, or the whole table and ask for a full"
                " refresh; or change its data_type in the model.",
            )


def _cancelled(label: str) -> Cancelled:
    return Cancelled(f"The loading into {label} was cancelled.", next_step="Ask again.")
