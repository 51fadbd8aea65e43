"""Filters that would do more than choose rows, and honest ones: refused or kept before a job."""

from __future__ import annotations

import pytest

from weighbridge.datadiffs.filters import MOST_FILTER, check_sql, dialect_of
from weighbridge.datadiffs.request import DiffRequest
from weighbridge.errors import BadQuery

HOSTILE = [
    "",
    "   ",
    ";",
    "id > 5;",
    "id > 5; drop table a",
    "1 = 1; commit; --",
    "id > 5 -- the rest is mine",
    "id > 5 /* the rest is mine */",
    "/*! 1 = 1 */ id > 5",
    "id > 5) or (1 = 1",
    "1 = 1) union select 1 from pg_shadow where (1 = 1",
    "id = 1 union select 2",
    "id in (select id from b)",
    "exists (select 1)",
    "(select count(*) from pg_authid) > 0",
    "id = any (select 1)",
    "id = (table b)",
    "id = (values (1))",
    "select 1",
    "with x as (select 1) select true",
    "true limit 1",
    "true order by pg_sleep(9)",
    "true group by id",
    "true for update",
    "id > 5 into outfile '/tmp/x'",
    "pg_sleep(9) is null",
    "pg_catalog.pg_sleep(9) is null",
    '"pg_sleep"(9) is null',
    "sleep(9) = 0",
    "benchmark(1000000, md5('x')) = 0",
    "load_file('/etc/passwd') is not null",
    "pg_read_file('/etc/passwd') like 'root%'",
    "lo_import('/etc/passwd') > 0",
    "dblink('host=x', 'select 1') is null",
    "set_config('transaction_read_only', 'off', false) = 'off'",
    "current_setting('data_directory') like '/%'",
    "nextval('s') > 0",
    "query_to_xml('delete from a', true, true, '') is null",
    "my_own_function(id)",
    "public.my_own_function(id)",
    "(a).my_own_function",
    "count(*) > 1",
    "row_number() over () > 1",
    "$$x$$ = 'x'",
    "id = $1",
    "id = :name",
    "id = {{ secret }}",
    "name = 'it''s' or 'x\\' = ' or 1 = 1 --'",
    "id > 5 \x00",
    "id > 5, drop",
    "1, 2",
    "'text'",
    "update a set id = 1",
    "id = 1 and delete from a",
    "true; select pg_terminate_backend(1)",
    "id \uff1e 5\uff1bdrop table a",
    "id = 1 \\; drop table a",
    "(" * 3000 + "id = 1" + ")" * 3000,
    "id = 1 or " * 2000 + "id = 1",
]  # fmt: skip
HONEST = [
    "id > 5",
    "status = 'paid' and amount >= 10.5",
    "name like 'a%' or name is null",
    "id in (1, 2, 3) and not deleted",
    "created_at between '2024-01-01' and '2024-02-01'",
    "lower(email) = 'a@b.c'",
    "name = 'select 1; -- drop table a'",
    "coalesce(amount, 0) <> 0",
    "active",
]


def asked(first: str | None, second: str | None = None) -> DiffRequest:
    """Make a request with filters."""
    return DiffRequest((1, 1), tables=(("a",), ("b",)), filters=(first, second))


def test_the_table_is_as_long_as_promised() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 40


@pytest.mark.parametrize("vendor", ["pg", "mysql"])
@pytest.mark.parametrize("sql", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_filter_is_refused_with_its_name(sql: str, vendor: str) -> None:
    with pytest.raises(BadQuery, match=r"^filter1"):
        check_sql((vendor, vendor), asked(sql))
    with pytest.raises(BadQuery, match=r"^filter2") as caught:
        check_sql((vendor, vendor), asked(None, sql))
    assert caught.value.next_step


@pytest.mark.parametrize("vendor", ["pg", "mysql"])
@pytest.mark.parametrize("sql", HONEST)
def test_an_honest_filter_passes(sql: str, vendor: str) -> None:
    check_sql((vendor, vendor), asked(sql, sql))


def test_each_side_is_read_in_its_own_dialect() -> None:
    backticks = "`id` > 5"
    check_sql(("mysql", "pg"), asked(backticks, None))
    with pytest.raises(BadQuery, match=r"^filter2"):
        check_sql(("mysql", "pg"), asked(None, backticks))
    assert (dialect_of("pg"), dialect_of("mysql")) == ("postgres", "mysql")


def test_a_long_filter_is_not_even_read() -> None:
    with pytest.raises(BadQuery, match="more than"):
        check_sql(("pg", "pg"), asked("x" * (MOST_FILTER + 1)))


@pytest.mark.parametrize("sql", ["delete from a", "select 1; select 2", "select pg_sleep(9)", ""])
def test_a_query_that_does_more_than_read_is_refused(sql: str) -> None:
    wanted = DiffRequest((1, 1), tables=((), ("b",)), queries=(sql, None))
    with pytest.raises(BadQuery, match=r"^query1"):
        check_sql(("pg", "pg"), wanted)
