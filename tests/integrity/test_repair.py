"""A repair puts right what was found, nothing else, and can be taken back; on real servers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.faults.command import ask, run_sql
from tests.house import House
from tests.integrity.ground import COLUMNS, DELIVERED, ORDERS, Delivery, a_delivery
from tests.integrity.test_types import delivered
from tests.integrity.test_types import write as write_values

BEGAN = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
HOSTILE = (
    "'; drop table orders; --", "\\", "\\'", "a\\\\'b", '"`$1 %s {x}', "\x01\x1b[2J", "😀 é\n\r\t",
    "/* */ -- #", "NULL", "", " ", "0x27", "' or '1'='1", "a'||'b", "\ufeff\u202e",
)  # fmt: skip


@pytest.fixture(params=["postgres", "mysql"])
def delivery(house: House, fresh_postgres: str, request: pytest.FixtureRequest) -> Delivery:
    there = request.getfixturevalue(
        "fresh_postgres2" if request.param == "postgres" else "fresh_mariadb"
    )
    made = a_delivery(house, fresh_postgres, there, tenant="ours")
    made.source(ORDERS)
    made.there(DELIVERED[request.param])
    zone = "+00" if request.param == "postgres" else ""
    for n in range(30):
        text = HOSTILE[n % len(HOSTILE)]
        moment = f"2024-03-01 12:00:{n:02}.123456"
        write_values(made.urls[0], "insert into orders values (%s, 'ours', %s, %s, %s)",
                     (n, f"{n}.25", text, f"{moment}+00"))  # fmt: skip
        write_values(made.urls[1], "insert into orders values (%s, %s, %s, %s)",
                     (n, f"{n}.25", text, f"{moment}{zone}"))  # fmt: skip
    made.watermark(datetime(2024, 3, 2, tzinfo=UTC))
    return made


def there(delivery: Delivery) -> list[Any]:
    # As text: one of the servers writes moments in a way that the driver does not read.
    moment = "updated_at::text" if delivery.urls[1].startswith("postgresql") else "updated_at"
    return ask(delivery.urls[1], f"select order_id, amount, note, {moment} from orders order by 1")


def broken(delivery: Delivery) -> str:
    """Break rows 0 to 19 in all ways; give the job that found them."""
    delivery.there("delete from orders where order_id < 10")
    for n in range(10, 20):
        write_values(delivery.urls[1],
                     "update orders set note = %s, amount = amount + 1 where order_id = %s",
                     (HOSTILE[-n % len(HOSTILE)], n))  # fmt: skip
    delivery.source("delete from orders where id in (25, 26)")
    return str(delivery.checked().id)


def test_repaired_and_verified(delivery: Delivery) -> None:
    right = there(delivery)
    found = delivery.repaired(broken(delivery))
    assert found["status"] == "SUCCESS", found
    (model,) = found["models"]
    assert (model["rows_repaired"], model["rows_not_right"]) == (20, 0)
    assert there(delivery) == right  # orphaned rows stay: nobody asked for them
    assert "20 rows put right and verified" in found["log_message"]
    job = delivery.checked()
    assert job.results[0].healthy
    assert delivery.classes(job) == {"orphaned": {25, 26}}
    again = delivery.repaired(str(job.id), classes=["orphaned"])
    assert again["models"][0]["rows_repaired"] == 2
    assert delivery.classes(delivery.checked()) == {}


def test_what_changed_since_is_left_alone(delivery: Delivery) -> None:
    number = broken(delivery)
    plan = delivery.planned(number, classes=["missing", "incorrect", "orphaned"])
    delivery.there(
        "update orders set note = 'mine' where order_id = 10",
        "update orders set note = 'mine too' where order_id = 25",
        "insert into orders (order_id, note) values (3, 'mine')",
    )
    delivery.source("update orders set note = 'newer', updated_at = now() where id = 11")
    found = delivery.repaired(number, classes=["missing", "incorrect", "orphaned"])
    (model,) = found["models"]
    assert model["rows_changed_since"] == 3, model
    assert model["rows_repaired"] == 19, model
    kept = {row[0]: row[2] for row in there(delivery)}
    assert (kept[10], kept[25], kept[3]) == ("mine", "mine too", "mine")
    # The source's newer version was delivered, not the one that had been looked at.
    assert kept[11] == "newer"
    assert 26 not in kept
    # The plan that was made before it is of no harm to anyone who runs it now.
    before = there(delivery)
    run_sql(delivery.urls[1], *plan["models"][0]["forward_sql"])
    assert there(delivery) == before


def test_a_plan_changes_nothing_and_can_be_run_and_undone(delivery: Delivery) -> None:
    right = there(delivery)
    number = broken(delivery)
    wrong = there(delivery)
    plan = delivery.planned(number, classes=["missing", "incorrect", "orphaned"])
    assert (plan["status"], plan["dry_run"]) == ("SUCCESS", True)
    assert there(delivery) == wrong
    (model,) = plan["models"]
    assert len(model["plan"]) == 3
    for _ in range(2):  # a second time it changes nothing
        run_sql(delivery.urls[1], *model["forward_sql"])
        assert there(delivery) == [row for row in right if row[0] not in {25, 26}]
    for _ in range(2):
        run_sql(delivery.urls[1], *model["undo_sql"])
        assert there(delivery) == wrong


def test_the_way_back_of_what_was_done(delivery: Delivery) -> None:
    number = broken(delivery)
    wrong = there(delivery)
    found = delivery.repaired(number)
    delivery.there("update orders set note = 'mine' where order_id in (5, 15)")
    run_sql(delivery.urls[1], *found["models"][0]["undo_sql"])
    kept = {row[0]: row for row in there(delivery)}
    # What somebody changed after the repair is not undone.
    assert kept.pop(5)[2] == kept.pop(15)[2] == "mine"
    assert list(kept.values()) == [row for row in wrong if row[0] != 15]


def test_a_repair_that_is_delivered_twice(delivery: Delivery) -> None:
    number = broken(delivery)
    found = delivery.repaired(number)
    before = there(delivery)
    assert delivery.mend(number, found["id"]) == found
    assert there(delivery) == before


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_every_type_is_written_as_it_is(
    house: House, fresh_postgres: str, request: pytest.FixtureRequest, kind: str
) -> None:
    place = request.getfixturevalue("fresh_postgres2" if kind == "postgres" else "fresh_mariadb")
    made = delivered(house, (fresh_postgres, place), kind)
    made.watermark(datetime(2024, 3, 2, tzinfo=UTC))
    made.there("delete from orders where id in (0, 1)")
    found = made.repaired(str(made.checked().id))
    assert found["models"][0]["rows_repaired"] == 2, found["models"][0]["plan"]
    assert made.checked().results[0].healthy
    run_sql(place, *found["models"][0]["undo_sql"])
    assert ask(place, "select id from orders") == [(2,)]
    run_sql(place, *found["models"][0]["forward_sql"])
    assert ask(place, "select count(*) from orders") == [(3,)]
    assert made.checked().results[0].healthy


def test_what_cannot_be_repaired_says_why(delivery: Delivery) -> None:
    number = delivery.checked(query="?compare=keys").id
    for job, words in ((number, "compared keys alone"), (delivery.ask(), "has not ended")):
        answer = delivery.client.post(f"{delivery.path}/{job}/repair", json={})
        assert answer.status_code == 400
        assert words in answer.json()["message"]
    assert len(COLUMNS) == 4
