"""Transfers over HTTP, between two real databases."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pymysql
import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import text

from tests.api import prequel_ground as making
from tests.api.transfer_ground import COLUMNS, Deliveries, columns, options
from tests.contract import prequel_seed
from tests.unit.connectors.vendor_examples import WHOLE
from weighbridge.api.prequel.envelope import NEVER
from weighbridge.catalog.data_sources import policy_of
from weighbridge.deliver import run as deliver_run
from weighbridge.deliver.schedule import request_due
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from tests.house import House


@pytest.fixture
def ground(house: House, fresh_postgres: str, fresh_postgres2: str) -> Deliveries:
    return Deliveries(house, fresh_postgres, fresh_postgres2)


def test_first_all_then_what_changed(ground: Deliveries) -> None:
    first = ground.transfer()
    assert (first["status"], first["rows_transferred"], first["delta_rows_transferred"]) == (
        "SUCCESS", 40, 40,
    )  # fmt: skip
    ground.is_exact()
    ground.run_sql(
        "source",
        "update orders set v = 'changed', updated_at = now() where id in (1, 3)",
        "insert into orders values (101, 'acme', 'new', now()), (102, 'other', 'new', now()),"
        " (103, 'acme', 'timeless', null)",
        "update orders set v = 'timeless too' where id = 10",
        "delete from orders where id = 2",
    )
    second = ground.transfer(tags={"who": "me"})
    assert second["status"] == "SUCCESS"
    assert second["delta_rows_transferred"] == 4
    assert second["rows_transferred"] < 20
    assert {row[0] for row in ground.there()} - {row[0] for row in ground.wanted()} == {2}
    # A deletion is not a change that anyone sees; a full refresh is.
    third = ground.transfer(full_refresh=True)
    assert third["delta_rows_transferred"] == 1
    ground.is_exact()
    assert third["is_full_refresh"]
    assert "full, as was asked for: 41 rows" in third["log"]


def test_the_published_shape(ground: Deliveries) -> None:
    ground.transfer(tags={"a": "b"})
    shown = ground.client.get(f"/destinations/{ground.destination}").json()["data"]["destination"]
    published: dict[str, Any] = dict(prequel_seed.ANSWER["data"]["destination"])
    mine, theirs = shown["last_completed_transfer"], published["last_completed_transfer"]
    assert set(mine) == set(theirs)
    metrics = theirs["model_metrics"][0]
    # Without an error there is none.
    assert set(mine["model_metrics"][0]) == set(metrics) - {"error"}
    assert set(mine["models_snapshot"][0]) == set(theirs["models_snapshot"][0])
    assert shown["last_successful_transfer_ended_at"] == mine["ended_at"] > mine["started_at"]
    assert shown["total_rows_transferred_current_billing_period"] == 40
    assert shown["total_rows_transferred_last_billing_period"] == 0
    assert mine["source_ids"] == [ground.source]
    assert mine["tags"] == {"a": "b"}
    assert mine["actor_type"] == "api_key"
    with seen_by(ground.house.database, EVERYTHING) as connection:
        connection.execute(text(
            "update weighbridge.transfers set ended_at = date_trunc('month', now(), 'UTC') - interval '1 s'"
        ))  # fmt: skip
    shown = ground.client.get(f"/destinations/{ground.destination}").json()["data"]["destination"]
    assert shown["total_rows_transferred_current_billing_period"] == 0
    assert shown["total_rows_transferred_last_billing_period"] == 40
    assert shown["total_delta_rows_transferred_last_billing_period"] == 40
    schema = ground.client.get("/openapi.json").json()
    described = {
        **schema["components"]["schemas"]["TransferShown"],
        "components": schema["components"],
    }
    Draft202012Validator(described).validate(mine)


def test_one_model_that_fails_stops_no_other(ground: Deliveries) -> None:
    ground.add_model("a_bad_one", columns=columns([("id", "bigint"), ("v", "integer"), COLUMNS[2]]))
    ground.add_model("z_missing", source_table="nosuch")
    done = ground.transfer()
    assert done["status"] == "PARTIAL_FAILURE"
    ground.is_exact()
    errors = {m["model_name"]: m.get("error") for m in done["model_metrics"]}
    assert errors["orders"] is None
    bad = errors["a_bad_one"]
    assert set(bad) == set(prequel_seed.ANSWER["data"]["destination"]["last_completed_transfer"]
                           ["model_metrics"][0]["error"])  # fmt: skip
    assert bad["error_code"] == "not_comparable"
    assert "v" in bad["message"]
    assert bad["documentation_url"].endswith("#not_comparable")
    assert errors["z_missing"]["error_code"] == "no_such_table"
    only = ground.transfer(models=["a_bad_one"])
    assert only["status"] == "ERROR"


def test_what_a_recipient_is_told(ground: Deliveries) -> None:
    ground.add_model("bad", source_table="nosuch")
    number = ground.transfer()["id"]
    headers = making.token_headers(ground.client, recipient_id=ground.recipient)
    theirs = ground.house.prequel(headers=headers)
    shown = theirs.get(f"/transfers/{number}")
    assert shown.status_code == 200
    assert shown.json()["data"]["transfer"]["status"] == "PARTIAL_FAILURE"
    assert "nosuch" not in shown.text
    assert ground.source not in shown.text
    listed = theirs.get(f"/destinations/{ground.destination}/transfers")
    assert "nosuch" not in listed.text
    assert "nosuch" not in theirs.get(f"/destinations/{ground.destination}").text
    assert theirs.post(f"/destinations/{ground.destination}/transfer").status_code == 200


def test_columns_come_and_go(ground: Deliveries) -> None:
    ground.transfer()
    ground.run_sql("source", "alter table orders add n numeric(9,2)", "update orders set n = id")
    path = f"/models/{ground.model}"
    more = [("id", "bigint"), ("n", "decimal(9,2)"), COLUMNS[2]]
    assert ground.client.patch(path, json={"model": {"columns": columns(more)}}).status_code == 200
    done = ground.transfer()
    assert done["status"] == "SUCCESS", done["log"]
    # What was delivered under another shape is delivered anew.
    assert ground.there(listed="id, n") == ground.wanted("id, n")
    assert {row[0] for row in ground.there(listed="v")} == {None}
    more[1] = ("n", "text")
    assert ground.client.patch(path, json={"model": {"columns": columns(more)}}).status_code == 200
    done = ground.transfer()
    error = done["model_metrics"][0]["error"]
    for word in ("column n", "numeric(9,2)", "text"):
        assert word in error["message"]


def test_filters_and_windows_of_ones_own(ground: Deliveries) -> None:
    ground.transfer()
    ground.run_sql(
        "source",
        "update orders set v = 'x', updated_at = '2020-01-01 00:00+00' where id = 1",
        "update orders set v = 'x', updated_at = '2020-01-02 00:00+00' where id = 4",
    )
    done = ground.transfer(
        start_transfer_window_at="2020-01-01T00:00:00Z",
        end_transfer_window_at="2020-01-02T00:00:00Z",
    )
    # Older than what lies there: it changes nothing.
    assert (done["rows_transferred"], done["delta_rows_transferred"]) == (1, 0)
    assert done["start_transfer_window_at"] == "2020-01-01T00:00:00.000000Z"
    ground.run_sql("source", "update orders set v = 'y', updated_at = now() where id = 7")
    assert ground.transfer()["delta_rows_transferred"] == 1
    filters = [{"column": "id", "operator": "<", "value": 10}]
    assert ground.client.patch(
        f"/models/{ground.model}", json={"model": {"filters": filters}}
    ).status_code == 200  # fmt: skip
    ground.transfer()
    assert [row[0] for row in ground.there()] == [1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"models": ["nosuch"]}, "models"),
        ({"start_transfer_window_at": "x"}, "start_transfer_window_at"),
        ({"end_transfer_window_at": "0001-01-01T00:00:00+14:00"}, "end_transfer_window_at"),
        ({"start_transfer_window_at": "2024-01-01", "end_transfer_window_at": "2024-01-01"}, "start_transfer_window_at"),
        ({"full_refresh": True, "start_transfer_window_at": "2024-01-01"}, "full_refresh"),
        ({"tags": {"a": 1}}, "tags"),
        ({"nosuch": 1}, "nosuch"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(ground: Deliveries, body: dict[str, Any], word: str) -> None:
    assert word in ground.asked(400, **body)


def test_places_that_get_nothing(ground: Deliveries) -> None:
    path = f"/destinations/{ground.destination}"
    ground.client.patch(path, json={"destination": {"is_enabled": False}})
    assert "switched off" in ground.asked(400)
    ground.destination = making.destination(
        ground.client, ground.recipient, vendor="snowflake", snowflake=WHOLE["snowflake"]
    )["id"]
    assert "yet" in ground.asked(400)


def test_pages_and_filters(ground: Deliveries) -> None:
    numbers = [ground.asked(tags={"n": str(n)}) for n in range(5)]
    for number in numbers[:2]:
        assert (
            ground.client.post(f"/transfers/{number}/cancel").json()["data"]["transfer"]["status"]
            == "CANCELLED"
        )
    path, seen = f"/destinations/{ground.destination}/transfers", list[str]()
    found = ground.client.get(path, params={"page_size": 2, "order": "desc"}).json()
    while True:
        seen += [one["id"] for one in found["data"]["transfers"]]
        if not found["has_next"]:
            break
        found = ground.client.get(found["next_url"].replace("/prequel", "", 1)).json()
    assert seen == numbers[::-1]

    def listed(**query: Any) -> list[str]:
        answer = ground.client.get("/transfers", params=query)
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["data"]["transfers"]]

    ended = ground.shown(numbers[0])["ended_at"]
    assert listed(status="CANCELLED") == numbers[:2]
    assert listed(status="EXPIRED") == []
    assert listed(include_tags="n.3") == [numbers[3]]
    assert listed(include_tags="n.3,n.4") == []
    assert listed(ended_before=ended) == []
    assert listed(ended_after=ended) == numbers[:2]
    assert listed(destination_id=ground.destination, page_size=100) == numbers
    assert listed(destination_id=ground.source) == []
    assert len(ground.client.get(path, params={"count": 3}).json()["data"]["transfers"]) == 3
    for query in ({"include_tags": "n"}, {"ended_before": "x"}, {"status": "x"}, {"nosuch": "x"}):
        making.said(ground.client.get("/transfers", params=query))


def test_one_after_the_other(ground: Deliveries) -> None:
    first, second = ground.asked(), ground.asked()
    assert ground.once(second)
    assert ground.shown(second)["status"] == "PENDING"
    ground.house.run_transfer(first)
    ground.house.run_transfer(second)
    assert ground.shown(second)["status"] == "SUCCESS"
    ground.client.patch(
        f"/destinations/{ground.destination}", json={"destination": {"max_concurrent_transfers": 2}}
    )
    ground.add_model("others")
    one, same, other = (ground.asked(models=[name]) for name in ("orders", "orders", "others"))
    assert ground.once(same)
    ground.client.post(f"/transfers/{same}/cancel")
    assert not ground.once(other)
    assert ground.shown(other)["status"] == "SUCCESS"
    ground.house.run_transfer(one)
    ground.is_exact()


def test_a_running_one_is_cancelled_within_seconds(ground: Deliveries) -> None:
    ground.run_sql(
        "source",
        "create view slow as select id, org, v || coalesce(pg_sleep(0.5)::text, '') as v, updated_at from orders",
    )
    ground.client.patch(f"/models/{ground.model}", json={"model": {"source_table": "slow"}})
    number = ground.asked()
    work = threading.Thread(target=ground.house.run_transfer, args=(number,))
    work.start()
    end = time.monotonic() + 30
    asked = "select 1 from pg_stat_activity where query like '%slow%' and state = 'active' and pid <> pg_backend_pid()"
    while not ground.run_sql("source", asked):
        assert time.monotonic() < end
        time.sleep(0.1)
    began = time.monotonic()
    answer = ground.client.post(f"/transfers/{number}/cancel")
    assert answer.status_code == 200
    work.join(30)
    assert time.monotonic() - began < 5
    done = ground.shown(number)
    assert done["status"] == "CANCELLED"
    assert done["ended_at"] != NEVER
    assert not ground.run_sql("source", asked)
    assert ground.run_sql("destination", "select to_regclass('out.orders')") == [(None,)]
    again = ground.client.post(f"/transfers/{number}/cancel").json()["data"]["transfer"]
    assert again == done


# Schedules ----------------------------------------------------------------------------------


def due(ground: Deliveries) -> list[tuple[str, Any]]:
    with seen_by(ground.house.database, EVERYTHING) as connection:
        return [(str(number), at) for number, at in request_due(connection)]


def aged(ground: Deliveries, **values: str) -> None:
    with seen_by(ground.house.database, EVERYTHING) as connection:
        said = ", ".join(f"{name} = {value}" for name, value in values.items())
        connection.execute(text(f"update weighbridge.destinations set {said}"))


@pytest.mark.parametrize("minutes", [0, 15, 60, 360, 720, 1440])
def test_due_moments_lie_on_the_grid_and_fire_once(house: House, minutes: int) -> None:
    client = house.prequel()
    owner = making.recipient(client)["id"]
    made = making.destination(client, owner, frequency_minutes=minutes)
    ground = Deliveries.__new__(Deliveries)
    ground.house, ground.client = house, client
    # It is not due for a moment that was before it.
    assert due(ground) == []
    aged(ground, created_at="now() - interval '9 days'")
    found = due(ground)
    assert len(found) == 1
    at = found[0][1]
    step = (minutes or 1440) * 60
    assert at.timestamp() % step == 0
    with seen_by(house.database, EVERYTHING) as connection:
        now = connection.execute(text("select clock_timestamp()")).scalar_one()
    assert 0 <= (now - at).total_seconds() < step
    assert due(ground) == []
    shown = client.get(f"/transfers/{found[0][0]}").json()["data"]["transfer"]
    assert (shown["actor_type"], shown["destination_id"]) == ("schedule", made["id"])
    client.post(f"/transfers/{found[0][0]}/cancel")
    assert due(ground) == []
    # The same moment again, after a clock that went back: each fires once.
    with seen_by(house.database, EVERYTHING) as connection:
        connection.execute(text(
            "update weighbridge.transfers set due_at = due_at - interval '1 day'"
        ))  # fmt: skip
    assert len(due(ground)) == 1


def test_what_is_never_due(ground: Deliveries) -> None:
    aged(ground, created_at="now() - interval '9 days'", is_enabled="false")
    assert due(ground) == []
    aged(ground, is_enabled="true", deleted_at="now()")
    assert due(ground) == []
    aged(ground, deleted_at="null")
    number = ground.asked()
    assert due(ground) == []  # one is under way
    ground.house.run_transfer(number)
    found = due(ground)
    assert len(found) == 1
    ground.house.run_transfer(found[0][0])
    assert ground.shown(found[0][0])["status"] == "SUCCESS"
    ground.is_exact()


def test_many_workers_ask_at_once_for_what_is_due(ground: Deliveries) -> None:
    aged(ground, created_at="now() - interval '9 days'")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.extend(due(ground))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_another_recipient_gets_its_own(ground: Deliveries) -> None:
    ground.transfer()
    other = making.recipient(ground.client, id_in_provider_system="other")["id"]
    mine = ground.destination
    ground.destination = making.destination(
        ground.client, other, postgres=options(ground.urls["destination"], "theirs")
    )["id"]
    ground.transfer()
    rows = ground.run_sql("destination", "select id from theirs.orders order by id")
    assert rows == ground.run_sql("source", "select id from orders where org = 'other' order by id")
    ground.destination = mine
    ground.is_exact()


def test_from_mariadb(ground: Deliveries, fresh_mariadb: str) -> None:
    parts = urlsplit(fresh_mariadb)
    with pymysql.connect(
        host=parts.hostname, port=parts.port or 0, user=parts.username or "",
        password=parts.password or "", database=parts.path[1:], autocommit=True,
    ) as connection:  # fmt: skip
        cursor = connection.cursor()
        cursor.execute("set time_zone = '+00:00'")
        cursor.execute("create table sales (id bigint primary key, org varchar(20), v text,"
                       " updated_at timestamp(6) null)")  # fmt: skip
        cursor.execute("insert into sales select seq, if(seq % 3, 'acme', 'Acme'), concat('v', seq),"
                       " if(seq % 10, now(6), null) from seq_1_to_60")  # fmt: skip
        source = making.source(ground.client, vendor="mysql", postgres=None, mysql={
            "host": parts.hostname, "port": parts.port, "write_database": parts.path[1:],
            "disable_ssl": True,
            "password_auth": {"username": parts.username, "password": parts.password},
        })["id"]  # fmt: skip
        ground.source = source
        ground.add_model("sales", source_table="sales")
        done = ground.transfer(models=["sales"])
        assert (done["status"], done["rows_transferred"]) == ("SUCCESS", 40), done["log"]
        cursor.execute("update sales set v = 'x', updated_at = now(6) where id = 1")
        done = ground.transfer(models=["sales"])
        assert done["delta_rows_transferred"] == 1
        cursor.execute("select id, v from sales where binary org = 'acme' order by id")
        assert ground.there("sales", "id, v") == list(cursor.fetchall())


def test_no_secret_is_shown_when_a_side_refuses(
    ground: Deliveries, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver_run, "AGAIN_SECONDS", 0.0)
    wrong = {"username": "nobody", "password": "canary-of-a-transfer"}
    path = f"/destinations/{ground.destination}"
    body = {"destination": {"postgres": {"password_auth": wrong}}}
    assert ground.client.patch(path, json=body).status_code == 200
    heard = [ground.transfer()]
    assert heard[0]["status"] == "ERROR"
    assert heard[0]["model_metrics"][0]["error"]["error_code"] == "auth_failed"
    body = {"destination": {"postgres": {"port": 1}}}
    assert ground.client.patch(path, json=body).status_code == 200
    heard.append(ground.transfer())
    assert heard[1]["model_metrics"][0]["error"]["error_code"] == "connection_failed"
    assert "5 of 5" not in heard[1]["log"]
    body = {"source": {"postgres": {"password_auth": wrong}}}
    assert ground.client.patch(f"/sources/{ground.source}", json=body).status_code == 200
    heard.append(ground.transfer())
    with seen_by(ground.house.database, EVERYTHING) as connection:
        tables = connection.execute(
            text("select tablename from pg_tables where schemaname = 'weighbridge'")
        ).scalars().all()  # fmt: skip
        for table in tables:
            rows = connection.execute(text(f"select t::text from weighbridge.{table} t"))
            assert "canary" not in "".join(rows.scalars()), table
    said = capfd.readouterr()
    assert "model_failed" in said.out + said.err
    assert "canary" not in json.dumps(heard) + said.out + said.err


def test_what_follows_a_transfer_by_setting(ground: Deliveries) -> None:
    """A destination may want to be verified: the hook is called once, in the last transaction."""
    called: list[str] = []

    def then(connection: Any, transfer: Any) -> None:
        status = connection.execute(
            text("select status from weighbridge.transfers where id = :id"), {"id": transfer.id}
        ).scalar_one()
        called.append(f"{transfer.destination_id} {status}")

    def work(number: str) -> None:
        house = ground.house
        deliver_run.run(
            house.database, house.ring, number, policy=policy_of(house.database), then=then
        )

    work(ground.asked())
    assert called == []
    body = {"destination": {"verify_after_transfer": True}}
    shown = ground.client.patch(f"/destinations/{ground.destination}", json=body).json()
    assert shown["data"]["destination"]["verify_after_transfer"] is True
    number = ground.asked()
    work(number)
    work(number)
    assert called == [f"{ground.destination} SUCCESS"]
