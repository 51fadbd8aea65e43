"""Data-integrity jobs over HTTP: the contract's shapes, what is refused, pages, and who sees what."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from tests.api import prequel_ground as making
from tests.contract import prequel_seed
from tests.house import House
from tests.integrity.ground import DELIVERED, ORDERS, Delivery, a_delivery
from weighbridge.api.app import make_app

SEED: dict[str, Any] = json.loads(
    Path(prequel_seed.__file__).with_name("prequel_data_integrity.json").read_text()
)
NEVER = "0001-01-01T00:00:00Z"


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}",
                                 "components": {"schemas": SEED}})  # fmt: skip


@pytest.fixture
def delivery(house: House, fresh_postgres: str, fresh_postgres2: str) -> Delivery:
    made = a_delivery(house, fresh_postgres, fresh_postgres2, tenant="ours")
    made.source(
        ORDERS,
        "insert into orders select i, 'ours', i, 'n' || i, timestamptz '2024-03-01 00:00+00'"
        " + i * interval '1 hour' from generate_series(1, 30) i",
    )  # fmt: skip
    made.there(
        DELIVERED["postgres"],
        "insert into orders select i, i, 'n' || i, timestamptz '2024-03-01 00:00+00'"
        " + i * interval '1 hour' from generate_series(16, 31) i",
        "update orders set note = 'wrong' where order_id = 20",
    )  # fmt: skip
    made.watermark(datetime(2024, 4, 1, tzinfo=UTC))
    return made


def test_a_job_from_its_request_to_its_rows(delivery: Delivery) -> None:
    client, path = delivery.client, delivery.path
    answer = client.post(path, content="{}", headers={"content-type": "text/plain"}).json()
    assert (answer["status"], answer["message"]) == ("success", "The job was created.")
    validator("GetDataIntegrityJobResponse").validate(answer["data"])
    job = answer["data"]["job"]
    assert (job["status"], job["started_at"], job["ended_at"]) == ("PENDING", NEVER, NEVER)
    assert (job["data_integrity_results"], job["model_sample_primary_ids"]) == ([], {})
    assert job["model_ids"] == [delivery.model["id"]]
    assert job["destination_id"] == delivery.destination["id"]
    delivery.run(job["id"])
    for prefix in ("", "/export"):
        shown = client.get(f"{prefix}{path}/{job['id']}").json()["data"]
        validator("GetDataIntegrityJobResponse").validate(shown)
    done = shown["job"]
    (result,) = done["data_integrity_results"]
    assert {k: v for k, v in result.items() if k != "mismatched_partitions"} == {
        "model_name": "orders", "is_healthy": False, "error_message": "", "sampling_rate": 1.0,
        "total_rows_compared": 31, "total_rows_stale": 0, "total_rows_pending": 0,
        "total_rows_missing": 15, "total_rows_incorrect": 1, "total_rows_orphaned": 1,
    }  # fmt: skip
    partitions = result["mismatched_partitions"]
    assert sum(p["source_row_count"] for p in partitions) >= 16
    assert NEVER not in {done["started_at"], done["ended_at"]}
    assert "NOT healthy: 15 missing" in done["log_message"]
    cancelled = client.post(f"{path}/{job['id']}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["data"]["job"] == done
    _pages_of_rows(delivery, job["id"])
    entries = client.get(f"{path}/history").json()["data"]["history"]
    assert [(e["job_id"], e["total_rows_missing"]) for e in entries] == [(job["id"], 15)]


def _pages_of_rows(delivery: Delivery, number: str) -> None:
    rows, url = list[Any](), f"{delivery.path}/{number}/rows?page_size=7"
    while True:
        page = delivery.client.get(url).json()
        rows += page["data"]["rows"]
        if not page["has_next"]:
            break
        url = page["next_url"][page["next_url"].index("/destinations") :]
    assert len(rows) == 17
    assert len({json.dumps(row["key"]) for row in rows}) == 17
    (wrong,) = [row for row in rows if row["class"] == "incorrect"]
    assert wrong["key"] == {"order_id": 20}
    assert wrong["changed_columns"] == ["note"]
    assert (wrong["source"]["note"], wrong["destination"]["note"]) == ("n20", "wrong")
    url = f"{delivery.path}/{number}/rows"
    of_two = delivery.client.get(f"{url}?class=orphaned&class=incorrect&model_name=orders").json()
    assert {row["class"] for row in of_two["data"]["rows"]} == {"orphaned", "incorrect"}
    assert delivery.client.get(f"{url}?model_name=other").json()["data"]["rows"] == []


def test_the_list_goes_by_page(delivery: Delivery) -> None:
    numbers = [delivery.ask() for _ in range(5)]
    delivery.run(numbers[0])
    found, url = list[str](), f"{delivery.path}?page_size=2&order=desc"
    while True:
        page = delivery.client.get(url).json()
        validator("DataIntegrityJobResource").validate(page["data"]["jobs"][0])
        found += [job["id"] for job in page["data"]["jobs"]]
        if not page["has_next"]:
            break
        cursor = parse_qs(urlsplit(page["next_url"]).query)["cursor"][0]
        assert set(json.loads(base64.b64decode(cursor))) == {"id", "last_seen_sort_value"}
        url = page["next_url"][page["next_url"].index("/destinations") :]
    assert found == numbers[::-1]
    for number in numbers[:2]:
        delivery.run(number)
    first = delivery.client.get(f"{delivery.path}/history?page_size=1").json()
    second = first["next_url"][first["next_url"].index("/destinations") :]
    entries = [first["data"]["history"][0], *delivery.client.get(second).json()["data"]["history"]]
    assert [e["job_id"] for e in entries] == numbers[1::-1]


def test_keys_and_windows_are_said_again(delivery: Delivery) -> None:
    keys = ["16", "20"]
    number = delivery.ask(
        models=[{"model_name": "orders", "sample_primary_key_ids": keys}],
    )
    delivery.run(number)
    job = delivery.client.get(f"{delivery.path}/{number}").json()["data"]["job"]
    validator("DataIntegrityJobResource").validate(job)
    assert job["model_sample_primary_ids"] == {delivery.model["id"]: keys}
    assert job["data_integrity_results"][0]["total_rows_incorrect"] == 1


@pytest.mark.parametrize(
    ("query", "body", "words"),
    [
        ("", {"models": [{"model_name": "nosuch"}]}, "models: 'nosuch' is not enabled"),
        ("", {"models": [{}]}, "models.0.model_name: expected a value"),
        ("", {"start_integrity_window_at": "yesterday"}, "start_integrity_window_at"),
        ("", {"start_integrity_window_at": "2024-01-01T00:00:00"}, "start_integrity_window_at"),
        (
            "", {"start_integrity_window_at": "2024-01-02T00:00:00Z",
                 "end_integrity_window_at": "2024-01-02T01:00:00+01:00"},
            "expected a moment before end_integrity_window_at",
        ),
        ("", {"start_integrity_window_at": "0001-01-01T00:00:00+14:00"}, "of the years 1 to 9999"),
        ("", {"whatever": 1}, "whatever: there is no such field"),
        ("?compare=some", {}, "compare"),
    ],
)  # fmt: skip
def test_what_is_refused(house: House, query: str, body: Any, words: str) -> None:
    client = house.prequel()
    ours = making.destination(client, making.recipient(client)["id"])["id"]
    answer = client.post(f"/destinations/{ours}/data-integrity{query}", json=body)
    assert words in making.said(answer)


def test_a_waiting_job_is_cancelled_at_once(delivery: Delivery) -> None:
    number = delivery.ask()
    for _ in range(2):
        job = delivery.client.post(f"{delivery.path}/{number}/cancel").json()["data"]["job"]
        assert job["status"] == "CANCELLED"
    assert job["ended_at"] != NEVER
    assert job["started_at"] == NEVER
    validator("DataIntegrityJobResource").validate(job)


def test_another_destinations_job_is_not_there(delivery: Delivery) -> None:
    number = delivery.ask()
    other = making.destination(delivery.client, delivery.recipient["id"])["id"]
    for path in ("", "/rows", "/cancel"):
        method = "POST" if path == "/cancel" else "GET"
        answer = delivery.client.request(
            method, f"/destinations/{other}/data-integrity/{number}{path}"
        )
        assert "There is no data-integrity job" in making.said(answer, 404)


def test_a_recipient_is_not_told_where_rows_come_from(delivery: Delivery) -> None:
    delivery.source("alter table orders rename to secret_orders")
    number = delivery.ask()
    delivery.run(number)
    headers = making.token_headers(delivery.client, recipient_id=delivery.recipient["id"])
    theirs = delivery.house.prequel(headers=headers)
    shown = theirs.get(f"{delivery.path}/{number}")
    assert shown.status_code == 200
    assert "secret_orders" not in shown.text
    assert "no_such_table" in shown.text
    assert "secret_orders" in delivery.client.get(f"{delivery.path}/{number}").text
    job = shown.json()["data"]["job"]
    assert (job["status"], job["data_integrity_results"][0]["is_healthy"]) == ("ERROR", False)
    assert theirs.post(delivery.path, json={}).status_code == 200
    making.said(theirs.post(f"{delivery.path}/{number}/repair", json={}), 401)
    for path in ("/rows", "/history"):
        url = delivery.path + (path if path == "/history" else f"/{number}{path}")
        assert theirs.get(url).status_code == 200


def test_the_description_is_the_seeds(house: House) -> None:
    app = make_app(house.database, house.ring)
    mounted = next(r.app for r in app.routes if getattr(r, "path", "") == "/prequel")
    said = mounted.openapi()["components"]["schemas"]
    names = ("GetDataIntegrityJobResponse", "DataIntegrityJobResource",
             "DataIntegrityResultResource", "MismatchedPartition")  # fmt: skip
    for name in names:
        ours, seed = said[name], SEED[name]
        assert ours["additionalProperties"] is False
        assert set(ours["properties"]) == set(seed["properties"])
        # Every field is there always, also the one that the seed lets be left out.
        assert set(ours["required"]) == set(seed["properties"]) >= set(seed["required"])
        kinds = {n: p.get("type") for n, p in seed["properties"].items() if "type" in p}
        assert {n: ours["properties"][n].get("type") for n in kinds} == kinds
    paths = mounted.openapi()["paths"]
    at = "/destinations/{destination_id}/data-integrity"
    assert {at, f"{at}/{{job_id}}", f"{at}/{{job_id}}/cancel"} <= set(paths)
    for path in (at, f"{at}/{{job_id}}/cancel"):
        assert set(paths[path]["post"]["responses"]) == {"200", "400", "401", "404", "500"}
        assert paths[f"/export{path}"]["post"]["deprecated"]
