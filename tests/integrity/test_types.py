"""Values of every data_type, at their edges: delivered as a loader does, they are equal; changed, they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.faults.command import run_sql
from tests.house import House
from tests.integrity.ground import Delivery, a_delivery, column
from tests.servers import mariadb as mariadb_tools


@dataclass(frozen=True)
class Case:
    """A column: its type in the source, in the model and at both kinds of destination.

    `values` are (source's literal, what a loader writes, as text); `other` is a wrong value.
    """

    name: str
    source: str
    data_type: str
    postgres: str
    mysql: str
    values: Sequence[tuple[str, Any]]
    other: Any
    mysql_values: Sequence[Any] | None = None
    mysql_other: Any = None


_T = "9999-12-31 23:59:59.999999"
CASES = (
    Case("bool", "boolean", "boolean", "boolean", "tinyint(1)",
         [("true", True), ("false", False), ("null", None)], False),
    Case("boolint", "integer", "boolean", "boolean", "tinyint(1)",
         [("1", True), ("0", False), ("null", None)], False),
    Case("small", "smallint", "smallint", "smallint", "smallint",
         [("-32768", -32768), ("32767", 32767), ("null", None)], 0),
    Case("int", "integer", "integer", "integer", "int",
         [("-2147483648", -(2**31)), ("2147483647", 2**31 - 1), ("0", 0)], 1),
    Case("big", "bigint", "bigint", "bigint", "bigint",
         [("-9223372036854775808", -(2**63)), ("9223372036854775807", 2**63 - 1), ("null", None)],
         2**63 - 2),
    Case("bignum", "numeric", "bigint", "bigint", "bigint",
         [("9007199254740993", 9007199254740993), ("-1.000", -1), ("null", None)],
         9007199254740992),
    Case("float", "double precision", "float", "double precision", "double",
         [("0.1", 0.1), ("-1.7976931348623157e308", -1.7976931348623157e308),
          ("5e-324", 5e-324)], 0.1000000000000001),
    Case("real", "real", "float", "double precision", "double",
         [("0.1", 0.10000000149011612), ("16777216", 16777216.0), ("null", None)], 0.2),
    Case("intfloat", "bigint", "float", "double precision", "double",
         [("9007199254740993", 9007199254740992.0), ("-5", -5.0), ("null", None)],
         9007199254740994.0),
    Case("dec", "numeric(20,5)", "decimal(20,5)", "numeric(20,5)", "decimal(20,5)",
         [("999999999999999.99999", "999999999999999.99999"), ("-0.00001", "-0.00001"),
          ("1.5", "1.50000")], "999999999999999.99998"),
    Case("wide", "numeric", "decimal", "numeric", "longtext",
         [("123456789012345678901234567890123456789012345.678",
           "123456789012345678901234567890123456789012345.678"),
          ("0.10", "0.10"), ("-5", "-5")],
         "123456789012345678901234567890123456789012345.679"),
    Case("txt", "text", "text", "text", "longtext character set utf8mb4",
         [("''", ""), ("E'a\\'\\\\b\\n\\t\u00e9\U0001f600 '", "a'\\b\n\t\u00e9\U0001f600 "),
          ("'NULL'", "NULL")], "null"),
    Case("chars", "char(4)", "text", "text", "longtext character set utf8mb4",
         [("'ab'", "ab  "), ("'abcd'", "abcd"), ("null", None)], "abce"),
    Case("inttext", "integer", "text", "text", "longtext",
         [("-7", "-7"), ("0", "0"), ("null", None)], "8"),
    Case("day", "date", "date", "date", "date",
         [("'0001-01-01'", "0001-01-01"), ("'9999-12-31'", "9999-12-31"), ("null", None)],
         "0001-01-02"),
    Case("stamp", "timestamp", "timestamp", "timestamp", "datetime(6)",
         [("'1000-01-01 00:00:00'", "1000-01-01 00:00:00"), (f"'{_T}'", _T), ("null", None)],
         "1000-01-01 00:00:00.000001"),
    Case("stamp3", "timestamp(3)", "timestamp", "timestamp", "datetime(6)",
         [("'2024-01-01 00:00:00.123'", "2024-01-01 00:00:00.123"), (f"'{_T[:-3]}'", _T[:-3]),
          ("null", None)], "2024-01-01 00:00:00.123001"),
    Case("daystamp", "date", "timestamp", "timestamp", "datetime(6)",
         [("'2024-02-29'", "2024-02-29 00:00:00"), ("'1999-12-31'", "1999-12-31 00:00:00"),
          ("null", None)], "2024-02-29 00:00:01"),
    Case("instant", "timestamptz", "timestamp", "timestamptz", "datetime(6)",
         [("'2024-03-31 02:30:00.000001+02'", "2024-03-31 00:30:00.000001+00"),
          (f"'{_T}+00'", f"{_T}+00"), ("null", None)],
         "2024-03-31 00:30:00.000002+00",
         ["2024-03-31 00:30:00.000001", _T, None], "2024-03-31 00:30:00.000002"),
    Case("doc", "jsonb", "json", "jsonb", "longtext character set utf8mb4",
         [("'{\"b\": [1, 2.50, null], \"a\": \"\u00e9\\n\"}'",
           '{"a": "\u00e9\\n", "b": [1, 2.50, null]}'), ("'[]'", "[]"), ("'null'", "null")],
         '{"a": "\u00e9\\n", "b": [1, 2.51, null]}'),
    Case("plainjson", "json", "json", "json", "json",
         [("'{\"b\":1,  \"a\":2}'", '{"a":2,"b":1}'), ("'\"x\"'", '"x"'), ("null", None)],
         '{"a":2,"b":2}'),
    Case("list", "integer[]", "json", "json", "longtext",
         [("'{1,2,null}'", "[1,2,null]"), ("'{}'", "[]"), ("null", None)], "[1,2]"),
    Case("uid", "uuid", "uuid", "uuid", "char(36)",
         [("'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"),
          ("'ABCDEFAB-cdef-4000-8000-ffffffffffff'", "abcdefab-cdef-4000-8000-ffffffffffff"),
          ("null", None)], "00000000-0000-0000-0000-000000000001"),
    Case("bin", "bytea", "binary", "bytea", "longblob",
         [("'\\x'", b""), ("'\\x00ff27'", b"\x00\xff'"), ("null", None)], b"\x00"),
)  # fmt: skip


def delivered(house: House, urls: tuple[str, str], kind: str) -> Delivery:
    columns = [
        column("id", "bigint", is_primary_key=True),
        column("updated_at", "timestamp", is_last_modified=True),
        *(column(f"s_{c.name}", c.data_type, f"d_{c.name}") for c in CASES),
    ]
    made = a_delivery(house, *urls, columns=columns, tenant="ours")
    listed = ", ".join(f"s_{c.name} {c.source}" for c in CASES)
    rows = ", ".join(
        f"({n}, 'ours', '2024-01-01 00:00:0{n}+00', {', '.join(c.values[n][0] for c in CASES)})"
        for n in range(3)
    )
    made.source(
        f"create table orders (id bigint primary key, tenant text, updated_at timestamptz, {listed})",
        f"insert into orders values {rows}",
    )
    there = ", ".join(f"d_{c.name} {getattr(c, kind)}" for c in CASES)
    stamp = "timestamptz" if kind == "postgres" else "datetime(6)"
    made.there(f"create table orders (id bigint primary key, updated_at {stamp}, {there})")
    marks = ", ".join(["%s"] * (len(CASES) + 2))
    zone = "+00" if kind == "postgres" else ""
    for n in range(3):
        write(urls[1], f"insert into orders values ({marks})",
              [n, f"2024-01-01 00:00:0{n}{zone}", *(value(c, kind, n) for c in CASES)])  # fmt: skip
    return made


def value(case: Case, kind: str, n: int) -> Any:
    if kind == "mysql" and case.mysql_values is not None:
        return case.mysql_values[n]
    return case.values[n][1]


def write(url: str, statement: str, values: Sequence[Any]) -> None:
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode(), values)
        return
    with mariadb_tools.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        connection.commit()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_every_type(
    house: House, fresh_postgres: str, request: pytest.FixtureRequest, kind: str
) -> None:
    there = request.getfixturevalue("fresh_postgres2" if kind == "postgres" else "fresh_mariadb")
    made = delivered(house, (fresh_postgres, there), kind)
    job = made.checked()
    assert job.status == "SUCCESS", job.results[0].error
    assert [(r.changed, r.source, r.destination) for r in made.rows(job)] == []
    assert job.results[0].healthy
    assert job.results[0].compared == 3
    # One wrong value in each column of the first row: each is found, and nothing else.
    run_sql(there, "create table kept as select * from orders")
    for case in CASES:
        other = case.mysql_other if kind == "mysql" and case.mysql_other else case.other
        write(there, f"update orders set d_{case.name} = %s where id = 0", [other])
    made.watermark(None)
    (row,) = made.rows(made.checked())
    missed = {f"d_{c.name}" for c in CASES} - set(row.changed)
    assert missed == set()
    assert row.key == {"id": 0}
