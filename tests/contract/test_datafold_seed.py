"""The example of the published documentation, as it stands there, on tables of its structure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.api.conftest import source_body

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

ASKED = json.loads("""{
"data_source1_id": 1, "data_source2_id": 1,
"table1": ["DATABASE", "SCHEMA", "TABLE_1"], "table2": ["DATABASE", "SCHEMA", "TABLE_2"],
"query1": null, "query2": null,
"materialize_dataset1": false, "materialize_dataset2": false,
"materialization_destination_id": null, "materialize_without_sampling": false,
"pk_columns": ["PRIMARY_KEY"], "include_columns": null, "exclude_columns": null,
"time_column": null, "time_aggregate": null, "filter1": null, "filter2": null,
"time_travel_point1": null, "time_travel_point2": null,
"time_interval_start": null, "time_interval_end": null,
"sampling_tolerance": null, "sampling_confidence": null, "sampling_threshold": null,
"diff_tolerances_per_column": null
}""")
SUCCESS = json.loads("""{
"status": "success",
"pks": {"total_rows": [1509, 1761], "nulls": [0, 0], "dupes": [0, 303], "exclusives": [0, 5],
 "distincts": [1509, 1514]},
"values": {"total_rows": 1453, "rows_with_differences": 0, "total_values": 10171,
 "values_with_differences": 0, "compared_columns": 7, "columns_with_differences": 0},
"dependencies": {"deps": {}},
"schema": {"columns_mismatched": [0, 0], "column_type_mismatches": 0, "column_reorders": 0,
 "column_counts": [8, 8]}
}""")
# 1,509 keys on both sides, 5 only on the right; of the shared ones, 56 have 303 rows on the right.
TABLES = """
create schema "SCHEMA";
create table "SCHEMA"."TABLE_1" ("PRIMARY_KEY" bigint not null, a text, b int, c numeric(9, 2),
    d date, e timestamptz, f boolean, g float8);
create table "SCHEMA"."TABLE_2" (like "SCHEMA"."TABLE_1" including all);
insert into "SCHEMA"."TABLE_1" select i, 'name ' || i, i % 7, i / 3.0, date '2024-01-01' + i % 90,
    timestamptz '2024-01-01 00:00:00Z' + i * interval '1 minute', i % 2 = 0, nullif(i % 11, 0) / 7.0
    from generate_series(1, 1509) i;
insert into "SCHEMA"."TABLE_2" select "PRIMARY_KEY" + n * 100000, a, b, c, d, e, f, g
    from "SCHEMA"."TABLE_1", (values (0), (1)) as side(n) where n = 0 or "PRIMARY_KEY" <= 5;
insert into "SCHEMA"."TABLE_2" select t.* from "SCHEMA"."TABLE_1" t, generate_series(0, 246) s
    where t."PRIMARY_KEY" = 1 + 20 * (s % 56)
"""


def in_every_figure(said: Any, found: Any, path: str = "") -> None:
    """Hold that all that is said in the example is found, at its place."""
    if isinstance(said, dict):
        for name, value in said.items():
            in_every_figure(value, found[name], f"{path}.{name}")
    else:
        assert found == said, path


@pytest.fixture
def asked(client: TestClient, fresh_postgres: str) -> dict[str, Any]:
    """Make the tables, and give the example's request with our numbers and database in it."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    answer = client.post("/data_sources", json=source_body(fresh_postgres, "seed"))
    source = answer.json()["id"]
    database = urlsplit(fresh_postgres).path.lstrip("/")
    return {
        **ASKED, "data_source1_id": source, "data_source2_id": source,
        "table1": [database, *ASKED["table1"][1:]], "table2": [database, *ASKED["table2"][1:]],
    }  # fmt: skip


@pytest.fixture
def client(house: House) -> TestClient:
    """Give a client that may do everything."""
    return house.client()


def test_the_published_example(client: TestClient, house: House, asked: dict[str, Any]) -> None:
    made = client.post("/datadiffs", json=asked)
    assert made.status_code == 200, made.text
    said = {**asked, "include_columns": [], "exclude_columns": []}
    assert {name: made.json()[name] for name in said} == said
    number = made.json()["id"]
    waiting = client.get(f"/datadiffs/{number}/summary_results")
    assert waiting.json() == {"status": "waiting"}
    house.run_diff(number)
    found = client.get(f"/datadiffs/{number}/summary_results").json()
    in_every_figure(SUCCESS, found)
    # What the public clients need beside it.
    assert found["values"]["columns_diff_stats"] == [
        {"column_name": name, "match": 100.0} for name in "abcdefg"
    ]
    assert found["schema"]["column_type_differs"] == []
    assert found["schema"]["exclusive_columns"] == [[], []]


SMALL = """
create table l (id int, v int, w int, lonely int);
create table r (id int, w bigint, v int, other int);
insert into l values (1, 1, 1), (2, 2, 2), (2, 3, 3), (3, 4, 4);
insert into r values (1, 1, 1), (2, 2, 9), (2, 3, 3), (3, 4, 5);
"""


@pytest.fixture
def small(client: TestClient, fresh_postgres: str) -> dict[str, Any]:
    """Give the request for a diff of two tables with a duplicated key and unlike columns."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(SMALL.encode())
    source = client.post("/data_sources", json=source_body(fresh_postgres, "small")).json()["id"]
    return {
        "data_source1_id": source, "data_source2_id": source, "table1": ["l"], "table2": ["r"],
        "pk_columns": ["id"],
    }  # fmt: skip


def figures(client: TestClient, house: House, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for a diff, run it, and give its figures."""
    number = client.post("/datadiffs", json=body).json()["id"]
    house.run_diff(number)
    return dict(client.get(f"/datadiffs/{number}/summary_results").json())


@pytest.mark.parametrize(
    ("more", "counts", "mismatched", "differs"),
    [
        ({}, [4, 4], [2, 2], ["w"]),
        ({"include_columns": ["v"]}, [2, 2], [0, 0], []),
        ({"include_columns": ["w"]}, [2, 2], [1, 1], ["w"]),
        ({"exclude_columns": ["lonely"]}, [3, 4], [1, 2], ["w"]),
        ({"exclude_columns": ["w", "other"]}, [3, 2], [1, 0], []),
    ],
)
def test_columns_left_out_are_not_counted(
    client: TestClient, house: House, small: dict[str, Any],
    more: dict[str, Any], counts: list[int], mismatched: list[int], differs: list[str],
) -> None:  # fmt: skip
    schema = figures(client, house, {**small, **more})["schema"]
    assert schema["column_counts"] == counts
    assert schema["columns_mismatched"] == mismatched
    assert schema["column_type_differs"] == differs


def test_rows_of_duplicated_keys_are_not_compared(
    client: TestClient, house: House, small: dict[str, Any]
) -> None:
    values = figures(client, house, {**small, "include_columns": ["v"]})["values"]
    assert values["total_rows"] == 2
    assert values["rows_with_differences"] == values["values_with_differences"] == 1
