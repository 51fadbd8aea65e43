"""Diffs as a list, and what can be changed of one, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.api.conftest import diff_body
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House


def ask(client: TestClient, source: int, **more: object) -> int:
    """Ask for a diff; give its number."""
    answer = client.post("/datadiffs", json=diff_body(source, **more))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def listed(client: TestClient, **parameters: Any) -> list[int]:
    """List diffs; give their numbers."""
    answer = client.get("/datadiffs", params=parameters)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["count"] >= len(body["results"])
    return [diff["id"] for diff in body["results"]]


@pytest.fixture
def five(client: TestClient, house: House, source: int) -> list[int]:
    """Ask for five diffs on five days of January: one done, one failed, one cancelled, two wait."""
    numbers = [ask(client, source) for _ in range(3)]
    numbers += [ask(client, source, pk_columns=["nope"]), ask(client, source)]
    house.run_diff(numbers[0])
    house.run_diff(numbers[3])
    client.post(f"/datadiffs/{numbers[4]}/cancel")
    with seen_by(house.database, EVERYTHING) as connection:
        for day, number in enumerate(numbers, 1):
            connection.execute(
                text("update weighbridge.datadiffs set created_at = :at where id = :id"),
                {"at": f"2024-01-{day:02d} 12:00:00+00", "id": number},
            )
    return numbers


def test_pages(client: TestClient, five: list[int]) -> None:
    body = client.get("/datadiffs", params={"page": 2, "page_size": 2}).json()
    assert {k: v for k, v in body.items() if k != "results"} == {
        "count": 5, "page": 2, "page_size": 2, "total_pages": 3,
    }  # fmt: skip
    assert [diff["id"] for diff in body["results"]] == five[2:4]
    assert body["results"][0] == client.get(f"/datadiffs/{five[2]}").json()
    assert listed(client, page=4, page_size=2) == []
    assert listed(client, sort_order="desc") == five[::-1]


# One server answers all: making one for each would take longer than the answers.
FILTERS: list[tuple[dict[str, str], list[int]]] = [
    ({"status": "waiting"}, [1, 2]),
    ({"status": "done, failed"}, [0, 3]),
    ({"status": "queued"}, []),
    ({"archived": "false"}, [0, 1, 2, 3, 4]),
    ({"archived": "true,false"}, [0, 1, 2, 3, 4]),
    ({"created_at": "2024-01-02"}, [1]),
    ({"created_at": "2024-01-02T12:00:00Z"}, [1]),
    ({"created_at": "2024-01-02T17:45:00+05:45"}, [1]),
    ({"created_at": "2024-01-02T12:00:01Z"}, []),
    ({"created_at": "<2024-01-02T12:00:00Z"}, [0]),
    ({"created_at": ">2024-01-02T12:00:00Z"}, [2, 3, 4]),
    ({"created_at": "2024-01-02T12:00:00<<2024-01-04T12:00:00"}, [1, 2]),
    ({"created_at": "<2024-01-02,>2024-01-05"}, [0, 4]),
    ({"created_at": ">2024-01-02", "status": "waiting"}, [1, 2]),
    ({"finished_at": ">2020-01-01"}, [0, 3, 4]),
    ({"finished_at": "<2020-01-01"}, []),
    ({"id": str(2**63 - 1)}, []),
    ({"data_source1_id": "0,-1"}, []),
    ({"order_by": "status", "page_size": "1"}, [4]),
    ({"order_by": "created_at", "sort_order": "desc"}, [4, 3, 2, 1, 0]),
]


def test_filters(client: TestClient, five: list[int]) -> None:
    for parameters, places in FILTERS:
        assert listed(client, **parameters) == [five[place] for place in places], parameters


def test_filters_by_numbers(client: TestClient, source: int, five: list[int]) -> None:
    assert listed(client, id=f"{five[3]},{five[1]}") == [five[1], five[3]]
    assert listed(client, data_source1_id=source, data_source2_id=f"{source},77") == five
    assert listed(client, data_source2_id=source + 1) == []
    user = client.get("/organization/meta").json()["user_id"]
    assert listed(client, user_id=user) == five
    assert listed(client, user_id=user + 1) == []


def test_what_has_no_value_comes_last_both_ways(client: TestClient, five: list[int]) -> None:
    for order in ("asc", "desc"):
        found = listed(client, order_by="finished_at", sort_order=order)
        assert found[3:] == five[1:3]


UNREADABLE: list[tuple[dict[str, str], str]] = [
    ({"order_by": "name"}, "finished_at"),
    ({"order_by": "id; drop table a"}, "finished_at"),
    ({"sort_order": "up"}, "desc"),
    ({"page": "0"}, "greater than or equal to 1"),
    ({"page_size": "1001"}, "less than or equal to 1000"),
    ({"page": "9" * 30}, "page"),
    ({"id": "one"}, "Give whole numbers"),
    ({"id": ""}, "Give whole numbers"),
    ({"id": "1,,2"}, "Give whole numbers"),
    ({"id": "9" * 19}, "64 bits"),
    ({"id": "9" * 5000}, "Give whole numbers"),
    ({"id": "²"}, "Give whole numbers"),
    ({"id": ",".join(["1"] * 1001)}, "several requests"),
    ({"status": "ready"}, "waiting, processing, done"),
    ({"archived": "maybe"}, "true or false"),
    ({"created_at": "yesterday"}, "2024-01-31"),
    ({"created_at": "2024-02-30"}, "2024-01-31"),
    ({"created_at": ">9999-12-31T23:59:59.999999"}, "2024-01-31"),
    ({"created_at": "0001-01-01T00:00:00+14:00"}, "2024-01-31"),
    ({"created_at": "2024-01-01<<"}, "2024-01-31"),
    ({"table1": "a"}, "Use some of archived"),
]


def test_what_cannot_be_read(client: TestClient) -> None:
    for parameters, says in UNREADABLE:
        answer = client.get("/datadiffs", params=parameters)
        assert answer.status_code == 422, (parameters, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert says in answer.json()["detail"], parameters


def test_another_environment_sees_none(client: TestClient, house: House, five: list[int]) -> None:
    other = house.client(environment="staging")
    assert other.get("/datadiffs").json()["count"] == 0
    assert other.patch(f"/datadiffs/{five[0]}", json={"archived": True}).status_code == 404
    assert other.get(f"/datadiffs/{five[0]}/results").status_code == 404
    assert other.get(f"/datadiffs/{five[0]}/summary").status_code == 404


def test_archived(client: TestClient, house: House, source: int) -> None:
    number = ask(client, source)
    put_away = client.patch(f"/datadiffs/{number}", json={"archived": True})
    assert (put_away.status_code, put_away.json()["archived"]) == (200, True)
    assert listed(client, archived="true") == [number]
    assert client.patch(f"/datadiffs/{number}", json={}).json()["archived"] is True
    assert (
        client.patch(f"/datadiffs/{number}", json={"archived": False}).json()["archived"] is False
    )
    with seen_by(house.database, EVERYTHING) as connection:
        lines = connection.execute(
            text("select before, after from weighbridge.audit where action = 'datadiffs.change'"
                 " order by id")
        ).all()  # fmt: skip
    assert [(b["archived"], a["archived"]) for b, a in lines] == [
        (False, True), (True, True), (True, False),
    ]  # fmt: skip


def test_purged(client: TestClient, house: House, source: int) -> None:
    number, other = ask(client, source), ask(client, source)
    early = client.patch(f"/datadiffs/{number}", json={"purged": True})
    assert early.status_code == 409
    house.run_diff(number)
    house.run_diff(other)
    figures = client.get(f"/datadiffs/{number}/summary_results").json()
    done = client.patch(f"/datadiffs/{number}", json={"purged": True})
    assert (done.status_code, done.json()["purged"]) == (200, True)
    assert client.patch(f"/datadiffs/{number}", json={"purged": True}).status_code == 200
    assert client.get(f"/datadiffs/{number}/summary_results").json() == figures
    gone = client.get(f"/datadiffs/{number}/results")
    assert (gone.status_code, "were purged" in gone.json()["detail"]) == (409, True)
    summary = client.get(f"/datadiffs/{number}/summary").json()
    assert summary["results_count"] == 0
    assert "purged" in summary["feedback"]
    back = client.patch(f"/datadiffs/{number}", json={"purged": False})
    assert (back.status_code, "cannot be undone" in back.json()["detail"]) == (422, True)
    with seen_by(house.database, EVERYTHING) as connection:
        kept = connection.execute(
            text("select d.id, count(r.n), jsonb_array_length(d.report->'sample'),"
                 " jsonb_array_length(d.report->'explanations') > 0 from weighbridge.datadiffs d left join weighbridge.datadiff_rows r"
                 " on r.datadiff_id = d.id group by d.id order by d.id")
        ).all()  # fmt: skip
    assert [tuple(line) for line in kept] == [(number, 0, 0, False), (other, 13, 13, True)]


def test_a_key_that_may_only_read_changes_nothing(
    client: TestClient, house: House, source: int
) -> None:
    number = ask(client, source)
    reader = house.client("diffs:read")
    assert reader.patch(f"/datadiffs/{number}", json={"archived": True}).status_code == 403
    assert client.patch(f"/datadiffs/{number}", json={"archved": True}).status_code == 422
    assert listed(client, archived="true") == []
