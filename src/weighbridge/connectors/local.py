"""DuckDB databases, and what they share with files: read by DuckDB in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb

from weighbridge.connectors import duckdb_types as types
from weighbridge.connectors.base import Estimate, Position, Reading, Traits
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sql import (
    among,
    in_ranges,
    literal,
    moment,
    no_such_table,
    nulls,
    scrub,
    select,
    uniqueness,
)
from weighbridge.connectors.transport import batch_rows, guarded
from weighbridge.errors import (
    BadQuery,
    Busy,
    Cancelled,
    NoSuchTable,
    QueryFailed,
    SpillFull,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.types.columns import Column, ColumnType, Shape

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.sides import SideSpec


# What DuckDB says of SQL; of a file it says IOException or InvalidInputException.
_SQL_FAULTS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
)


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Let SQL on this database read what is attached and allowed, and nothing else here."""
    for setting in (
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


class LocalSource:
    """What DuckDB reads in this process: `expression` can stand in a FROM of `connection`."""

    traits = Traits(vendor="duckdb", dialect="duckdb", fingerprints="duckdb", local=True)

    def __init__(self, spec: SideSpec) -> None:
        self.label = spec.label
        self.where = spec.where
        self.version: str | None = duckdb.__version__
        self.query = check_query(spec.query, "duckdb") if spec.query else None
        self._spec = spec
        if self.query is not None:
            # Two queries would meet in one database, with each other's names and files.
            self.traits = replace(self.traits, local=False, fingerprints=None)
        self._private = private_duckdb(threads=2, megabytes=128)
        self._connections: list[duckdb.DuckDBPyConnection] = []
        try:
            self.relation = self.attach(self._private)
            lock(self._private)
            self._shape = self._describe()
        except BaseException:
            self.close()
            raise

    # Each kind of local source says only this:

    def attach(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Make the data readable on a connection and give its FROM expression."""
        raise NotImplementedError

    def paths(self) -> list[str]:
        """List the files that the data is in."""
        raise NotImplementedError

    def enter(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """Make a new connection of the private database stand where the query's names are."""
        return connection

    # Asking --------------------------------------------------------------------------------

    def _describe(self) -> Shape:
        try:
            filtered = f" WHERE ({self.where})" if self.where else ""
            rows = self._private.execute(
                f"DESCRIBE SELECT * FROM {self.relation}{filtered}"
            ).fetchall()
        except duckdb.Error as error:
            raise self.error(error) from None
        return Shape(
            tuple(
                Column(str(row[0]), self.column_type(str(row[1])), True, n)
                for n, row in enumerate(rows)
            )
        )

    def _one(self, sql: str) -> tuple[Any, ...] | None:
        try:
            return self._private.execute(sql).fetchone()
        except duckdb.Error as error:
            raise self.error(error) from None

    def column_type(self, declared: str) -> ColumnType:
        """Give the type of a column that DuckDB describes as `declared`."""
        return types.column_type(declared)

    def owns(self, error: Exception) -> bool:
        """Tell whether an error of DuckDB, on any connection, is about these files or filter."""
        filtered = self.where is not None and isinstance(error, _SQL_FAULTS)
        return filtered or any(path in str(error) for path in self.paths())

    def error(self, error: Exception) -> WeighbridgeError:
        """Translate DuckDB's error, with the blame where it belongs."""
        text = scrub(error).replace("Invalid Input Error: ", "")
        if isinstance(error, duckdb.InterruptException) or "Interrupted" in text:
            return Cancelled("The reading was cancelled.", next_step="Run it again when you like.")
        if "No space left" in text or "max_temp_directory_size" in text:
            return SpillFull(
                "There is no room for temporary files.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            return SpillFull(
                f"{self.label} needs more memory than a reader may take: {text}.",
                next_step="Split the file, or compare fewer columns with --columns.",
            )
        user_sql = self.query is not None or self.where is not None
        if user_sql and isinstance(error, _SQL_FAULTS):
            return BadQuery(
                f"{self.label} does not accept the query or filter: {text}.",
                next_step="Correct the SQL; DuckDB's dialect is used for files.",
            )
        if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
            return QueryFailed(
                f"{self.label} cannot answer: {text}.", next_step="Check the names of its columns."
            )
        return Unreadable(
            f"{self.label} is not readable as what its name says: {text}.",
            next_step="Check that the file is whole and that its ending tells its format.",
        )

    def shape(self) -> Shape:
        """Give the columns; files enforce no key."""
        return self._shape

    def estimate(self) -> Estimate:
        """Give the bytes on disk; rows only where the format counts them."""
        return Estimate(None, sum(Path(p).stat().st_size for p in self.paths()))

    def span(self, column: Column) -> tuple[int, int] | None:
        """Give min and max, which Parquet and DuckDB answer from their statistics."""
        value = self.wire(column)
        row = self._one(f"SELECT min({value}), max({value}) FROM {self.relation}")
        return None if row is None or row[0] is None else (int(row[0]), int(row[1]))

    def is_unique(self, columns: Sequence[Column]) -> bool:
        """Tell whether no two rows share these values and none is null."""
        row = self._one(uniqueness(self, columns, "duckdb"))
        return bool(row and row[0])

    def position(self) -> Position:
        """Tell what the data is as of: the newest file's time of change."""
        stamp = moment(max((Path(p).stat().st_mtime for p in self.paths()), default=0.0))
        return Position(True, f"files as of {stamp}", None)

    def in_order(self, column: Column) -> bool:
        """Tell whether reading in the order of this column costs little more than reading."""
        return self._lies_in_order(column)

    def _lies_in_order(self, column: Column | None) -> bool:  # noqa: ARG002 files know more
        return False

    def _holds_no_null(self, column: Column) -> bool:  # noqa: ARG002 files know more
        return False

    def native(self, column: Column) -> str:
        """Name the DuckDB type in which a column's values arrive."""
        return types.travels_as(column.type)

    # Reading -------------------------------------------------------------------------------

    def wire(self, column: Column) -> str:
        """Write the expression that gives a column's value in its `native` type."""
        return types.wire(column.type, quote(column.name, "duckdb"))

    def sql(self, reading: Reading) -> str:
        """Give the SELECT of a reading, over this source's own relation."""
        return self.sql_over(self.relation, reading)

    def sql_over(self, relation: str, reading: Reading) -> str:
        """Give the SELECT of a reading over a relation made by `attach`."""
        columns = [
            (o.expression.replace("{x}", f"({self.wire(o.column)})"), o.name)
            for o in reading.outputs
        ]
        conditions = [self.where] if self.where else []
        names = [quote(c.name, "duckdb") for c in reading.keys]
        if reading.key_nulls is not None:
            conditions.append(nulls(names, wanted=reading.key_nulls))
        if reading.key_nulls and all(self._holds_no_null(c) for c in reading.keys):
            # DuckDB then opens no file.
            conditions.append("false")
        if reading.key_values is not None:
            conditions.append(among(names, reading.key_values, literal))
        key = quote(reading.key.name, "duckdb") if reading.key else ""
        if reading.ranges is not None:
            conditions.append(in_ranges(key, reading.ranges) or "false")
        sorts = reading.ordered and not self._lies_in_order(reading.key)
        order = self.wire(reading.key) if sorts and reading.key else None
        return select(columns, relation, where=conditions, order_by=order, dialect="duckdb")

    def read(self, reading: Reading) -> pa.RecordBatchReader:
        """Stream a reading."""
        try:
            cursor = self.enter(self._database(reading).cursor())
            self._connections.append(cursor)
            rows = cursor.execute(self.sql(reading))
            return guarded(rows.to_arrow_reader(batch_rows(len(reading.outputs))), self.error)
        except duckdb.Error as error:
            raise self.error(error) from None

    def _database(self, reading: Reading) -> duckdb.DuckDBPyConnection:  # noqa: ARG002 files have two
        return self._private

    # Ending --------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Stop what is running."""
        for connection in (self._private, *self._connections):
            with contextlib.suppress(duckdb.Error):
                connection.interrupt()

    def close(self) -> None:
        """Close the private database."""
        for connection in (*self._connections, self._private):
            with contextlib.suppress(duckdb.Error):
                connection.close()


class DuckDBSource(LocalSource):
    """One table, view or query of a DuckDB database file, opened read-only."""

    def paths(self) -> list[str]:
        """List the database file."""
        return [self._spec.path or ""]

    def attach(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Attach the database file under a name of its own."""
        path = self._spec.path or ""
        if not Path(path).is_file():
            raise NoSuchTable(
                f"There is no file {path}.", next_step="Check the path in duckdb:///path#table."
            )
        alias = f"file_{abs(hash(str(Path(path).resolve()))) % 10**9}"
        try:
            connection.execute(f"ATTACH IF NOT EXISTS {literal(path)} AS {alias} (READ_ONLY)")
        except duckdb.Error as error:
            if "could not set lock" in str(error).lower():
                raise Busy(
                    f"{self.label} is open in another program, which writes it.",
                    next_step="Close it there, or wait until it is done.",
                ) from None
            raise Unreadable(
                f"{path} is not a DuckDB database: {scrub(error)}.",
                next_step="Check that the file is a database of DuckDB 1.5 or older.",
            ) from None
        if self.query is not None:
            self._alias = alias
            self.enter(connection)
            return f"(\n{self.query}\n) AS q"
        return self._table(connection, alias)

    def enter(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """Make the names of a query those of the database file; a cursor begins elsewhere."""
        if self.query is not None:
            connection.execute(f"USE {self._alias}")
        return connection

    def _table(
        self, connection: duckdb.DuckDBPyConnection, alias: str, catalog: str | None = None
    ) -> str:
        wanted = self._spec.table
        name = wanted[-1] if wanted else ""
        schema = wanted[-2] if len(wanted) > 1 else "main"
        rows = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_catalog = ?",
            [catalog or alias],
        ).fetchall()
        if (schema, name) not in rows:
            known = [table if s == "main" else f"{s}.{table}" for s, table in rows]
            raise no_such_table(self.label, ".".join(wanted), known)
        return ".".join([alias, quote(schema, "duckdb"), quote(name, "duckdb")])

    def shape(self) -> Shape:
        """Give the columns, and the keys that the database enforces."""
        if self.query is not None:
            return self._shape
        name = self._spec.table[-1]
        rows = cast(
            "list[tuple[str, list[str]]]",
            self._private.execute(
                "SELECT constraint_type, constraint_column_names FROM duckdb_constraints()"
                " WHERE table_name = ? AND constraint_type IN"
                " ('PRIMARY KEY', 'UNIQUE', 'NOT NULL')",
                [name],
            ).fetchall(),
        )
        fixed = {c for kind, names in rows if kind in {"NOT NULL", "PRIMARY KEY"} for c in names}
        primary = next((tuple(names) for kind, names in rows if kind == "PRIMARY KEY"), ())
        unique = tuple(
            tuple(names) for kind, names in rows if kind == "UNIQUE" and set(names) <= fixed
        )
        columns = tuple(
            Column(c.name, c.type, c.name not in fixed, c.ordinal) for c in self._shape.columns
        )
        return Shape(columns, primary, unique)

    def estimate(self) -> Estimate:
        """Give DuckDB's own count of a table's rows."""
        row = None
        if self.query is None and not self.where:
            row = self._private.execute(
                "SELECT estimated_size FROM duckdb_tables() WHERE table_name = ?",
                [self._spec.table[-1]],
            ).fetchone()
        return Estimate(int(row[0]) if row else None, super().estimate().bytes)
