"""A connection that runs guarded statements at a destination, all in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from weighbridge.connectors.mysql_login import PORT, told
from weighbridge.connectors.mysql_login import faults_of as mysql_faults
from weighbridge.connectors.mysql_login import login as mysql_login
from weighbridge.connectors.patching import Pen, pen_of
from weighbridge.connectors.postgresql_conninfo import SESSION, conninfo
from weighbridge.connectors.postgresql_login import faults_of as postgres_faults
from weighbridge.connectors.postgresql_login import login as postgres_login
from weighbridge.connectors.registry import VENDORS
from weighbridge.errors import BadArgument, QueryFailed
from weighbridge.net.hosts import resolve

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.errors import WeighbridgeError
    from weighbridge.net.hosts import HostPolicy

CANCEL_SECONDS = 3
# A row that somebody else holds for longer is not waited for.
LOCK_SECONDS = 20


class Patcher(Protocol):
    """Not shared between threads, except `cancel`."""

    def apply(self, statements: Sequence[str]) -> list[bool]:
        """Run all of them, or none; tell of each whether it changed its row.

        Raises QueryFailed, ConnectionLost, Cancelled, without a value in the message.
        """
        ...

    def cancel(self) -> None:
        """End what is running, from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go; what was not committed is gone."""
        ...


def pen_for(spec: SideSpec | None, vendor: str) -> Pen:
    """Give what writes SQL for a side. Raises BadArgument where rows cannot be repaired yet."""
    known = spec is not None and spec.scheme in _PATCHERS
    pen = pen_of(VENDORS[spec.scheme][3]) if spec is not None and known else None
    if pen is None:
        raise BadArgument(
            f"Rows at {vendor} cannot be repaired yet.",
            next_step="A full refresh of the model puts them right.",
        )
    return pen


def open_patcher(spec: SideSpec, policy: HostPolicy, vendor: str) -> Patcher:
    """Connect to a destination. Raises ConnectionFailed, and BadArgument as `pen_for` does."""
    pen = pen_for(spec, vendor)
    return _PATCHERS[spec.scheme](spec, policy, pen)


class _Postgres:
    def __init__(self, spec: SideSpec, policy: HostPolicy, pen: Pen) -> None:
        self._faults = postgres_faults(spec, own_sql=False)
        writing = SESSION.replace(
            "default_transaction_read_only=on", "default_transaction_read_only=off"
        )
        info: dict[str, Any] = conninfo(spec, policy) | {"options": writing}
        self._connection = postgres_login(info, self._faults)
        self._before = (*pen.before, f"SET lock_timeout = '{LOCK_SECONDS}s'")

    def apply(self, statements: Sequence[str]) -> list[bool]:
        import psycopg  # noqa: PLC0415 an extra

        try:
            for statement in self._before:
                self._connection.execute(statement.encode())
            done = [self._connection.execute(s.encode()).rowcount == 1 for s in statements]
            self._connection.commit()
        except psycopg.errors.QueryCanceled:
            raise self._faults.cancelled() from None
        except psycopg.OperationalError as error:
            raise self._failed(error) from None
        except psycopg.Error as error:
            raise _refused(str(error.sqlstate)) from None
        return done

    def _failed(self, error: Any) -> WeighbridgeError:
        if self._connection.closed or self._connection.broken:
            return self._faults.lost(error)
        return _refused(str(error.sqlstate))

    def cancel(self) -> None:
        with contextlib.suppress(Exception):  # a dead server has nothing to cancel
            self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()


class _MySQL:
    def __init__(self, spec: SideSpec, policy: HostPolicy, pen: Pen) -> None:
        self._spec, self._faults = spec, mysql_faults(spec, own_sql=False)
        address = resolve(spec.host or "localhost", spec.port or PORT, policy)
        self._place = (address.ip, address.port)
        self._connection = mysql_login(spec, self._place, self._faults)
        self._before = (*pen.before, f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}")

    def apply(self, statements: Sequence[str]) -> list[bool]:
        import pymysql  # noqa: PLC0415 an extra

        try:
            self._connection.autocommit(False)
            with self._connection.cursor() as cursor:
                for statement in self._before:
                    cursor.execute(statement)
                done = [cursor.execute(statement) == 1 for statement in statements]
            self._connection.commit()
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args else None
            failed = told(error, self._faults)
            # The server's words repeat values.
            raise _refused(str(code)) if type(failed) is QueryFailed else failed from None
        return done

    def cancel(self) -> None:
        with contextlib.suppress(Exception):  # a dead server has nothing to kill
            number = self._connection.thread_id()
            other = mysql_login(self._spec, self._place, self._faults, seconds=CANCEL_SECONDS)
            with other, other.cursor() as cursor:
                cursor.execute("KILL QUERY %s", (number,))

    def close(self) -> None:
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()


_PATCHERS: dict[str, type[_Postgres | _MySQL]] = {
    "postgresql": _Postgres, "postgres": _Postgres, "mysql": _MySQL, "mariadb": _MySQL,
}  # fmt: skip


def _refused(code: str) -> QueryFailed:
    return QueryFailed(
        f"The destination refused to be repaired (its code: {code}); nothing was changed.",
        next_step="Look at the destination's log, then ask for the repair again.",
    )
