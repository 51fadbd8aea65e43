"""A catalog as one would make it over HTTP, for tests of the facade that speaks Prequel's words."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

_numbers = itertools.count(1)
ORIGIN = "https://app.acme.example"


def postgres(**more: Any) -> dict[str, Any]:
    """Write the options of a server at which nobody answers."""
    return {
        "host": "127.0.0.1", "port": 1, "database": "d", "schema": "s", "disable_ssl": True,
        "password_auth": {"username": "loader", "password": "canary-password-8f2c"}, **more,
    }  # fmt: skip


def made(client: TestClient, path: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create something; give it."""
    answer = client.post(path, json={what: body})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][what]


def recipient(client: TestClient, **more: Any) -> dict[str, Any]:
    """Create a recipient."""
    n = next(_numbers)
    body = {"name": f"Customer {n}", "id_in_provider_system": f"tenant-{n}", **more}
    return made(client, "/recipients", "recipient", body)


def source(client: TestClient, **more: Any) -> dict[str, Any]:
    """Create a source."""
    body = {"name": f"source {next(_numbers)}", "vendor": "postgres", "postgres": postgres()}
    return made(client, "/sources", "source", {**body, **more})


def model_body(source_id: str, **more: Any) -> dict[str, Any]:
    """Write a model."""
    return {
        "model_name": f"orders_{next(_numbers)}", "source_id": source_id,
        "source_table": "public.orders", "organization_column": "customer_id",
        "columns": [
            {"name_in_source": "id", "name_in_destination": "order_id", "data_type": "bigint",
             "is_primary_key": True},
            {"name_in_source": "updated_at", "name_in_destination": "updated_at",
             "data_type": "timestamp", "is_last_modified": True},
        ], **more,
    }  # fmt: skip


def model(client: TestClient, source_id: str, **more: Any) -> dict[str, Any]:
    """Create a model."""
    return made(client, "/models", "model", model_body(source_id, **more))


def destination_body(recipient_id: str, **more: Any) -> dict[str, Any]:
    """Write a destination."""
    body = {"name": "Warehouse", "vendor": "postgres", "recipient_id": recipient_id}
    return {**body, **({} if "vendor" in more else {"postgres": postgres()}), **more}


def destination(client: TestClient, recipient_id: str, **more: Any) -> dict[str, Any]:
    """Create a destination."""
    return made(client, "/destinations", "destination", destination_body(recipient_id, **more))


def integrity_job(client: TestClient, destination_id: str, **body: Any) -> str:
    """Ask for an integrity job; give its id."""
    return made_at(client, f"/destinations/{destination_id}/data-integrity", body)["job"]["id"]


def made_at(client: TestClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post a body; give what is answered."""
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def a_repair(house: House, job: str) -> str:
    """Write a repair of a job down that nobody works at; give its id."""
    with seen_by(house.database, EVERYTHING) as connection:
        said = {"dry_run": True, "models": None, "classes": ["missing"]}
        return str(
            connection.execute(
                text(
                    "insert into weighbridge.repairs (environment, job_id, request, status)"
                    " select environment, id, cast(:said as jsonb), 'SUCCESS'"
                    " from weighbridge.integrity_jobs where id = :job returning id"
                ),
                {"job": job, "said": json.dumps(said)},
            ).scalar_one()
        )


def token_headers(client: TestClient, **wanted: Any) -> dict[str, str]:
    """Make a scoped token; give what a browser sends with it."""
    body = {"application_origin": ORIGIN, **wanted}
    answer = client.post("/actions/generate-scoped-auth-token", json=body)
    assert answer.status_code == 200, answer.text
    token = answer.json()["data"]["scoped_token"]
    return {"Authorization": f"Bearer {token}", "X-APP-ID": ORIGIN}


def said(answer: Any, status: int = 400) -> str:
    """Hold that an answer is the contract's error; give its message."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"status", "message", "data"}, body
    assert (body["status"], body["data"]) == ("error", None)
    assert "canary" not in answer.text
    assert body["message"][-1] in ".?", body["message"]
    return body["message"]
