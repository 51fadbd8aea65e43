"""Two stored connections with two small tables that differ in known ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

TABLES = (
    "create table a (id int primary key, v text, n numeric(9, 2))",
    "create table b (id int primary key, v text, n numeric(9, 2))",
    "insert into a select i, 'v' || i, i * 1.5 from generate_series(1, 100) i",
    (
        "insert into b select i, case when i % 10 = 0 then 'w' else 'v' end || i, i * 1.5"
        " from generate_series(3, 101) i"
    ),
)


def source_body(url: str, name: str) -> dict[str, Any]:
    """Write a data source of a server's database as Datafold's clients do."""
    parts = urlsplit(url)
    return {
        "name": name,
        "type": "pg",
        "options": {
            "host": parts.hostname, "port": parts.port, "user": parts.username,
            "password": parts.password, "dbname": parts.path.lstrip("/"),
        },
    }  # fmt: skip


@pytest.fixture
def client(house: House) -> TestClient:
    """Give a client that may do everything."""
    return house.client()


@pytest.fixture
def source(client: TestClient, fresh_postgres: str) -> int:
    """Give the number of a stored connection to a database with the tables a and b."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    answer = client.post("/data_sources", json=source_body(fresh_postgres, "shop"))
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def diff_body(source: int, **more: object) -> Mapping[str, Any]:
    """Write the request for a diff of a and b."""
    return {
        "data_source1_id": source, "data_source2_id": source,
        "table1": ["public", "a"], "table2": ["public", "b"],
        "pk_columns": ["id"], **more,
    }  # fmt: skip
