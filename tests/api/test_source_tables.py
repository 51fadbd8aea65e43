"""Tables of data sources over HTTP: their columns, their keys; and the forms of each kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import source_body
from tests.api.sources import (
    TABLE,
    VENDORS,
    body,
    closed_port,
    columns,
    store,
)
from tests.api.test_queries import quiet
from tests.faults.command import run_sql
from tests.house import House


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(request: pytest.FixtureRequest, vendor: str) -> str:
    """Give a database with a table, on a server of the vendor."""
    found: str = request.getfixturevalue(VENDORS[vendor])
    run_sql(found, *TABLE)
    return found


# Columns and keys ----------------------------------------------------------------------------


def test_columns(house: House, client: TestClient, url: str, vendor: str) -> None:
    said = columns(house, client, store(client, url), "orders")
    assert said["status"] == "done"
    kinds = ["integer", "character varying(9)", "character varying(9)"]
    if vendor == "mysql":
        kinds = ["int(11)", "varchar(9)", "varchar(9)"]
    assert said["result"] == {
        "table": ["orders"],
        "columns": [
            {"name": "id", "type": kinds[0], "nullable": False, "key": True},
            {"name": "number", "type": kinds[1], "nullable": False, "key": False},
            {"name": "v", "type": kinds[2], "nullable": True, "key": False},
        ],
        "primary_key": ["id"],
        "unique": [["number"]],
    }


def test_columns_of_no_table(house: House, client: TestClient, url: str) -> None:
    said = columns(house, client, store(client, url), "order")
    assert said["status"] == "failed"
    assert "There is no table or view order" in said["result"]["error"]
    assert "Did you mean orders?" in said["result"]["error"]


def test_columns_of_a_server_that_is_not_there(house: House, client: TestClient, url: str) -> None:
    said = columns(house, client, store(client, url, port=closed_port()), "orders")
    assert said["status"] == "failed"
    assert said["result"]["error"].endswith(".")


@pytest.mark.parametrize(
    "table", [[], ["a", "b", "c", "d"], [""], ["a\0b"], ["\ud800"], ["x" * 300], "orders", None]
)
def test_tables_that_are_none(client: TestClient, fresh_postgres: str, table: Any) -> None:
    source = store(client, fresh_postgres)
    for path in ("dataset_schema", "guess_pk"):
        answer = client.post(
            f"/data_sources/{source}/{path}",
            content=json.dumps({"table": table}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, answer.text


def guess(client: TestClient, source: int, *table: str, **more: Any) -> Any:
    answer = client.post(f"/data_sources/{source}/guess_pk", json={"table": list(table), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_keys(client: TestClient, url: str) -> None:
    source = store(client, url)
    assert guess(client, source, "orders") == {"candidates": [{"pk": ["id"]}], "error": None}
    two = guess(client, source, "orders", candidates=5)["candidates"]
    assert two == [{"pk": ["id"]}, {"pk": ["number"]}]
    for avoid in (
        {"avoid_names": ["id"]},
        {"avoid_types": ["INT"]},
        {"avoid_types": ["integer", "int(11)"]},
    ):
        assert guess(client, source, "orders", **avoid)["candidates"] == [{"pk": ["number"]}]
    run_sql(
        url,
        "create table pairs (a int, b int, primary key (b, a))",
        "create table loose (v int, order_id int, w int)",
        "insert into loose values (1, 1, 1), (1, 2, 1), (1, 3, 1)",
        "create table nothing (v int)",
        "insert into nothing values (1), (1)",
    )
    assert guess(client, source, "pairs")["candidates"] == [{"pk": ["b", "a"]}]
    assert guess(client, source, "pairs", avoid_names=["a"])["candidates"] == []
    assert guess(client, source, "loose")["candidates"] == [{"pk": ["order_id"]}]
    none = guess(client, source, "nothing")
    assert none["candidates"] == []
    assert "No key is declared" in none["error"]
    # A sample is a guess, and is taken as one.
    assert guess(client, source, "nothing", sample_size=1)["candidates"] == [{"pk": ["v"]}]


def test_key_of_no_table(client: TestClient, url: str) -> None:
    answer = client.post(
        f"/data_sources/{store(client, url)}/guess_pk", json={"table": ["nowhere"]}
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:weighbridge:no_such_table"


def test_a_search_for_a_key_that_takes_too_long(
    client: TestClient, fresh_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(
        fresh_postgres,
        "create view slow as select i as id, pg_sleep(0.05)::text as x from generate_series(1, 9) i",
        "create view endless as select (i + length(pg_sleep(30)::text)) as id from generate_series(1, 9) i",
    )
    monkeypatch.setattr("weighbridge.catalog.key_guess.SECONDS", 1.0)
    source = store(client, fresh_postgres)
    said = guess(client, source, "endless")
    assert said["candidates"] == []
    assert "ended after 1 s" in said["error"]
    assert quiet(fresh_postgres)


# The forms -----------------------------------------------------------------------------------


def test_types_are_what_clients_read(client: TestClient) -> None:
    said = {one["type"]: one for one in client.get("/data_sources/types").json()}
    for kind, basic in (("pg", {"host", "user", "port", "password", "dbname"}),
                        ("mysql", {"host", "user", "passwd", "db"})):  # fmt: skip
        schema = said[kind]["configuration_schema"]
        assert set(schema) == {"title", "properties", "required", "secret"}
        assert basic <= set(schema["properties"])
        assert set(schema["required"]) <= set(schema["properties"])
        for name, field in schema["properties"].items():
            assert field["title"]
            assert field["type"] in {"string", "integer", "boolean"}
            assert (field.get("format") == "password") == (name in schema["secret"])
    assert said["pg"]["configuration_schema"]["secret"] == ["password"]
    assert said["mysql"]["configuration_schema"]["secret"] == ["passwd"]


def test_names_of_options(client: TestClient, fresh_mariadb: str) -> None:
    asked = body(fresh_mariadb)
    options = asked["options"]
    asked["options"] = {
        "host": options["host"], "port": options["port"], "user": options["user"],
        "passwd": options["password"], "db": options["dbname"],
    }  # fmt: skip
    stored = client.post("/data_sources", json=asked).json()
    assert stored["options"] == {**asked["options"], "passwd": "********"}
    assert guess_status(client, stored["id"]) == 422  # it was reached: no such table
    assert [one["options"] for one in client.get("/data_sources").json()] == [stored["options"]]


def guess_status(client: TestClient, source: int) -> int:
    return client.post(f"/data_sources/{source}/guess_pk", json={"table": ["none"]}).status_code


@pytest.mark.parametrize("field", ["name", "host", "user", "password", "dbname", "temp_schema"])
@pytest.mark.parametrize("char", ["\0", "\ud800"])
def test_characters_that_no_database_keeps(client: TestClient, field: str, char: str) -> None:
    asked = source_body("postgresql://u:p@127.0.0.1:1/d", "n")
    (asked if field in {"name", "temp_schema"} else asked["options"])[field] = f"a{char}b"
    answer = client.post(
        "/data_sources", content=json.dumps(asked),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 422, answer.text
