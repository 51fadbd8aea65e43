"""SQLite through ADBC. Its columns hold any type in any row, so types are measured, not read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent

import duckdb

from weighbridge.connectors.base import Estimate, Position, Reading, Traits
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sql import (
    among,
    in_ranges,
    literal,
    missing_extra,
    moment,
    no_such_table,
    nulls,
    scrub,
    select,
    uniqueness,
)
from weighbridge.connectors.transport import batch_rows, finished
from weighbridge.errors import (
    BadQuery,
    Cancelled,
    NoSuchTable,
    QueryFailed,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.types.columns import Column, ColumnType, Shape

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.sides import SideSpec

_NATIVE = {"int": "BIGINT", "float": "DOUBLE", "bytes": "BLOB"}
_FINISH = {
    "int": "CAST({x} AS BIGINT)",
    "float": "CAST({x} AS DOUBLE)",
    "bytes": "unhex({x})",
}


# Doubles hold every integer up to here.
_EXACT = 2**53


class SQLiteSource:
    """One table, view or query of a SQLite file, opened read-only, in one read transaction."""

    traits = Traits(vendor="sqlite", dialect="sqlite")

    def __init__(self, spec: SideSpec) -> None:
        self.label = spec.label
        self.where = spec.where
        self._spec = spec
        self._path = spec.path or ""
        self.query = check_query(spec.query, "sqlite") if spec.query else None
        self._readings: list[duckdb.DuckDBPyConnection] = []
        # A stream ends with its cursor, so each is held until the end.
        self._cursors: list[Any] = []
        self._shape: Shape | None = None
        self._connection = self._connect()
        try:
            self.version: str | None = str(self._rows("SELECT sqlite_version()")[0][0])
            self.relation = self._relation()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> Any:
        if not Path(self._path).is_file():
            raise NoSuchTable(
                f"There is no file {self._path}.",
                next_step="Check the path in sqlite:///path#table.",
            )
        try:
            import adbc_driver_sqlite.dbapi as adbc  # noqa: PLC0415 an extra
        except ImportError:
            raise missing_extra("SQLite", "sqlite") from None
        connection = adbc.connect(f"file:{percent(str(Path(self._path).resolve()))}?mode=ro")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM sqlite_master")
                cursor.fetchall()
        except adbc.Error as error:
            connection.close()
            raise Unreadable(
                f"{self._path} is not a SQLite database: {scrub(error)}.",
                next_step="Check that the file is what its name says.",
            ) from None
        return connection

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except Exception as error:  # noqa: BLE001 ADBC's tree of errors lives in an extra
            raise self._error(error) from None

    def _error(self, error: Exception) -> WeighbridgeError:
        if isinstance(error, WeighbridgeError):
            return error
        text = scrub(error)
        if "interrupt" in text.lower():
            return Cancelled("The reading was cancelled.", next_step="Run it again when you like.")
        if self.where is not None or getattr(self, "query", None) is not None:
            return BadQuery(
                f"{self.label} does not accept the query or filter: {text}.",
                next_step="Try the same SQL in the sqlite3 shell and correct it.",
            )
        return QueryFailed(f"{self.label} failed: {text}.", next_step="Check the file.")

    def _relation(self) -> str:
        if self.query is not None:
            return f"(\n{self.query}\n) AS q"
        known = [
            str(row[0])
            for row in self._rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        ]
        if self._spec.table[-1] not in known:
            raise no_such_table(self.label, self._spec.table[-1], known)
        return quote(self._spec.table[-1], "sqlite")

    def shape(self) -> Shape:
        """Give the columns with the family that their values really have, and the keys."""
        if self._shape is None:
            self._shape = self._measure()
        return self._shape

    def _measure(self) -> Shape:
        # The name goes through a function call's argument, where a literal is enough.
        declared: list[tuple[str, str, bool, int]] = []
        if self.query is None:
            name = self._spec.table[-1].replace("'", "''")
            rows = self._rows(
                f"SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo('{name}')"
                " WHERE hidden <> 1"
            )
            declared = [(str(n), str(t), bool(f), int(k)) for n, t, f, k in rows]
        else:
            with self._connection.cursor() as cursor:
                try:
                    cursor.execute(f"SELECT * FROM {self.relation} LIMIT 0")
                except Exception as error:  # noqa: BLE001 ADBC's tree of errors lives in an extra
                    raise self._error(error) from None
                declared = [(str(d[0]), "", False, 0) for d in cursor.description]
        kinds = self._storage([d[0] for d in declared])
        columns = tuple(
            Column(
                name, _column_type(kind, storage), not fixed and not (pk and kind == "INTEGER"), n
            )
            for n, ((name, kind, fixed, pk), storage) in enumerate(
                zip(declared, kinds, strict=True)
            )
        )
        primary = tuple(d[0] for d in sorted(declared, key=lambda d: d[3]) if d[3])
        return Shape(columns, primary)

    def _storage(self, names: Sequence[str]) -> list[frozenset[str]]:
        if not names:
            return []
        counted = ", ".join(
            f"max(typeof({quote(n, 'sqlite')}) = '{kind}')"
            for n in names
            for kind in ("integer", "real", "text", "blob")
        )
        # Beside doubles an integer becomes one, which not every integer survives.
        wide = ", ".join(
            f"max(typeof({n}) = 'integer' AND ({n} > {_EXACT} OR {n} < -{_EXACT}))"
            for n in (quote(n, "sqlite") for n in names)
        )
        row = self._rows(f"SELECT {counted}, {wide} FROM {self.relation}")[0]
        kinds = ("integer", "real", "text", "blob", "wide")
        return [
            frozenset(
                k
                for k, seen in zip(
                    kinds, (*row[4 * i : 4 * i + 4], row[4 * len(names) + i]), strict=True
                )
                if seen
            )
            for i in range(len(names))
        ]

    def estimate(self) -> Estimate:
        """Give the file's size; SQLite keeps no count of rows."""
        return Estimate(None, Path(self._path).stat().st_size)

    def in_order(self, column: Column) -> bool:  # noqa: ARG002 any integer key will do
        """Tell whether reading in the order of a key costs little more than reading: it does."""
        return True

    def span(self, column: Column) -> tuple[int, int] | None:
        """Give min and max of an integer key."""
        if column.name not in self.shape().primary_key[:1]:
            return None
        name = quote(column.name, "sqlite")
        low, high = self._rows(f"SELECT min({name}), max({name}) FROM {self.relation}")[0]
        return None if low is None else (int(low), int(high))

    def is_unique(self, columns: Sequence[Column]) -> bool:
        """Tell whether no two rows share these values and none is null."""
        return bool(self._rows(uniqueness(self, columns, "sqlite"))[0][0])

    def position(self) -> Position:
        """Tell the file's time of change: one statement reads one moment."""
        return Position(True, f"file as of {moment(Path(self._path).stat().st_mtime)}", None)

    def native(self, column: Column) -> str:
        """Name the DuckDB type in which a column's values arrive."""
        return _NATIVE.get(column.type.family, "VARCHAR")

    def sql(self, reading: Reading) -> str:
        """Give the SELECT of a reading: every value leaves as text, which ADBC keeps whole."""
        columns = [(_wire(o.column), o.name) for o in reading.outputs]
        conditions = [self.where] if self.where else []
        names = [quote(c.name, "sqlite") for c in reading.keys]
        if reading.key_nulls is not None:
            conditions.append(nulls(names, wanted=reading.key_nulls))
        if reading.key_values is not None:
            conditions.append(among(names, reading.key_values, literal))
        key = quote(reading.key.name, "sqlite") if reading.key else ""
        if reading.ranges is not None:
            conditions.append(in_ranges(key, reading.ranges) or "0")
        order = key if reading.ordered else None
        return select(columns, self.relation, where=conditions, order_by=order, dialect="sqlite")

    def read(self, reading: Reading) -> pa.RecordBatchReader:
        """Stream a reading."""
        cursor = self._connection.cursor()
        self._cursors.append(cursor)
        cursor.adbc_statement.set_options(
            **{"adbc.sqlite.query.batch_rows": str(batch_rows(len(reading.outputs)))}
        )
        try:
            cursor.execute(self.sql(reading))
            stream = cursor.fetch_record_batch()
        except Exception as error:  # noqa: BLE001 ADBC's tree of errors lives in an extra
            raise self._error(error) from None
        local = private_duckdb(threads=1, megabytes=128)
        self._readings.append(local)
        outputs = [
            (o.expression.replace("{x}", f"({_finish(o)})"), o.name) for o in reading.outputs
        ]
        return finished(local, stream, stream.schema, outputs, translate=self._error)

    def cancel(self) -> None:
        """Stop what is running."""
        for reading in self._readings:
            with contextlib.suppress(duckdb.Error):
                reading.interrupt()
        with contextlib.suppress(Exception):  # nothing was running
            self._connection.adbc_cancel()

    def close(self) -> None:
        """Close the file."""
        for reading in self._readings:
            with contextlib.suppress(duckdb.Error):
                reading.close()
        for cursor in self._cursors:
            with contextlib.suppress(Exception):  # it may be busy: the connection ends it
                cursor.close()
        with contextlib.suppress(Exception):  # a reading that was cut off holds a statement
            self._connection.close()


def _column_type(declared: str, storage: frozenset[str]) -> ColumnType:
    name = declared or "none"
    if storage <= {"integer", "wide"} and storage:
        return ColumnType("int", name, bits=64)
    if storage <= {"integer", "real"} and storage:
        return ColumnType("float", name, bits=64)
    if storage == frozenset({"blob"}):
        return ColumnType("bytes", name)
    if not storage:
        # No value tells: what was declared does, as https://www.sqlite.org/datatype3.html reads it.
        if "INT" in name.upper():
            return ColumnType("int", name, bits=64)
        if any(word in name.upper() for word in ("REAL", "FLOA", "DOUB")):
            return ColumnType("float", name, bits=64)
        if "BLOB" in name.upper():
            return ColumnType("bytes", name)
    return ColumnType("text", name)


def _wire(column: Column) -> str:
    name = quote(column.name, "sqlite")
    blob = f"hex({name})"
    value = f"CAST({name} AS TEXT)"
    if column.type.family == "text":
        # Bytes among texts must not look like the text of their digits: a control character
        # leads them, and is doubled in front of a text that begins with it.
        blob = f"char(31) || 'x' || {blob}"
        value = f"CASE WHEN {name} >= char(31) AND {name} < char(32) THEN char(31) || {value} ELSE {value} END"
    # ADBC takes a column's type from its first rows, and nulls have none: a null travels as ''.
    return (
        f"CASE typeof({name}) WHEN 'null' THEN '' WHEN 'real' THEN '=' || printf('%!.17g', {name})"
        f" WHEN 'blob' THEN '=' || {blob} ELSE '=' || {value} END"
    )


def _finish(output: Any) -> str:
    text = f"""substr(nullif(CAST("{output.name}" AS VARCHAR), ''), 2)"""
    return _FINISH.get(output.column.type.family, "{x}").replace("{x}", text)
