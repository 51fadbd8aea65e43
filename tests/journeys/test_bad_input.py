"""Bad input, by the library and by the real command: the right error, and nothing else."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

import weighbridge
from tests import servers
from tests.faults.command import diff, run_sql
from tests.servers.postgres import PASSWORD
from weighbridge import errors


@dataclass(frozen=True)
class Case:
    """`left`, `right` and options with {places}; what must come of it."""

    left: str
    right: str
    code: str
    exit_code: int
    words: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict[str, str])


PG, MY = "{postgres}", "{mariadb}"
CASES = {
    "host-unknown-pg": Case(
        "postgresql://u@no-such-host.invalid/d#t", "{ok}", "connection_failed", 3, ("no address",)
    ),
    "host-unknown-mysql": Case(
        "mysql://u@no-such-host.invalid/d#t", "{ok}", "connection_failed", 3, ("no address",)
    ),
    "port-refused-pg": Case(
        "postgresql://u@127.0.0.1:1/controller#t", "{ok}", "connection_failed", 3, ("refused",)
    ),
    "port-refused-mysql": Case(
        "{ok}", "mysql://u@127.0.0.1:1/d#t", "connection_failed", 3, ("refused",)
    ),
    "password-pg": Case("{pg_wrong}#customers", "{ok}", "auth_failed", 3, ("'weigh'",)),
    "password-mysql": Case("{my_wrong}#customers", "{ok}", "auth_failed", 3, ("'weigh'",)),
    "user-pg": Case("{pg_nobody}#customers", "{ok}", "auth_failed", 3),
    "database-pg": Case(
        "{pg_nodb}#customers", "{ok}", "no_such_database", 3, ("nodb", "name of the database")
    ),
    "database-mysql": Case(
        "{my_nodb}#customers", "{ok}", "no_such_database", 3, ("nodb", "name of the database")
    ),
    "table-pg": Case(PG + "#custmers", "{ok}", "no_such_table", 2, ("mean customers",)),
    "table-mysql": Case(MY + "#custmers", "{ok}", "no_such_table", 2, ("mean customers",)),
    "table-duckdb": Case("{duck}#custmers", "{ok}", "no_such_table", 2, ("mean customers",)),
    "table-sqlite": Case("{lite}#custmers", "{ok}", "no_such_table", 2, ("mean customers",)),
    "schema-pg": Case(PG + "#nowhere.customers", "{ok}", "no_such_table", 2, ("customers",)),
    "file": Case("{ok}", "{folder}/nosuch.csv", "no_such_table", 2, ("no file",)),
    "file-glob": Case("{ok}", "{folder}/nosuch*.csv", "no_such_table", 2, ("glob",)),
    "file-sqlite": Case("sqlite:///{folder}/no.db#t", "{ok}", "no_such_table", 2),
    "file-duckdb": Case("duckdb:///{folder}/no.db#t", "{ok}", "no_such_table", 2),
    "ending": Case("{folder}/bad.xyz", "{ok}", "bad_argument", 2, ("ending",)),
    "no-common": Case(PG + "#customers", "{other}", "not_comparable", 2, ("in common",)),
    "key-missing": Case(
        PG + "#customers", MY + "#customers", "no_such_column", 2, ("mean id",), {"key": "idd"}
    ),
    "empty-csv": Case("{ok}", "{folder}/empty.csv", "unreadable", 4, ("empty",)),
    "empty-json": Case("{ok}", "{folder}/empty.json", "unreadable", 4, ("empty",)),
    "empty-parquet": Case("{folder}/empty.parquet", "{ok}", "unreadable", 4),
    "text-parquet": Case("{folder}/text.parquet", "{ok}", "unreadable", 4, ("text.parquet",)),
    "binary-csv": Case("{folder}/binary.csv", "{ok}", "unreadable", 4, ("binary.csv",)),
    "cut-json": Case("{folder}/cut.json", "{ok}", "unreadable", 4, ("cut.json",)),
    "cut-ndjson": Case("{ok}", "{folder}/cut.ndjson", "unreadable", 4, ("cut.ndjson",)),
    "cut-ndjson-server": Case(
        PG + "#customers", "{folder}/cut.ndjson", "unreadable", 4, ("cut.ndjson",)
    ),
    "cut-parquet": Case("{folder}/cut.parquet", "{ok}", "unreadable", 4, ("cut.parquet",)),
    "holed-parquet": Case("{folder}/holed.parquet", "{ok}", "unreadable", 4, ("holed",)),
    "holed-parquet-server": Case(
        PG + "#customers", "{folder}/holed.parquet", "unreadable", 4, ("holed",)
    ),
    "late-csv": Case("{folder}/late.csv", "{ok}", "unreadable", 4, ("line",)),
    "fake-sqlite": Case("sqlite:///{folder}/fake.db#t", "{ok}", "unreadable", 4),
    "fake-duckdb": Case("duckdb:///{folder}/fake.db#t", "{ok}", "unreadable", 4),
    "filter-column": Case(
        "{ok}", "{ok}", "bad_query", 2, ("nocol",), {"where": "nocol = 'a'", "key": "id"}
    ),
    "filter-column-pg": Case(
        PG + "#customers", "{ok}", "bad_query", 2, ("nocol",), {"left_where": "nocol = 1"}
    ),
    "filter-column-mysql": Case(
        MY + "#customers", "{ok}", "bad_query", 2, ("nocol",), {"left_where": "nocol = 1"}
    ),
    "filter-value": Case(
        "{ok}", "{ok}", "bad_query", 2, (), {"where": "name::int = 1", "key": "id"}
    ),
    "query-table": Case("{ok}", "{ok}", "bad_query", 2, (), {"left_query": "select * from nosuch"}),
    "query-table-pg": Case(PG, "{ok}", "bad_query", 2, (), {"left_query": "select * from nosuch"}),
    "query-table-mysql": Case(
        MY, "{ok}", "bad_query", 2, (), {"left_query": "select * from nosuch"}
    ),
    "query-syntax": Case(PG, "{ok}", "bad_query", 2, (), {"left_query": "select from where ,"}),
}
# The command takes a second to start: it is asked for one case of each kind.
BY_COMMAND = (
    *("host-unknown-pg", "port-refused-mysql", "password-pg", "password-mysql", "database-mysql"),
    *("table-pg", "file", "no-common", "key-missing", "empty-csv", "text-parquet", "binary-csv"),
    *("cut-ndjson", "fake-sqlite", "filter-column", "query-table-mysql"),
)


@pytest.fixture(scope="module")
def places(
    postgres: str, mariadb: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Make the servers' tables and the bad files."""
    folder = tmp_path_factory.mktemp("bad")
    _write_files(folder)
    with servers.fresh_postgres(postgres) as left, servers.fresh_mariadb(mariadb) as right:
        for url in (left, right):
            run_sql(
                url,
                "create table customers (id int primary key, name varchar(20))",
                "insert into customers values (1, 'a'), (2, 'b')",
            )
        yield {
            "postgres": left,
            "mariadb": right,
            "folder": str(folder),
            "ok": str(folder / "ok.csv"),
            "other": str(folder / "other.csv"),
            "duck": f"duckdb:///{folder}/good.duckdb",
            "lite": f"sqlite:///{folder}/good.sqlite",
            "pg_wrong": left.replace(PASSWORD, "wrong"),
            "my_wrong": right.replace(PASSWORD, "wrong"),
            "pg_nobody": left.replace("weigh:", "nobody_here:"),
            "pg_nodb": f"{left.rpartition('/')[0]}/nodb",
            "my_nodb": f"{right.rpartition('/')[0]}/nodb",
        }


def _write_files(folder: Path) -> None:
    lines = "".join(f"{n},n{n}\n" for n in range(60_000))
    texts = {
        "ok.csv": "id,name\n1,a\n2,b\n",
        "other.csv": "q,z\n1,a\n",
        "late.csv": f"id,name\n{lines}60001,a,much,more\n",
        "bad.xyz": "x",
        "empty.csv": "",
        "empty.json": "",
        "empty.parquet": "",
        "text.parquet": "This is only text, and it is longer than a footer.\n",
        "cut.json": '[{"id": 1, "name": "a"}, {"id": 2, "na',
        "cut.ndjson": '{"id": 1, "name": "a"}\n' * 50_000 + '{"id": 2, "na',
        "fake.db": "This is only text.\n" * 500,
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "binary.csv").write_bytes(random.Random(1).randbytes(5000))
    whole = folder / "whole.parquet"
    duckdb.sql("select range as id, md5(range::varchar) as name from range(200000)").write_parquet(
        str(whole), row_group_size=20_000
    )
    body = whole.read_bytes()
    (folder / "cut.parquet").write_bytes(body[: len(body) // 2])
    third = len(body) // 3
    (folder / "holed.parquet").write_bytes(body[:third] + bytes(third) + body[2 * third :])
    with duckdb.connect(str(folder / "good.duckdb")) as duck:
        duck.execute("create table customers (id int, name text)")
    lite = sqlite3.connect(folder / "good.sqlite")
    lite.execute("create table customers (id int, name text)")
    lite.close()


def _wishes(case: Case) -> dict[str, object]:
    wishes: dict[str, object] = dict(case.options)
    if "left_where" in wishes:
        wishes["where"] = (wishes.pop("left_where"), None)
    return wishes


@pytest.mark.parametrize("name", CASES)
def test_library(
    places: dict[str, str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_TMPDIR", str(tmp_path))
    case = CASES[name]
    with pytest.raises(errors.WeighbridgeError) as caught:
        weighbridge.compare(
            case.left.format(**places),
            case.right.format(**places),
            **_wishes(case),  # pyright: ignore[reportArgumentType]
        )
    error = caught.value
    assert (error.code, error.exit_code) == (case.code, case.exit_code), str(error)
    for word in case.words:
        assert word.lower() in str(error).lower()
    assert error.next_step.endswith((".", "?"))
    assert PASSWORD not in str(error)
    assert ".." not in error.message.replace("...", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", BY_COMMAND)
def test_command(places: dict[str, str], name: str) -> None:
    case = CASES[name]
    options = [
        word
        for option, value in case.options.items()
        for word in (f"--{option.replace('_', '-')}", value)
    ]
    ran = diff(case.left.format(**places), case.right.format(**places), *options)
    ran.is_error(case.code, case.exit_code, *case.words)
    assert ran.out == ""


def test_doubled_key_is_a_result(places: dict[str, str]) -> None:
    for url in (places["postgres"], places["mariadb"]):
        run_sql(
            url,
            "create table doubled (id int, name varchar(9))",
            "insert into doubled values (1, 'a'), (1, 'a'), (1, 'b'), (2, 'b')",
        )
    sides = [f"{places[name]}#doubled" for name in ("postgres", "mariadb")]
    with weighbridge.compare(*sides, key="id") as comparison:
        assert comparison.report.keys.dupes == (3, 3)
        assert comparison.report.verdict == "identical"
    ran = diff(*sides, "-k", "id", "-o", "json").is_verdict(0)
    assert '"dupes":[3,3]' in ran.out.replace(" ", "").replace("\n", "")


def test_types_that_cannot_be_compared_are_named_and_the_rest_runs(
    places: dict[str, str],
) -> None:
    run_sql(
        places["postgres"],
        "create table odd (id int primary key, a int, b point)",
        "insert into odd values (1, 5, '(1,2)')",
    )
    run_sql(
        places["mariadb"],
        "create table odd (id int primary key, a int, b date)",
        "insert into odd values (1, 5, '2024-01-01')",
    )
    sides = [f"{places[name]}#odd" for name in ("postgres", "mariadb")]
    with weighbridge.compare(*sides) as comparison:
        assert [(n.column, bool(n.reason)) for n in comparison.report.not_compared] == [("b", True)]
        assert "a" in [c.name for c in comparison.report.columns]
    ran = diff(*sides).is_verdict(0)
    assert "not compared" in ran.out.lower()


def test_two_queries_over_files_do_not_read_each_other(tmp_path: Path) -> None:
    """Both name their rows `data`: once, the second query's rows stood for the first's, too."""
    (tmp_path / "l.csv").write_text("id,v\n1,a\n2,b\n")
    (tmp_path / "r.csv").write_text("id,v\n1,a\n2,X\n")
    query = "select * from data"
    with weighbridge.compare(
        str(tmp_path / "l.csv"), str(tmp_path / "r.csv"), left_query=query, right_query=query,
        key="id",
    ) as comparison:  # fmt: skip
        assert comparison.report.rows.changed == 1


def test_query_over_a_duckdb_file(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "q.duckdb")) as duck:
        duck.execute("create table t as select range as id, range * 2 as v from range(100)")
    side = f"duckdb:///{tmp_path}/q.duckdb"
    with weighbridge.compare(
        side, side, left_query="select * from t", right_query="from t where id < 90", key="id"
    ) as comparison:
        assert comparison.report.rows.only_left == 10


@pytest.mark.parametrize("words", [[], ["a.csv"], ["a.csv", "b.csv", "--nonsense"]])
def test_arguments(words: list[str]) -> None:
    diff(*words).is_error("bad_argument", 2)
