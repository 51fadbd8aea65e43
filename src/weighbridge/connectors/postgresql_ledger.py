"""What a PostgreSQL destination remembers of loads: the table `_transfer_status`.

A row for each transfer of each model. Who loads a table claims it there with a token; whoever
publishes under a smaller one than the greatest is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.errors import Overtaken, QueryFailed

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """(
    model_name text NOT NULL,
    transfer_id text NOT NULL,
    status text NOT NULL,
    is_full_refresh boolean NOT NULL,
    rows_transferred bigint,
    rows_changed bigint,
    bytes_transferred bigint,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    window_start timestamptz,
    window_end timestamptz,
    watermark timestamptz,
    columns text[] NOT NULL,
    token bigint NOT NULL,
    PRIMARY KEY (model_name, transfer_id)
)"""
# What is so old is of no use to anyone: a transfer that is tried again is minutes old.
_KEPT = "90 days"


@dataclass(frozen=True)
class Place:
    """A table of a schema."""

    schema: str
    table: str

    @property
    def name(self) -> str:
        """Write the table's name."""
        return self.named(self.table)

    def named(self, table: str) -> str:
        """Write the name of another table of the schema."""
        return f"{quote(self.schema, 'postgres')}.{quote(table, 'postgres')}"

    @property
    def mark(self) -> str:
        """Give what tells the loads of this table from others, in 12 characters."""
        return hashlib.sha256(f"{self.schema}\0{self.table}".encode()).hexdigest()[:12]


class Ledger:
    """The ledger, as seen by who loads one table."""

    def __init__(self, connection: psycopg.Connection[Any], place: Place) -> None:
        self._connection, self._place = connection, place
        self._name = place.named(LEDGER)

    def find(self, load: Load) -> Loaded | None:
        """Give what was published of a load, if it was."""
        if self._rows("SELECT to_regclass(%s)", self._name) == [(None,)]:
            return None
        found = self._rows(
            "SELECT rows_transferred, bytes_transferred, watermark, rows_changed"
            f" FROM {self._name}"
            " WHERE model_name = %s AND transfer_id = %s AND status = 'SUCCESS'",
            load.table, load.transfer,
        )  # fmt: skip
        return Loaded(*found[0]) if found else None

    def end_earlier(self, load: Load) -> None:
        """End the sessions of earlier attempts at this table, and name our own for later ones."""
        mark = f"weighbridge load {self._place.mark} "
        self._rows(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename ="
            " current_user AND pid <> pg_backend_pid() AND left(application_name, %s) = %s"
            r" AND substr(application_name, %s) ~ '^\d{1,18}$'"
            " AND CASE WHEN left(application_name, %s) = %s"
            " THEN substr(application_name, %s)::int8 < %s END",
            len(mark), mark, len(mark) + 1, len(mark), mark, len(mark) + 1, load.token,
        )  # fmt: skip
        self._rows("SELECT set_config('application_name', %s, false)", f"{mark}{load.token}")

    def make(self) -> None:
        """Make schema and ledger where they are missing. Others who do so wait."""
        self._rows(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))::text",
            f"weighbridge ledger {self._place.schema}",
        )
        there = self._rows("SELECT 1 FROM pg_namespace WHERE nspname = %s", self._place.schema)
        if not there:
            self._make_schema()
        if self._rows("SELECT to_regclass(%s)", self._name) == [(None,)]:
            self._connection.execute(f"CREATE TABLE {self._name} {_COLUMNS}".encode())
        self._connection.commit()

    def _make_schema(self) -> None:
        import psycopg  # noqa: PLC0415 an extra

        try:
            self._connection.execute(
                f"CREATE SCHEMA {quote(self._place.schema, 'postgres')}".encode()
            )
        except psycopg.errors.InsufficientPrivilege:
            raise QueryFailed(
                f"There is no schema {self._place.schema}, and the user may not make it.",
                next_step="Create it, and grant the user USAGE and CREATE on it.",
            ) from None

    def claim(self, load: Load) -> None:
        """Write a token down. Raises Overtaken if there is a greater one."""
        self._lock()
        self._check(load)
        self._rows(
            f"UPDATE {self._name} SET status = 'ABANDONED', ended_at = clock_timestamp()"
            " WHERE model_name = %s AND status = 'RUNNING' AND transfer_id <> %s RETURNING 1",
            load.table, load.transfer,
        )  # fmt: skip
        self._rows(
            f"INSERT INTO {self._name} AS l (model_name, transfer_id, status, is_full_refresh,"
            " began_at, window_start, window_end, columns, token)"
            " VALUES (%s, %s, 'RUNNING', %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (model_name, transfer_id) DO UPDATE SET status = 'RUNNING',"
            " is_full_refresh = excluded.is_full_refresh, window_start = excluded.window_start,"
            " window_end = excluded.window_end, columns = excluded.columns, token = excluded.token"
            # What was published meanwhile stays so: `find` tells.
            " WHERE l.status <> 'SUCCESS' RETURNING 1",
            load.table, load.transfer, load.full, load.began, load.since, load.until,
            [field.name for field in load.fields], load.token,
        )  # fmt: skip

    def hold(self, load: Load) -> None:
        """Keep others out until the transaction ends. Raises Overtaken if one was here."""
        self._lock()
        self._check(load)
        own = self._rows(
            f"SELECT 1 FROM {self._name} WHERE model_name = %s AND transfer_id = %s"
            " AND token = %s AND status = 'RUNNING' FOR UPDATE",
            load.table, load.transfer, load.token,
        )  # fmt: skip
        if not own:
            raise _overtaken(load)

    def removed(self, load: Load) -> list[str]:
        """List the columns that the last load still had."""
        last = self._rows(
            f"SELECT columns FROM {self._name} WHERE model_name = %s AND status = 'SUCCESS'"
            " ORDER BY token DESC LIMIT 1",
            load.table,
        )
        now = {field.name for field in load.fields}
        return [name for row in last for name in row[0] if name not in now]

    def write(self, load: Load, done: Loaded) -> None:
        """Write down that a load was published."""
        self._rows(
            f"UPDATE {self._name} SET status = 'SUCCESS', rows_transferred = %s,"
            " rows_changed = %s, bytes_transferred = %s, watermark = %s,"
            " ended_at = clock_timestamp()"
            " WHERE model_name = %s AND transfer_id = %s RETURNING 1",
            done.rows, done.changed, done.bytes, done.latest, load.table, load.transfer,
        )  # fmt: skip
        self._rows(
            f"DELETE FROM {self._name} WHERE model_name = %s AND transfer_id <> %s"
            f" AND began_at < now() - interval '{_KEPT}' AND token < %s RETURNING 1",
            load.table, load.transfer, load.token,
        )  # fmt: skip

    def _lock(self) -> None:
        self._rows(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))::text",
            f"weighbridge load {self._place.schema} {self._place.table}",
        )

    def _check(self, load: Load) -> None:
        later = self._rows(
            f"SELECT 1 FROM {self._name} WHERE model_name = %s AND token > %s LIMIT 1",
            load.table, load.token,
        )  # fmt: skip
        if later:
            raise _overtaken(load)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql.encode(), values).fetchall()


def _overtaken(load: Load) -> Overtaken:
    return Overtaken(
        f"A later attempt at {load.table} has begun; this one changes nothing.",
        next_step="Nothing is to be done: the later one counts.",
    )
