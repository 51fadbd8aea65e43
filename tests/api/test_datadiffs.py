"""A diff over HTTP: asked for, run, read. The words are Datafold's (contracts: datafold)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg

from tests.api.conftest import diff_body

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House


def test_asked_run_read(client: TestClient, house: House, source: int) -> None:
    asked = client.post("/datadiffs", json=diff_body(source))
    assert asked.status_code == 200, asked.text
    body = asked.json()
    assert body["status"] == "waiting"
    assert body["done"] is False
    assert body["include_columns"] == []
    assert body["diff_stats"] == {"diff_pks": None, "diff_rows": None, "diff_values": None}
    number = body["id"]
    assert client.get(f"/datadiffs/{number}/summary_results").json() == {"status": "waiting"}
    house.run_diff(number)
    found = client.get(f"/datadiffs/{number}/summary_results").json()
    assert found["status"] == "success"
    assert found["pks"] == {
        "total_rows": [100, 99], "nulls": [0, 0], "dupes": [0, 0],
        "exclusives": [2, 1], "distincts": [100, 99],
    }  # fmt: skip
    assert found["values"]["total_rows"] == 98
    assert found["values"]["rows_with_differences"] == 10
    assert found["values"]["total_values"] == 98 * 2
    assert found["dependencies"] == {"deps": {}}
    done = client.get(f"/datadiffs/{number}").json()
    assert (done["status"], done["done"], done["result"]) == ("done", True, "missing-pks")


def test_idempotency_key(client: TestClient, source: int) -> None:
    headers = {"Idempotency-Key": "one"}
    first = client.post("/datadiffs", json=diff_body(source), headers=headers)
    again = client.post("/datadiffs", json=diff_body(source), headers=headers)
    assert first.json() == again.json()
    other = client.post("/datadiffs", json=diff_body(source, filter1="id > 5"), headers=headers)
    assert other.status_code == 422
    assert "new key" in other.json()["detail"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"time_travel_point1": -3600}, "no earlier states"),
    ({"time_travel_point2": "2024-01-01"}, "no earlier states"),
    ({"time_travel_point1": 0}, "no earlier states"),
    ({"time_aggregate": "day"}, "needs a time_column"),
    ({"materialize_dataset1": True}, "no temp_schema"),
    ({"materialize_dataset2": True}, "no temp_schema"),
    ({"materialization_destination_id": 1}, "no temp_schema"),
    ({"materialization_destination_id": 2**62}, "no data source"),
    ({"filter1": "id > 5; drop table a"}, "filter1"),
    ({"filter2": "id in (select id from b)"}, "filter2"),
    ({"query1": "delete from a", "table1": None}, "query1"),
    ({"query1": "select 1"}, "found both"),
    ({"table1": None}, "found neither"),
    ({"time_interval_start": "2024-01-01"}, "need a time_column"),
    ({"time_column": "id", "time_interval_end": "soon"}, "time_interval_start and"),
    ({"data_source2_id": 999}, "no data source 999"),
    ({"data_source1_id": 2**70}, "data_source1_id"),
    ({"pk_columns": []}, "pk_columns"),
    ({"note": "a\x00b"}, "NUL"),
    ({"note": {"\ud800": 1}}, "surrogates"),
    ({"sampling_confidence": 100}, "sampling_confidence"),
    ({"diff_tolerances_per_column": [{"column_name": "n", "tolerance_value": -1}]}, "tolerance"),
]


def test_what_is_refused_says_why(client: TestClient, source: int) -> None:
    for more, says in REFUSED:
        body = json.dumps({**diff_body(source), **more})
        answer = client.post(
            "/datadiffs", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, (more, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert says in answer.json()["detail"], more
    assert client.get("/datadiffs").json()["count"] == 0


def test_what_changes_nothing_is_echoed(client: TestClient, source: int) -> None:
    more = {
        "materialize_without_sampling": True, "tags": ["nightly"], "algorithm": "hash",
        "sampling_ratio": 0.5, "something": {"new": [1, None]}, "time_aggregate": None,
    }  # fmt: skip
    asked = client.post("/datadiffs", json=diff_body(source, **more, materialize_dataset1=None))
    assert asked.status_code == 200, asked.text
    assert {name: asked.json()[name] for name in more} == more
    assert asked.json()["materialize_dataset1"] is False
    assert client.get(f"/datadiffs/{asked.json()['id']}").json() == asked.json()


def finished(client: TestClient, house: House, source: int, **more: object) -> dict[str, Any]:
    """Ask for a diff, run it, and give its summary."""
    answer = client.post("/datadiffs", json=diff_body(source, **more))
    assert answer.status_code == 200, answer.text
    number = answer.json()["id"]
    house.run_diff(number)
    return dict(client.get(f"/datadiffs/{number}/summary").json())


def test_a_time_column_chooses_rows(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for name, column in (("a", "at"), ("b", "moment")):
            connection.execute(
                f"alter table {name} add {column} timestamp;"
                f" update {name} set {column} = '2024-01-01'::timestamp + id * interval '1 hour'".encode()
            )
    found = finished(
        client, house, source, time_column="at", column_mapping=[["at", "moment"]],
        time_interval_start="2024-01-01T10:00:00", time_interval_end="2024-01-01T20:00:00",
        filter1="id <> 11",
    )  # fmt: skip
    stats = found["diff_stats"]
    assert (stats["table_a_row_count"], stats["table_b_row_count"]) == (9, 10)
    assert (stats["diff_rows"], stats["rows_added"]) == (1, 1)


UNKNOWN: list[dict[str, Any]] = [
    {"pk_columns": ["nope"]},
    {"include_columns": ["nope"]},
    {"exclude_columns": ["nope"]},
    {"diff_tolerances_per_column": [{"column_name": "nope", "tolerance_value": 1}]},
    {"column_mapping": [["nope", "v"]]},
    {"time_column": "nope", "time_interval_start": "2024-01-01"},
]


def test_an_unknown_column_makes_a_failed_diff(
    client: TestClient, house: House, source: int
) -> None:
    for more in UNKNOWN:
        found = finished(client, house, source, **more)
        assert (found["status"], found["result"]) == ("failed", "error"), more
        assert "nope" in found["error"], more
        assert found["error"] in found["feedback"]
        told = client.get(f"/datadiffs/{found['id']}/summary_results").json()
        assert told["status"] == "failed"
        assert told["error"]["error_value"] == found["error"]


def test_summary(client: TestClient, house: House, source: int) -> None:
    number = client.post("/datadiffs", json=diff_body(source)).json()["id"]
    waiting = client.get(f"/datadiffs/{number}/summary").json()
    assert (waiting["result_status"], waiting["algorithm"]) == ("waiting", None)
    assert waiting["feedback"] == "The diff waits for a worker."
    house.run_diff(number)
    found = client.get(f"/datadiffs/{number}/summary").json()
    assert found["feedback"] == (
        "The left side has 100 rows, the right 99. 10 rows changed, 2 only on the left, 1 only on"
        " the right. 1 column differs, most of all v (10 rows, 89.80 % equal)."
    )
    assert (found["data_source1_name"], found["data_source2_name"]) == ("shop", "shop")
    assert (found["result"], found["result_status"]) == ("missing-pks", "success")
    assert (found["results_count"], found["error"]) == (13, None)
    assert found["table1"] == ["public", "a"]


def test_sampling(client: TestClient, house: House, source: int, fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in (
            "create table big (id int primary key, v int)",
            "insert into big select i, i from generate_series(1, 20000) i",
            "create table same as select * from big; alter table same add primary key (id)",
            "create table faulty as select * from big where id % 4 > 0",
            "alter table faulty add primary key (id)",
            "analyze",
        ):
            connection.execute(statement.encode())
    tables = {"table1": ["big"], "sampling_tolerance": 1.0}
    few = finished(client, house, source, **tables, table2=["same"])
    assert 0 < few["sampling_ratio"] < 0.1
    assert few["diff_stats"]["sampled"] is True
    assert few["diff_stats"]["table_a_row_count"] < 2000
    assert few["feedback"].startswith("Only a sample was compared")
    every = finished(client, house, source, **tables, table2=["faulty"])
    assert every["sampling_ratio"] is None
    assert every["diff_stats"]["rows_removed"] == 5000
    assert "more than the sampling tolerance of 1 %" in every["feedback"]
    small = finished(client, house, source, **tables, table2=["same"], sampling_threshold=20001)
    assert small["diff_stats"]["table_a_row_count"] == 20000
    assert "fewer than the sampling threshold of 20,001" in small["feedback"]


def test_the_description_of_the_api(client: TestClient) -> None:
    said = client.get("http://testserver/datafold/openapi.json").json()
    paths = {path: ways for path, ways in said["paths"].items() if "datadiffs" in path}
    assert len(paths) == 6
    for path, ways in paths.items():
        for way, route in ways.items():
            assert route["tags"] == ["datadiffs"]
            assert route["summary"]
            wanted = {"401", "403", "422"} | ({"404"} if "{number}" in path else set())
            assert wanted <= set(route["responses"]), (way, path)
            for status, answer in route["responses"].items():
                if status != "200":
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)
            assert route["responses"]["200"]["content"]["application/json"]["schema"]
    for name in ("Datadiff", "DatadiffSummary", "Results", "NewDatadiff"):
        assert name in said["components"]["schemas"]
