"""Loading models into MariaDB, MySQL and what speaks as they do.

    claim: the ledger's token, the table's columns → add: into a temporary table
    → publish: one transaction: the fence, the rows, the ledger's line

The temporary table is this session's alone: nobody sees it, and it goes when the session does. Between
two statements nothing is locked until `publish`, whose session the server ends when it stands idle.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weighbridge.connectors import mysql_holding as holding
from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.mysql_ledger import Ledger
from weighbridge.connectors.mysql_login import PORT, faults_of, first_login, login
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sides import address_of
from weighbridge.connectors.sql import scrub
from weighbridge.errors import (
    Busy,
    Cancelled,
    ConnectionLost,
    NotComparable,
    Overtaken,
    QueryFailed,
    Unreadable,
    WeighbridgeError,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.mysql_holding import Held
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

# A frozen worker holds nothing for longer than this; who waits for another's lock, neither.
IDLE_SECONDS, LOCK_SECONDS = 15, 10
CANCEL_SECONDS = 3
# Bytes of one INSERT of several rows, and of the rows that are written at a time.
STATEMENT, SLICE = 2**19, 2**22
_SESSION = (
    "SET SESSION time_zone = '+00:00'",
    # What a column cannot hold is an error, and a backslash is a letter.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
)
# The first that the server has tells 'a' from 'a '; all compare byte by byte.
_COLLATIONS = ("utf8mb4_nopad_bin", "utf8mb4_0900_bin", "utf8mb4_bin")
_INTERRUPTED, _LOST = {1317, 1028}, {0, 2003, 2006, 2013, 2014, 2055, 1927, 1053, 4031}
# Locks, deadlocks, time limits, too many connections, a server that is read-only after a failover.
_PASSING = {1205, 1213, 1969, 3024, 1040, 1203, 1226, 1290, 1412}
_NOT_ONE_KEY, _NO_VALUE = {1062, 1586}, {1048, 1264, 1265, 1292, 1366, 1406, 1153}
_STAGED = "_weighbridge_staged"


class MySQLLoader:
    """Loads into one database of a MariaDB or MySQL server."""

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        self._spec, self._schema = spec, schema
        self._faults = faults_of(spec, own_sql=False)
        self._address = address_of(spec, PORT, policy, database=schema)
        self._login = replace(spec, database=spec.database or schema)
        self._connection, self._host = first_login(self._login, self._address, self._faults)
        try:
            self._connection.autocommit(True)
            for statement in _SESSION:
                self._ask(statement)
            self._patience = int(self._ask("SELECT @@session.wait_timeout")[0][0])
            self._collation = self._best_collation()
        except BaseException:
            self.close()
            raise
        self._ledger = Ledger(self._ask, schema)
        self._local = private_duckdb(threads=1, megabytes=256)
        self._load: Load | None = None
        self._columns: tuple[Held, ...] = ()
        self._rows = self._sent = 0

    def _best_collation(self) -> str:
        known = {
            str(row[0])
            for row in self._ask(
                "SELECT collation_name FROM information_schema.collations"
                " WHERE collation_name IN (%s, %s, %s)",
                *_COLLATIONS,
            )
        }
        return next((name for name in _COLLATIONS if name in known), _COLLATIONS[-1])

    # The protocol --------------------------------------------------------------------------

    def find(self, load: Load) -> Loaded | None:
        """Look into the table `_transfer_status`."""
        return self._ledger.find(load)

    def claim(self, load: Load) -> None:
        """Fence out earlier attempts, make the ledger, and bring the table into shape."""
        self._load = None
        self._columns = holding.holding(load, pads=self._collation == _COLLATIONS[-1])
        self._ledger.make()
        with self._transaction():
            self._ledger.claim(load)
        self._shape(load)
        listed = self._declared(load)
        self._ask(f"DROP TEMPORARY TABLE IF EXISTS {self._named(_STAGED)}")
        self._ask(f"CREATE TEMPORARY TABLE {self._named(_STAGED)} ({listed})")
        self._load, self._rows, self._sent = load, 0, 0

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Stage rows, as many in one INSERT as go into STATEMENT bytes."""
        load = self._claimed()
        begin = f"INSERT INTO {self._named(_STAGED)} ({self._listed()}) VALUES "
        for batch in rows:
            for part in _slices(batch):
                self._register(part)
                holding.check(self._local, self._columns, load.table, self._spec.label)
                for values in self._statements():
                    self._ask(begin + values)
                    self._sent += len(values)
                self._rows += part.num_rows

    def publish(self, loaded: Loaded) -> Loaded:
        """Merge or replace, write the ledger, and commit: all or nothing."""
        load = self._claimed()
        staged = self._count(f"SELECT COUNT(*) FROM {self._named(_STAGED)}")
        if not staged == self._rows == loaded.rows:
            raise QueryFailed(
                f"Of {loaded.rows} rows of {load.table}, {staged} arrived at {self._spec.label};"
                " nothing was published.",
                next_step="It is tried again; if it stays so, report it.",
            )
        with self._transaction():
            before = self._ledger.hold(load)
            if before is not None:
                return before
            changed = self._merge(load)
            self._empty(self._ledger.removed(load), load)
            done = Loaded(loaded.rows, loaded.bytes or self._sent, loaded.latest, changed)
            self._ledger.write(load, done)
        self._load = None
        return done

    def cancel(self) -> None:
        """Kill what is running on the server."""
        place = (self._host, self._address.port)
        with (
            contextlib.suppress(Exception),  # a dead server has nothing to kill
            login(self._login, place, self._faults, seconds=CANCEL_SECONDS) as other,
            other.cursor() as cursor,
        ):
            cursor.execute("KILL QUERY %s", (self._connection.thread_id(),))

    def close(self) -> None:
        """Let go; the server rolls back what was not committed and forgets the staged rows."""
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()
        with contextlib.suppress(Exception):
            self._local.close()

    # The table -----------------------------------------------------------------------------

    def _shape(self, load: Load) -> None:
        """Make the table, or add the columns that are new. Raises NotComparable."""
        kinds = self._ask(
            "SELECT table_type FROM information_schema.tables"
            " WHERE table_schema = %s AND table_name = %s",
            self._schema, load.table,
        )  # fmt: skip
        if load.table == LEDGER or (kinds and "TABLE" not in str(kinds[0][0])):
            raise NotComparable(
                f"{load.table} cannot be a delivered table in the destination.",
                next_step="Rename the model, or rename what has its name there.",
            )
        if not kinds:
            self._ask(
                f"CREATE TABLE IF NOT EXISTS {self._named(load.table)} ({self._declared(load)})"
                f" DEFAULT CHARSET = utf8mb4 COLLATE = {self._collation}"
            )
        there = {
            str(name): (str(kind), str(collation))
            for name, kind, collation in self._ask(
                "SELECT column_name, column_type, collation_name FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s",
                self._schema, load.table,
            )
        }  # fmt: skip
        for column in self._columns:
            if column.name in there:
                self._check_type(load, column, there[column.name])
        self._check_key(load)
        new = [c for c in self._columns if c.name not in there]
        if new:
            added = ", ".join(
                f"ADD COLUMN {quote(c.name, 'mysql')} {holding.create(c, self._collation)}"
                for c in new
            )
            self._ask(f"ALTER TABLE {self._named(load.table)} {added}")
        self._there = set(there)

    def _check_type(self, load: Load, column: Held, found: tuple[str, str]) -> None:
        kind, collation = found
        folds = column.is_key and column.is_text and collation != self._collation
        if folds or not holding.same(kind, column.declared):
            raise NotComparable(
                f"The column {column.name} of {load.table} is"
                f" {kind}{f' ({collation})' if folds else ''} in the destination, expected"
                f" {column.declared}{f' ({self._collation})' if folds else ''}.",
                next_step="Rename or drop the column there, or the whole table and ask for a full"
                " refresh; or change its data_type in the model.",
            )

    def _check_key(self, load: Load) -> None:
        rows = self._ask(
            "SELECT column_name, sub_part FROM information_schema.statistics"
            " WHERE table_schema = %s AND table_name = %s AND index_name = 'PRIMARY'",
            self._schema, load.table,
        )  # fmt: skip
        if {str(name) for name, part in rows if part is None} != set(load.key):
            key = ", ".join(load.key)
            raise NotComparable(
                f"The table {load.table} of the destination has no primary key ({key}).",
                next_step=f"Drop the table and ask for a full refresh: ({key}) names the model's"
                " rows.",
            )

    def _declared(self, load: Load) -> str:
        columns = [
            f"{quote(c.name, 'mysql')} {holding.create(c, self._collation)}" for c in self._columns
        ]
        key = ", ".join(quote(name, "mysql") for name in load.key)
        return ", ".join([*columns, f"PRIMARY KEY ({key})"])

    # The rows ------------------------------------------------------------------------------

    def _register(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa  # noqa: PLC0415 heavy

        # In UTC already: DuckDB would write an instant in a zone of its own.
        arrays = [
            a.cast(pa.timestamp("us")) if pa.types.is_timestamp(a.type) else a
            for a in batch.columns
        ]
        names = [f"c{n}" for n in range(len(arrays))]
        self._local.register("arriving", pa.RecordBatch.from_arrays(arrays, names=names))

    def _statements(self) -> Iterator[str]:
        """Give the rows of a batch as lists of values, each of about STATEMENT bytes."""
        yield from (
            str(row[0])
            for row in self._local.execute(
                "SELECT string_agg(r, ',') FROM (SELECT r, sum(length(r) + 1)"
                f" OVER (ROWS UNBOUNDED PRECEDING) // {STATEMENT} AS g"
                f" FROM (SELECT {holding.rendered(self._columns)} AS r FROM arriving)) GROUP BY g"
            ).fetchall()
        )

    def _merge(self, load: Load) -> int:
        """Bring the staged rows into the table; give how many were new, changed or dropped."""
        target, staged = self._named(load.table), self._named(_STAGED)
        keys = [quote(name, "mysql") for name in load.key]
        same = " AND ".join(f"t.{k} = s.{k}" for k in keys)
        count = 0
        if load.full:
            count += self._run(
                f"DELETE t FROM {target} AS t LEFT JOIN {staged} AS s ON {same}"
                f" WHERE s.{keys[0]} IS NULL"
            )
        others = [quote(c.name, "mysql") for c in self._columns if not c.is_key]
        if others:
            sets = ", ".join(f"t.{name} = s.{name}" for name in others)
            older = ""
            if not load.full and load.last_modified:
                moment = quote(load.last_modified, "mysql")
                # Null is no moment, so nothing is older than it.
                older = f" WHERE (s.{moment} < t.{moment}) IS NOT TRUE"
            count += self._run(
                f"UPDATE {staged} AS s STRAIGHT_JOIN {target} AS t ON {same} SET {sets}{older}"
            )
        picked = ", ".join(f"s.{quote(c.name, 'mysql')}" for c in self._columns)
        return count + self._run(
            f"INSERT INTO {target} ({self._listed()}) SELECT {picked} FROM {staged} AS s"
            f" LEFT JOIN {target} AS t ON {same} WHERE t.{keys[0]} IS NULL"
        )

    def _empty(self, removed: Sequence[str], load: Load) -> None:
        """Let the columns that the model has no more hold null."""
        names = [quote(n, "mysql") for n in removed if n in self._there]
        if names:
            self._run(
                f"UPDATE {self._named(load.table)} SET {', '.join(f'{n} = NULL' for n in names)}"
                f" WHERE {' OR '.join(f'{n} IS NOT NULL' for n in names)}"
            )

    # Asking --------------------------------------------------------------------------------

    def _claimed(self) -> Load:
        if self._load is None:
            raise Overtaken("Nothing was claimed.", next_step="Run the transfer again.")
        return self._load

    def _named(self, name: str) -> str:
        return f"{quote(self._schema, 'mysql')}.{quote(name, 'mysql')}"

    def _listed(self) -> str:
        return ", ".join(quote(c.name, "mysql") for c in self._columns)

    @contextlib.contextmanager
    def _transaction(self) -> Generator[None]:
        """Begin, and commit at the end; the server ends it if nothing is heard for IDLE_SECONDS."""
        self._ask(f"SET SESSION wait_timeout = {IDLE_SECONDS}")
        self._ask("START TRANSACTION")
        try:
            yield
            self._ask("COMMIT")
        except BaseException:
            with contextlib.suppress(WeighbridgeError):
                self._ask("ROLLBACK")
            raise
        finally:
            with contextlib.suppress(WeighbridgeError):
                self._ask(f"SET SESSION wait_timeout = {self._patience}")

    def _count(self, sql: str) -> int:
        return int(self._ask(sql)[0][0])

    def _run(self, sql: str) -> int:
        self._ask(sql)
        return int(self._connection.affected_rows())

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        import pymysql  # noqa: PLC0415 an extra

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return list(cursor.fetchall())
        except (pymysql.MySQLError, OSError) as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> WeighbridgeError:
        label, code = self._spec.label, error.args[0] if error.args else 0
        said = scrub(error.args[-1] if error.args else error, self._spec.password)
        if code in _INTERRUPTED:
            return Cancelled(f"The loading into {label} was cancelled.", next_step="Ask again.")
        # PyMySQL's own complaints about a connection that is gone have 0 as their number.
        if code in _LOST or isinstance(error, OSError):
            return ConnectionLost(
                f"The connection to {label} was lost: {said}.",
                next_step="Check the server and the network; the transfer is tried again.",
            )
        if code in _PASSING:
            return Busy(
                f"{label} was not free: {said}.",
                next_step="Nothing is to be done at first: the transfer is tried again.",
            )
        # The words of these repeat the value.
        if code in _NOT_ONE_KEY:
            return Unreadable(
                f"The rows for {label} are not unique: several share a key, or a unique index of"
                " the table is in the way.",
                next_step="Choose columns as is_primary_key that are unique and never null, and"
                " keep other unique indexes off the delivered table.",
            )
        if code in _NO_VALUE:
            return Unreadable(
                f"A value cannot be held by {label} (error {code}).",
                next_step="Correct the value in the source, change the column's data_type, or raise"
                " the server's max_allowed_packet.",
            )
        return QueryFailed(
            f"{label} refused the load: {said}.",
            next_step=f"Check that the user {self._spec.user} may create, change and fill tables, and"
            f" make temporary ones, in the database {self._schema}.",
        )


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Take a batch apart, so that what is made of each part stays small."""
    rows = max(1, batch.num_rows * SLICE // max(SLICE, batch.nbytes))
    for at in range(0, batch.num_rows, rows):
        yield batch.slice(at, rows)
