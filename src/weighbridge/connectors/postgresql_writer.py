"""Tables written into PostgreSQL: drafts live in one transaction, which publishing commits."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.names import quote
from weighbridge.connectors.postgresql_conninfo import SESSION, conninfo
from weighbridge.connectors.sql import literal, missing_extra, scrub
from weighbridge.connectors.writing import Holding, Mark, replaceable
from weighbridge.errors import Cancelled, ConnectionFailed, ConnectionLost, QueryFailed
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    import psycopg

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.errors import WeighbridgeError
    from weighbridge.types.columns import ColumnType

# Text forms as for reading; this connection alone may write.
WRITING = SESSION.replace("default_transaction_read_only=on", "default_transaction_read_only=off")
CANCEL_SECONDS = 3
_MOST_DIGITS = 1000
# A zero date is none here. What DuckDB writes in brackets, the server takes without.
_DATED = "{t} NOT LIKE '0000-%'"
_BC = "CASE WHEN {t} LIKE '%(BC)' THEN ' BC' ELSE '' END"
_IN_UTC = f"replace({{t}}, ' (BC)', '') || '+00' || {_BC}"
_HOLDINGS = {
    "bool": Holding("boolean"),
    "float": Holding("double precision"),
    "bytes": Holding("bytea", text="'\\x' || {t}"),
    "date": Holding("date", _DATED, f"replace({{t}}, ' (BC)', '') || {_BC}"),
    "timestamp": Holding("timestamp", _DATED, f"replace({{t}}, ' (BC)', '') || {_BC}"),
    "timestamptz": Holding(
        "timestamptz", _DATED, f"CASE WHEN {{t}} LIKE '%infinity' THEN {{t}} ELSE {_IN_UTC} END"
    ),
    # Other servers count hours beyond a day.
    "time": Holding("time", r"regexp_matches({t}, '^([01]\d|2[0-3]):')"),
    "timetz": Holding("timetz"),
    "interval": Holding("interval"),
    "uuid": Holding("uuid"),
    "json": Holding("json"),
}
# In COPY's text form a backslash begins what cannot stand as it is.
_ESCAPES = (("\\\\", "chr(92)"), ("\\t", "chr(9)"), ("\\n", "chr(10)"), ("\\r", "chr(13)"))


class PostgresWriter:
    """One connection that makes tables in one schema of a PostgreSQL database."""

    dialect = "postgres"
    # The one character that no text here can hold.
    plain = Holding("text", text="replace({t}, chr(0), chr(65533))")

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        try:
            import psycopg  # noqa: PLC0415 an extra
        except ImportError:
            raise missing_extra("PostgreSQL", "postgres") from None
        self._spec, self._schema = spec, schema
        info: dict[str, Any] = conninfo(spec, policy) | {"options": WRITING}
        try:
            self._connection: psycopg.Connection[Any] = psycopg.connect(**info)
        except psycopg.OperationalError as error:
            raise ConnectionFailed(
                f"Cannot connect to {spec.label} to write: {scrub(error, spec.password)}.",
                next_step="Check the host, the port, the user and the password.",
            ) from None

    def holding(self, kind: ColumnType) -> Holding:
        """Say how a kind of value is held."""
        if kind.family == "int":
            return Holding("numeric(20)" if kind.unsigned and kind.bits == 64 else "bigint")
        if kind.family == "decimal":
            p, s = kind.precision, kind.scale
            exact = p is not None and s is not None and 0 <= s <= p <= _MOST_DIGITS
            return Holding(f"numeric({p},{s})" if exact and not kind.money else "numeric")
        if kind.family == "float" and kind.bits == 32:
            return Holding("real")
        return _HOLDINGS.get(kind.family, self.plain)

    def row(self, cells: Sequence[tuple[Holding, str]]) -> str:
        """Write the DuckDB SQL of one line of COPY's text form."""
        written: list[str] = []
        for holding, text in cells:
            cell = holding.text.replace("{t}", text)
            for escape, char in _ESCAPES:
                cell = f"replace({cell}, {char}, {literal(escape)})"
            written.append(f"coalesce({cell}, '\\N')")
        return " || chr(9) || ".join(written)

    def tables(self, prefix: str) -> Mapping[str, Mark | None]:
        """List the tables whose name begins so, with their marks."""
        if not self._rows("SELECT 1 FROM pg_namespace WHERE nspname = %s", self._schema):
            raise self._refused(f'there is no schema "{self._schema}"')
        found = self._rows(
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class"
            " WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
            " AND left(relname::text, %s) = %s",
            self._schema, len(prefix), prefix,
        )  # fmt: skip
        return {str(name): Mark.read(comment) for name, comment in found}

    def create(self, name: str, columns: Sequence[tuple[str, str]], mark: Mark) -> None:
        """Make a draft, seen by nobody else before it is published."""
        listed = ", ".join(f"{quote(column, 'postgres')} {kind}" for column, kind in columns)
        self._run(f"CREATE TABLE {self._named(name)} ({listed})")
        self._run(f"COMMENT ON TABLE {self._named(name)} IS {literal(mark.comment)}")

    def add(self, name: str, rows: Sequence[str]) -> None:
        """Add rows through COPY."""
        import psycopg  # noqa: PLC0415 an extra

        try:
            with (
                self._connection.cursor() as cursor,
                cursor.copy(f"COPY {self._named(name)} FROM STDIN".encode()) as copy,
            ):
                copy.write("".join(f"{row}\n" for row in rows).encode())
        except psycopg.Error as error:
            raise self._error(error) from None

    def publish(self, names: Mapping[str, str], mark: Mark) -> None:
        """Give drafts their own names and commit: they are there together, or not at all."""
        # One at a time: the tables that the other one leaves are looked at when it is over.
        self._run("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", mark.owner)
        there = {name: m for f in names.values() for name, m in self.tables(f).items()}
        for final in replaceable(there, names, mark):
            self._run(f"DROP TABLE {self._named(final)}")
        for draft, final in names.items():
            self._run(f"ALTER TABLE {self._named(draft)} RENAME TO {quote(final, 'postgres')}")
        self._commit()

    def copy(self, table: Sequence[str], name: str, mark: Mark) -> bool:
        """Copy what a view gives into a new table."""
        view = ".".join(quote(part, "postgres") for part in table[-2:])
        kinds = self._rows("SELECT relkind FROM pg_class WHERE oid = to_regclass(%s)", view)
        if not kinds or kinds[0][0] != "v":
            return False
        self._run(f"CREATE TABLE {self._named(name)} AS SELECT * FROM {view}")
        self._run(f"COMMENT ON TABLE {self._named(name)} IS {literal(mark.comment)}")
        self._commit()
        # The plan of what reads it next leans on how many rows there are.
        self._run(f"ANALYZE {self._named(name)}")
        self._commit()
        return True

    def drop(self, names: Sequence[str]) -> None:
        """Drop tables at once."""
        for name in names:
            self._run(f"DROP TABLE IF EXISTS {self._named(name)}")
        self._commit()

    def cancel(self) -> None:
        """Cancel what is running on the server."""
        with contextlib.suppress(Exception):  # a dead server has nothing to cancel
            self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def close(self) -> None:
        """Roll back what is not committed and let go."""
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()

    def _named(self, name: str) -> str:
        return f"{quote(self._schema, 'postgres')}.{quote(name, 'postgres')}"

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(sql, *values).fetchall()

    def _run(self, sql: str, *values: object) -> psycopg.Cursor[Any]:
        import psycopg  # noqa: PLC0415 an extra

        try:
            return self._connection.execute(sql.encode(), values or None)
        except psycopg.Error as error:
            raise self._error(error) from None

    def _commit(self) -> None:
        import psycopg  # noqa: PLC0415 an extra

        try:
            self._connection.commit()
        except psycopg.Error as error:
            raise self._error(error) from None

    def _error(self, error: Exception) -> WeighbridgeError:
        import psycopg  # noqa: PLC0415 an extra

        if isinstance(error, psycopg.errors.QueryCanceled):
            return Cancelled(
                f"The writing into {self._spec.label} was cancelled.", next_step="Ask for it again."
            )
        if self._connection.closed or self._connection.broken:
            return ConnectionLost(
                f"The connection to {self._spec.label} was lost while tables were written.",
                next_step="Check the server and the network, then ask for the diff again.",
            )
        if isinstance(error, psycopg.DataError):
            # Its words repeat the value.
            return self._refused(f"a value was refused (SQLSTATE {error.sqlstate})")
        return self._refused(scrub(error, self._spec.password))

    def _refused(self, reason: str) -> QueryFailed:
        return QueryFailed(
            f"Tables cannot be written into {self._spec.label}: {reason}.",
            next_step=f"Check that the schema {self._schema} exists and that the user"
            f" {self._spec.user} may create tables in it.",
        )
