"""A source's values in their delivered types: the same value, or an error that names the column."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg
import pymysql
import pytest

from weighbridge.connectors.clock import now_of
from weighbridge.connectors.extracting import Rows, delivery_of
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.sides import parse_side
from weighbridge.connectors.tenancy import TenantScope, rows_of
from weighbridge.errors import NoSuchColumn, NotComparable, Unreadable
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.delivered import arrow_type

POLICY = HostPolicy.operator()


def column(name: str, kind: str) -> dict[str, Any]:
    return {
        "name_in_source": name, "name_in_destination": name, "data_type": kind,
        "is_primary_key": name == "id", "is_last_modified": name == "at",
    }  # fmt: skip


def delivered(side: str, **kinds: str) -> list[dict[str, Any]]:
    """Read a table's rows of the tenant 7 in these types."""
    spec, scope = parse_side(side), TenantScope("org", "7")
    looked = open_source(spec, POLICY, snapshot=False)
    shape = looked.shape()
    looked.close()
    made = delivery_of([column(n, k) for n, k in {"id": "bigint", **kinds}.items()], "org", shape)
    source = open_source(rows_of(spec, shape, scope), POLICY)
    try:
        rows = Rows(source, made, scope)
        found = rows.reader().read_all()
    finally:
        source.close()
    assert [f.type for f in found.schema] == [arrow_type(f.type) for f in made.fields]
    assert rows.count == found.num_rows
    moments = [r["at"] for r in found.to_pylist() if r["at"] is not None]
    assert (rows.latest is None) == (not moments)
    return sorted(found.to_pylist(), key=lambda row: row["id"])


AT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PG = {
    "b": ("boolean", "boolean", "true", True), "s": ("int2", "smallint", "-32768", -32768),
    "n": ("numeric(9,2)", "decimal(9,2)", "0.50", Decimal("0.50")),
    "nn": ("numeric", "decimal", "12345678901234567890123456789012345678901.5", "12345678901234567890123456789012345678901.5"),
    "nan": ("numeric", "decimal", "'NaN'", "NaN"), "r": ("real", "float", "1.1", 1.100000023841858),
    "f": ("float8", "float", "'-infinity'", float("-inf")), "x": ("bytea", "binary", "'\\x00ff'", b"\0\xff"),
    "d": ("date", "date", "'0001-01-01'", date(1, 1, 1)),
    "ts": ("timestamp", "timestamp", "'2024-01-02 03:04:05.678901'", AT.replace(tzinfo=None)),
    "j": ("jsonb", "json", "'{\"a\": 1.00}'", '{"a": 1.00}'), "a": ("int[]", "json", "'{1,2}'", "[1,2]"),
    "u": ("uuid", "uuid", "'3C90C3CC-0D44-4B50-8888-8DD25736052A'", "3c90c3cc-0d44-4b50-8888-8dd25736052a"),
    "i": ("int4", "text", "7", "7"), "nt": ("numeric(4,2)", "text", "0.5", "0.50"), "bi": ("bit(1)", "boolean", "B'1'", True),
    "dt": ("date", "timestamp", "'2024-01-02'", datetime(2024, 1, 2)),
    "t": ("text", "text", "E'a\\tb'", "a\tb"), "tn": ("text", "text", "''", ""),
}  # fmt: skip


def test_values_of_postgresql(fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        listed = ", ".join(f"{name} {kind[0]}" for name, kind in PG.items())
        connection.execute(f"create table t (id int, org int, at timestamptz, {listed})".encode())
        values = ", ".join(kind[2] for kind in PG.values())
        connection.execute(
            f"insert into t values (1, 7, '2024-01-02 03:04:05.678901+00', {values})".encode()
        )
        connection.execute("insert into t (id, org) values (2, 7), (3, 8)")
    found = delivered(f"{fresh_postgres}#t", at="timestamp", **{n: k[1] for n, k in PG.items()})
    assert found[0] == {"id": 1, "at": AT, **{n: k[3] for n, k in PG.items()}}
    assert found[1] == {"id": 2, "at": None, **dict.fromkeys(PG)}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("kind", "wanted", "value"),
    [
        ("int8", "integer", "2147483648"), ("int8", "smallint", "-32769"), ("int4", "boolean", "2"),
        ("numeric(9,2)", "decimal(9,2)", "'NaN'"), ("numeric(9,2)", "bigint", "1.5"),
        ("numeric(9,2)", "bigint", "'NaN'"), ("numeric(9,2)", "decimal(4,2)", "100"),
        ("numeric(9,2)", "decimal(9,1)", "1.25"), ("numeric", "decimal(9,2)", "1.255"),
        ("numeric", "decimal(9,2)", "'NaN'"), ("numeric", "bigint", "9223372036854775808"),
        ("numeric", "float", "1234567890.1234567"), ("int8", "float", "9007199254740993"),
        ("date", "date", "'infinity'"), ("timestamp", "timestamp", "'-infinity'"),
        ("timestamp", "timestamp", "'infinity'"), ("text", "json", "'{oops'"), ("text", "uuid", "'oops'"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_names_its_column(
    fresh_postgres: str, kind: str, wanted: str, value: str
) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(f"create table t (id int, org int, at timestamp, bad {kind})".encode())
        connection.execute("insert into t (id, org) values (1, 7)")
    assert delivered(f"{fresh_postgres}#t", at="timestamp", bad=wanted)[0]["bad"] is None
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute(f"insert into t values (2, 7, null, {value})".encode())
    with pytest.raises(Unreadable, match="The column bad has a value that") as caught:
        delivered(f"{fresh_postgres}#t", at="timestamp", bad=wanted)
    assert caught.value.blame == "data"
    # Nobody else's value is looked at.
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute("update t set org = 8 where id = 2")
    assert len(delivered(f"{fresh_postgres}#t", at="timestamp", bad=wanted)) == 1


MY = {
    "b": ("tinyint(1)", "boolean", "1", True), "n": ("decimal(9,2)", "decimal(9,2)", "0.5", Decimal("0.50")),
    "ub": ("bigint unsigned", "decimal(20,0)", "18446744073709551615", Decimal(2**64 - 1)),
    "f": ("double", "float", "1.5", 1.5), "x": ("varbinary(9)", "binary", "x'00ff'", b"\0\xff"),
    "d": ("date", "date", "'2024-01-02'", date(2024, 1, 2)),
    "ts": ("datetime(6)", "timestamp", "'2024-01-02 03:04:05.678901'", AT.replace(tzinfo=None)),
    "j": ("json", "json", "'{\"a\": 1.00}'", '{"a": 1.00}'), "t": ("text", "text", "'é\\t'", "é\t"),
    "bi": ("bit(1)", "boolean", "b'1'", True),
}  # fmt: skip


def test_values_of_mariadb(fresh_mariadb: str) -> None:
    parts = urlsplit(fresh_mariadb)
    with pymysql.connect(
        host=parts.hostname, port=parts.port or 0, user=parts.username or "",
        password=parts.password or "", database=parts.path[1:], autocommit=True,
    ) as connection:  # fmt: skip
        cursor = connection.cursor()
        cursor.execute("set time_zone = '+00:00', sql_mode = ''")
        listed = ", ".join(f"{name} {kind[0]}" for name, kind in MY.items())
        cursor.execute(f"create table t (id int, org int, at timestamp(6) null, {listed})")
        values = ", ".join(kind[2] for kind in MY.values())
        cursor.execute(f"insert into t values (1, 7, '2024-01-02 03:04:05.678901', {values})")
        cursor.execute("insert into t (id, org) values (2, 7), (3, 8)")
        kinds = {n: k[1] for n, k in MY.items()}
        found = delivered(f"{fresh_mariadb}#t", at="timestamp", **kinds)
        assert found[0] == {"id": 1, "at": AT, **{n: k[3] for n, k in MY.items()}}
        assert found[1] == {"id": 2, "at": None, **dict.fromkeys(MY)}
        cursor.execute("insert into t (id, org, d) values (4, 7, '0000-00-00')")
    with pytest.raises(Unreadable, match="The column d has"):
        delivered(f"{fresh_mariadb}#t", at="timestamp", d="date")


def test_values_of_duckdb(tmp_path: Path) -> None:
    file = tmp_path / "a.duckdb"
    with duckdb.connect(str(file)) as local:
        local.execute(
            "create table t as select 1 as id, 7 as org, timestamptz '2024-01-02 03:04:05.678901+00' as at,"
            " {'a': 1} as j, 170141183460469231731687303715884105727::hugeint as h,"
            " timestamp_ns '2024-01-02 03:04:05.678901000' as ns, 0.5::decimal(9,2) as n"
        )
    kinds = {"j": "json", "h": "decimal", "ns": "timestamp", "n": "text"}
    assert delivered(f"duckdb://{file}#t", at="timestamp", **kinds) == [{
        "id": 1, "at": AT, "j": '{"a":1}', "h": str(2**127 - 1), "ns": AT.replace(tzinfo=None), "n": "0.50",
    }]  # fmt: skip
    with duckdb.connect(str(file)) as local:
        local.execute("update t set ns = timestamp_ns '2024-01-02 03:04:05.678901001'")
    with pytest.raises(Unreadable, match="The column ns has"):
        delivered(f"duckdb://{file}#t", at="timestamp", ns="timestamp")


def test_models_that_do_not_fit_their_table(fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute("create table t (id int, org int, at text, b bool)")
    with pytest.raises(NotComparable, match="no moment of change"):
        delivered(f"{fresh_postgres}#t", at="text")
    with pytest.raises(NoSuchColumn, match="nosuch"):
        delivered(f"{fresh_postgres}#t", nosuch="text", at="text")
    with pytest.raises(NotComparable, match="column b is boolean"):
        delivered(f"{fresh_postgres}#t", b="uuid", at="text")


def test_the_time_at_a_source_is_its_own(postgres: str, mariadb: str) -> None:
    for url in (postgres, mariadb):
        now = now_of(parse_side(f"{url}#x"), POLICY)
        assert abs((datetime.now(UTC) - now).total_seconds()) < 30
