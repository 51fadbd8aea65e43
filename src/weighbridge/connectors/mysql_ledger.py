"""What a MariaDB or MySQL destination remembers of loads: the table `_transfer_status`.

A row for each transfer of each model, with the same columns everywhere. Who loads a table claims it
there with a token; whoever publishes under a smaller one than the greatest is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.errors import Overtaken

# The names of models are told apart byte by byte.
_COLUMNS = """(
    model_name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    transfer_id varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    status varchar(20) NOT NULL,
    is_full_refresh boolean NOT NULL,
    rows_transferred bigint,
    rows_changed bigint,
    bytes_transferred bigint,
    began_at datetime(6) NOT NULL,
    ended_at datetime(6),
    window_start datetime(6),
    window_end datetime(6),
    watermark datetime(6),
    columns longtext NOT NULL,
    token bigint NOT NULL,
    PRIMARY KEY (model_name, transfer_id)
)"""
_KEPT_DAYS = 90

Ask = Callable[..., list[tuple[Any, ...]]]


class Ledger:
    """The ledger of a database, asked through `ask(sql, *values)`."""

    def __init__(self, ask: Ask, schema: str) -> None:
        self._ask = ask
        self._schema = schema
        self._name = f"{quote(schema, 'mysql')}.{quote(LEDGER, 'mysql')}"

    def make(self) -> None:
        """Make it where it is missing. This commits."""
        self._ask(f"CREATE TABLE IF NOT EXISTS {self._name} {_COLUMNS}")

    def find(self, load: Load) -> Loaded | None:
        """Give what was published of a load, if it was."""
        there = self._ask(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
            self._schema, LEDGER,
        )  # fmt: skip
        return self._published(load, "") if there else None

    def claim(self, load: Load) -> None:
        """Write a token down, in a transaction. Raises Overtaken if there is a greater one."""
        self._hold_all(load)
        # Only what nobody can finish any more: this token is greater than theirs.
        self._ask(
            f"UPDATE {self._name} SET status = 'ABANDONED', ended_at = UTC_TIMESTAMP(6)"
            " WHERE model_name = %s AND status = 'RUNNING' AND transfer_id <> %s",
            load.table, load.transfer,
        )  # fmt: skip
        self._ask(
            f"INSERT INTO {self._name} (model_name, transfer_id, status, is_full_refresh, began_at,"
            " window_start, window_end, columns, token)"
            " VALUES (%s, %s, 'RUNNING', %s, %s, %s, %s, %s, %s)"
            # What was published meanwhile stays so, under the token that fences others out.
            " ON DUPLICATE KEY UPDATE status = IF(status = 'SUCCESS', status, VALUES(status)),"
            " token = VALUES(token)",
            load.table, load.transfer, load.full, _utc(load.began), _utc(load.since),
            _utc(load.until), json.dumps([f.name for f in load.fields]), load.token,
        )  # fmt: skip

    def hold(self, load: Load) -> Loaded | None:
        """Keep others out until the transaction ends; give what was published already, if it was.

        Raises Overtaken if another one has claimed the table.
        """
        self._hold_all(load)
        return self._published(load, " FOR UPDATE")

    def removed(self, load: Load) -> list[str]:
        """List the columns that the last load still had."""
        last = self._ask(
            f"SELECT columns FROM {self._name} WHERE model_name = %s AND status = 'SUCCESS'"
            " ORDER BY token DESC LIMIT 1",
            load.table,
        )
        now = {field.name for field in load.fields}
        return [name for row in last for name in json.loads(row[0]) if name not in now]

    def write(self, load: Load, done: Loaded) -> None:
        """Write down that a load was published."""
        self._ask(
            f"UPDATE {self._name} SET status = 'SUCCESS', rows_transferred = %s, rows_changed = %s,"
            " bytes_transferred = %s, watermark = %s, ended_at = UTC_TIMESTAMP(6)"
            " WHERE model_name = %s AND transfer_id = %s",
            done.rows, done.changed, done.bytes, _utc(done.latest), load.table, load.transfer,
        )  # fmt: skip
        self._ask(
            f"DELETE FROM {self._name} WHERE model_name = %s AND transfer_id <> %s AND token < %s"
            f" AND began_at < UTC_TIMESTAMP(6) - INTERVAL {_KEPT_DAYS} DAY",
            load.table, load.transfer, load.token,
        )  # fmt: skip

    def _hold_all(self, load: Load) -> None:
        held = self._ask(
            f"SELECT token FROM {self._name} WHERE model_name = %s FOR UPDATE", load.table
        )
        if any(int(row[0]) > load.token for row in held):
            raise Overtaken(
                f"A later attempt at {load.table} has begun; this one changes nothing.",
                next_step="Nothing is to be done: the later one counts.",
            )

    def _published(self, load: Load, locked: str) -> Loaded | None:
        rows = self._ask(
            "SELECT rows_transferred, bytes_transferred, watermark, rows_changed"
            f" FROM {self._name}"
            f" WHERE model_name = %s AND transfer_id = %s AND status = 'SUCCESS'{locked}",
            load.table, load.transfer,
        )  # fmt: skip
        if not rows:
            return None
        count, size, latest, changed = rows[0]
        return Loaded(count, size, None if latest is None else latest.replace(tzinfo=UTC), changed)


def _utc(moment: datetime | None) -> datetime | None:
    """Give a moment as a datetime column holds it; one without a zone is in UTC already."""
    if moment is None or moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)
