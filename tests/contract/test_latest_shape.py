"""Datafold's newer shape beside the older one: the same rooms, one difference, two descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.api.conftest import TABLES, diff_body, source_body
from weighbridge.api.faults import PROBLEM

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

HOST = "http://testserver"
LATEST = f"{HOST}/datafold/latest"


@pytest.fixture
def client(house: House) -> TestClient:
    return house.client()


@pytest.fixture
def number(client: TestClient, house: House, fresh_postgres: str) -> int:
    """Give a finished diff."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    source = client.post("/data_sources", json=source_body(fresh_postgres, "shop")).json()["id"]
    asked = int(client.post("/datadiffs", json=diff_body(source)).json()["id"])
    house.run_diff(asked)
    return asked


def test_only_the_dependencies_differ(client: TestClient, number: int) -> None:
    plain = client.get(f"/datadiffs/{number}/summary_results").json()
    latest = client.get(f"{LATEST}/api/v1/datadiffs/{number}/summary_results").json()
    assert plain.pop("dependencies") == {"deps": {}}
    assert latest.pop("dependencies") == []
    assert plain == latest
    assert plain["pks"]["exclusives"] == [2, 1]
    for path in (f"/datadiffs/{number}", f"/datadiffs/{number}/summary", "/datadiffs"):
        assert client.get(f"{LATEST}/api/v1{path}").json() == client.get(path).json()


def test_each_has_its_description(client: TestClient) -> None:
    plain = client.get(f"{HOST}/datafold/openapi.json").json()
    latest = client.get(f"{LATEST}/openapi.json").json()
    assert plain["paths"].keys() == latest["paths"].keys()
    assert len(plain["paths"]) >= 9
    assert plain["info"]["description"] != latest["info"]["description"]
    assert _dependencies(plain)["type"] == "object"
    assert _dependencies(latest)["type"] == "array"
    fields = latest["components"]["schemas"]["Dependency"]["required"]
    assert fields == ["uid", "item_type", "name", "path", "data_source_id", "data_source_type"]


def _dependencies(said: dict[str, Any]) -> dict[str, Any]:
    """Follow a description from the route to the field."""
    answer = said["paths"]["/api/v1/datadiffs/{number}/summary_results"]["get"]["responses"]["200"]
    success = answer["content"]["application/json"]["schema"]["discriminator"]["mapping"]["success"]
    name = success.rpartition("/")[2]
    return said["components"]["schemas"][name]["properties"]["dependencies"]


def test_errors_are_problems_in_both(client: TestClient) -> None:
    for mount in ("/datafold", "/datafold/latest"):
        answer = client.post(f"{HOST}{mount}/api/v1/datadiffs", json={"data_source1_id": "x"})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == PROBLEM
        body = answer.json()
        assert isinstance(body["detail"], str)
        assert {"loc", "msg", "type"} == body["errors"][0].keys()


# Paths of Datafold's that its clients know and nobody serves here.
NOT_SERVED = {
    ("GET", "/api/v1/ci/1/runs"): "runs of a CI integration",
    ("POST", "/api/v1/ci/1/7"): "runs of a CI integration",
    ("POST", "/api/v1/ci/1/trigger"): "runs of a CI integration",
    ("POST", "/api/internal/ci/1/check_pks_in_dbt_manifest"): "runs of a CI integration",
    ("POST", "/api/v1/dbt/submit_artifacts/1"): "artifacts of dbt",
    ("POST", "/api/v1/dbt/post_upload_check_artifacts/1"): "artifacts of dbt",
    ("POST", "/api/v1/alerts/1/checks"): "alerts",
    ("GET", "/api/v1/alerts/1/results/1"): "alerts",
    ("GET", "/api/v1/alerts/1"): "alerts",
    ("POST", "/api/internal/monitors/provision/jobs"): "monitors",
    ("POST", "/api/internal/monitors/provision"): "monitors",
    ("POST", "/api/internal/sdk/log"): "the logs of clients",
    ("POST", "/api/datadiffs"): "the paths that were used before /api/v1",
}


@pytest.mark.parametrize("mount", ["/datafold", "/datafold/latest"])
def test_what_is_not_served_is_named(client: TestClient, mount: str) -> None:
    for (method, path), what in NOT_SERVED.items():
        answer = client.request(method, f"{HOST}{mount}{path}", json={"a": 1})
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["type"] == "urn:weighbridge:not_served"
        assert answer.json()["detail"] == (
            f"This server does not serve {what}; {mount}/openapi.json describes what is."
        )
    answer = client.get(f"{HOST}{mount}/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["type"] == "about:blank"
    assert f"{mount}/openapi.json" in answer.json()["detail"]
    # A diff that is not there is another matter.
    absent = client.get(f"{HOST}{mount}/api/v1/datadiffs/7").json()
    assert absent["type"] == "urn:weighbridge:no_such_diff"
