"""A diff over HTTP: asked for, run, read. The words are Datafold's (contracts: datafold)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
