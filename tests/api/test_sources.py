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

from tests.api.conftest import source_body
from tests.api.test_queries import memory
from tests.faults.command import ask, busy, run_sql
from tests.faults.rogue_mysql import rogue_mysql
from tests.house import House
from tests.servers.postgres import PASSWORD
from weighbridge.catalog import errands
from weighbridge.catalog.data_sources import policy_of
from weighbridge.store.database import EVERYTHING, seen_by

STEPS = ["name", "tcp", "tls", "auth", "read", "write"]
STAGES = ["connection", "schema_download", "temp_schema"]
VENDORS = {"pg": "fresh_postgres", "mysql": "fresh_mariadb"}
TABLE = (
    "create table orders (id int primary key, number varchar(9) not null, v varchar(9))",
    "create unique index by_number on orders (number)",
    "insert into orders values (1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', null)",
)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(request: pytest.FixtureRequest, vendor: str) -> str:
    """Give a database with a table, on a server of the vendor."""
    found: str = request.getfixturevalue(VENDORS[vendor])
    run_sql(found, *TABLE)
    return found


def body(url: str, name: str = "shop", **more: Any) -> dict[str, Any]:
    """Write the data source of a URL of either vendor; `more` replaces options and settings."""
    made = source_body(url, name)
    made["type"] = "pg" if url.startswith("postgresql") else "mysql"
    for key, value in more.items():
        (made if key == "temp_schema" else made["options"])[key] = value
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


def closed_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


FAULTS: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "host": (lambda: {"host": "no-such-host.invalid"}, "error skip skip skip skip skip", "no address"),
    "metadata": (lambda: {"host": "169.254.169.254"}, "error skip skip skip skip skip", "link-local"),
    "port": (lambda: {"port": closed_port()}, "ok error skip skip skip skip", "refused"),
    "password": (lambda: {"password": "wrong"}, "ok ok skip error skip skip", "refused the user"),
    "user": (lambda: {"user": "nobody_there"}, "ok ok skip error skip skip", "nobody_there"),
    "database": (lambda: {"dbname": "no_such_db"}, "ok ok skip error skip skip", "no_such_db"),
    "schema": (lambda: {"temp_schema": "no_such_schema"}, "ok ok skip ok ok error", "no_such_schema"),
    "hostile schema": (lambda: {"temp_schema": '"; drop table orders; --'}, "ok ok skip ok ok error", "name"),
}  # fmt: skip


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
            text("select task_name, args, priority from weighbridge.procrastinate_jobs")
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


# Columns and keys ----------------------------------------------------------------------------


def columns(house: House, client: TestClient, source: int, *table: str) -> Any:
    asked = client.post(f"/data_sources/{source}/dataset_schema", json={"table": list(table)})
    assert asked.status_code == 200, asked.text
    path = f"/data_sources/{source}/dataset_schema/{asked.json()['task_id']}"
    assert client.get(path).json() == {"status": "waiting", "result": None}
    work(house, asked.json()["task_id"])
    other = path.replace(f"/{source}/", f"/{source + 1}/")
    assert client.get(other).status_code == 404
    return client.get(path).json()


def test_columns(house: House, client: TestClient, url: str, vendor: str) -> None:
    said = columns(house, client, store(client, url), "orders")
    assert said["status"] == "done"
    kinds = ["integer", "character varying(9)", "character varying(9)"]
    if vendor == "mysql":
        kinds = ["int(11)", "varchar(9)", "varchar(9)"]
    assert said["result"] == {
        "table": ["orders"],
        "columns": [
            {"name": "id", "type": kinds[0], "nullable": False, "key": True},
            {"name": "number", "type": kinds[1], "nullable": False, "key": False},
            {"name": "v", "type": kinds[2], "nullable": True, "key": False},
        ],
        "primary_key": ["id"],
        "unique": [["number"]],
    }


def test_columns_of_no_table(house: House, client: TestClient, url: str) -> None:
    said = columns(house, client, store(client, url), "order")
    assert said["status"] == "failed"
    assert "There is no table or view order" in said["result"]["error"]
    assert "Did you mean orders?" in said["result"]["error"]


def test_columns_of_a_server_that_is_not_there(house: House, client: TestClient, url: str) -> None:
    said = columns(house, client, store(client, url, port=closed_port()), "orders")
    assert said["status"] == "failed"
    assert said["result"]["error"].endswith(".")


@pytest.mark.parametrize(
    "table", [[], ["a", "b", "c", "d"], [""], ["a\0b"], ["\ud800"], ["x" * 300], "orders", None]
)
def test_tables_that_are_none(client: TestClient, fresh_postgres: str, table: Any) -> None:
    source = store(client, fresh_postgres)
    for path in ("dataset_schema", "guess_pk"):
        answer = client.post(
            f"/data_sources/{source}/{path}",
            content=json.dumps({"table": table}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, answer.text


def guess(client: TestClient, source: int, *table: str, **more: Any) -> Any:
    answer = client.post(f"/data_sources/{source}/guess_pk", json={"table": list(table), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_keys(client: TestClient, url: str) -> None:
    source = store(client, url)
    assert guess(client, source, "orders") == {"candidates": [{"pk": ["id"]}], "error": None}
    two = guess(client, source, "orders", candidates=5)["candidates"]
    assert two == [{"pk": ["id"]}, {"pk": ["number"]}]
    for avoid in (
        {"avoid_names": ["id"]},
        {"avoid_types": ["INT"]},
        {"avoid_types": ["integer", "int(11)"]},
    ):
        assert guess(client, source, "orders", **avoid)["candidates"] == [{"pk": ["number"]}]
    run_sql(
        url,
        "create table pairs (a int, b int, primary key (b, a))",
        "create table loose (v int, order_id int, w int)",
        "insert into loose values (1, 1, 1), (1, 2, 1), (1, 3, 1)",
        "create table nothing (v int)",
        "insert into nothing values (1), (1)",
    )
    assert guess(client, source, "pairs")["candidates"] == [{"pk": ["b", "a"]}]
    assert guess(client, source, "pairs", avoid_names=["a"])["candidates"] == []
    assert guess(client, source, "loose")["candidates"] == [{"pk": ["order_id"]}]
    none = guess(client, source, "nothing")
    assert none["candidates"] == []
    assert "No key is declared" in none["error"]
    # A sample is a guess, and is taken as one.
    assert guess(client, source, "nothing", sample_size=1)["candidates"] == [{"pk": ["v"]}]


def test_key_of_no_table(client: TestClient, url: str) -> None:
    answer = client.post(
        f"/data_sources/{store(client, url)}/guess_pk", json={"table": ["nowhere"]}
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:weighbridge:no_such_table"


def test_a_search_for_a_key_that_takes_too_long(
    client: TestClient, fresh_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(
        fresh_postgres,
        "create view slow as select i as id, pg_sleep(0.05)::text as x from generate_series(1, 9) i",
        "create view endless as select (i + length(pg_sleep(30)::text)) as id from generate_series(1, 9) i",
    )
    monkeypatch.setattr("weighbridge.catalog.key_guess.SECONDS", 1.0)
    source = store(client, fresh_postgres)
    said = guess(client, source, "endless")
    assert said["candidates"] == []
    assert "ended after 1 s" in said["error"]
    assert quiet(fresh_postgres)


def quiet(url: str, seconds: float = 5) -> bool:
    """Tell whether no query runs on the server within some seconds."""
    end = time.monotonic() + seconds
    while busy(url):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# The forms -----------------------------------------------------------------------------------


def test_types_are_what_clients_read(client: TestClient) -> None:
    said = {one["type"]: one for one in client.get("/data_sources/types").json()}
    for kind, basic in (("pg", {"host", "user", "port", "password", "dbname"}),
                        ("mysql", {"host", "user", "passwd", "db"})):  # fmt: skip
        schema = said[kind]["configuration_schema"]
        assert set(schema) == {"title", "properties", "required", "secret"}
        assert basic <= set(schema["properties"])
        assert set(schema["required"]) <= set(schema["properties"])
        for name, field in schema["properties"].items():
            assert field["title"]
            assert field["type"] in {"string", "integer", "boolean"}
            assert (field.get("format") == "password") == (name in schema["secret"])
    assert said["pg"]["configuration_schema"]["secret"] == ["password"]
    assert said["mysql"]["configuration_schema"]["secret"] == ["passwd"]


def test_names_of_options(client: TestClient, fresh_mariadb: str) -> None:
    asked = body(fresh_mariadb)
    options = asked["options"]
    asked["options"] = {
        "host": options["host"], "port": options["port"], "user": options["user"],
        "passwd": options["password"], "db": options["dbname"],
    }  # fmt: skip
    stored = client.post("/data_sources", json=asked).json()
    assert stored["options"] == {**asked["options"], "passwd": "********"}
    assert guess_status(client, stored["id"]) == 422  # it was reached: no such table
    assert [one["options"] for one in client.get("/data_sources").json()] == [stored["options"]]


def guess_status(client: TestClient, source: int) -> int:
    return client.post(f"/data_sources/{source}/guess_pk", json={"table": ["none"]}).status_code


@pytest.mark.parametrize("field", ["name", "host", "user", "password", "dbname", "temp_schema"])
@pytest.mark.parametrize("char", ["\0", "\ud800"])
def test_characters_that_no_database_keeps(client: TestClient, field: str, char: str) -> None:
    asked = source_body("postgresql://u:p@127.0.0.1:1/d", "n")
    (asked if field in {"name", "temp_schema"} else asked["options"])[field] = f"a{char}b"
    answer = client.post(
        "/data_sources", content=json.dumps(asked),
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert answer.status_code == 422, answer.text


# Servers that mean harm ----------------------------------------------------------------------


def test_a_row_without_an_end(house: House, client: TestClient) -> None:
    """The plainest question is answered for ever: the connection is cut, and memory stays."""
    for polite in (0, 1, 9):
        with rogue_mysql("endless", polite=polite) as rogue:
            source = store(client, f"mysql://u:p@127.0.0.1:{rogue.port}/d", name=f"r{polite}")
            before = memory()
            began = time.monotonic()
            found = probed(house, client, source)
            asked = client.post(f"/data_sources/{source}/query", json={"query": "select 1 as a"})
            assert rogue.asked
        assert "error" in codes(found) or polite == 9, found
        assert asked.status_code == (200 if polite == 9 else 422), asked.text
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

CANARY = "Kanari'7%\\x\"ü/4711"


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
        assert "4711" not in said
    assert "request" in out  # the log was looked at
