"""Tables written into MariaDB or MySQL, where making a table commits by itself.

Drafts are therefore real tables, under names of their attempt. One RENAME gives all of them their own
names at once; a named lock lets one attempt at a time look and rename. What an attempt leaves behind
when it dies, the next one drops by its mark.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.mysql_login import PORT, faults_of, first_login, login
from weighbridge.connectors.names import quote
from weighbridge.connectors.sides import address_of
from weighbridge.connectors.sql import literal, scrub
from weighbridge.connectors.writing import Holding, Mark, replaceable
from weighbridge.errors import Cancelled, ConnectionLost, QueryFailed

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.errors import WeighbridgeError
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.types.columns import ColumnType

# An attempt that waits longer for another one gives up.
LOCK_SECONDS = 30
_SESSION = (
    "SET SESSION time_zone = '+00:00'",
    # What a column cannot hold is an error, and a backslash is a letter.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'",
    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}",
)
# Bytes of one INSERT: well below the 16 MB that servers take by default.
STATEMENT = 2**20
_INTERRUPTED = {1317, 1028}
_LOST = {2006, 2013, 2055, 1927}
# Where servers differ, the lower of their limits: https://mariadb.com/kb/en/decimal/
_MOST_DIGITS, _MOST_SCALE = 65, 30
_NUMBER = "lower({t}) NOT IN ('nan', 'inf', '-inf', 'infinity', '-infinity')"
_HOLDINGS = {
    "bool": Holding("boolean", text="CASE {t} WHEN 'true' THEN '1' WHEN 'false' THEN '0' END"),
    "float": Holding("double", _NUMBER),
    "bytes": Holding("longblob", binary=True),
    "date": Holding("date", "{t} NOT LIKE '0000-%' AND length({t}) = 10"),
    "timestamp": Holding(
        "datetime(6)", "{t} NOT LIKE '0000-%' AND {t}[5] = '-' AND {t}[-1] <> ')'"
    ),
    "timestamptz": Holding(
        "datetime(6)", "{t} NOT LIKE '0000-%' AND {t}[5] = '-' AND {t}[-1] <> ')'"
    ),
    "time": Holding("time(6)"),
    "uuid": Holding("char(36)"),
}


class MySQLWriter:
    """One connection that makes tables in one database of a MariaDB or MySQL server."""

    dialect = "mysql"
    plain = Holding("longtext")

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        self._spec, self._schema = spec, schema
        self._address = address_of(spec, PORT, policy)
        # The schema need not be the database that the connection is for.
        self._login = replace(spec, database=None)
        self._faults = faults_of(spec, own_sql=False)
        self._connection, self._host = first_login(self._login, self._address, self._faults)
        self._connection.autocommit(True)
        for statement in _SESSION:
            self._rows(statement)

    def holding(self, kind: ColumnType) -> Holding:
        """Say how a kind of value is held."""
        if kind.family == "int":
            return Holding("bigint unsigned" if kind.unsigned and kind.bits == 64 else "bigint")
        if kind.family == "decimal":
            p, s = kind.precision, kind.scale
            if p is None or s is None or not 0 <= s <= p <= _MOST_DIGITS or s > _MOST_SCALE:
                return self.plain
            return Holding(f"decimal({p},{s})", _NUMBER)
        return _HOLDINGS.get(kind.family, self.plain)

    def row(self, cells: Sequence[tuple[Holding, str]]) -> str:
        """Write the DuckDB SQL of one row of an INSERT: each value in hexadecimal, or NULL."""
        written: list[str] = []
        for holding, text in cells:
            cell = holding.text.replace("{t}", text)
            value = f"'X''' || {cell} || ''''"
            if not holding.binary:
                value = f"'_utf8mb4 X''' || hex(encode({cell})) || ''''"
            written.append(f"coalesce({value}, 'NULL')")
        return "'(' || " + " || ',' || ".join(written) + " || ')'"

    def tables(self, prefix: str) -> Mapping[str, Mark | None]:
        """List the tables whose name begins so, with their marks."""
        if not self._rows(
            "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", self._schema
        ):
            raise self._refused(f"there is no database {self._schema}")
        found = self._rows(
            "SELECT table_name, table_comment FROM information_schema.tables"
            " WHERE table_schema = %s AND left(table_name, %s) = %s",
            self._schema, len(prefix), prefix,
        )  # fmt: skip
        return {str(name): Mark.read(str(comment)) for name, comment in found}

    def create(self, name: str, columns: Sequence[tuple[str, str]], mark: Mark) -> None:
        """Make a draft under a name that says it is one."""
        listed = ", ".join(f"{quote(column, 'mysql')} {kind}" for column, kind in columns)
        self._rows(
            f"CREATE TABLE {self._named(name)} ({listed}) DEFAULT CHARSET = utf8mb4"
            f" COLLATE = utf8mb4_bin COMMENT = {literal(mark.comment)}"
        )

    def add(self, name: str, rows: Sequence[str]) -> None:
        """Add rows, as many in one INSERT as go into STATEMENT bytes."""
        begin = f"INSERT INTO {self._named(name)} VALUES "
        held: list[str] = []
        size = 0
        for row in rows:
            if held and size + len(row) > STATEMENT:
                self._rows(begin + ",".join(held))
                held, size = [], 0
            held.append(row)
            size += len(row) + 1
        if held:
            self._rows(begin + ",".join(held))

    def publish(self, names: Mapping[str, str], mark: Mark) -> None:
        """Give drafts their own names in one RENAME: readers see all of the new, or none."""
        lock = f"weighbridge {hashlib.sha256(mark.owner.encode()).hexdigest()[:40]}"
        if self._rows("SELECT GET_LOCK(%s, %s)", lock, LOCK_SECONDS)[0][0] != 1:
            raise self._refused("another attempt at this diff is publishing its tables")
        # The lock ends with this connection, and so does all that could still be renamed.
        there = {name: m for f in names.values() for name, m in self.tables(f).items()}
        replaced = replaceable(there, names, mark)
        old = {final: f"{draft}_old" for draft, final in names.items() if final in replaced}
        steps = [*old.items(), *names.items()]
        listed = ", ".join(f"{self._named(a)} TO {self._named(b)}" for a, b in steps)
        self._rows(f"RENAME TABLE {listed}")
        self.drop(list(old.values()))
        self._rows("SELECT RELEASE_LOCK(%s)", lock)

    def copy(self, table: Sequence[str], name: str, mark: Mark) -> bool:
        """Copy what a view gives into a new table."""
        schema = table[-2] if len(table) > 1 else self._spec.database or ""
        kinds = self._rows(
            "SELECT table_type FROM information_schema.tables"
            " WHERE table_schema = %s AND table_name = %s",
            schema, table[-1],
        )  # fmt: skip
        if not kinds or kinds[0][0] != "VIEW":
            return False
        view = f"{quote(schema, 'mysql')}.{quote(table[-1], 'mysql')}"
        # A view may hold dates that are none, which a strict session would not copy.
        self._rows("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
        self._rows(
            f"CREATE TABLE {self._named(name)} COMMENT = {literal(mark.comment)}"
            f" AS SELECT * FROM {view}"
        )
        return True

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables."""
        for name in names:
            self._rows(f"DROP TABLE IF EXISTS {self._named(name)}")

    def cancel(self) -> None:
        """Kill what is running on the server."""
        with (
            contextlib.suppress(Exception),  # a dead server has nothing to kill
            login(self._login, (self._host, self._address.port), self._faults, seconds=3) as other,
            other.cursor() as cursor,
        ):
            cursor.execute("KILL QUERY %s", (self._connection.thread_id(),))

    def close(self) -> None:
        """Let go of the connection and its lock."""
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()

    def _named(self, name: str) -> str:
        return f"{quote(self._schema, 'mysql')}.{quote(name, 'mysql')}"

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        import pymysql  # noqa: PLC0415 an extra

        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> WeighbridgeError:
        import pymysql  # noqa: PLC0415 an extra

        code = error.args[0] if error.args else 0
        if code in _INTERRUPTED:
            return Cancelled(
                f"The writing into {self._spec.label} was cancelled.", next_step="Ask for it again."
            )
        # PyMySQL's own complaints about a connection that is gone have 0 as their number.
        if code in _LOST or code == 0:
            return ConnectionLost(
                f"The connection to {self._spec.label} was lost while tables were written.",
                next_step="Check the server and the network, then ask for the diff again.",
            )
        if isinstance(error, pymysql.DataError):
            # Its words repeat the value.
            return self._refused(f"a value was refused (error {code})")
        return self._refused(scrub(error.args[-1] if error.args else error, self._spec.password))

    def _refused(self, reason: str) -> QueryFailed:
        return QueryFailed(
            f"Tables cannot be written into {self._spec.label}: {reason}.",
            next_step=f"Check that the database {self._schema} exists and that the user"
            f" {self._spec.user} may create, fill, rename and drop tables in it.",
        )
