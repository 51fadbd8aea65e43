"""Data sources over HTTP: stored, tested, asked; on real servers, with all that can be wrong."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.sources import (
    STAGES,
    STEPS,
    TABLE,
    VENDORS,
    body,
    closed_port,
    codes,
    columns,
    probed,
    store,
    work,
)
from tests.api.test_queries import memory
from tests.faults.command import ask, run_sql
from tests.faults.rogue_mysql import rogue_mysql
from tests.house import House
from tests.servers.postgres import PASSWORD
from weighbridge.catalog import errands, probing
from weighbridge.connectors.session import Encryption
from weighbridge.store.database import EVERYTHING, seen_by


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(request: pytest.FixtureRequest, vendor: str) -> str:
    """Give a database with a table, on a server of the vendor."""
    found: str = request.getfixturevalue(VENDORS[vendor])
    run_sql(found, *TABLE)
    return found


# The test ------------------------------------------------------------------------------------


def test_every_step_is_done(house: House, client: TestClient, url: str, vendor: str) -> None:
    schema = "public" if vendor == "pg" else urlsplit(url).path.lstrip("/")
    before = tables(url)
    found = probed(house, client, store(client, url, temp_schema=schema))
    assert codes(found) == "ok ok skip ok ok ok", found
    assert "127.0.0.1" in found["name"]["message"]
    assert "TLS is off" in found["tls"]["message"]
    assert urlsplit(url).username in found["auth"]["message"]
    assert "is a superuser" in found["read"]["message"]
    assert found["read"]["outcome"] == "warning"
    assert f"made in {schema}" in found["write"]["message"]
    assert [found[s]["code"] for s in STAGES] == ["ok", "ok", "ok"]
    assert tables(url) == before


def tables(url: str) -> list[tuple[object, ...]]:
    return sorted(ask(url, "select table_name from information_schema.tables"), key=str)


def test_without_a_schema_to_write_to(house: House, client: TestClient, url: str) -> None:
    found = probed(house, client, store(client, url))
    assert codes(found) == "ok ok skip ok ok skip"
    assert "no temp_schema is set" in found["write"]["message"]
    assert found["temp_schema"]["code"] == "skip"


FAULTS: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "host": (lambda: {"host": "no-such-host.invalid"}, "error skip skip skip skip skip", "no address"),
    "port": (lambda: {"port": closed_port()}, "ok error skip skip skip skip", "refused"),
    "password": (lambda: {"password": "wrong"}, "ok ok skip error skip skip", "refused the user"),
    "user": (lambda: {"user": "nobody_there"}, "ok ok skip error skip skip", "nobody_there"),
    "database": (lambda: {"dbname": "no_such_db"}, "ok ok skip error skip skip", "no_such_db"),
    "schema": (lambda: {"temp_schema": "no_such_schema"}, "ok ok skip ok ok error", "no_such_schema"),
    "hostile schema": (lambda: {"temp_schema": '"""; drop table orders; --"'}, "ok ok skip ok ok error", "drop table"),
}  # fmt: skip


def test_an_address_that_is_never_reached_is_not_stored(client: TestClient, url: str) -> None:
    answer = client.post("/data_sources", json=body(url, host="169.254.169.254"))
    assert answer.status_code == 422
    assert "link-local" in answer.json()["detail"]
    assert client.get("/data_sources").json() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_what_can_be_wrong(house: House, client: TestClient, url: str, fault: str) -> None:
    change, expected, words = FAULTS[fault]
    found = probed(house, client, store(client, url, **change()))
    assert codes(found) == expected, found
    failed = next(found[step] for step in STEPS if found[step]["code"] == "error")
    assert words in failed["message"], failed
    assert failed["outcome"] == "failed"
    assert failed["message"].endswith((".", "?"))
    stage = "temp_schema" if "schema" in fault else "connection"
    assert found[stage] == failed  # Datafold's clients see the step that failed


def test_a_silent_server_ends_the_step(house: House, client: TestClient, url: str) -> None:
    """It takes the connection and says nothing: the test ends all the same."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        began = time.monotonic()
        found = probed(house, client, store(client, url, port=deaf.getsockname()[1]))
    assert time.monotonic() - began < 30
    assert codes(found).startswith("ok ok skip error"), found


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_tls_that_is_wished_for_and_not_there(
    house: House, client: TestClient, fresh_postgres: str, mode: str
) -> None:
    found = probed(house, client, store(client, fresh_postgres, sslmode=mode))
    assert codes(found) == "ok ok error skip skip skip", found
    assert "the server offers none" in found["tls"]["message"]


@pytest.mark.parametrize(
    ("ip", "found", "says"),
    [
        ("127.0.0.1", Encryption(False, "off"), ""),
        ("::1", Encryption(False, "off"), ""),
        ("192.0.2.7", Encryption(False, "off"), "read the password"),
        ("2001:db8::7", Encryption(False, "off"), "read the password"),
        ("10.0.0.7", Encryption(True, "unchecked"), "verify-full"),
        ("10.0.0.7", Encryption(True, "the host's own", checked=True), ""),
    ],
)
def test_who_is_on_the_way(ip: str, found: Encryption, says: str) -> None:
    warnings = probing.exposed(ip, found)
    assert len(warnings) == bool(says)
    assert says in "".join(warnings)


def test_a_way_without_tls_is_warned_of(
    house: House, client: TestClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T24. The servers of tests are on this machine: it is taken for another one."""
    source = store(client, url)
    assert probed(house, client, source)["tls"]["outcome"] == "skipped"
    monkeypatch.setattr(probing, "is_loopback", lambda _: False)
    found = probed(house, client, source)["tls"]
    assert (found["code"], found["outcome"]) == ("skip", "warning")
    assert "Warning: Whoever is on the way" in found["message"]


@pytest.fixture
def reader(fresh_postgres: str) -> Iterator[str]:
    """Give the URL of a role that may only read."""
    run_sql(
        fresh_postgres,
        *TABLE,
        "drop role if exists only_reader",
        f"create role only_reader login password '{PASSWORD}'",
        "grant select on all tables in schema public to only_reader",
    )
    parts = urlsplit(fresh_postgres)
    yield parts._replace(netloc=f"only_reader:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    run_sql(fresh_postgres, "drop owned by only_reader", "drop role only_reader")


def test_a_role_that_only_reads(house: House, client: TestClient, reader: str) -> None:
    found = probed(house, client, store(client, reader, temp_schema="public"))
    assert codes(found) == "ok ok skip ok ok error", found
    assert found["read"]["outcome"] == "success"
    assert "Warning" not in found["read"]["message"]
    assert "permission denied for schema public" in found["write"]["message"]


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("pg_read_server_files", "may read files"),
        ("pg_write_server_files", "may write files"),
        ("pg_execute_server_program", "may run programs"),
    ],
)
def test_a_role_that_may_too_much(
    house: House, client: TestClient, fresh_postgres: str, reader: str, role: str, words: str
) -> None:
    run_sql(fresh_postgres, f"grant {role} to only_reader")
    found = probed(house, client, store(client, reader))
    assert (found["read"]["code"], found["read"]["outcome"]) == ("ok", "warning")
    assert words in found["read"]["message"]


def test_an_unsafe_user_of_mariadb(house: House, client: TestClient, fresh_mariadb: str) -> None:
    run_sql(
        fresh_mariadb,
        f"create or replace user filer@'127.0.0.1' identified by '{PASSWORD}'",
        "grant file on *.* to filer@'127.0.0.1'",
        f"grant select on {urlsplit(fresh_mariadb).path[1:]}.* to filer@'127.0.0.1'",
    )
    parts = urlsplit(fresh_mariadb)
    url = parts._replace(netloc=f"filer:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()
    found = probed(house, client, store(client, url))
    assert "may read and write files" in found["read"]["message"]
    assert "superuser" not in found["read"]["message"]


# Errands -------------------------------------------------------------------------------------


def test_an_errand_run_twice_has_one_answer(house: House, client: TestClient, url: str) -> None:
    source = store(client, url)
    job = client.post(f"/data_sources/{source}/test", json={}).json()["job_id"]
    with seen_by(house.database, EVERYTHING) as connection:
        stale = errands.claim(connection, job)
        newer = errands.claim(connection, job)
    assert stale is not None
    assert newer is not None
    assert newer.attempt == stale.attempt + 1
    with seen_by(house.database, EVERYTHING) as connection:
        assert not errands.finish(connection, stale, ["stale"])
    under_way = client.get(f"/data_sources/test/{job}").json()["results"]
    assert under_way[0] == {"step": "name", "status": "processing", "result": None}
    assert under_way[1]["status"] == "waiting"
    work(house, job)
    done = client.get(f"/data_sources/test/{job}").json()
    with seen_by(house.database, EVERYTHING) as connection:
        assert not errands.finish(connection, newer, ["zombie"])
        assert errands.claim(connection, job) is None
    work(house, job)
    assert client.get(f"/data_sources/test/{job}").json() == done


def test_an_errand_that_kills_each_worker_comes_to_an_end(
    house: House, client: TestClient, url: str
) -> None:
    source = store(client, url)
    job = client.post(f"/data_sources/{source}/test", json={}).json()["job_id"]
    for _ in range(errands.ATTEMPTS):
        with seen_by(house.database, EVERYTHING) as connection:
            assert errands.claim(connection, job) is not None
    work(house, job)
    results = client.get(f"/data_sources/test/{job}").json()["results"]
    assert {r["result"]["code"] for r in results} == {"unknown"}
    assert {r["status"] for r in results} == {"done"}


def test_row_and_job_come_together(house: House, client: TestClient, url: str) -> None:
    source = store(client, url)
    headers = {"Idempotency-Key": "once"}
    answers = [
        client.post(f"/data_sources/{source}/test", json={}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    with seen_by(house.database, EVERYTHING) as connection:
        jobs = connection.execute(
            text("select task_name, args - 'trace', priority from weighbridge.procrastinate_jobs")
        ).all()
    assert [tuple(job) for job in jobs] == [
        ("errands.run", {"errand_id": answers[0].json()["job_id"]}, 10)
    ]


def test_old_errands_go(house: House, client: TestClient, url: str) -> None:
    source = store(client, url)
    old, recent = (
        client.post(f"/data_sources/{source}/test", json={}).json()["job_id"] for _ in range(2)
    )
    with seen_by(house.database, EVERYTHING) as connection:
        connection.execute(
            text("update weighbridge.errands set created_at = created_at - interval '8 days'"
                 " where id = :old"), {"old": old},
        )  # fmt: skip
    client.post(f"/data_sources/{source}/test", json={})
    assert client.get(f"/data_sources/test/{old}").status_code == 404
    assert client.get(f"/data_sources/test/{recent}").status_code == 200


# Servers that mean harm ----------------------------------------------------------------------


def test_a_row_without_an_end(house: House, client: TestClient) -> None:
    """The plainest question is answered for ever: the connection is cut, and memory stays."""
    # Where its powers are asked for, the attack comes one question earlier.
    for polite, accepted in ((0, True), (1, True), (9, True), (1, False), (9, False)):
        with rogue_mysql("endless", polite=polite) as rogue:
            url = f"mysql://u:p@127.0.0.1:{rogue.port}/d"
            more = {"name": f"r{polite}{accepted}", "allow_powerful_login": accepted}
            source = store(client, url, **more)
            before = memory()
            began = time.monotonic()
            found = probed(house, client, source)
            asked = client.post(f"/data_sources/{source}/query", json={"query": "select 1 as a"})
            assert rogue.asked
        assert "error" in codes(found) or polite == 9, found
        whole = polite == 9 and accepted
        assert asked.status_code == (200 if whole else 422), asked.text
        assert time.monotonic() - began < 30
        assert memory() - before < 150e6


def test_a_wish_for_a_file(house: House, client: TestClient) -> None:
    with rogue_mysql("local_infile") as rogue:
        source = store(client, f"mysql://u:p@127.0.0.1:{rogue.port}/d")
        assert "error" in codes(probed(house, client, source))
        asked = client.post(f"/data_sources/{source}/query", json={"query": "select 1 as a"})
        assert asked.status_code == 422
        assert rogue.asked
        assert b"root:" not in rogue.stolen


# Secrets -------------------------------------------------------------------------------------

# No part of it can be a part of an id, which is hexadecimal.
CANARY = "Kanari'7%\\x\"ü/Vogel"


def test_a_canary_is_seen_nowhere(
    house: House, client: TestClient, url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is in no answer, no log, and in no row of our database but sealed."""
    source = store(client, url, password=CANARY)
    database = store(client, url, name="d", password=CANARY, dbname="no_such_db")
    seen: list[str] = [client.get("/data_sources").text]
    for one in (source, database):
        seen.append(json.dumps(probed(house, client, one), ensure_ascii=False))
        seen.append(json.dumps(columns(house, client, one, "orders"), ensure_ascii=False))
        for path, asked in (("query", {"query": "select 1"}), ("guess_pk", {"table": ["orders"]})):
            answer = client.post(f"/data_sources/{one}/{path}", json=asked)
            assert answer.status_code == 422
            seen.append(answer.text)
    with seen_by(house.database, EVERYTHING) as connection:
        for table in ("connections", "errands", "audit", "procrastinate_jobs", "idempotency"):
            rows = connection.execute(text(f"select t::text from weighbridge.{table} t"))
            seen += [str(row[0]) for row in rows]
    out, err = capfd.readouterr()
    for said in (*seen, out, err):
        assert "Kanari" not in said
        assert "Vogel" not in said
    assert "request" in out  # the log was looked at
