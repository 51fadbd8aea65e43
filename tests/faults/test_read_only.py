"""SQL of users reads, and reads only what it may (T04, T06, T33): every fence by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import weighbridge
from tests import servers
from tests.faults.command import ask, diff, run_sql
from weighbridge.connectors import guard
from weighbridge.errors import WeighbridgeError

WRITES = {
    "postgresql": (
        "delete from sentinel",
        "update sentinel set v = 'x'",
        "insert into sentinel values (9, 'x')",
        "truncate sentinel",
        "drop table sentinel",
        "create table made (a int)",
        "select * into made from sentinel",
        "with d as (delete from sentinel returning *) select * from d",
        "with d as (update sentinel set v = 'x' returning *) select * from d",
        "select 1; delete from sentinel",
        "select 1; commit; delete from sentinel",
        "select 1) as q; commit; delete from sentinel; --",
        "select set_config('transaction_read_only', 'off', false)",
        "select * from sentinel for update",
        "select nextval('counter')",
        "select setval('counter', 99)",
        "select lo_create(0)",
        "select writer()",
        "select * from sentinel where writer() = 1",
        "copy sentinel to program 'touch /tmp/weighbridge-owned'",
        "do $$ begin delete from sentinel; end $$",
        "select pg_read_file('/etc/passwd')",
        "select dblink_exec('', 'delete from sentinel')",
        "set session characteristics as transaction read write",
    ),
    "mysql": (
        "delete from sentinel",
        "update sentinel set v = 'x'",
        "insert into sentinel values (9, 'x')",
        "replace into sentinel values (1, 'x')",
        "truncate table sentinel",
        "drop table sentinel",
        "create table made (a int)",
        "select * from sentinel into outfile '/tmp/weighbridge-owned'",
        "select * from sentinel into dumpfile '/tmp/weighbridge-owned'",
        "select 1; delete from sentinel",
        "select 1 /*! ; delete from sentinel */",
        "select 1) as q; delete from sentinel; -- ",
        "select load_file('/etc/passwd')",
        "select writer()",
        "select v from sentinel where writer() = 1",
        "select nextval(counter)",
        "select * from sentinel for update",
        "select sleep(1000)",
        "call p()",
        "load data infile '/etc/passwd' into table sentinel",
        "set autocommit = 1",
    ),
}
FILTERS = (
    "1 = 1; delete from sentinel",
    "1 = 1) or (1 = 1",
    "id = 1 -- comment",
    "id = 1 /* comment */",
    "id in (select id from sentinel)",
    "exists (select 1)",
    "pg_sleep(9) is null",
    "sleep(9) = 0",
    "load_file('/etc/passwd') is null",
    "writer() = 1",
    "id = 1 union select 1",
    "",
    "'a'",
    "id = 1 order by 1",
    "id = 1 limit 1",
    "id = 1 into outfile 'x'",
    "true; commit",
)
FILE_SQL = (
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    'from "/etc/passwd"',
    "select * from data, '/etc/passwd'",
    "select (select content from read_text('/etc/passwd')) as a from data",
    "select * from glob('/etc/*')",
    "attach '/tmp/x.db' as x",
    "copy data to '/tmp/weighbridge-owned'",
    "copy (select 1) to '/tmp/weighbridge-owned'",
    "install httpfs",
    "load httpfs",
    "select getenv('HOME')",
    "select * from read_parquet('http://127.0.0.1:1/x.parquet')",
    "select * from 'http://127.0.0.1:1/x.csv'",
    "select * from duckdb_secrets()",
    "select * from sqlite_scan('/tmp/x.db', 't')",
    "set enable_external_access = true",
    "export database '/tmp/weighbridge-owned'",
    "pragma database_list",
    "select * from query('select 1')",
    "select * from query_table('/etc/passwd')",
    "call pragma_version()",
)
OWNED = Path("/tmp/weighbridge-owned")  # noqa: S108 what an attack would leave


@pytest.fixture(scope="module")
def urls(postgres: str, mariadb: str) -> Iterator[dict[str, str]]:
    """Give two databases with a table that must not change, and functions that would change it."""
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        for url in (left, right):
            run_sql(
                url,
                "create table sentinel (id int primary key, v varchar(20))",
                "insert into sentinel values (1, 'a'), (2, 'b')",
                "create sequence counter",
            )
        run_sql(
            left,
            "create function writer() returns int language plpgsql as"
            " $$ begin delete from sentinel; return 1; end $$",
        )
        run_sql(
            right,
            "create function writer() returns int modifies sql data"
            " begin delete from sentinel; return 1; end",
            "create procedure p() delete from sentinel",
        )
        yield {"postgresql": left, "mysql": right}


def _digest(url: str) -> list[object]:
    tables = (
        "select table_name from information_schema.tables where table_schema ="
        f" {'current_schema()' if url.startswith('postgresql') else 'database()'} order by 1"
    )
    counter = (
        "select last_value from counter"
        if url.startswith("postgresql")
        else "select next_not_cached_value from counter"
    )
    return [ask(url, "select * from sentinel order by id"), ask(url, tables), ask(url, counter)]


@pytest.mark.parametrize("fence", ["guard", "server"])
@pytest.mark.parametrize(
    ("vendor", "sql"), [(vendor, sql) for vendor, listed in WRITES.items() for sql in listed]
)
def test_query_that_writes(
    urls: dict[str, str], fence: str, vendor: str, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fence == "server":
        if "sleep" in sql:
            pytest.skip("it only waits")
        # As if the guard had let it through: the read-only transaction must hold alone.
        module = f"weighbridge.connectors.{vendor}"
        monkeypatch.setattr(f"{module}.check_query", lambda text, _dialect: text)
    before = _digest(urls[vendor])
    try:
        weighbridge.compare(
            urls[vendor], urls[vendor], left_query=sql,
            right_query="select id, v from sentinel", snapshot=False,
        ).close()  # fmt: skip
        refused = False
    except WeighbridgeError as error:
        refused = error.code in {"bad_query", "not_comparable", "query_failed", "no_such_column"}
    assert _digest(urls[vendor]) == before
    assert not OWNED.exists()
    # A function that writes has any name: only the server can know it.
    assert refused or "writer" in sql or fence == "server"


@pytest.mark.parametrize("vendor", ["postgresql", "mysql"])
@pytest.mark.parametrize("sql", FILTERS)
def test_filter_that_is_more_than_a_filter(urls: dict[str, str], vendor: str, sql: str) -> None:
    before = _digest(urls[vendor])
    side = f"{urls[vendor]}#sentinel"
    with pytest.raises(WeighbridgeError) as caught:
        weighbridge.compare(side, side, where=(sql or " ", None))
    assert caught.value.code == "bad_query"
    assert _digest(urls[vendor]) == before


@pytest.mark.parametrize("fence", ["guard", "engine"])
@pytest.mark.parametrize("sql", FILE_SQL)
def test_query_over_a_file_reads_that_file_only(
    fence: str, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fence == "engine":
        monkeypatch.setattr("weighbridge.connectors.local.check_query", lambda text, _dialect: text)
    csv, base = tmp_path / "l.csv", tmp_path / "b.duckdb"
    csv.write_text("id,v\n1,a\n")
    with duckdb.connect(str(base)) as duck:
        duck.execute("create table data as select 1 as id, 'a' as v")
    for side in (str(csv), f"duckdb:///{base}"):
        with pytest.raises(WeighbridgeError) as caught:
            weighbridge.compare(side, str(csv), left_query=sql)
        assert "root:" not in str(caught.value)
    assert not OWNED.exists()


def test_other_file_that_exists_is_refused_too(tmp_path: Path) -> None:
    for name in ("l.csv", "other.csv"):
        (tmp_path / name).write_text("id,v\n1,secret\n")
    query = f"select * from read_csv('{tmp_path}/other.csv')"
    with pytest.raises(WeighbridgeError):
        weighbridge.compare(str(tmp_path / "l.csv"), str(tmp_path / "l.csv"), left_query=query)


def test_as_the_command_tells_it(urls: dict[str, str], tmp_path: Path) -> None:
    url = urls["postgresql"]
    ran = diff(url, url, "--left-query", "delete from sentinel", "--right-query", "select 1 as a")
    ran.is_error("bad_query", 2, "delete")
    ran = diff(f"{url}#sentinel", f"{url}#sentinel", "--where", "1=1; drop table sentinel")
    ran.is_error("bad_query", 2)
    assert guard.check_query("select 1", "postgres") == "select 1"
