"""MariaDB and MySQL: PyMySQL asks, connectorx reads out, each in a consistent snapshot."""

from __future__ import annotations

import contextlib
import importlib.util
import uuid
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb

from weighbridge.connectors import mysql_catalog as catalog
from weighbridge.connectors import mysql_tls
from weighbridge.connectors import mysql_types as my
from weighbridge.connectors.base import Estimate, Position, Reading, Traits
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.mysql_child import Child
from weighbridge.connectors.mysql_conninfo import SESSION, url, url_of_socket
from weighbridge.connectors.mysql_login import PORT, faults_of, first_login, login, told
from weighbridge.connectors.mysql_relay import Relay
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sides import address_of
from weighbridge.connectors.sql import (
    among,
    in_ranges,
    missing_extra,
    no_such_table,
    nulls,
    select,
    uniqueness,
)
from weighbridge.connectors.transport import batch_rows, finished
from weighbridge.errors import BadArgument, QueryFailed, WeighbridgeError
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.columns import Column, Shape

if TYPE_CHECKING:
    import pyarrow as pa
    import pymysql

    from weighbridge.connectors.sides import SideSpec

# Someone waits for the end: a server that does not answer by then is not asked again.
CANCEL_SECONDS = 3


class MySQLSource:
    """One table, view or query of a MariaDB or MySQL server."""

    traits = Traits(vendor="mysql", dialect="mysql", look_back=5)

    def __init__(self, spec: SideSpec, policy: HostPolicy, *, snapshot: bool = True) -> None:
        self.label = spec.label
        self.where = spec.where
        self._spec = spec
        self._snapshot = snapshot
        self._address = address_of(spec, PORT, policy, database=spec.database)
        if not spec.database:
            raise BadArgument(
                f"The side {spec.label} names no database.",
                next_step="Write it as mysql://user@host/database#table.",
            )
        self.query = check_query(spec.query, "mysql") if spec.query else None
        own_sql = self.query is not None or self.where is not None
        self._faults = faults_of(spec, own_sql=own_sql)
        self._table = spec.table[-1] if spec.table else ""
        self._schema = spec.table[-2] if len(spec.table) > 1 else spec.database
        self._tag = f"weighbridge {uuid.uuid4().hex}"
        self._readings: list[duckdb.DuckDBPyConnection] = []
        self._children: list[Child] = []
        self._relay: Relay | None = None
        self._gone = False
        self._control, self._host = first_login(spec, self._address, self._faults)
        try:
            for statement in SESSION:
                self._rows(statement)
            self.version = str(self._rows("SELECT @@version")[0][0])
            if "MariaDB" in self.version:
                self.traits = replace(self.traits, vendor="mariadb")
            self.relation = self._relation()
        except BaseException:
            self.close()
            raise

    # Opening -------------------------------------------------------------------------------

    def _connect(self, seconds: int = 10) -> pymysql.Connection[Any]:
        place = (self._host, self._address.port)
        return login(self._spec, place, self._faults, seconds=seconds)

    def _relation(self) -> str:
        if self.query is not None:
            return f"(\n{self.query}\n) AS q"
        known = self._rows(
            "select table_name from information_schema.tables where table_schema = %s",
            (self._schema,),
        )
        names = [str(row[0]) for row in known]
        if self._table not in names:
            raise no_such_table(self.label, self._table, names)
        name = f"{quote(self._schema or '', 'mysql')}.{quote(self._table, 'mysql')}"
        if self._spec.as_of is not None:
            kind = self._rows(catalog.KIND, (self._schema, self._table))[0][0]
            name += catalog.as_of(self.label, str(kind), self._spec.as_of)
        return name

    # Asking --------------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        import pymysql  # noqa: PLC0415 an extra

        try:
            with self._control.cursor() as cursor:
                cursor.execute(sql, tuple(values) or None)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise self._error(error) from None
        except RuntimeError:  # PyMySQL's answer to a server that asks for a local file
            raise QueryFailed(
                f"{self.label} answered a query with a wish for a file of this machine;"
                " it was refused.",
                next_step="Do not trust this server; ask who runs it.",
            ) from None

    def _error(self, error: BaseException) -> WeighbridgeError:
        return told(error, self._faults)

    def shape(self) -> Shape:
        """Give columns, primary key and unique indexes, from the catalog or the query."""
        if self.query is not None:
            return Shape(tuple(self._query_columns()))
        where = (self._schema, self._table)
        checks = " ".join(str(r[0]) for r in self._checks(where)).lower()
        columns = tuple(
            Column(
                name,
                my.column_type(
                    kind.lower(),
                    my.as_text(declared),
                    is_json=kind.lower() == "longtext"
                    and f"json_valid(`{name.lower()}`)" in checks,
                ),
                bool(nullable),
                n,
            )
            for n, (name, kind, declared, nullable, _) in enumerate(
                self._rows(catalog.COLUMNS, where)
            )
        )
        indexes: dict[str, list[tuple[str, bool]]] = {}
        for index, column, nullable in self._rows(catalog.KEYS, where):
            indexes.setdefault(str(index), []).append((str(column), bool(nullable)))
        primary = tuple(c for c, _ in indexes.pop("PRIMARY", []))
        unique = tuple(
            tuple(c for c, _ in parts)
            for parts in indexes.values()
            if not any(nullable for _, nullable in parts)
        )
        return Shape(columns, primary, unique)

    def _checks(self, where: tuple[str | None, str]) -> list[tuple[Any, ...]]:
        if "MariaDB" not in (self.version or ""):
            return []
        return self._rows(catalog.JSON, where)

    def _query_columns(self) -> Sequence[Column]:
        # The server itself says what a query's columns are: as a view that is never made.
        from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 an extra

        names = {v: k.lower() for k, v in vars(FIELD_TYPE).items() if isinstance(v, int)}
        self._rows("SELECT 1")
        columns: list[Column] = []
        import pymysql  # noqa: PLC0415 an extra

        with self._control.cursor() as cursor:
            try:
                cursor.execute(f"SELECT * FROM {self.relation} LIMIT 0")
            except pymysql.MySQLError as error:
                raise self._error(error) from None
            result: Any = cursor._result  # noqa: SLF001 flags and charset are not public  # pyright: ignore[reportPrivateUsage]
            for n, f in enumerate(result.fields):
                columns.append(
                    Column(f.name, my.from_field(names.get(f.type_code, ""), f), True, n)
                )
        return columns

    def estimate(self) -> Estimate:
        """Give InnoDB's belief for a table; nothing for a view or query."""
        if self.query is not None:
            return Estimate()
        row = self._rows(
            "select table_rows, data_length from information_schema.tables"
            " where table_schema = %s and table_name = %s",
            (self._schema, self._table),
        )
        return Estimate(*(None if v is None else int(v) for v in row[0])) if row else Estimate()

    def in_order(self, column: Column) -> bool:  # noqa: ARG002 any integer key will do
        """Tell whether reading in the order of a key costs little more than reading: it does."""
        return True

    def span(self, column: Column) -> tuple[int, int] | None:
        """Give min and max where an index answers at once."""
        if self.query is not None or column.name not in {
            k[0] for k in (self.shape().primary_key, *self.shape().unique) if k
        }:
            return None
        name = quote(column.name, "mysql")
        low, high = self._rows(f"SELECT MIN({name}), MAX({name}) FROM {self.relation}")[0]
        return None if low is None else (int(low), int(high))

    def is_unique(self, columns: Sequence[Column]) -> bool:
        """Tell whether no two rows share these values and none is null."""
        return bool(self._rows(uniqueness(self, columns, "mysql"))[0][0])

    def position(self) -> Position:
        """Tell that each reading is a consistent snapshot, where the engine has them."""
        if not self._snapshot:
            return Position(False, None, "snapshots were switched off")
        if self.query is None:
            engine = self._rows(
                "select engine from information_schema.tables"
                " where table_schema = %s and table_name = %s",
                (self._schema, self._table),
            )[0][0]
            if engine not in {"InnoDB", None}:
                return Position(False, None, f"the storage engine {engine} has no snapshots")
        return Position(True, "START TRANSACTION WITH CONSISTENT SNAPSHOT", None)

    def native(self, column: Column) -> str:
        """Name the DuckDB type in which a column's values arrive."""
        return my.travels_as(column.type)

    # Reading -------------------------------------------------------------------------------

    def sql(self, reading: Reading) -> str:
        """Give the SELECT that the server runs for a reading."""
        columns = [
            (my.wire(o.column.type, quote(o.column.name, "mysql")), o.name) for o in reading.outputs
        ]
        key = quote(reading.key.name, "mysql") if reading.key else ""
        conditions = [self.where] if self.where else []
        names = [quote(c.name, "mysql") for c in reading.keys]
        if reading.key_nulls is not None:
            conditions.append(nulls(names, wanted=reading.key_nulls))
        if reading.key_values is not None:
            ways = [_WAYS.get(c.type.family, _literal) for c in reading.keys]
            conditions.append(among(names, reading.key_values, *ways))
        if reading.ranges is not None:
            conditions.append(in_ranges(key, reading.ranges) or "FALSE")
        order = key if reading.ordered else None
        text = select(columns, self.relation, where=conditions, order_by=order, dialect="mysql")
        return text.replace("SELECT ", f"SELECT /* {self._tag} */ ", 1)

    def read(self, reading: Reading) -> pa.RecordBatchReader:
        """Stream a reading over the binary protocol, in its own consistent snapshot."""
        if importlib.util.find_spec("connectorx") is None:
            raise missing_extra("MariaDB and MySQL", "mysql")
        try:
            child = Child(
                self._reading_url(),
                self.sql(reading),
                batch_size=batch_rows(len(reading.outputs)),
                session=SESSION if self._snapshot else SESSION[:-1],
            )
            # Whoever cancels must reach it while it still waits for the server's first word.
            self._children.append(child)
            schema = child.open()
        except RuntimeError as error:
            reason = self._relay.error if self._relay else None
            raise self._error(reason or error) from None
        local = private_duckdb(threads=1, megabytes=128)
        self._readings.append(local)
        outputs = [
            (
                o.expression.replace(
                    "{x}", "(" + my.finish(o.column.type).replace("{x}", f'"{o.name}"') + ")"
                ),
                o.name,
            )
            for o in reading.outputs
        ]
        return finished(local, child, schema, outputs, translate=self._error)

    def _reading_url(self) -> str:
        if mysql_tls.context(self._spec) is None:
            return url(self._spec, self._host, self._address.port)
        if self._relay is None:
            self._relay = Relay(self._connect)
        return url_of_socket(self._spec, self._relay.path)

    # Ending --------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Kill every query of this source on the server."""
        for child in self._children:
            child.kill()
        for reading in self._readings:
            with contextlib.suppress(duckdb.Error):
                reading.interrupt()
        if self._gone:
            return
        try:
            with self._connect(CANCEL_SECONDS) as other, other.cursor() as cursor:
                cursor.execute(
                    "select id from information_schema.processlist where info like %s or id = %s",
                    (f"%{self._tag}%", self._control.thread_id()),
                )
                for (number,) in cursor.fetchall():
                    with contextlib.suppress(Exception):  # it ended by itself
                        cursor.execute("KILL QUERY %s", (number,))
        except Exception:  # noqa: BLE001 a dead server has nothing to kill
            self._gone = True

    def close(self) -> None:
        """Let go of the connections."""
        for child in self._children:
            child.close()
        if self._relay is not None:
            self._relay.close()
        for reading in self._readings:
            with contextlib.suppress(duckdb.Error):
                reading.close()
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._control.close()


def _literal(text: str) -> str:
    # Hexadecimal: whether a backslash escapes depends on the server's sql_mode.
    return f"CONVERT(X'{text.encode().hex()}' USING utf8mb4)"


def _number(text: str) -> str:
    # Beside a text MariaDB compares as doubles: slowly, and beyond 2^53 wrongly.
    return f"{Decimal(text):f}"


_WAYS = {"int": _number, "decimal": _number}
