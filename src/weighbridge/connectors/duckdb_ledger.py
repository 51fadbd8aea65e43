"""What a DuckDB destination remembers of loads: the table `_transfer_status`, as everywhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.errors import Overtaken

_COLUMNS = """(
    model_name VARCHAR NOT NULL,
    transfer_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    is_full_refresh BOOLEAN NOT NULL,
    rows_transferred BIGINT,
    rows_changed BIGINT,
    bytes_transferred BIGINT,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    window_start TIMESTAMP WITH TIME ZONE,
    window_end TIMESTAMP WITH TIME ZONE,
    watermark TIMESTAMP WITH TIME ZONE,
    columns VARCHAR[] NOT NULL,
    token BIGINT NOT NULL
)"""
_KEPT = "INTERVAL 90 DAY"

Ask = Callable[..., list[tuple[Any, ...]]]


class Ledger:
    """The ledger of a schema, asked through `ask(sql, *values)` inside somebody's transaction.

    It has no index of its own: one that is claimed is updated, which DuckDB refuses to do twice in
    a transaction where there is one. The file's lock, or MotherDuck's conflict of two writers of a
    row, keeps others out.
    """

    def __init__(self, ask: Ask, database: str, catalog: str, schema: str) -> None:
        self._ask, self._catalog, self._schema = ask, catalog, schema
        self._name = f"{database}.{quote(schema, 'duckdb')}.{quote(LEDGER, 'duckdb')}"

    def make(self) -> None:
        """Make it where it is missing."""
        self._ask(f"CREATE TABLE IF NOT EXISTS {self._name} {_COLUMNS}")

    def find(self, load: Load) -> Loaded | None:
        """Give what was published of a load, if it was."""
        there = self._ask(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?"
            " AND table_name = ?", self._catalog, self._schema, LEDGER,
        )  # fmt: skip
        if not there:
            return None
        rows = self._ask(
            "SELECT rows_transferred, bytes_transferred, epoch_us(watermark), rows_changed"
            f" FROM {self._name}"
            " WHERE model_name = ? AND transfer_id = ? AND status = 'SUCCESS'",
            load.table, load.transfer,
        )  # fmt: skip
        if not rows:
            return None
        count, size, latest, changed = rows[0]
        return Loaded(count, size, None if latest is None else _moment(latest), changed)

    def claim(self, load: Load) -> None:
        """Write a token down. Raises Overtaken if there is a greater one."""
        self._check(load)
        self._ask(
            f"UPDATE {self._name} SET status = 'ABANDONED', ended_at = current_timestamp"
            " WHERE model_name = ? AND status = 'RUNNING' AND transfer_id <> ?",
            load.table, load.transfer,
        )  # fmt: skip
        found = self._ask(
            f"UPDATE {self._name} SET token = ? WHERE model_name = ? AND transfer_id = ?",
            load.token, load.table, load.transfer,
        )  # fmt: skip
        if found[0][0]:
            return
        self._ask(
            f"INSERT INTO {self._name} (model_name, transfer_id, status, is_full_refresh, began_at,"
            " window_start, window_end, columns, token)"
            " VALUES (?, ?, 'RUNNING', ?, ?, ?, ?, ?, ?)",
            load.table, load.transfer, load.full, load.began, load.since, load.until,
            [f.name for f in load.fields], load.token,
        )  # fmt: skip

    def hold(self, load: Load) -> Loaded | None:
        """Give what was published already, if it was. Raises Overtaken."""
        self._check(load)
        return self.find(load)

    def removed(self, load: Load) -> list[str]:
        """List the columns that the last load still had."""
        last = self._ask(
            f"SELECT columns FROM {self._name} WHERE model_name = ? AND status = 'SUCCESS'"
            " ORDER BY token DESC LIMIT 1",
            load.table,
        )
        now = {field.name for field in load.fields}
        return [name for row in last for name in row[0] if name not in now]

    def write(self, load: Load, done: Loaded) -> None:
        """Write down that a load was published."""
        self._ask(
            f"UPDATE {self._name} SET status = 'SUCCESS', rows_transferred = ?, rows_changed = ?,"
            " bytes_transferred = ?, watermark = ?, ended_at = current_timestamp"
            " WHERE model_name = ? AND transfer_id = ?",
            done.rows, done.changed, done.bytes, done.latest, load.table, load.transfer,
        )  # fmt: skip
        self._ask(
            f"DELETE FROM {self._name} WHERE model_name = ? AND transfer_id <> ? AND token < ?"
            f" AND began_at < current_timestamp - {_KEPT}",
            load.table, load.transfer, load.token,
        )  # fmt: skip

    def _check(self, load: Load) -> None:
        later = self._ask(
            f"SELECT 1 FROM {self._name} WHERE model_name = ? AND token > ? LIMIT 1",
            load.table, load.token,
        )  # fmt: skip
        if later:
            raise Overtaken(
                f"A later attempt at {load.table} has begun; this one changes nothing.",
                next_step="Nothing is to be done: the later one counts.",
            )


def _moment(micros: int) -> datetime:
    # In whole numbers: a float of seconds loses the last digits.
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest)
