"""Hostile words over HTTP: hosts (T01), names of tables and columns (T02), servers (T24)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.api.conftest import TABLES, source_body
from tests.faults.command import ask, run_sql
from tests.faults.rogue_mysql import Trick, rogue_mysql
from tests.house import House
from tests.unit.net.test_hosts import MALFORMED, NEVER
from weighbridge.datadiffs import store
from weighbridge.store.database import EVERYTHING, seen_by

KINDS = ("pg", "mysql")


@pytest.fixture
def client(house: House) -> TestClient:
    return house.client()


@dataclass
class Canary:
    """Something that listens and counts who comes: nobody may."""

    port: int
    came: int = 0


@contextmanager
def canary() -> Iterator[Canary]:
    """Listen on every address of this machine."""
    with socket.create_server(("", 0)) as listener:
        found = Canary(listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    listener.accept()[0].close()
                    found.came += 1

        threading.Thread(target=accept, daemon=True).start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)


def _add(client: TestClient, kind: str, **change: Any) -> Any:
    options = {"host": "h", "user": "u", "password": "p", "dbname": "d", **change}
    return client.post("/data_sources", json={"name": "x", "type": kind, "options": options})


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_way_to_write_a_host_is_taken(client: TestClient, kind: str) -> None:
    """More than a hundred ways, each refused when the connection is made, none followed (T01)."""
    ways = [*MALFORMED, *NEVER]
    assert len(ways) > 100
    with canary() as listening:
        for host in ways:
            answer = _add(client, kind, host=host, port=listening.port)
            assert answer.status_code == 422, (host, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/data_sources").json() == []
        assert listening.came == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_came_into_the_store_is_not_followed(
    house: House, client: TestClient, kind: str
) -> None:
    """Whatever is stored by then: the check is made again where the connection is."""
    ways = ["127.1", "2130706433", "0x7f.1", "127.0.0.1,127.0.0.1", "/run", "169.254.169.254",
            "::", "0.0.0.0", "::ffff:0.0.0.0", "a@127.0.0.1", "[::ffff:169.254.169.254]"]  # noqa: S104 refused  # fmt: skip
    with canary() as listening:
        source = _add(client, kind, host="127.0.0.1", port=listening.port).json()["id"]
        for host in ways:
            run_sql(
                house.database.url,
                "set weighbridge.environment = '*'; update weighbridge.connections"
                f" set options = jsonb_set(options, '{{host}}', '\"{host}\"')",
            )
            found = _ran(house, client, source)
            assert (found.status, found.error["code"]) == ("failed", "host_refused"), host
        assert listening.came == 0
        run_sql(
            house.database.url,
            "set weighbridge.environment = '*'; update weighbridge.connections"
            " set options = jsonb_set(options, '{host}', '\"127.0.0.1\"')",
        )
        _ran(house, client, source)
        assert listening.came > 0  # it would have been heard


def _ran(house: House, client: TestClient, source: int, **change: Any) -> store.Diff:
    body = {
        "data_source1_id": source, "data_source2_id": source, "pk_columns": ["id"],
        "table1": ["a"], "table2": ["b"], **change,
    }  # fmt: skip
    answer = client.post("/datadiffs", json=body)
    assert answer.status_code == 200, answer.text
    number = int(answer.json()["id"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weighbridge.datadiffs.run.ATTEMPTS", 1)
        house.run_diff(number)
    with seen_by(house.database, EVERYTHING) as connection:
        return store.get(connection, number)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::ffff:127.0.0.1"])
def test_our_own_database_is_no_data_source(house: House, client: TestClient, host: str) -> None:
    """Even for whoever knows its password; other databases on that server are no secret of ours."""
    body = source_body(house.database.url, "ours")
    body["options"]["host"] = host
    source = client.post("/data_sources", json=body).json()["id"]
    found = _ran(house, client, source, table1=["weighbridge", "api_keys"],
                 table2=["weighbridge", "connections"])  # fmt: skip
    assert (found.status, found.error["code"]) == ("failed", "host_refused"), found.error
    assert "the database of this installation" in found.error["message"]


def test_our_own_database_by_a_name_of_three_parts(
    house: House, client: TestClient, fresh_postgres: str
) -> None:
    source = client.post("/data_sources", json=source_body(fresh_postgres, "s")).json()["id"]
    ours = urlsplit(house.database.url).path.lstrip("/")
    found = _ran(house, client, source, table1=[ours, "weighbridge", "api_keys"])
    assert (found.status, found.error["code"]) == ("failed", "host_refused"), found.error


# Names ---------------------------------------------------------------------------------------

_EVIL = [
    'a"; drop table sentinel; --', "a'; drop table sentinel; --", "a`; drop table sentinel; --",
    "a); drop table sentinel; --", '"', "`", "''", "\\", "a\x00b", "%s", "%(x)s", "{x}", "$1",
    "sentinel; select", "a/*", "*/", "--", "\u202e", "\U0001f4a5", "\ufeffa", "\ud800", "a" * 200,
    "A", "a ", " a", "select", "", ".", "..", "a.b", "\n", "pg_sleep(9)",
]  # fmt: skip
_NAMES = st.one_of(
    st.sampled_from(_EVIL),
    st.text(st.characters(), max_size=80),
    st.text("\"'`;-\\%$ a", max_size=12),
)


@pytest.fixture
def two_sides(
    client: TestClient, fresh_postgres: str, fresh_mariadb: str
) -> tuple[int, int, str, str]:
    """Give a connection to each vendor, with a sentinel that no name may touch."""
    run_sql(
        fresh_postgres, *TABLES, "create table sentinel as select i from generate_series(1, 9) i"
    )
    run_sql(
        fresh_mariadb, "create table b (id int primary key, v varchar(9), n decimal(9, 2))",
        "create table sentinel as select seq as i from seq_1_to_9",
    )  # fmt: skip
    pg = client.post("/data_sources", json=source_body(fresh_postgres, "pg")).json()["id"]
    body = {**source_body(fresh_mariadb, "my"), "type": "mysql"}
    my = client.post("/data_sources", json=body).json()["id"]
    return pg, my, fresh_postgres, fresh_mariadb


def test_no_name_is_more_than_a_name(
    house: House, client: TestClient, two_sides: tuple[int, int, str, str]
) -> None:
    """Whatever a name is: an answer, never a 500, never a statement of its own (T02)."""
    pg, my, *urls = two_sides
    before = [_digest(url) for url in urls]
    ended: set[str] = set()

    @settings(
        max_examples=60, deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(name=_NAMES, other=_NAMES, where=st.sampled_from(list(_PLACES)))
    def tried(name: str, other: str, where: str) -> None:
        body = {
            "data_source1_id": pg, "data_source2_id": my, "pk_columns": ["id"],
            "table1": ["public", "a"], "table2": ["b"], **_PLACES[where](name, other),
        }  # fmt: skip
        answer = client.post("/datadiffs", content=_json(body),
                             headers={"Content-Type": "application/json"})  # fmt: skip
        assert answer.status_code in {200, 422}, answer.text
        if answer.status_code == 200:
            number = int(answer.json()["id"])
            house.run_diff(number)
            shown = client.get(f"/datadiffs/{number}/summary")
            assert shown.status_code == 200, shown.text
            with seen_by(house.database, EVERYTHING) as connection:
                found = store.get(connection, number)
            ended.add(found.status)
            assert found.status in {"done", "failed"}
            if found.status == "failed":
                assert found.error is not None
                assert found.error["code"] not in {"run_failed", "error"}, (body, found.error)

    tried()
    assert "failed" in ended  # names went all the way to the servers
    assert [_digest(url) for url in urls] == before


_PLACES: dict[str, Any] = {
    "table": lambda a, _: {"table1": [a]},
    "tables": lambda a, b: {"table1": [a, b], "table2": [b]},
    "three parts": lambda a, b: {"table2": [a, b, a]},
    "key": lambda a, b: {"pk_columns": [a, b]},
    "include": lambda a, b: {"include_columns": [a, b]},
    "exclude": lambda a, b: {"exclude_columns": [a, b]},
    "mapping": lambda a, b: {"column_mapping": [[a, b]]},
    "time": lambda a, _: {"time_column": a, "time_interval_start": "2024-01-01"},
}


def _json(body: dict[str, Any]) -> bytes:
    import json  # noqa: PLC0415

    return json.dumps(body).encode("ascii")  # a lone surrogate goes as its escape


def _digest(url: str) -> list[tuple[object, ...]]:
    return ask(url, "select i from sentinel order by i")


# Servers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("trick", ["local_infile", "garbage", "mute"])
@pytest.mark.parametrize("polite", [0, 3])
def test_a_rogue_server_gets_no_file(
    house: House, client: TestClient, trick: Trick, polite: int
) -> None:
    """As a stored data source: it asks for a file of ours, or talks nonsense, or nothing (T24)."""
    with rogue_mysql(trick, polite=polite) as rogue:
        source = _add(client, "mysql", host="127.0.0.1", port=rogue.port).json()["id"]
        found = _ran(house, client, source)
        assert rogue.asked
        assert Path("/etc/passwd").read_bytes()[:16] not in rogue.stolen
        assert rogue.stolen[:1] in {b"", b"\x01", b"\x03"}, rogue.stolen[:40]
    assert found.status == "failed"
    assert found.error is not None
    assert found.error["code"] != "run_failed", found.error
