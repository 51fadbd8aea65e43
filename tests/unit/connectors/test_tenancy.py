"""No row of one tenant reaches another (RELIABILITY T03): random tenants, on real servers.

Two walls stand: the predicate at the source, and the look at what came. Each is tried without the
other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import hypothesis.strategies as st
import psycopg
import pymysql
import pytest
from hypothesis import HealthCheck, given, settings

from weighbridge.connectors.extracting import Rows, delivery_of
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.sides import SideSpec, parse_side
from weighbridge.connectors.tenancy import TenantScope, rows_of
from weighbridge.errors import TenantMixed
from weighbridge.net.hosts import HostPolicy

POLICY = HostPolicy.operator()
# Some of which a server, a collation or a cast takes for the same.
TWINS = (
    "", "0", "00", "-0", "+0", "0.0", "1", "01", "1 ", " 1", "1.0", "1e0", "a", "A", "a ", "a\t", "á",
    "a\u0301", "ß", "ss", "SS", "null", "NULL", "\\", "\\\\", "'", "''", "\\'", "a\\' OR 1=1 --", "' OR 1=1 --", '"', "%", "_",
    "a%", "İ", "i", "I", "\ufeffa", "a\u200b", "😀", "😁", "9223372036854775808", "true", "t",
)  # fmt: skip
TEXTS = st.sampled_from(TWINS) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)
_tables = itertools.count(1)
COLUMNS = [
    {"name_in_source": "id", "name_in_destination": "id", "data_type": "bigint", "is_primary_key": True},
    {"name_in_source": "at", "name_in_destination": "at", "data_type": "timestamp", "is_last_modified": True},
]  # fmt: skip


class Table:
    """A table of rows of several tenants on some server."""

    def __init__(
        self, url: str, run: Callable[[str, list[Any]], None], kind: str, mark: str
    ) -> None:
        self._url, self._run, self._kind, self._mark = url, run, kind, mark

    def fill(self, tenants: list[Any]) -> SideSpec:
        name = f"t{next(_tables)}"
        self._run(f"create table {name} (id bigint, org {self._kind}, at timestamp null)", [])
        for n, tenant in enumerate(tenants):
            self._run(f"insert into {name} values ({n}, {self._mark}, null)", [tenant])
        return parse_side(f"{self._url}#{name}")


def delivered(spec: SideSpec, tenant: str, *, without_predicate: bool = False) -> list[int]:
    scope = TenantScope("org", tenant)
    looked = open_source(spec, POLICY, snapshot=False)
    shape = looked.shape()
    looked.close()
    chosen = rows_of(spec, shape, scope)
    if without_predicate:
        chosen = replace(chosen, where=None)
    source = open_source(chosen, POLICY, snapshot=False)
    try:
        rows = Rows(source, delivery_of(COLUMNS, "org", shape), scope)
        return sorted(rows.reader().read_all().column("id").to_pylist())
    finally:
        source.close()


@pytest.fixture(
    scope="module", params=["postgres text", "postgres citext-like", "mariadb", "mariadb ci"]
)
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    if request.param.startswith("postgres"):
        url: str = request.getfixturevalue("postgres")
        connection: Any = psycopg.connect(url, autocommit=True)
        kind = "text" if request.param == "postgres text" else "char(40)"
        yield Table(url, lambda sql, v: connection.execute(sql.encode(), v or None), kind, "%s")
    else:
        url = request.getfixturevalue("mariadb")
        parts = urlsplit(url)
        connection = pymysql.connect(
            host=parts.hostname, port=parts.port or 0, user=parts.username or "",
            password=parts.password or "", autocommit=True, charset="utf8mb4",
        )  # fmt: skip
        connection.cursor().execute("create database if not exists tenants character set utf8mb4")
        connection.select_db("tenants")
        collation = "utf8mb4_bin" if request.param == "mariadb" else "utf8mb4_general_ci"

        def run(sql: str, values: list[Any]) -> None:
            connection.cursor().execute(sql, values or None)

        yield Table(
            parts._replace(path="/tenants").geturl(), run, f"varchar(40) collate {collation}", "%s"
        )
    connection.close()


HELD = settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@HELD
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=14), st.data())
def test_each_tenant_gets_its_own_rows(
    table: Table, tenants: list[Any], data: st.DataObject
) -> None:
    spec = table.fill(tenants)
    padded = table._kind.startswith("char")
    # A column that pads cannot tell 'a' from 'a ': its server calls them one.
    held = [t.rstrip(" ") if padded and t is not None else t for t in tenants]
    asked = {data.draw(TEXTS), data.draw(st.sampled_from(tenants)) or "", "\0", "a\0"}
    for tenant in asked:
        mine = [n for n, t in enumerate(held) if t == tenant and t is not None]
        assert delivered(spec, tenant) == mine, (tenant, tenants)


@HELD
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=8), TEXTS)
def test_without_the_predicate_the_second_look_tells(
    table: Table, tenants: list[Any], tenant: str
) -> None:
    """The mutation that T03 asks for: whoever forgets the predicate delivers nothing."""
    spec = table.fill(tenants)
    padded = table._kind.startswith("char")
    held = [t.rstrip(" ") if padded and t is not None else t for t in tenants]
    if all(t == tenant for t in held):
        assert delivered(spec, tenant, without_predicate=True) == list(range(len(held)))
    else:
        with pytest.raises(TenantMixed):
            delivered(spec, tenant, without_predicate=True)


@pytest.mark.parametrize("kind", ["bigint", "uuid"])
def test_tenants_that_are_no_texts(postgres: str, kind: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        name = f"own{next(_tables)}"
        connection.execute(f"create table {name} (id bigint, org {kind}, at timestamp)".encode())
        values = {
            "bigint": ("0", "1", "-1", "9223372036854775807", None),
            "uuid": ("3c90c3cc-0d44-4b50-8888-8dd25736052a", "00000000-0000-0000-0000-000000000000", None),
        }[kind]  # fmt: skip
        for n, value in enumerate(values):
            connection.execute(f"insert into {name} values (%s, %s, null)".encode(), (n, value))
    spec = parse_side(f"{postgres}#{name}")
    for n, value in enumerate(values):
        if value is not None:
            assert delivered(spec, value) == [n]
    for strange in (
        "",
        "01",
        "+1",
        " 1",
        "1.0",
        "-0",
        "3C90C3CC-0d44-4b50-8888-8dd25736052a",
        "x",
        "\0",
    ):
        assert delivered(spec, strange) == []
