"""Loading models into PostgreSQL: rows are staged and published in one transaction.

What is staged lies in that transaction's own tables: an attempt that dies leaves nothing behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from weighbridge.connectors import postgresql_merge as merge
from weighbridge.connectors.loading import Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.connectors.postgresql_conninfo import SESSION, conninfo
from weighbridge.connectors.postgresql_ledger import Ledger, Place
from weighbridge.connectors.postgresql_login import faults_of, login
from weighbridge.connectors.postgresql_text import csv_bytes
from weighbridge.connectors.sql import scrub
from weighbridge.errors import (
    Busy,
    Cancelled,
    ConnectionLost,
    Overtaken,
    QueryFailed,
    TenantMixed,
    Unreadable,
)
from weighbridge.fault_points import point

if TYPE_CHECKING:
    import psycopg
    import pyarrow as pa

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.errors import WeighbridgeError
    from weighbridge.net.hosts import HostPolicy

# A frozen worker holds nothing for longer than this; who waits for another's lock, neither.
IDLE_SECONDS, LOCK_SECONDS = 15, 10
LOADING = (
    SESSION.replace("default_transaction_read_only=on", "default_transaction_read_only=off")
    .replace("lock_timeout=30s", f"lock_timeout={LOCK_SECONDS}s")
    .replace(
        "idle_in_transaction_session_timeout=0",
        f"idle_in_transaction_session_timeout={IDLE_SECONDS}s",
    )
)
CANCEL_SECONDS = 3
# Deadlock, lock timeout, serialisation, statement timeout, too many connections, read-only after
# a failover.
_PASSING = {"40P01", "55P03", "40001", "53300", "53400", "25006"}


class PostgresLoader:
    """Loads into one schema of a PostgreSQL database."""

    copies = "postgresql binary"

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        quote(schema, "postgres")
        self._spec, self._schema = spec, schema
        info = conninfo(spec, policy) | {"options": LOADING}
        self._connection = login(info, faults_of(spec, own_sql=False))
        with self._telling():
            self._prepare()
        self._place: Place | None = None
        self._table: merge.Table | None = None
        self._staging: merge.Staging | None = None
        self._sent = 0

    def _prepare(self) -> None:
        import psycopg  # noqa: PLC0415 an extra

        # A role may have another default: a statement must see what was committed before it.
        self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        if self._connection.info.server_version >= 140_000:
            # What a killed worker asked for ends, instead of running for nobody.
            self._connection.execute("SET client_connection_check_interval = '2s'")
            self._connection.commit()

    # The protocol --------------------------------------------------------------------------

    def find(self, load: Load) -> Loaded | None:
        """Look into the table `_transfer_status`."""
        with self._telling():
            self._connection.rollback()
            found = self._ledger(load).find(load)
            self._connection.rollback()
        return found

    def claim(self, load: Load) -> None:
        """Fence out earlier attempts, make the ledger, and bring the table into shape."""
        self._load, ledger = load, self._ledger(load)
        self._staging = None
        with self._telling():
            self._connection.rollback()
            # A frozen attempt would hold its lock until its time is over.
            ledger.end_earlier(load)
            self._connection.commit()
            ledger.make()
            ledger.claim(load)
            self._table = merge.shaped(self._connection, self._place_of(load), load)
            self._connection.commit()

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Stage rows through COPY."""
        staging = self._staged()
        with self._telling(), self._copying(staging.copy_rows()) as copy:
            for batch in rows:
                for part in csv_bytes(batch, self._load.fields):
                    self._sent += len(part)
                    copy.write(part)
                point("load.half")

    def add_copied(self, chunks: Iterable[bytes | bytearray], tenant: str) -> Loaded:
        """Stage rows as another server's COPY gives them, and look whose they are."""
        staging = self._staged(tenants=True)
        with self._telling():
            with self._copying(staging.copy_copied()) as copy:
                for chunk in chunks:
                    self._sent += len(chunk)
                    copy.write(chunk)
                    point("load.half_copied")
            rows, foreign, latest = staging.looked_at(tenant)
            if foreign:
                self._connection.rollback()
                raise TenantMixed(
                    f"{foreign} rows for {self._load.table} belong to another tenant.",
                    next_step="Nothing was delivered. This is a fault of weighbridge: report it.",
                )
            staging.forget_tenants()
        return Loaded(rows, self._sent, latest)

    def publish(self, loaded: Loaded) -> Loaded:
        """Merge or replace, write the ledger, and commit: all or nothing."""
        load, ledger = self._load, self._ledger(self._load)
        staging = self._staged()
        with self._telling():
            staging.make_ready()
            ledger.hold(load)
            changed = staging.merge(ledger.removed(load))
            done = Loaded(loaded.rows, loaded.bytes or self._sent, loaded.latest, changed)
            ledger.write(load, done)
            point("load.merged")
            self._connection.commit()
        point("load.committed")
        return done

    def cancel(self) -> None:
        """Cancel what is running on the server."""
        with contextlib.suppress(Exception):  # a dead server has nothing to cancel
            self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        """Roll back what is not committed and let go."""
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()

    # Its steps -----------------------------------------------------------------------------

    def _place_of(self, load: Load) -> Place:
        return Place(self._schema, load.table)

    def _ledger(self, load: Load) -> Ledger:
        return Ledger(self._connection, self._place_of(load))

    def _staged(self, *, tenants: bool = False) -> merge.Staging:
        if self._table is None:
            raise Overtaken("Nothing was claimed.", next_step="Run the transfer again.")
        if self._staging is None:
            self._sent = 0
            with self._telling():
                self._staging = merge.Staging(
                    self._connection, self._place_of(self._load), self._load,
                    table=self._table, tenants=tenants,
                )  # fmt: skip
        return self._staging

    @contextmanager
    def _copying(self, statement: str) -> Generator[psycopg.Copy]:
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            yield copy

    @contextmanager
    def _telling(self) -> Generator[None]:
        """Make of the driver's errors ours, and leave no transaction open that has failed."""
        import psycopg  # noqa: PLC0415 an extra

        try:
            yield
        except psycopg.Error as error:
            told = self._error(error)
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()
            self._table = self._staging = None
            raise told from None
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self._connection.rollback()
            self._table = self._staging = None
            raise

    def _error(self, error: psycopg.Error) -> WeighbridgeError:
        import psycopg  # noqa: PLC0415 an extra

        label, state = self._spec.label, error.sqlstate or ""
        if self._connection.closed or self._connection.broken or state.startswith(("08", "57P")):
            return ConnectionLost(
                f"The connection to {label} was lost: {scrub(error, self._spec.password)}.",
                next_step="Check the server and the network; the transfer is tried again.",
            )
        if isinstance(error, psycopg.errors.QueryCanceled):
            if "statement timeout" in str(error):
                return Busy(
                    f"{label} stopped a query: statement timeout.",
                    next_step="Raise the role's statement_timeout.",
                )
            return Cancelled(f"The loading into {label} was cancelled.", next_step="Ask again.")
        if state in _PASSING:
            return Busy(
                f"{label} was not free: {scrub(error, self._spec.password)}.",
                next_step="Nothing is to be done at first: the transfer is tried again.",
            )
        if state == "21000" or state.startswith("23"):
            return self._refused(error)
        if state.startswith("22"):
            return self._not_held(error)
        if state in {"42P07", "42701"}:
            return Busy(f"{label} was changed meanwhile.", next_step="It is tried again.")
        return QueryFailed(
            f"{label} refused the load: {scrub(error, self._spec.password)}.",
            next_step=f"Check that the user {self._spec.user} may create and change tables in the"
            f" schema {self._schema}.",
        )

    def _refused(self, error: psycopg.Error) -> WeighbridgeError:
        """Tell a key of ours that names no row from a constraint that others made on the table."""
        said = error.diag
        theirs = said.table_name == self._load.table and said.column_name not in self._load.key
        if error.sqlstate == "21000" or not theirs:
            return merge.no_key(self._load)
        what = said.constraint_name or f"NOT NULL of {said.column_name}"
        return QueryFailed(
            f"The constraint {what} of {self._load.table} refuses the rows.",
            next_step="Drop the constraint at the destination, or correct the rows in the source.",
        )

    def _not_held(self, error: psycopg.Error) -> WeighbridgeError:
        # The server's words may repeat the value; its context names the column.
        context = error.diag.context or ""
        said = next((f.name for f in self._load.fields if f", column {f.name}:" in context), None)
        where = f"the column {said}" if said else "a column"
        return Unreadable(
            f"A value of {where} of {self._load.table} cannot be held by {self._spec.label}"
            f" (SQLSTATE {error.sqlstate}).",
            next_step="Correct the value in the source, or change the column's data_type.",
        )
