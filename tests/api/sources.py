"""What tests of data sources share: storing one on either vendor, and doing a worker's job."""

from __future__ import annotations

import socket
from typing import Any

from starlette.testclient import TestClient

from tests.api.conftest import source_body
from tests.house import House
from tests.servers.postgres import PASSWORD
from weighbridge.catalog import errands
from weighbridge.catalog.data_sources import policy_of
from weighbridge.catalog.standing import ACCEPTED

STEPS = ["name", "tcp", "tls", "auth", "read", "write"]
STAGES = ["connection", "schema_download", "temp_schema"]
VENDORS = {"pg": "fresh_postgres", "mysql": "fresh_mariadb"}
TABLE = (
    "create table orders (id int primary key, number varchar(9) not null, v varchar(9))",
    "create unique index by_number on orders (number)",
    "insert into orders values (1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', null)",
)


def body(url: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    """Write the data source of a URL of either vendor; `more` replaces options and settings."""
    made = source_body(url, name)
    made["type"] = "pg" if url.startswith("postgresql") else "mysql"
    for key, value in more.items():
        (made if key in {"temp_schema", ACCEPTED} else made["options"])[key] = value
    return made


def store(client: TestClient, url: str, **more: Any) -> int:
    answer = client.post("/data_sources", json=body(url, **more))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def work(house: House, number: int) -> None:
    """Do an errand's job here and now."""
    errands.run(house.database, house.ring, number, policy=policy_of(house.database))


def probed(house: House, client: TestClient, source: int) -> dict[str, dict[str, str]]:
    """Ask for a test, do it, and give each step's result."""
    job = client.post(f"/data_sources/{source}/test", json={}).json()["job_id"]
    before = client.get(f"/data_sources/test/{job}").json()["results"]
    assert [(r["step"], r["status"], r["result"]) for r in before] == [
        (step, "waiting", None) for step in (*STEPS, *STAGES)
    ]
    work(house, job)
    results = client.get(f"/data_sources/test/{job}").json()["results"]
    assert [r["step"] for r in results] == [*STEPS, *STAGES]
    assert {r["status"] for r in results} == {"done"}
    assert PASSWORD not in str(results)
    return {r["step"]: r["result"] for r in results}


def codes(results: dict[str, dict[str, str]]) -> str:
    return " ".join(results[step]["code"] for step in STEPS)


def closed_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


def columns(house: House, client: TestClient, source: int, *table: str) -> Any:
    asked = client.post(f"/data_sources/{source}/dataset_schema", json={"table": list(table)})
    assert asked.status_code == 200, asked.text
    path = f"/data_sources/{source}/dataset_schema/{asked.json()['task_id']}"
    assert client.get(path).json() == {"status": "waiting", "result": None}
    work(house, asked.json()["task_id"])
    other = path.replace(f"/{source}/", f"/{source + 1}/")
    assert client.get(other).status_code == 404
    return client.get(path).json()
