"""Queries of users over HTTP: they read, they read only, and they end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from tests.api.conftest import source_body
from tests.faults.command import ask, busy, run_sql, wait_until_busy
from tests.faults.test_read_only import WRITES
from tests.house import House
from tests.servers.processes import free_port
from weighbridge.catalog import asking
from weighbridge.connectors.session import Caps

VENDORS = {"pg": "fresh_postgres", "mysql": "fresh_mariadb"}
SENTINEL = (
    "create table sentinel (id int primary key, v varchar(20))",
    "insert into sentinel values (1, 'a'), (2, 'b')",
)
DEFAULTS: dict[str, Any] = dict(asking.ask.__kwdefaults__ or {})
OWNED = Path("/tmp/weighbridge-owned")  # noqa: S108 what an attack would leave


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def url(request: pytest.FixtureRequest, vendor: str) -> str:
    """Give a database with a table, on a server of the vendor."""
    found: str = request.getfixturevalue(VENDORS[vendor])
    run_sql(found, *SENTINEL)
    return found


def store(client: TestClient, url: str) -> int:
    # The servers' users of these tests may do anything: so the fences stand alone.
    made = source_body(url, "shop") | {"allow_powerful_login": True}
    made["type"] = "pg" if url.startswith("postgresql") else "mysql"
    return int(client.post("/data_sources", json=made).json()["id"])


def query(client: TestClient, source: int, sql: str, status: int = 200) -> Any:
    answer = client.post(f"/data_sources/{source}/query", json={"query": sql})
    assert answer.status_code == status, answer.text
    return answer.json()


def quiet(url: str, seconds: float = 5) -> bool:
    """Tell whether no query runs on the server within some seconds."""
    end = time.monotonic() + seconds
    while busy(url):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


# What it gives -------------------------------------------------------------------------------


def test_rows_and_columns(client: TestClient, url: str, vendor: str) -> None:
    said = query(client, store(client, url), "select id, v, null as n from sentinel order by id;")
    assert said["rows"] == [{"id": 1, "v": "a", "n": None}, {"id": 2, "v": "b", "n": None}]
    names = [column["name"] for column in said["columns"]]
    assert names == ["id", "v", "n"]
    assert said["columns"][0]["type"] == ("integer" if vendor == "pg" else "int")
    assert said["capped"] is None


def test_columns_of_one_name(client: TestClient, url: str) -> None:
    said = query(client, store(client, url), "select 1 as a, 2 as a, 3 as a_2")
    assert said["rows"] == [{"a": 1, "a_3": 2, "a_2": 3}]


def test_no_rows(client: TestClient, url: str) -> None:
    said = query(client, store(client, url), "select id from sentinel where id = 9")
    assert said["rows"] == []
    assert [column["name"] for column in said["columns"]] == ["id"]


VALUES = {
    "pg": (
        ("true", True), ("2147483648", 2147483648), ("1.50::numeric", "1.50"), ("0.1::float8", 0.1),
        ("'NaN'::float8", "NaN"), ("'-infinity'::float4", "-Infinity"), ("''", ""),
        ("'2024-01-31 12:00+02'::timestamptz", "2024-01-31 10:00:00+00"),
        ("'infinity'::date", "infinity"), ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'\\x00ff'::bytea", "\\x00ff"), ("array[1, 2]", "{1,2}"), ("'{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("'a\"b\\c'", 'a"b\\c'), ("(1, 'x')::text", "(1,x)"), ("9223372036854775807", 2**63 - 1),
    ),
    "mysql": (
        ("18446744073709551615", 2**64 - 1), ("1.50", "1.50"), ("1e0", 1.0), ("''", ""),
        ("cast('2024-01-31 12:00:00.5' as datetime(3))", "2024-01-31 12:00:00.500"),
        ("cast('0000-00-00' as date)", "0000-00-00"), ("x'00ff'", "0x00ff"), ("'ü'", "ü"),
        ("cast('838:59:59' as time)", "838:59:59"), ("_latin1'a'", "a"),
    ),
}  # fmt: skip


def test_values_of_every_kind(client: TestClient, url: str, vendor: str) -> None:
    """What Python cannot hold comes as the server writes it; nothing is a 500."""
    listed = ", ".join(f"{sql} as c{n}" for n, (sql, _) in enumerate(VALUES[vendor]))
    [row] = query(client, store(client, url), f"select {listed}")["rows"]
    assert list(row.values()) == [value for _, value in VALUES[vendor]]


# What it refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize("fence", ["guard", "server"])
def test_sql_that_does_more_than_read(
    client: TestClient, url: str, vendor: str, fence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fence holds by itself, for the whole list."""
    name = {"pg": "postgresql", "mysql": "mysql"}[vendor]
    if fence == "server":
        for module in ("catalog.asking", f"connectors.{name}_session"):
            monkeypatch.setattr(f"weighbridge.{module}.check_query", lambda sql, _dialect: sql)
    run_sql(url, "create sequence counter")
    if vendor == "pg":
        run_sql(
            url,
            "create function writer() returns int language plpgsql as"
            " $$ begin delete from sentinel; return 1; end $$",
        )
    else:
        run_sql(
            url,
            "create function writer() returns int modifies sql data"
            " begin delete from sentinel; return 1; end",
            "create procedure p() delete from sentinel",
        )
    source, before = store(client, url), digest(url)
    # Reading files and writing them is a power of the role, which a read-only transaction leaves.
    beyond = ("pg_read_file", "load_file", "into outfile", "into dumpfile", "sleep", "autocommit",
              "set_config", "load data")  # fmt: skip
    refused = 0
    for sql in WRITES[name]:
        if fence == "server" and any(word in sql for word in beyond):
            continue
        answer = client.post(f"/data_sources/{source}/query", json={"query": sql})
        refused += answer.status_code == 422
        assert answer.status_code == 422 or fence == "server", (sql, answer.text)
        assert answer.status_code in {200, 422}, (sql, answer.text)
        assert digest(url) == before, sql
    assert refused >= 8
    assert not OWNED.exists()


def digest(url: str) -> list[object]:
    tables = "select table_name from information_schema.tables where table_name in ('made')"
    return [ask(url, "select * from sentinel order by id"), ask(url, tables)]


@pytest.mark.parametrize("sql", ["", "selec 1", "select * from nowhere", "select 1/0, \0", "-- x"])
def test_bad_sql_is_a_problem(client: TestClient, url: str, sql: str) -> None:
    if "/0" in sql and url.startswith("mysql"):
        sql = "select 1 from"
    said = query(client, store(client, url), sql, 422)
    assert said["detail"].endswith((".", "?"))


def test_long_sql(client: TestClient, fresh_postgres: str) -> None:
    said = query(client, store(client, fresh_postgres), f"select '{'x' * 100_000}'", 422)
    assert "more than 100,000" in said["detail"]


def test_server_that_is_not_there(client: TestClient) -> None:
    source = store(client, f"postgresql://u:p@127.0.0.1:{free_port()}/d")
    said = query(client, source, "select 1", 422)
    assert said["type"] == "urn:weighbridge:connection_failed"


# Where it ends -------------------------------------------------------------------------------


def test_rows_are_capped(client: TestClient, url: str, vendor: str) -> None:
    """A thousand million rows: the first thousand come, soon, and nothing goes on on the server."""
    series = {
        "pg": "select i, md5(i::text) as m from generate_series(1, 1000000000) i",
        "mysql": "with recursive s as (select 1 as i union all select i + 1 from s where i < 1000)"
        " select a.i, md5(b.i) as m from s a, s b, s c",
    }
    if vendor == "pg":
        # In the list of a SELECT a series is made as it is read; in FROM, PostgreSQL keeps it all.
        series["pg"] = "select generate_series(1, 1000000000) as i, 'x' as m"
    source, began, before = store(client, url), time.monotonic(), memory()
    said = query(client, source, series[vendor])
    assert time.monotonic() - began < 15
    assert len(said["rows"]) == 1_000
    assert said["capped"].startswith("These are the first 1,000 rows")
    assert quiet(url)
    assert memory() - before < 60e6


def test_a_series_that_the_server_keeps(client: TestClient, fresh_postgres: str) -> None:
    """In FROM the whole series is made first, on the server's disk: time ends it."""
    source, before, began = store(client, fresh_postgres), memory(), time.monotonic()
    said = query(client, source, "select * from generate_series(1, 1000000000) i", 422)
    assert said["type"] == "urn:weighbridge:over_budget"
    assert time.monotonic() - began < 15 + 5
    assert quiet(fresh_postgres)
    assert memory() - before < 60e6


def memory() -> int:
    """Give the bytes that this process holds in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


WIDE = {
    "pg": "select repeat('x', 1000000) as v from generate_series(1, 100)",
    "mysql": "with recursive s as (select 1 as i union all select i + 1 from s where i < 100)"
    " select repeat('x', 1000000) as v from s",
}


def test_bytes_are_capped(client: TestClient, url: str, vendor: str) -> None:
    said = query(client, store(client, url), WIDE[vendor])
    assert 5 <= len(said["rows"]) <= 10
    assert "at most 10 MB" in said["capped"]
    assert quiet(url)


def test_one_value_that_is_too_large(client: TestClient, url: str, vendor: str) -> None:
    """A driver gives a row only when it is whole: it is cut off on the way."""
    sql = "select repeat('x', 150000000) as v"
    if vendor == "mysql":
        sql = "select repeat('x', 60000000) as v"  # the server's max_allowed_packet is 64 MB
    source, before, peak = store(client, url), memory(), [0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], memory())

    looking = threading.Thread(target=look)
    looking.start()
    said = query(client, source, sql, 422)
    done.set()
    looking.join()
    assert said["type"] == "urn:weighbridge:over_budget"
    assert "more than 10 MB at once" in said["detail"]
    assert peak[0] - before < 150e6
    assert quiet(url)


@pytest.fixture
def sleepy(url: str, vendor: str) -> str:
    """Give the SQL that never ends, and that the guard lets through."""
    if vendor == "pg":
        run_sql(
            url,
            "create function nap() returns int language plpgsql volatile as"
            " $$ begin perform pg_sleep(1000000); return 1; end $$",
        )
        return "select nap()"
    run_sql(
        url,
        "create function nap() returns int not deterministic no sql begin do sleep(1000000);"
        " return 1; end",
    )
    return "select nap()"


def test_time_is_capped(
    client: TestClient, url: str, sleepy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    caps = Caps(rows=10, bytes=10_000, seconds=2.0)
    monkeypatch.setattr(asking.ask, "__kwdefaults__", {**DEFAULTS, "caps": caps})
    began = time.monotonic()
    said = query(client, store(client, url), sleepy, 422)
    assert 2 <= time.monotonic() - began < 2 + 5
    assert said["type"] == "urn:weighbridge:over_budget"
    assert "ended after 2 s" in said["detail"]
    assert quiet(url)


def test_sleep_by_name_is_refused_at_once(client: TestClient, fresh_postgres: str) -> None:
    began = time.monotonic()
    query(client, store(client, fresh_postgres), "select pg_sleep(1000000)", 422)
    assert time.monotonic() - began < 5


def test_too_many_at_once(
    client: TestClient,
    house: House,
    url: str,
    vendor: str,
    sleepy: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caps = Caps(rows=10, bytes=10_000, seconds=60.0)
    monkeypatch.setattr(asking.ask, "__kwdefaults__", {**DEFAULTS, "caps": caps})
    source, statuses = store(client, url), []

    def one(own: TestClient) -> None:
        statuses.append(
            own.post(f"/data_sources/{source}/query", json={"query": sleepy}).status_code
        )

    own = [house.client() for _ in range(4)]
    for each in own:  # an application puts itself together at its first request: one at a time
        query(each, source, "select 1 as a")
    asking_ones = [threading.Thread(target=one, args=(each,)) for each in own]
    for thread in asking_ones:
        thread.start()
    end = time.monotonic() + 40
    while len(busy(url)) < 4:
        assert time.monotonic() < end
        time.sleep(0.05)
    answer = client.post(f"/data_sources/{source}/query", json={"query": "select 1 as a"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    for number, *_ in busy(url):
        run_sql(
            url, f"select pg_terminate_backend({number})" if vendor == "pg" else f"kill {number}"
        )
    for thread in asking_ones:
        thread.join()
    assert statuses == [422] * 4
    assert query(client, source, "select 1 as a")["rows"] == [{"a": 1}]  # the seats are free


# The real server -----------------------------------------------------------------------------


@pytest.fixture
def served(house: House, tmp_path: Path) -> Iterator[str]:
    """Give the address of the API as a process of its own."""
    port = free_port()
    environ = {
        **os.environ, "DATABASE_URL": house.database.url,
        "WEIGHBRIDGE_KEY_RING": str(tmp_path / "keys.json"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "weighbridge.api", "127.0.0.1", str(port)],
        env=environ, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 30
    while True:
        with suppress(OSError), urlopen(f"{address}/healthz", timeout=2):  # noqa: S310 ours
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    yield f"{address}/datafold/api/v1"
    process.terminate()
    process.wait(30)


def test_who_goes_away_ends_the_query(
    house: House, client: TestClient, url: str, sleepy: str, served: str
) -> None:
    source = store(client, url)
    parts = urlsplit(served)
    said = json.dumps({"query": sleepy})
    link = socket.create_connection((parts.hostname, parts.port or 80))
    link.sendall(
        (
            f"POST {parts.path}/data_sources/{source}/query HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Key {house.key()}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(said)}\r\n\r\n{said}"
        ).encode()
    )
    wait_until_busy(url, "")
    link.close()
    assert quiet(url, 6)
    request = Request(  # noqa: S310 ours
        f"{served}/data_sources/{source}/query", data=b'{"query": "select 1 as a"}',
        headers={"Authorization": f"Key {house.key()}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urlopen(request, timeout=10) as answer:  # noqa: S310 ours
        assert json.loads(answer.read())["rows"] == [{"a": 1}]
