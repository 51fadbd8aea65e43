"""SQL that must not pass the guard, SQL that must, and what the guard makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import duckdb
import pytest

from tests.unit.connectors import guard_corpus as corpus
from weighbridge.connectors.guard import check_filter, check_query
from weighbridge.errors import BadArgument, BadQuery

DIALECTS = ["postgres", "mysql", "duckdb", "sqlite"]


@pytest.mark.parametrize(("dialect", "sql"), corpus.BAD_QUERIES)
def test_a_query_that_could_do_more_than_read_is_refused(dialect: str, sql: str) -> None:
    with pytest.raises(BadQuery) as caught:
        check_query(sql, dialect)
    assert caught.value.next_step


@pytest.mark.parametrize(("dialect", "sql"), corpus.GOOD_QUERIES)
def test_an_ordinary_query_passes_as_it_stands(dialect: str, sql: str) -> None:
    assert check_query(sql, dialect) == sql


@pytest.mark.parametrize(("dialect", "sql"), corpus.BAD_FILTERS)
def test_a_filter_that_is_more_than_a_condition_is_refused(dialect: str, sql: str) -> None:
    with pytest.raises(BadQuery) as caught:
        check_filter(sql, dialect)
    assert caught.value.next_step


@pytest.mark.parametrize(("dialect", "sql"), corpus.GOOD_FILTERS)
def test_an_ordinary_filter_passes_as_it_stands(dialect: str, sql: str) -> None:
    assert check_filter(sql, dialect) == sql


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", corpus.BAD_EVERYWHERE)
def test_tricks_are_refused_in_every_dialect(dialect: str, sql: str) -> None:
    with pytest.raises(BadQuery):
        check_query(sql, dialect)
    # One word alone is the name of a column.
    if not sql.isalpha():
        with pytest.raises(BadQuery):
            check_filter(sql, dialect)


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(corpus.BAD_QUERIES) + len(corpus.BAD_EVERYWHERE) >= 41
    assert len(corpus.BAD_FILTERS) + len(corpus.GOOD_FILTERS) >= 100
    for cases in (corpus.BAD_QUERIES, corpus.GOOD_QUERIES, corpus.BAD_FILTERS, corpus.GOOD_FILTERS):
        assert len(set(cases)) == len(cases)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("sql", "clean"),
    [
        ("select 1;", "select 1"),
        ("  select 1 ;; \n; ", "select 1"),
        ("select 1 -- one", "select 1"),
        ("select 1 /* one */ ; -- done", "select 1"),
        ("-- first\nselect 1", "select 1"),
        ("select/**/1", "select    1"),
        ("select '--' as a, '/*' as b", "select '--' as a, '/*' as b"),
        ("select 1 -- ) as q; drop table t\n, 2", "select 1" + " " * 24 + "\n, 2"),
        ("select ';' as a", "select ';' as a"),
        ('select 1 as "a;" ;', 'select 1 as "a;"'),
    ],
)
def test_comments_and_the_last_semicolon_are_taken_out(dialect: str, sql: str, clean: str) -> None:
    assert check_query(sql, dialect) == clean


@pytest.mark.parametrize("dialect", ["postgres", "duckdb", "sqlite"])
@pytest.mark.parametrize("mark", [";", "(", ")", "--", "/*", ","])
def test_a_name_spelled_like_a_symbol_is_a_name(dialect: str, mark: str) -> None:
    assert check_query(f'select 1 as "{mark}"', dialect) == f'select 1 as "{mark}"'
    assert check_filter(f'"{mark}" = 1', dialect) == f'"{mark}" = 1'


def test_mysql_comments_with_a_hash_are_taken_out() -> None:
    assert check_query("select 1 # ) as q", "mysql") == "select 1"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_passed_can_be_wrapped_and_passes_again(dialect: str) -> None:
    for own, sql in corpus.GOOD_QUERIES:
        if own == dialect:
            wrapped = f"SELECT count(*) FROM (\n{check_query(sql, dialect)}\n) AS q"
            assert check_query(wrapped, dialect) == wrapped


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select pg_sleep(9)", ["'pg_sleep'", "line 1, column 8"]),
        ("select 1;\ndrop table t", ["second statement", "line 1, column 9"]),
        ("with a as (\n delete from t returning *) select 1", ["'delete'", "line 2, column 2"]),
        ("drop table t", ["'drop'"]),
        ("select 1 +", ["cannot be understood"]),
        ("explain select 1", ["'explain'"]),
        ("select 'a", ["not closed"]),
    ],
)
def test_the_error_names_the_part_and_the_place(sql: str, named: list[str]) -> None:
    with pytest.raises(BadQuery) as caught:
        check_query(sql, "postgres")
    for words in named:
        assert words in caught.value.message
    assert caught.value.exit_code == 2


def test_nothing_hostile_of_the_sql_reaches_the_message() -> None:
    with pytest.raises(BadQuery) as caught:
        check_query('select "pg_\x1b]0;x\u202e"(1)', "postgres")
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


def test_an_unknown_dialect_is_a_bad_argument() -> None:
    for check in (check_query, check_filter):
        with pytest.raises(BadArgument):
            check("a = 1", "oracle")


def test_deep_nesting_and_long_text_end_in_an_error_soon() -> None:
    for sql in (
        "(" * 50_000,
        "select " + "(" * 5_000 + "1" + ")" * 5_000,
        "select " + "1+" * 200_000,
    ):
        with pytest.raises(BadQuery):
            check_query(sql, "postgres")


def test_a_long_flat_query_passes() -> None:
    sql = "select 1 where a in (" + ",".join(map(str, range(2_000))) + ")"
    assert check_query(sql, "postgres") == sql
    either = " or ".join(f"a = {n}" for n in range(500))
    assert check_filter(either, "postgres") == either


def test_good_duckdb_queries_run_wrapped() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.sql("CREATE TABLE t(id INT, a INT, b TEXT, ts TIMESTAMP, j JSON, l INT[])")
        for dialect, sql in corpus.GOOD_QUERIES:
            if dialect == "duckdb":
                connection.execute(
                    f"SELECT * FROM (\n{check_query(sql, dialect)}\n) AS q"
                ).fetchall()
        for dialect, sql in corpus.GOOD_FILTERS:
            if dialect == "duckdb":
                connection.execute(f"SELECT * FROM t WHERE (\n{check_filter(sql, dialect)}\n)")


@pytest.mark.parametrize(
    ("check", "sql", "where"),
    [
        (check_filter, "<", "understood at its end."),
        (check_filter, "a = 1 and\n< 3", "understood at its end."),
        (check_query, "select a,\nfrom where", "understood near 'where' at line 2."),
    ],
)
def test_a_fault_is_placed_in_the_users_own_text(
    check: Callable[[str, str], str], sql: str, where: str
) -> None:
    with pytest.raises(BadQuery, match=re.escape(where)):
        check(sql, "postgres")
