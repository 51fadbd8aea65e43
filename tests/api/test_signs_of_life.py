"""What the server tells of itself to whoever looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.api.conftest import diff_body
from weighbridge.api.app import make_app
from weighbridge.store.database import Database

if TYPE_CHECKING:
    from tests.house import House

QUEUE = {"workers", "jobs_waiting", "jobs_oldest_seconds", "jobs_stuck", "jobs_failed"}


def figures(client: TestClient) -> dict[str, float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    return {
        family.name.removeprefix("weighbridge_"): sum(s.value for s in family.samples)
        for family in families
    }


@pytest.fixture
def plain(house: House) -> TestClient:
    return TestClient(make_app(house.database, house.ring))


def test_metrics_tell_of_the_queue(
    plain: TestClient, client: TestClient, house: House, source: int
) -> None:
    before = figures(plain)
    assert set(before) >= QUEUE
    assert (before["workers"], before["jobs_waiting"]) == (0, 0)
    for _ in range(3):
        client.post("/datadiffs", json=diff_body(source))
    after = figures(plain)
    assert after["jobs_waiting"] == 3
    assert after["jobs_oldest_seconds"] >= 0
    assert after["http_requests"] >= before["http_requests"] + 3
    assert not any(name.endswith("_created") for name in after)


def test_metrics_while_our_database_is_away(house: House) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    found = figures(TestClient(make_app(away, house.ring)))
    assert not QUEUE & set(found)
    assert "http_requests" in found


def test_the_address_leads_to_the_page(plain: TestClient) -> None:
    answer = plain.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/datafold/docs")
    assert plain.get("/").status_code == 200
