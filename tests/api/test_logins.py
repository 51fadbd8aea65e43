"""SQL of users runs with logins that can only read, unless who stored them accepted more (T06)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.api.sources import TABLE, body, probed
from tests.faults.command import run_sql
from tests.house import House
from tests.servers.postgres import PASSWORD

if TYPE_CHECKING:
    from starlette.testclient import TestClient

REFUSED = "urn:weighbridge:login_too_powerful"
POSTGRES = {
    "superuser": ("alter role {user} superuser", "is a superuser"),
    "reads files": ("grant pg_read_server_files to {user}", "may read files"),
    "writes files": ("grant pg_write_server_files to {user}", "may write files"),
    "runs programs": ("grant pg_execute_server_program to {user}", "may run programs"),
}
MARIADB = {
    "superuser": ("grant all on *.* to {user}@'127.0.0.1'", "is a superuser"),
    "files": ("grant file on *.* to {user}@'127.0.0.1'", "read and write files"),
}
CASES = [*(("pg", name) for name in POSTGRES), *(("mysql", name) for name in MARIADB)]
USER = "plain_reader"


@pytest.fixture(params=["pg", "mysql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a user that can only read, on either server."""
    kind: str = request.param
    admin: str = request.getfixturevalue("fresh_postgres" if kind == "pg" else "fresh_mariadb")
    parts = urlsplit(admin)
    run_sql(admin, *TABLE)
    if kind == "pg":
        run_sql(
            admin, f"create role {USER} login password '{PASSWORD}'",
            f"grant select on all tables in schema public to {USER}",
        )  # fmt: skip
    else:
        run_sql(
            admin, f"create or replace user {USER}@'127.0.0.1' identified by '{PASSWORD}'",
            f"grant select on {parts.path[1:]}.* to {USER}@'127.0.0.1'",
        )  # fmt: skip
    yield parts._replace(netloc=f"{USER}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    if kind == "pg":
        run_sql(admin, f"drop owned by {USER}", f"drop role {USER}")
    else:
        run_sql(admin, f"drop user {USER}@'127.0.0.1'")


def store(client: TestClient, url: str, *, accepted: bool) -> int:
    made = body(url, f"s{accepted}", allow_powerful_login=accepted)
    answer = client.post("/data_sources", json=made)
    assert answer.status_code == 200, answer.text
    assert answer.json()["allow_powerful_login"] is accepted
    return int(answer.json()["id"])


def query(client: TestClient, source: int) -> Any:
    return client.post(f"/data_sources/{source}/query", json={"query": "select v from orders"})


def diff(client: TestClient, house: House, source: int, **more: Any) -> dict[str, Any]:
    asked = {
        "data_source1_id": source, "data_source2_id": source, "pk_columns": ["id"],
        "table1": ["orders"], "table2": ["orders"], **more,
    }  # fmt: skip
    answer = client.post("/datadiffs", json=asked)
    assert answer.status_code == 200, answer.text
    house.run_diff(answer.json()["id"])
    return dict(client.get(f"/datadiffs/{answer.json()['id']}/summary_results").json())


def test_who_can_only_read_runs_sql(house: House, client: TestClient, url: str) -> None:
    source = store(client, url, accepted=False)
    assert query(client, source).status_code == 200
    own = {"table1": None, "query1": "select * from orders"}
    assert diff(client, house, source, **own)["status"] == "success"
    assert probed(house, client, source)["read"]["outcome"] == "success"


@pytest.mark.parametrize(
    ("url", "case"), CASES, indirect=["url"], ids=[" ".join(case) for case in CASES]
)
def test_who_may_do_more_does_not(
    house: House, client: TestClient, url: str, case: str, request: pytest.FixtureRequest
) -> None:
    pg = url.startswith("postgresql")
    statement, words = (POSTGRES if pg else MARIADB)[case]
    admin = request.getfixturevalue("fresh_postgres" if pg else "fresh_mariadb")
    run_sql(admin, statement.format(user=USER))
    source = store(client, url, accepted=False)

    refused = query(client, source)
    assert (refused.status_code, refused.json()["type"]) == (422, REFUSED), refused.text
    assert words in refused.json()["detail"]
    assert "allow_powerful_login" in refused.json()["detail"]
    for side in (1, 2):
        own = {f"table{side}": None, f"query{side}": "select * from orders"}
        ended = diff(client, house, source, **own)
        assert ended["status"] == "failed"
        assert ended["error"]["error_type"] == "login_too_powerful"
    # A table is read by our own words alone.
    assert diff(client, house, source)["status"] == "success"
    seen = probed(house, client, source)["read"]
    assert seen["outcome"] == "warning"
    assert "allow_powerful_login" in seen["message"]

    accepted = store(client, url, accepted=True)
    assert query(client, accepted).status_code == 200
    own = {"table1": None, "query1": "select * from orders"}
    assert diff(client, house, accepted, **own)["status"] == "success"
