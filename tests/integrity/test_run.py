"""What a job finds of a model whose rows were broken by hand, on real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.house import House
from tests.integrity.ground import DELIVERED, ORDERS, Delivery, a_delivery

BEGAN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
ROWS = 400
FILLED = (
    ORDERS,
    (
        f"insert into orders select i, 'ours', i * 1.5, 'note ' || i,"
        f" timestamptz '{BEGAN.isoformat()}' + i * interval '1 minute'"
        f" from generate_series(1, {ROWS}) i"
    ),
    (
        "insert into orders select 100000 + i, 'theirs', i, 'not ours', now()"
        " from generate_series(1, 50) i"
    ),
)  # fmt: skip
LATEST = BEGAN + timedelta(minutes=ROWS)


@pytest.fixture(params=["postgres", "mysql"])
def delivery(
    house: House, fresh_postgres: str, request: pytest.FixtureRequest, tmp_path: Any
) -> Delivery:
    kind = request.param
    there = request.getfixturevalue("fresh_postgres2" if kind == "postgres" else "fresh_mariadb")
    made = a_delivery(house, fresh_postgres, there, tenant="ours")
    made.source(*FILLED)
    made.there(DELIVERED[kind])
    values = ", ".join(
        f"({i}, {i * 1.5}, 'note {i}', '{(BEGAN + timedelta(minutes=i)).strftime('%F %T')}"
        f"{'+00' if kind == 'postgres' else ''}')"
        for i in range(1, ROWS + 1)
    )
    made.there(f"insert into orders values {values}")
    made.watermark(LATEST)
    return made


def test_nothing_is_wrong(delivery: Delivery) -> None:
    job = delivery.checked()
    assert job.status == "SUCCESS", job
    (result,) = job.results
    assert result.healthy, result
    assert (result.compared, sum(result.counts.values())) == (ROWS, 0)
    assert result.partitions == ()
    assert delivery.rows(job) == []


def test_each_class(delivery: Delivery) -> None:
    later = f"timestamptz '{(LATEST + timedelta(hours=1)).isoformat()}'"
    delivery.source(
        "update orders set amount = 0 where id = 20",  # incorrect: it does not say so
        f"update orders set amount = 1, updated_at = {later} where id in (30, 31)",  # stale
        f"insert into orders values (1001, 'ours', 1, 'new', {later})",  # pending
        "insert into orders values (1002, 'ours', 1, 'late', null)",  # missing: no moment
        "delete from orders where id = 40",  # orphaned
        "update orders set updated_at = updated_at + interval '1 second' where id = 50",  # incorrect
    )
    delivery.there("delete from orders where order_id in (10, 11, 12)")  # missing
    job = delivery.checked()
    assert job.status == "SUCCESS"
    assert delivery.classes(job) == {
        "incorrect": {20, 50}, "stale": {30, 31}, "pending": {1001}, "orphaned": {40},
        "missing": {10, 11, 12, 1002},
    }  # fmt: skip
    (result,) = job.results
    assert not result.healthy
    assert result.counts == {
        "incorrect": 2, "stale": 2, "pending": 1, "orphaned": 1, "missing": 4,
    }  # fmt: skip
    assert result.compared == ROWS + 2
    assert 1 <= len(result.partitions) <= 20
    inside = {
        i
        for i in range(1, ROWS + 1)
        for p in result.partitions
        if p.since <= (BEGAN + timedelta(minutes=i)).timestamp() < p.until
    }
    assert {10, 11, 12, 20, 30, 31, 40, 50} <= inside
    assert sum(p.rows[1] for p in result.partitions) == len(inside - {10, 11, 12})
    changed = {r.key["order_id"]: r.changed for r in delivery.rows(job)}
    assert changed[20] == ["amount"]
    assert set(changed[30]) == {"amount", "updated_at"}
    assert changed[50] == ["updated_at"]


def test_keys_alone(delivery: Delivery) -> None:
    """What was published: content is not looked at."""
    delivery.there("update orders set note = 'x' where order_id = 7")
    delivery.there("delete from orders where order_id = 8")
    assert delivery.classes(delivery.checked(query="?compare=keys")) == {"missing": {8}}
    assert delivery.classes(delivery.checked()) == {"missing": {8}, "incorrect": {7}}


def test_some_keys(delivery: Delivery) -> None:
    delivery.there("delete from orders where order_id in (5, 6)")
    wanted = {"model_name": "orders", "sample_primary_key_ids": ["4", "5", "x", "100001"]}
    job = delivery.checked(models=[wanted])
    assert delivery.classes(job) == {"missing": {5}}
    assert job.results[0].compared == 2


def test_a_window(delivery: Delivery) -> None:
    """A row that left the window since, on one side, is not missing from it."""
    since, until = (BEGAN + timedelta(minutes=m) for m in (100, 200))
    later = f"timestamptz '{(LATEST + timedelta(hours=1)).isoformat()}'"
    delivery.there("delete from orders where order_id in (99, 100, 199, 200)")
    delivery.source(
        f"update orders set updated_at = {later} where id = 150",  # its old moment is there
        "update orders set amount = 0 where id = 160",
        "delete from orders where id in (170, 210)",
        f"update orders set updated_at = timestamptz '{BEGAN.isoformat()}' + interval '180 minutes'"
        " where id = 300",  # came into it
    )
    job = delivery.checked(
        start_integrity_window_at=since.isoformat(), end_integrity_window_at=until.isoformat()
    )
    assert delivery.classes(job) == {
        "missing": {100, 199}, "incorrect": {160, 300}, "orphaned": {170},
    }  # fmt: skip


def test_never_delivered(house: House, fresh_postgres: str, fresh_postgres2: str) -> None:
    made = a_delivery(house, fresh_postgres, fresh_postgres2, tenant="ours")
    made.source(*FILLED)
    job = made.checked()
    (result,) = job.results
    assert (job.status, result.healthy, result.error) == ("SUCCESS", True, None)
    assert (result.counts["pending"], result.counts["missing"], result.compared) == (ROWS, 0, ROWS)
    made.watermark(LATEST)
    (result,) = made.checked().results
    # The look-back of PostgreSQL is half a minute: the last row may still come.
    assert (result.counts["pending"], result.counts["missing"]) == (1, ROWS - 1)
    assert not result.healthy


def test_one_model_fails_and_the_next_goes_on(
    house: House, fresh_postgres: str, fresh_postgres2: str
) -> None:
    made = a_delivery(house, fresh_postgres, fresh_postgres2, tenant="ours")
    made.source(*FILLED, "alter table orders rename column note to remark")
    job = made.checked()
    assert job.status == "ERROR"
    assert "no column note" in job.results[0].error["message"]
    assert not job.results[0].healthy
