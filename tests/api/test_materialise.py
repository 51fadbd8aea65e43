"""Results written as tables, views copied first, rows counted by time: on real servers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from tests.api.conftest import source_body

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.house import House

# Keys 2 and 3 stand twice on one side each, one key is null, and every kind of value differs.
LEFT = """
create table l (id bigint, t text, n numeric(12, 3), f float8, g real, b boolean, d date,
    at timestamptz, plain timestamp, tm time, u uuid, j jsonb, raw bytea, big numeric, iv interval);
insert into l values
 (1, e'tab\\there "q" \\\\ \\n', 1.5, 0.1, 0.1, true, '2024-02-29', '2024-01-01 00:30Z', '2024-01-01 00:30:00.5',
  '12:34:56.789', '00000000-0000-0000-0000-000000000001', '{"a": 1}', '\\x00ff', 1e30, '1 mon 2 days 03:00'),
 (2, 'a', 2, 'nan', 2, false, null, '2024-01-01 01:30Z', null, null, null, null, null, null, null),
 (2, 'b', 2, 2, 2, false, null, '2024-01-01 01:31Z', null, null, null, null, null, null, null),
 (3, 'three', 3, 3, 3, null, null, null, null, null, null, null, null, null, null),
 (4, 'only left', 'nan', 'infinity', 4, null, 'infinity', '2024-01-02 00:00Z', null, null, null, null, null, null, null),
 (null, 'no key', 5, 5, 5, null, null, '2024-01-02 00:00Z', null, null, null, null, null, null, null),
 (6, 'same', 6, 6, 6, null, null, '2024-01-03 00:00Z', null, null, null, null, null, null, null);
create table r (like l);
insert into r values
 (1, 'ünï 😀', 1.25, 0.2, 0.2, false, '2024-03-01', '2024-01-01 00:31Z', '2024-01-01 00:31:00.5',
  '12:34:56.788', '00000000-0000-0000-0000-000000000002', '{"a": 2}', '\\xff00', 2e30, '1 mon 2 days 04:00'),
 (2, 'a', 2, 'nan', 2, false, null, '2024-01-01 01:30Z', null, null, null, null, null, null, null),
 (3, 'three', 3, 3, 3, null, null, null, null, null, null, null, null, null, null),
 (3, 'drei', 3, 3, 3, null, null, null, null, null, null, null, null, null, null),
 (6, 'same', 6, 6, 6, null, null, '2024-01-03 00:00Z', null, null, null, null, null, null, null),
 (7, 'only right', 7, 7, 7, null, null, '2024-01-04 00:00Z', null, null, null, null, null, null, null);
create view lv as select * from l;
create schema scratch;
"""


def maria_body(url: str, name: str, **more: Any) -> dict[str, Any]:
    """Write a data source of a MariaDB's database."""
    parts = urlsplit(url)
    options = {
        "host": parts.hostname, "port": parts.port, "user": parts.username,
        "password": parts.password or None, "dbname": parts.path.lstrip("/"),
    }  # fmt: skip
    return {"name": name, "type": "mysql", "options": options, **more}


def maria(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on MariaDB; give the rows of the last one."""
    parts = urlsplit(url)
    with (
        pymysql.connect(
            host=parts.hostname, port=parts.port or 3306, user=parts.username,
            password=(parts.password or "").encode(), database=parts.path.lstrip("/"),
            autocommit=True, charset="utf8mb4",
        ) as connection,
        connection.cursor() as cursor,
    ):  # fmt: skip
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def postgres(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a query on PostgreSQL."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


def stored(client: TestClient, body: Mapping[str, Any]) -> int:
    answer = client.post("/data_sources", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


@pytest.fixture
def source(client: TestClient, fresh_postgres: str) -> int:
    """Store a connection to a database with the tables l and r, and the schema scratch."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(LEFT.encode())
    return stored(client, {**source_body(fresh_postgres, "shop"), "temp_schema": "scratch"})


def body(source: int, **more: Any) -> dict[str, Any]:
    return {
        "data_source1_id": source, "data_source2_id": source, "table1": ["public", "l"],
        "table2": ["public", "r"], "pk_columns": ["id"], **more,
    }  # fmt: skip


def done(client: TestClient, house: House, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask for a diff and run it; give its number and what clients poll for."""
    answer = client.post("/datadiffs", json=asked)
    assert answer.status_code == 200, answer.text
    number = int(answer.json()["id"])
    house.run_diff(number)
    found = client.get(f"/datadiffs/{number}/summary_results").json()
    assert found["status"] == "success", found
    return number, found


def paths(found: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: tables[0]["path"] for name, tables in found["materialized_results"].items()}


def test_tables_in_postgres(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    asked = body(source, materialization_destination_id=source)
    number, found = done(client, house, asked)
    base = f"weighbridge_datadiff_{number}"
    assert paths(found) == {
        name: ["scratch", f"{base}_{name}"]
        for name in ("diff", "duplicates1", "duplicates2", "exclusives")
    }
    assert found["materialization_error"] is None
    rows = client.get(f"/datadiffs/{number}/results?page_size=100").json()
    kinds = postgres(fresh_postgres, f"select kind, id from scratch.{base}_diff order by 1, 2")
    assert sorted(kinds, key=str) == sorted(
        ((r["kind"], r["key"]["id"]) for r in rows["results"]), key=str
    )
    # The values are the source's own: held against the table by the server itself.
    columns = ["t", "n", "f", "g", "b", "d", "at", "plain", "tm", "u", "raw", "big", "iv"]
    same = " and ".join(f"m.{c}_a is not distinct from l.{c}" for c in columns)
    same += " and " + " and ".join(f"m.{c}_b is not distinct from r.{c}" for c in columns)
    flags = " and ".join(f"m.is_diff_{c}" for c in columns)
    assert postgres(
        fresh_postgres,
        f"select {same} and m.j_a::jsonb = l.j and m.j_b::jsonb = r.j, {flags}"
        f" from scratch.{base}_diff m join l using (id) join r using (id) where id = 1",
    ) == [(True, True)]
    types = dict(
        postgres(
            fresh_postgres,
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            f" where attrelid = 'scratch.{base}_diff'::regclass and attnum > 0",
        )
    )
    assert (types["id"], types["n_a"], types["at_b"], types["raw_a"], types["is_diff_n"]) == (
        "bigint", "numeric(12,3)", "timestamp with time zone", "bytea", "boolean",
    )  # fmt: skip
    for side, table, key in ((1, "l", 2), (2, "r", 3)):
        assert postgres(
            fresh_postgres,
            f"select (select array_agg(t order by t) from scratch.{base}_duplicates{side})"
            f" = (select array_agg(t order by t) from {table} where id = {key}),"
            f" (select bool_and(id = {key}) from scratch.{base}_duplicates{side})",
        ) == [(True, True)]
    exclusives = postgres(
        fresh_postgres, f"select kind, id, t_a, t_b from scratch.{base}_exclusives order by id"
    )
    assert exclusives == [
        ("only_left", 4, "only left", None),
        ("only_right", 7, None, "only right"),
    ]
    # NaN and infinity are themselves.
    special = f"select n_a, f_a, d_a::text from scratch.{base}_exclusives where id = 4"
    assert str(postgres(fresh_postgres, special)[0]) == "(Decimal('NaN'), inf, 'infinity')"
    said = client.get(f"/datadiffs/{number}/summary").json()["feedback"]
    assert f"scratch.{base}_diff" in said


def test_tables_in_mariadb(
    client: TestClient, house: House, source: int, fresh_mariadb: str
) -> None:
    database = urlsplit(fresh_mariadb).path.lstrip("/")
    there = stored(client, maria_body(fresh_mariadb, "there", temp_schema=database))
    number, found = done(client, house, body(source, materialization_destination_id=there))
    base = f"weighbridge_datadiff_{number}"
    assert paths(found)["diff"] == [database, f"{base}_diff"]
    row = maria(
        fresh_mariadb,
        "select t_a, t_b, cast(n_a as char), f_a, b_a, cast(d_a as char), cast(at_a as char),"
        " cast(tm_a as char), u_a, j_a, hex(raw_a), big_a, is_diff_t, is_diff_n"
        f" from {base}_diff where id = 1",
    )
    assert row == [
        (
            'tab\there "q" \\ \n', "ünï 😀", "1.500", "0.1", 1, "2024-02-29",
            "2024-01-01 00:30:00.000000", "12:34:56.789000",
            "00000000-0000-0000-0000-000000000001", '{"a": 1}', "00FF",
            "1000000000000000000000000000000", 1, 1,
        )
    ]  # fmt: skip
    # What no column of the type can hold is there as text.
    exclusive = maria(fresh_mariadb, f"select n_a, f_a, d_a from {base}_exclusives where id = 4")
    assert exclusive == [("NaN", "inf", "infinity")]
    counts = maria(
        fresh_mariadb,
        f"select (select count(*) from {base}_duplicates1), (select count(*) from {base}_duplicates2)",
    )
    assert counts == [(2, 2)]
    assert leftovers_maria(fresh_mariadb) == sorted(p[1] for p in paths(found).values())


def leftovers_maria(url: str) -> list[str]:
    return sorted(
        str(row[0])
        for row in maria(
            url,
            "select table_name from information_schema.tables where table_schema = database()"
            " and table_name like 'weighbridge%'",
        )
    )


def leftovers_postgres(url: str) -> list[str]:
    found = postgres(
        url, "select relname from pg_class where relname like 'weighbridge%' order by 1"
    )
    return [str(row[0]) for row in found]


def test_from_mariadb_to_postgres(
    client: TestClient, house: House, source: int, fresh_mariadb: str, fresh_postgres: str
) -> None:
    maria(
        fresh_mariadb,
        "set sql_mode = ''",
        "create table l (id int, d date, tm time, j json, u bigint unsigned, s varchar(20))",
        "create table r like l",
        "insert into l values (1, '2024-01-31', '100:00:00', '{\"a\": 1}', 18446744073709551615, 'x'),"
        " (2, '0000-00-00', '01:02:03', null, 1, 'nul \\0 in it'), (3, null, null, null, 1, 'a'),"
        " (3, null, null, null, 1, 'b')",
        "insert into r values (1, '2024-02-01', '101:00:00', '{\"a\": 2}', 18446744073709551614, 'y'),"
        " (2, '2024-01-01', '01:02:04', null, 2, 'none'), (3, null, null, null, 1, 'a')",
    )
    there = stored(client, maria_body(fresh_mariadb, "maria"))
    asked = {
        **body(there), "table1": ["l"], "table2": ["r"], "materialization_destination_id": source,
    }  # fmt: skip
    _, found = done(client, house, asked)
    assert found["materialization_error"] is None
    schema, name = paths(found)["diff"]
    rows = postgres(
        fresh_postgres,
        f"select id, d_a, d_b::text, tm_a, u_a::text, s_a from {schema}.{name} where id < 3 order by id",
    )
    assert rows == [
        (1, "2024-01-31", "2024-02-01", "100:00:00", "18446744073709551615", "x"),
        (2, "0000-00-00", "2024-01-01", "01:02:03", "1", "nul \ufffd in it"),
    ]
    schema, name = paths(found)["duplicates1"]
    assert postgres(fresh_postgres, f"select id, s from {schema}.{name} order by s") == [
        (3, "a"), (3, "b"),
    ]  # fmt: skip


def test_without_a_schema_it_is_refused_at_once(client: TestClient, fresh_postgres: str) -> None:
    bare = stored(client, source_body(fresh_postgres, "bare"))
    for more in ({"materialization_destination_id": bare}, {"materialize_dataset1": True}):
        answer = client.post("/datadiffs", json=body(bare, **more))
        assert answer.status_code == 422
        assert "temp_schema" in answer.json()["detail"]
        assert next(iter(more)) in answer.json()["detail"]
    # For a query there is nothing to copy.
    asked = body(bare, materialize_dataset1=True, table1=None, query1="select 1 as id")
    assert client.post("/datadiffs", json=asked).status_code == 200
    answer = client.post("/datadiffs", json=body(bare, materialization_destination_id=10**9))
    assert answer.status_code == 422


@pytest.mark.parametrize("schema", ["", "a\x00b", "\ud800", "x" * 65, '"; drop table a; --', "a."])
def test_a_schema_that_no_server_can_have(
    client: TestClient, fresh_postgres: str, schema: str
) -> None:
    said = json.dumps({**source_body(fresh_postgres, "shop"), "temp_schema": schema})
    headers = {"Content-Type": "application/json"}
    assert client.post("/data_sources", content=said, headers=headers).status_code == 422


def test_a_destination_that_refuses_does_not_cost_the_verdict(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    """The schema is there and the role may not write into it."""
    name = urlsplit(fresh_postgres).path.lstrip("/")
    postgres_run(
        fresh_postgres,
        f"create role reader_{name} login password 'x'", "create schema closed",
        f"grant usage on schema closed to reader_{name}",
    )  # fmt: skip
    reader = source_body(fresh_postgres, "reader")
    reader["options"] |= {"user": f"reader_{name}", "password": "x"}
    there = stored(client, {**reader, "temp_schema": "closed"})
    number, found = done(client, house, body(source, materialization_destination_id=there))
    assert found["materialized_results"] is None
    assert found["materialization_error"]["error_type"] == "query_failed"
    assert "closed" in found["materialization_error"]["error_value"]
    assert found["pks"]["dupes"] == [2, 2]
    said = client.get(f"/datadiffs/{number}/summary").json()["feedback"]
    assert "not written as tables" in said
    missing = stored(client, {**source_body(fresh_postgres, "gone"), "temp_schema": '"no""such"'})
    _, found = done(client, house, body(source, materialization_destination_id=missing))
    assert "no schema" in found["materialization_error"]["error_value"]


def postgres_run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_a_table_of_someone_else_is_left_alone(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    number = client.post("/datadiffs", json=body(source)).json()["id"] + 1
    theirs = f"scratch.weighbridge_datadiff_{number}_diff"
    postgres_run(fresh_postgres, f"create table {theirs} as select 'theirs' as whose")
    again, found = done(client, house, body(source, materialization_destination_id=source))
    assert again == number
    assert postgres(fresh_postgres, f"table {theirs}") == [("theirs",)]
    schema, name = paths(found)["diff"]
    assert name.startswith(f"weighbridge_datadiff_{number}_diff_")
    assert postgres(fresh_postgres, f"select count(*) > 0 from {schema}.{name}") == [(True,)]


def test_hostile_names(
    client: TestClient, house: House, source: int, fresh_postgres: str, fresh_mariadb: str
) -> None:
    """Names that collide, are too long, or look like SQL (T02)."""
    postgres_run(
        fresh_postgres,
        "create table public.sentinel as select 1 as one",
        'create table "x""; drop table sentinel; --" ("id" int, "id_a" int, "v" int, "v_a" int,'
        f' "V" int, "{"ä" * 31}" int, "{"ä" * 30}b" int, "a""; drop table sentinel; --`" int,'
        ' "kind" int)',
        'create table other (like "x""; drop table sentinel; --")',
        'insert into "x""; drop table sentinel; --" values (1, 1, 1, 1, 1, 1, 1, 1, 1)',
        "insert into other values (1, 2, 3, 4, 5, 6, 7, 8, 9)",
    )
    database = urlsplit(fresh_mariadb).path.lstrip("/")
    there = stored(client, maria_body(fresh_mariadb, "there", temp_schema=database))
    for place in (source, there):
        asked = {
            **body(source, materialization_destination_id=place),
            "table1": ["public", 'x"; drop table sentinel; --'], "table2": ["public", "other"],
        }  # fmt: skip
        _, found = done(client, house, asked)
        assert found["materialization_error"] is None
        schema, name = paths(found)["diff"]
        query = f"select * from {schema}.{name}"
        rows = postgres(fresh_postgres, query) if place == source else maria(fresh_mariadb, query)
        numbers = [value for value in rows[0][2:] if value not in {True, False} or value == 1]
        assert [rows[0][i] for i in range(1, 18)] == [
            1, 1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1, 7, 1, 8, 1, 9,
        ], numbers  # fmt: skip
    assert postgres(fresh_postgres, "table sentinel") == [(1,)]


def test_every_row_although_the_figures_are_of_a_sample(
    client: TestClient, house: House, source: int, fresh_postgres: str
) -> None:
    postgres_run(
        fresh_postgres,
        "create table many as select i as id, i % 10 as v from generate_series(1, 20000) i",
        "alter table many add primary key (id)",
        "create table more as select id, case when id % 100 = 0 then -1 else v end as v from many",
        "alter table more add primary key (id)", "analyze many", "analyze more",
    )  # fmt: skip
    asked = body(
        source, table1=["public", "many"], table2=["public", "more"], sampling_tolerance=5,
        sampling_confidence=90, materialization_destination_id=source,
    )  # fmt: skip
    for whole in (False, True):
        _, found = done(client, house, {**asked, "materialize_without_sampling": whole})
        table = found["materialized_results"]["diff"][0]
        assert found["pks"]["total_rows"][0] < 20000  # it is a sample
        assert table["is_sampled"] is not whole
        count = postgres(fresh_postgres, f"select count(*) from {'.'.join(table['path'])}")[0][0]
        assert count == (200 if whole else found["values"]["rows_with_differences"])


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_a_view_is_copied_once_and_dropped(
    client: TestClient, house: House, engine: str,
    source: int, fresh_postgres: str, fresh_mariadb: str,
) -> None:  # fmt: skip
    if engine == "postgres":
        # Each reading of the view is written down: a copy is one.
        postgres_run(
            fresh_postgres,
            "create sequence readings",
            "create view counted as select * from l where nextval('readings') > 0",
        )
        asked = body(source, table1=["public", "counted"], materialize_dataset1=True)
        _, found = done(client, house, asked)
        assert postgres(fresh_postgres, "select last_value from readings") == [(7,)]
        assert leftovers_postgres(fresh_postgres) == []
        assert found["pks"]["total_rows"] == [7, 6]
        # A table is read where it is.
        done(client, house, body(source, materialize_dataset1=True, materialize_dataset2=True))
        return
    database = urlsplit(fresh_mariadb).path.lstrip("/")
    maria(
        fresh_mariadb,
        "create table l (id int primary key, v int)", "create table r like l",
        "insert into l values (1, 1), (2, 2)", "insert into r values (1, 1), (2, 3)",
        "create view lv as select * from l", "create view rv as select * from r",
    )  # fmt: skip
    there = stored(client, maria_body(fresh_mariadb, "maria", temp_schema=database))
    both = {"materialize_dataset1": True, "materialize_dataset2": True}
    number, found = done(client, house, body(there, table1=["lv"], table2=["rv"], **both))
    assert found["values"]["rows_with_differences"] == 1
    assert leftovers_maria(fresh_mariadb) == []
    report = json.loads(json.dumps(house_report(house, number)))
    assert "side1_try1" in report["left"]["relation"]
    assert "side2_try1" in report["right"]["relation"]


def house_report(house: House, number: int) -> Any:
    from weighbridge.datadiffs import store  # noqa: PLC0415
    from weighbridge.store.database import EVERYTHING, seen_by  # noqa: PLC0415

    with seen_by(house.database, EVERYTHING) as connection:
        return store.get(connection, number).report


def test_rows_by_time(client: TestClient, house: House, source: int) -> None:
    number, found = done(client, house, body(source, time_column="at", time_aggregate="hour"))
    day = "2024-01-0{}T{}:00:00+00:00"
    assert found["time_aggregates"] == [
        {"bucket_start": day.format(1, "00"), "rows": [1, 1], "changed": 1, "only": [0, 0]},
        {"bucket_start": day.format(1, "01"), "rows": [2, 1], "changed": 0, "only": [1, 0]},
        {"bucket_start": day.format(2, "00"), "rows": [2, 0], "changed": 0, "only": [2, 0]},
        {"bucket_start": day.format(3, "00"), "rows": [1, 1], "changed": 0, "only": [0, 0]},
        {"bucket_start": day.format(4, "00"), "rows": [0, 1], "changed": 0, "only": [0, 1]},
        {"bucket_start": None, "rows": [1, 2], "changed": 0, "only": [0, 1]},
    ]
    add_up(client, number, found)
    asked = body(source, time_column="t", time_aggregate="day")
    number, found = done(client, house, asked)
    assert found["time_aggregates"] is None
    said = client.get(f"/datadiffs/{number}/summary").json()["feedback"]
    assert "holds no moments" in said
    answer = client.post("/datadiffs", json=body(source, time_aggregate="day"))
    assert answer.status_code == 422


def add_up(client: TestClient, number: int, found: Mapping[str, Any]) -> None:
    """Hold the buckets' sums against the figures."""
    buckets = found["time_aggregates"]
    for side in (0, 1):
        assert sum(b["rows"][side] for b in buckets) == found["pks"]["total_rows"][side]
        kind = ("only_left", "only_right")[side]
        count = client.get(f"/datadiffs/{number}/results?kind={kind}").json()["count"]
        assert sum(b["only"][side] for b in buckets) == count
    count = client.get(f"/datadiffs/{number}/results?kind=changed").json()["count"]
    assert sum(b["changed"] for b in buckets) == count


@pytest.mark.parametrize("unit", ["minute", "day", "week", "month", "year"])
def test_buckets_add_up(
    client: TestClient,
    house: House,
    source: int,
    unit: str,
    fresh_postgres: str,
    fresh_mariadb: str,
) -> None:
    """Across two engines, by stream, and in one, by checksum, also within an interval."""
    rows = (
        "select i as id, timestamp '2023-12-25 00:00' + i * interval '5 hours' as at, i % 7 as v"
        " from generate_series(1, 900) i"
    )
    postgres_run(
        fresh_postgres, f"create table a as {rows}", "alter table a add primary key (id)",
        "create table b as select id, at + case when id % 50 = 0 then interval '1 day'"
        " else interval '0' end as at, v from a where id % 9 > 0",
        "alter table b add primary key (id)",
    )  # fmt: skip
    maria(
        fresh_mariadb, "create table b (id int primary key, at datetime, v int)",
        "insert into b select seq, timestamp'2023-12-25 00:00:00' + interval seq * 5 hour,"
        " case when seq % 30 = 0 then 9 else seq % 7 end from seq_1_to_905 where seq % 11 > 0",
    )  # fmt: skip
    there = stored(client, maria_body(fresh_mariadb, "maria"))
    time = {"time_column": "at", "time_aggregate": unit}
    for more in (
        {"table2": ["public", "b"]},
        {"table2": ["public", "b"], "time_interval_start": "2024-01-10T12:00:00"},
        {"table2": ["b"], "data_source2_id": there},
    ):
        asked = {**body(source, **time), "table1": ["public", "a"], **more}
        number, found = done(client, house, asked)
        add_up(client, number, found)
        assert sum(b["changed"] for b in found["time_aggregates"]) > 0
        starts = [b["bucket_start"] for b in found["time_aggregates"]]
        assert starts == sorted(set(starts))


def test_a_table_as_it_was(
    client: TestClient, house: House, source: int, fresh_mariadb: str
) -> None:
    """MariaDB's system-versioned tables are read as of a moment; nothing else has a history."""
    maria(
        fresh_mariadb,
        "create table v (id int primary key, n int) with system versioning",
        "create table plain (id int primary key, n int)",
        "set timestamp = unix_timestamp('2024-01-01 00:00:00.5')",
        "insert into v values (1, 1), (2, 2), (3, 3)",
        "set timestamp = unix_timestamp('2024-01-02 00:00:00.5')",
        "update v set n = 20 where id = 2", "delete from v where id = 3",
        "insert into v values (4, 4)",
        "set timestamp = default", "update v set n = 10 where id = 1",
    )  # fmt: skip
    zone = maria(fresh_mariadb, "select timestampdiff(second, utc_timestamp(), now())")[0][0]
    there = stored(client, maria_body(fresh_mariadb, "maria"))
    asked = {**body(there), "table1": ["v"], "table2": ["v"]}

    def figures(**points: object) -> tuple[list[int], int, list[int]]:
        _, found = done(client, house, {**asked, **points})
        keys = found["pks"]
        return keys["total_rows"], found["values"]["rows_with_differences"], keys["exclusives"]

    early, middle = (
        f"2024-01-0{day}T00:00:01+{zone // 3600:02}:{zone % 3600 // 60:02}" for day in (1, 2)
    )
    assert figures(time_travel_point1=early) == ([3, 3], 2, [1, 1])
    assert figures(time_travel_point1=early, time_travel_point2=middle) == ([3, 3], 1, [1, 1])
    assert figures(time_travel_point1=middle) == ([3, 3], 1, [0, 0])
    assert figures(time_travel_point1="1999-01-01") == ([0, 3], 0, [0, 3])
    assert figures(time_travel_point1=-(10**6), filter1="n = 2 or n = 20")[0] == [1, 3]
    number = client.post(
        "/datadiffs", json={**asked, "table2": ["plain"], "time_travel_point2": -10}
    ).json()["id"]
    house.run_diff(number)
    found = client.get(f"/datadiffs/{number}/summary_results").json()
    assert "system-versioned" in found["error"]["error_value"]
    for more, says in (
        ({"data_source1_id": source, "time_travel_point1": -10}, "no earlier states"),
        ({"table1": None, "query1": "select 1 as id", "time_travel_point1": -10}, "with a query"),
    ):
        answer = client.post("/datadiffs", json={**asked, **more})
        assert answer.status_code == 422
        assert says in answer.json()["detail"]


@pytest.mark.parametrize("doubled", [0, 3, 2_500, 9_000])
def test_duplicates_are_the_rows_that_the_servers_count(
    client: TestClient, house: House, source: int, doubled: int,
    fresh_postgres: str, fresh_mariadb: str,
) -> None:  # fmt: skip
    """Few keys are asked for, many are found by reading all: by checksum, and from MariaDB."""
    rows = (
        f"select 'Key ' || (i % {20_000 - doubled}) as k, i % 3 as part, i as v"
        " from generate_series(0, 19999) i"
    )
    # The part makes it a key of two columns; what comes round again has the same part.
    rows = rows.replace("i % 3", f"(i % {20_000 - doubled}) % 3")
    postgres_run(
        fresh_postgres, f"create table a as {rows}", "create table b as select * from a where v > 5",
        "insert into a values ('key 1', 1, 0), (null, 1, 1), (null, 1, 1)",
    )  # fmt: skip
    maria(
        fresh_mariadb, "create table b (k varchar(20) collate utf8mb4_general_ci, part int, v int)",
        f"insert into b select concat('Key ', seq % {20_000 - doubled}),"
        f" (seq % {20_000 - doubled}) % 3, seq from seq_6_to_19999",
        "insert into b values ('key 19000', 1, 0)",
    )  # fmt: skip
    there = stored(client, maria_body(fresh_mariadb, "maria"))
    key = {"pk_columns": ["k", "part"], "materialization_destination_id": source}
    for more in ({}, {"data_source2_id": there, "table2": ["b"]}):
        asked = {
            **body(source, **key),
            "table1": ["public", "a"],
            "table2": ["public", "b"],
            **more,
        }
        _, found = done(client, house, asked)
        for side in (1, 2):
            schema, name = paths(found)[f"duplicates{side}"]
            written = f"select k, part, v from {schema}.{name}"
            assert postgres(fresh_postgres, f"select count(*) from ({written}) w") == [
                (found["pks"]["dupes"][side - 1],)
            ]
            if side == 1 or not more:
                table = "ab"[side - 1]
                truth = (
                    f"select k, part, v from {table} join (select k, part from {table}"
                    " group by 1, 2 having count(*) > 1) d using (k, part)"
                )
                for one, other in ((written, truth), (truth, written)):
                    assert postgres(fresh_postgres, f"({one}) except all ({other})") == []
        assert found["pks"]["dupes"][0] == 2 * doubled
