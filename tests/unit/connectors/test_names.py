"""Names go into SQL and come back as they were, or are refused before any SQL is made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from weighbridge.connectors.guard import quote, table_name
from weighbridge.errors import BadArgument

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
DUCKDB = duckdb.connect(":memory:")
HOSTILE = [
    'a"b',
    '";drop table t;--',
    "a`b",
    "'",
    "\\",
    "\n",
    "\U0001f44d",
    '"',
    '""',
    "\u202e",
    "é" * 100,
]


def with_hostile_examples(test: Callable[..., None]) -> Callable[..., None]:
    for name in HOSTILE:
        test = example(name)(test)
    return test


@with_hostile_examples
@given(NAMES)
def test_a_quoted_name_round_trips_in_duckdb(name: str) -> None:
    cursor = DUCKDB.execute("SELECT 1 AS " + quote(name, "duckdb"))
    assert [column[0] for column in cursor.description] == [name]


@with_hostile_examples
@given(NAMES)
def test_a_quoted_name_round_trips_in_sqlite(name: str) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        cursor = connection.execute("SELECT 1 AS " + quote(name, "sqlite"))
        assert [column[0] for column in cursor.description] == [name]
    finally:
        connection.close()


@given(NAMES)
def test_a_quoted_name_ends_at_its_last_mark_everywhere(name: str) -> None:
    for dialect, mark in (("postgres", '"'), ("mysql", "`")):
        try:
            quoted = quote(name, dialect)
        except BadArgument:
            assert len(name.encode()) > 63 or any(ord(c) > 0xFFFF for c in name)
            continue
        inner = quoted[1:-1]
        assert quoted[0] == quoted[-1] == mark
        assert inner.replace(mark * 2, "").count(mark) == 0
        assert inner.replace(mark * 2, mark) == name


@pytest.mark.parametrize("dialect", ["postgres", "mysql", "duckdb", "sqlite"])
@pytest.mark.parametrize("name", ["", "a\0b", "\ud800"])
def test_a_name_that_no_server_holds_is_refused(dialect: str, name: str) -> None:
    with pytest.raises(BadArgument) as caught:
        quote(name, dialect)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize(
    ("dialect", "fits", "over", "limit"),
    [
        ("postgres", "a" * 63, "a" * 64, "63"),
        ("postgres", "é" * 31, "é" * 32, "63"),
        ("mysql", "é" * 64, "é" * 65, "64"),
    ],
)
def test_a_name_that_would_be_cut_is_refused_with_the_limit(
    dialect: str, fits: str, over: str, limit: str
) -> None:
    assert quote(fits, dialect)
    with pytest.raises(BadArgument, match=f"{dialect} keeps {limit}"):
        quote(over, dialect)


def test_mysql_holds_no_name_beyond_the_basic_plane() -> None:
    with pytest.raises(BadArgument, match=r"U\+1F44D"):
        quote("\U0001f44d", "mysql")


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(BadArgument, match="oracle"):
        quote("a", "oracle")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("t", ("t",)),
        ("schema.table", ("schema", "table")),
        ("db.schema.table", ("db", "schema", "table")),
        ('"My Schema"."Tab.le"', ("My Schema", "Tab.le")),
        ("`a b`.`c``d`", ("a b", "c`d")),
        ('"say ""hi"""', ('say "hi"',)),
        ('public."T"', ("public", "T")),
        ("my-table", ("my-table",)),
        ("Zähler$1", ("Zähler$1",)),
        ('"`"', ("`",)),
        ('";drop table t;--"', (";drop table t;--",)),
    ],
)
def test_the_name_of_a_table_is_taken_apart(text: str, parts: tuple[str, ...]) -> None:
    assert table_name(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a.b.c.d",
        '"a',
        '""',
        '"a"b',
        'a"b"',
        "a b",
        "a; drop table t",
        "a,b",
        "(select 1)",
        "f()",
        "a/*x*/",
        "a\nb",
        "'a'",
        '"a\0"',
        "a\x1b[2J",
        "[a]",
        "a'",
    ],
)
def test_what_is_no_name_is_refused_and_shown_safely(text: str) -> None:
    with pytest.raises(BadArgument) as caught:
        table_name(text)
    assert str(caught.value).isprintable()


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_quoted_parts_are_read_back(names: list[str]) -> None:
    for mark in ('"', "`"):
        written = ".".join(mark + n.replace(mark, mark * 2) + mark for n in names)
        assert table_name(written) == tuple(names)
