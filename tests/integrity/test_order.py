"""The order of moments: watermark, destination, source. Rows that come between are no faults."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.house import House
from tests.integrity.ground import DELIVERED, ORDERS, Delivery, a_delivery
from weighbridge import library
from weighbridge.integrity import examine, ground

BEGAN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["postgres", "mysql"])
def delivery(house: House, fresh_postgres: str, request: pytest.FixtureRequest) -> Delivery:
    there = request.getfixturevalue(
        "fresh_postgres2" if request.param == "postgres" else "fresh_mariadb"
    )
    made = a_delivery(house, fresh_postgres, there, tenant="ours")
    made.source(ORDERS)
    made.there(DELIVERED[request.param])
    for number in range(1, 6):
        write(made, number, BEGAN)
        deliver(made, number)
    made.watermark(BEGAN + timedelta(minutes=1))
    return made


def write(made: Delivery, number: int, moment: datetime) -> None:
    made.source(
        f"insert into orders values ({number}, 'ours', 1, 'n', '{moment.isoformat()}')"
        " on conflict (id) do update set amount = orders.amount + 1,"
        " updated_at = excluded.updated_at"
    )


def deliver(made: Delivery, number: int) -> None:
    """Bring one row as a transfer that runs meanwhile would."""
    from tests.faults.command import ask  # noqa: PLC0415 beside its only use

    (row,) = ask(
        made.urls[0], f"select id, amount, note, updated_at from orders where id = {number}"
    )
    moment = row[3].astimezone(UTC).strftime("%F %T.%f")
    zone = "+00" if made.urls[1].startswith("postgresql") else ""
    made.there(
        f"delete from orders where order_id = {number}",
        f"insert into orders values ({row[0]}, {row[1]}, '{row[2]}', '{moment}{zone}')",
    )


def between(monkeypatch: pytest.MonkeyPatch, work: dict[int, Callable[[], None]]) -> list[str]:
    """Do something before the n-th side is opened to be read; give the sides in their order."""
    opened: list[str] = []
    real = library.open_source

    def open_source(spec: Any, *given: Any, **more: Any) -> Any:
        opened.append(spec.label)
        work.pop(len(opened), lambda: None)()
        return real(spec, *given, **more)

    class OneByOne(library.ThreadPoolExecutor):
        """Opens one side after the other, so that the test knows which is which."""

        def __init__(self, _: int, **more: Any) -> None:
            super().__init__(1, **more)

    monkeypatch.setattr(library, "open_source", open_source)
    monkeypatch.setattr(library, "ThreadPoolExecutor", OneByOne)
    return opened


def test_what_is_delivered_between_the_moments_is_no_fault(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written and delivered after the source's first moment and before the destination's.

    By the first reading the row is orphaned, and the changed row incorrect: neither is told.
    """

    def work() -> None:
        write(delivery, 50, datetime.now(UTC))
        write(delivery, 3, datetime.now(UTC))
        deliver(delivery, 50)
        deliver(delivery, 3)

    opened = between(monkeypatch, {2: work})
    job = delivery.checked()
    assert len(opened) >= 4, opened
    assert delivery.classes(job) == {}, job
    assert job.results[0].healthy


def test_the_destination_is_read_before_the_source_at_last(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens between the last two readings makes rows stale or pending, never orphaned."""
    delivery.there("delete from orders where order_id = 1")  # a true fault: there is a second look

    def work() -> None:
        for number in (2, 60):
            write(delivery, number, datetime.now(UTC))
        for number in (2, 60):
            deliver(delivery, number)

    # Two sides at first, a pair for the destination's second reading, a pair for the source's.
    opened = between(monkeypatch, {5: work})
    job = delivery.checked()
    assert [("destination" in label) for label in opened] == [False, True] * 3
    assert delivery.classes(job) == {"missing": {1}}
    between(monkeypatch, {})
    job = delivery.checked()
    assert delivery.classes(job) == {"missing": {1}}


def test_a_row_that_changes_between_the_last_readings(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 1 was brought right and changed after the destination was read: it is stale, as it is."""
    delivery.there("update orders set amount = 99 where order_id = 1")
    between(monkeypatch, {5: lambda: write(delivery, 1, datetime.now(UTC))})
    assert delivery.classes(delivery.checked()) == {"stale": {1}}


def test_the_watermark_is_read_first(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watermark that moves after the destination was read covers rows that were not seen there."""
    now = datetime.now(UTC)
    write(delivery, 70, now)
    order: list[str] = []
    real_ground, real_sides = ground.open_ground, examine.sides_of
    from weighbridge.integrity import run  # noqa: PLC0415 whose names are replaced

    def open_ground(*given: Any, **more: Any) -> Any:
        order.append("watermark")
        return real_ground(*given, **more)

    def sides_of(*given: Any, **more: Any) -> Any:
        order.append("sides")
        # The transfer ends now: too late to be asked of what was read before.
        delivery.watermark(now + timedelta(minutes=5))
        return real_sides(*given, **more)

    monkeypatch.setattr(run, "open_ground", open_ground)
    monkeypatch.setattr(examine, "sides_of", sides_of)
    assert delivery.classes(delivery.checked()) == {"pending": {70}}
    assert order == ["watermark", "sides"]
