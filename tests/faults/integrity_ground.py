"""A server of ours with real workers, a destination that is broken in a known way, and a slow source."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests import servers
from tests.faults.command import ask, run_sql
from tests.faults.ground import Ground, a_ground, until
from tests.integrity.ground import DELIVERED, ORDERS, Delivery, a_delivery

ROWS = 30
BROKEN = {"missing": {2, 4, 6}, "incorrect": {3, 9}, "orphaned": {30}}
FILLED = (
    ORDERS,
    (
        "insert into orders select i, 'ours', i, 'n' || i, timestamptz '2024-03-01 00:00+00'"
        f" + i * interval '1 minute' from generate_series(1, {ROWS - 1}) i"
    ),
    (
        "create view slow_orders as select id, tenant, amount,"
        " note || wait((select seconds from pace)) as note, updated_at from orders"
    ),
)
THERE = (
    DELIVERED["postgres"],
    (
        "insert into orders select i, i, 'n' || i, timestamptz '2024-03-01 00:00+00'"
        f" + i * interval '1 minute' from generate_series(1, {ROWS}) i"
    ),
    "delete from orders where order_id in (2, 4, 6)",
    "update orders set note = 'wrong' where order_id in (3, 9)",
)


@dataclass
class IntegrityGround:
    """What a fault test breaks: `ground` has the workers, `delivery` the two databases."""

    ground: Ground
    delivery: Delivery

    def status(self, number: str) -> str:
        return self.delivery.job(number).status

    def wait(self, number: str, status: str, seconds: float) -> None:
        until(
            lambda: self.status(number) == status, seconds,
            lambda: f"{number} is {self.delivery.job(number)}",
        )  # fmt: skip

    def repair_of(self, number: str, repair: str) -> dict[str, Any]:
        answer = self.delivery.client.get(f"{self.delivery.path}/{number}/repair/{repair}")
        return answer.json()["data"]["repair"]

    def is_exact(self, number: str) -> None:
        """Hold that there is one result, and each row once, of the attempt that wrote it."""
        self.ground.has_no_job()
        job = self.delivery.job(number)
        assert [result.model_name for result in job.results] == ["orders"]
        rows = self.delivery.rows(job)
        assert self.delivery.classes(job) == BROKEN
        assert len(rows) == sum(map(len, BROKEN.values()))
        assert {row.attempt for row in rows} == {job.results[0].attempt}
        counts = job.results[0].counts
        assert {name: counts[name] for name in BROKEN} == {n: len(k) for n, k in BROKEN.items()}
        assert not job.results[0].healthy

    def nothing_found(self, number: str) -> None:
        """Hold that there is no half of a result."""
        job = self.delivery.job(number)
        assert job.results == ()
        assert self.delivery.rows(job) == []

    def is_repaired(self) -> None:
        """Hold that what was missing and incorrect is right, and nothing else was touched."""
        found = ask(self.delivery.urls[1], "select order_id, note from orders order by 1")
        assert found == [(i, f"n{i}") for i in range(1, ROWS + 1)]


@contextmanager
def integrity_ground(postgres: str, folder: Path) -> Iterator[IntegrityGround]:
    """Open all of it."""
    with (
        servers.fresh_postgres(postgres) as source,
        servers.fresh_postgres(postgres) as there,
        a_ground(postgres, source, folder) as ground,
    ):
        delivery = a_delivery(ground.house, source, there, tenant="ours")
        run_sql(source, *FILLED)
        run_sql(there, *THERE)
        answer = delivery.client.patch(
            f"/models/{delivery.model['id']}", json={"model": {"source_table": "slow_orders"}}
        )
        assert answer.status_code == 200, answer.text
        delivery.watermark(datetime(2024, 3, 2, tzinfo=UTC))
        yield IntegrityGround(ground, delivery)
