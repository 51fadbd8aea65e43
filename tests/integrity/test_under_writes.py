"""100 defects of known class, planted under 1,000 writes a second and a transfer that never rests (F14)."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.house import House
from tests.integrity.ground import DELIVERED, ORDERS, Delivery, a_delivery
from tests.journeys import writers
from tests.journeys.writers import Batch, Copy, Writer
from tests.servers import mariadb as mariadb_tools
from weighbridge.connectors.postgresql import PostgresSource

ROWS = 20_000
# The writer leaves these alone: the defects are there.
QUIET = 1_000
PLANTED = {
    "missing": range(100, 120), "incorrect": range(120, 140), "stale": range(140, 160),
    "pending": range(900_000, 900_020), "orphaned": range(910_000, 910_020),
}  # fmt: skip
OVERLAP = timedelta(seconds=3)


class SourceCopy(Copy):
    """The source: each row says when it changed; what was ever taken away is remembered."""

    gone: set[int]

    def create(self, rows: Sequence[Any]) -> None:
        """Nothing: it is there."""

    @contextmanager
    def writing(self) -> Generator[psycopg.Connection[Any]]:
        with psycopg.connect(self.url) as connection:
            yield connection

    def write(self, connection: Any, batch: Batch) -> None:
        keys, amounts, notes = (list(column) for column in zip(*batch.rows, strict=True))
        connection.execute(
            "insert into orders select k, 'ours', a %% 1000, n, clock_timestamp()"
            " from unnest(%s::int8[], %s::int8[], %s::text[]) as t(k, a, n)"
            " on conflict (id) do update set amount = excluded.amount, note = excluded.note,"
            " updated_at = excluded.updated_at",
            [keys, amounts, notes],
        )
        self.gone.update(batch.gone)
        connection.execute("delete from orders where id = any(%s)", [batch.gone])
        connection.commit()


class Nowhere(Copy):
    """The writer's copy is not asked for: a transfer brings the rows."""

    def create(self, rows: Sequence[Any]) -> None:
        """Nothing."""

    @contextmanager
    def writing(self) -> Generator[None]:
        yield None

    def write(self, connection: Any, batch: Batch) -> None:
        """Nothing."""


class Transfers:
    """Brings what changed since, with a look-back, and then moves the watermark; again and again."""

    def __init__(self, delivery: Delivery, latest: datetime) -> None:
        self.delivery, self.latest, self.rounds = delivery, latest, 0
        self._ended, self._errors = threading.Event(), list[BaseException]()

    @contextmanager
    def running(self) -> Generator[None]:
        thread = threading.Thread(target=self._try)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(60)
        assert not self._errors, self._errors
        assert self.rounds > 1

    def _try(self) -> None:
        try:
            with psycopg.connect(self.delivery.urls[0], autocommit=True) as source:
                while not self._ended.is_set():
                    self._one(source)
        except BaseException as error:  # noqa: BLE001 told by the thread that waits
            self._errors.append(error)

    def _one(self, source: psycopg.Connection[Any]) -> None:
        rows = source.execute(
            "select id, amount, note, updated_at from orders"
            " where updated_at >= %s and updated_at < clock_timestamp()",
            [self.latest - OVERLAP],
        ).fetchall()
        if rows:
            self._load(rows)
            self.latest = max(row[3] for row in rows)
            self.delivery.watermark(self.latest)  # after the rows are there
        self.rounds += 1
        self._ended.wait(0.3)

    def _load(self, rows: list[tuple[Any, ...]]) -> None:
        url = self.delivery.urls[1]
        if url.startswith("postgresql"):
            with psycopg.connect(url) as connection:
                connection.execute(
                    "insert into orders select * from unnest(%s::int8[], %s::numeric[], %s::text[],"
                    " %s::timestamptz[]) on conflict (order_id) do update set"
                    " amount = excluded.amount, note = excluded.note,"
                    " updated_at = excluded.updated_at",
                    [list(column) for column in zip(*rows, strict=True)],
                )
            return
        with mariadb_tools.connect(url) as connection, connection.cursor() as cursor:
            connection.begin()
            cursor.executemany(
                "insert into orders values (%s, %s, %s, %s) on duplicate key update"
                " amount = values(amount), note = values(note), updated_at = values(updated_at)",
                [(*row[:3], row[3].astimezone(UTC).strftime("%F %T.%f")) for row in rows],
            )
            connection.commit()


def plant(delivery: Delivery) -> None:
    """Break twenty rows in each way."""
    later = f"timestamptz '{(datetime.now(UTC) + timedelta(days=1)).isoformat()}'"
    early = "2024-01-01 00:00:00" + ("+00" if delivery.urls[1].startswith("postgresql") else "")

    def among(name: str) -> str:
        return f"between {PLANTED[name][0]} and {PLANTED[name][-1]}"

    delivery.there(
        f"delete from orders where order_id {among('missing')}",
        f"update orders set note = 'wrong' where order_id {among('incorrect')}",
        *(
            f"insert into orders values ({key}, 1, 'nobody', '{early}')"
            for key in PLANTED["orphaned"]
        ),
    )
    delivery.source(
        f"update orders set amount = 7, updated_at = {later} where id {among('stale')}",
        f"insert into orders select i, 'ours', 1, 'new', {later}"
        f" from generate_series({PLANTED['pending'][0]}, {PLANTED['pending'][-1]}) i",
    )


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_planted_defects_are_found_and_nothing_else(
    house: House, fresh_postgres: str, request: pytest.FixtureRequest, kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # As long as commits take here; the half minute of PostgreSQL would forgive too much.
    monkeypatch.setattr(
        PostgresSource, "traits", dataclasses.replace(PostgresSource.traits, look_back=2)
    )
    # Few commits of many rows: others work on the same cores.
    monkeypatch.setattr(writers, "UPDATES_AT_ONCE", 300)
    monkeypatch.setattr(writers, "BATCHES_A_SECOND", 4)
    there = request.getfixturevalue("fresh_postgres2" if kind == "postgres" else "fresh_mariadb")
    made = a_delivery(house, fresh_postgres, there, tenant="ours")
    made.source(
        ORDERS, "create index on orders (updated_at)",
        "insert into orders select i, 'ours', i % 1000, 'n' || i, now()"
        f" - case when i < {QUIET} then interval '2 hours' else interval '1 hour' end"
        f" from generate_series(0, {ROWS - 1}) i",
    )  # fmt: skip
    made.there(DELIVERED[kind])
    transfers = Transfers(made, datetime(2000, 1, 1, tzinfo=UTC))
    left, right = SourceCopy(fresh_postgres), Nowhere(there)
    left.gone = set()
    writer = Writer(left, right, range(QUIET, ROWS), (0.0, 0.0))
    with transfers.running():
        until = time.monotonic() + 60
        while transfers.rounds < 1:
            assert time.monotonic() < until
            time.sleep(0.1)
        plant(made)
        with writer.running():
            time.sleep(3)
            wanted = {
                "model_name": "orders",
                "sample_primary_key_ids": [str(k) for keys in PLANTED.values() for k in keys],
            }
            sample = made.checked(models=[wanted])
            jobs = [made.checked() for _ in range(2)]
    assert writer.rate > 1_000, writer.rate
    assert made.classes(sample) == {name: set(keys) for name, keys in PLANTED.items()}
    for job in jobs:
        assert job.status == "SUCCESS", job.results
        found = made.classes(job)
        assert found["missing"] == set(PLANTED["missing"])
        assert found["incorrect"] == set(PLANTED["incorrect"])
        assert set(PLANTED["orphaned"]) <= found["orphaned"]
        # What the writer took away at the source is orphaned in truth: transfers bring no deletes.
        assert found["orphaned"] - set(PLANTED["orphaned"]) <= left.gone
    counts = jobs[-1].results[0].counts
    print(kind, round(writer.rate), "writes/s;", dict(counts), transfers.rounds, "transfers")
