"""Loads into a real PostgreSQL: all or nothing, once, and never over what is newer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pyarrow as pa
import pytest

from weighbridge.connectors import postgresql_loader
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.loading import Field, Load, Loaded, Loader
from weighbridge.errors import (
    BadArgument,
    Busy,
    NotComparable,
    Overtaken,
    QueryFailed,
    TenantMixed,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.columns import ColumnType
from weighbridge.types.delivered import arrow_type

FIELDS = (
    Field("id", ColumnType("int", "bigint", bits=64)),
    Field("v", ColumnType("text", "text")),
    Field("b", ColumnType("bytes", "binary")),
    Field("at", ColumnType("timestamptz", "timestamp", scale=6)),
)
LOAD = Load("orders", FIELDS, ("id",), "at", True, "t1", 1, datetime.now(UTC))
Row = tuple[Any, ...]


def at(second: int) -> datetime:
    return datetime(2024, 1, 1, 0, 0, second, tzinfo=UTC)


def row(number: int, v: str | None = "v", second: int | None = 1) -> Row:
    return (number, v, None, None if second is None else at(second))


def reader(rows: Sequence[Row], fields: tuple[Field, ...] = FIELDS) -> pa.RecordBatchReader:
    schema = pa.schema([(f.name, arrow_type(f.type)) for f in fields])
    named = [dict(zip(schema.names, row, strict=True)) for row in rows]
    return pa.RecordBatchReader.from_batches(
        schema, [pa.RecordBatch.from_pylist([n], schema=schema) for n in named]
    )


class Place:
    """A destination, and someone who looks at it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._vendor = registry.VENDORS["postgres"]
        self._options = registry.checked(self._vendor, {
            "host": parts.hostname, "port": parts.port, "database": parts.path[1:],
            "schema": "out", "disable_ssl": True,
            "password_auth": {"username": parts.username, "password": parts.password},
        })  # fmt: skip
        self.connection = psycopg.connect(
            url, autocommit=True, options="-c datestyle=ISO -c timezone=UTC"
        )

    def loader(self) -> Loader:
        return registry.open_loader(
            self._vendor, self._options, "the warehouse", HostPolicy.operator()
        )

    def load(self, load: Load, rows: Sequence[Row]) -> Loaded:
        loader = self.loader()
        try:
            assert loader.find(load) is None
            loader.claim(load)
            loader.add(reader(rows, load.fields))
            done = loader.publish(Loaded(len(rows)))
            assert loader.find(load) == done
        finally:
            loader.close()
        return done

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql.encode()).fetchall()

    def rows(self, columns: str = "id, v") -> list[tuple[Any, ...]]:
        return self.ask(f"select {columns} from out.orders order by id")

    def relations(self) -> set[str]:
        return {r[0] for r in self.ask("select relname from pg_class where relkind in ('r', 'v')"
                                       " and relnamespace = 'out'::regnamespace")}  # fmt: skip


@pytest.fixture
def place(fresh_postgres: str) -> Iterator[Place]:
    found = Place(fresh_postgres)
    yield found
    found.connection.close()


@pytest.fixture
def older(fresh_postgres2: str) -> Iterator[Place]:
    found = Place(fresh_postgres2)
    yield found
    found.connection.close()


def next_(load: Load, **changes: Any) -> Load:
    token = load.token + 1
    return replace(load, transfer=f"t{token}", token=token, full=False, **changes)


AWKWARD = (
    "", " ", "\\N", "\\.", 'a"b', "a\n\\.\nb", "a\r\nb", "é\u20ac\U0001f600", "a,b\tc", "NULL", "'", "\x01",
)  # fmt: skip


def test_awkward_values_arrive_as_they_are(place: Place, older: Place) -> None:
    rows = [(n, text, text.encode() + b"\0\xff", at(1)) for n, text in enumerate(AWKWARD)]
    rows += [(100, None, None, None), (101, "", b"", at(2))]
    for where in (place, older):
        where.load(LOAD, rows)
        assert where.rows("*") == rows


def test_a_table_that_is_made_has_its_key_and_nothing_beside_it(place: Place) -> None:
    done = place.load(LOAD, [row(1), row(2)])
    assert (done.rows, done.changed) == (2, 2)
    assert place.relations() == {"orders", "_transfer_status"}
    found = place.ask(
        "select conname, pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'out.orders'::regclass and contype = 'p'"
    )
    assert found == [("orders_pkey", "PRIMARY KEY (id)")]


def test_rows_are_merged_and_never_over_newer_ones(place: Place) -> None:
    place.load(LOAD, [row(1, "old", 1), row(2, "new", 5), row(3, "timeless", None), row(4)])
    rows = [row(1, "newer", 2), row(2, "late", 4), row(3, "changed", None), row(5), row(4)]
    done = place.load(next_(LOAD), rows)
    assert place.rows() == [(1, "newer"), (2, "new"), (3, "changed"), (4, "v"), (5, "v")]
    assert done.changed == 3


def test_a_full_load_replaces_all_and_keeps_what_others_made(place: Place) -> None:
    place.load(LOAD, [row(1), row(2, "x", 9)])
    for statement in (
        "create view out.seen as select * from out.orders",
        "create role reader_of_loads", "grant select on out.orders to reader_of_loads",
        "create index of_customers on out.orders (v)",
    ):  # fmt: skip
        place.connection.execute(statement.encode())
    try:
        done = place.load(replace(next_(LOAD), full=True), [row(2, "older", 1), row(3)])
        # What was there is replaced, also by what is older.
        assert place.rows() == [(2, "older"), (3, "v")]
        assert done.changed == 3
        assert place.ask("select count(*) from out.seen") == [(2,)]
        assert place.ask(
            "select has_table_privilege('reader_of_loads', 'out.orders', 'select')"
        ) == [(True,)]
        assert place.ask("select to_regclass('out.of_customers') is not null") == [(True,)]
    finally:
        place.connection.execute("drop owned by reader_of_loads")
        place.connection.execute("drop role reader_of_loads")


def test_readers_see_the_old_rows_until_the_new_ones_are_there(place: Place) -> None:
    place.load(LOAD, [row(1, "old")])
    load = replace(next_(LOAD), full=True)
    loader = place.loader()
    loader.claim(load)
    place.connection.execute("set statement_timeout = '2s'")
    with place.connection.transaction():
        place.connection.execute("set transaction isolation level repeatable read")
        loader.add(reader([row(2, "new")]))
        assert place.rows() == [(1, "old")]
        loader.publish(Loaded(1))
        assert place.rows() == [(1, "old")]
    assert place.rows() == [(2, "new")]
    loader.close()


def test_new_columns_are_added_and_removed_ones_hold_null(place: Place) -> None:
    place.load(LOAD, [row(1), row(2)])
    place.connection.execute("alter table out.orders add column theirs text default 'own'")
    n = Field("n", ColumnType("decimal", "decimal(9,2)", precision=9, scale=2))
    fields = (FIELDS[0], FIELDS[3], n)
    load = next_(LOAD, fields=fields)
    place.load(load, [(2, at(3), None), (3, at(3), None)])
    assert place.rows("id, v, n, theirs") == [
        (1, None, None, "own"), (2, None, None, "own"), (3, None, None, "own"),
    ]  # fmt: skip
    assert [row[0] for row in place.rows("v")] == [None] * 3
    place.load(replace(next_(load), full=True), [(3, at(3), None)])
    assert place.rows("id, v") == [(3, None)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("alter table out.orders alter v type varchar(9)", ("v", "character varying(9)", "text")),
        ("alter table out.orders drop constraint orders_pkey", ("primary key (id)",)),
        ("drop table out.orders; create view out.orders as select 1 as id", ("no table",)),
    ],
)
def test_a_table_that_does_not_fit_is_an_error(
    place: Place, change: str, words: tuple[str, ...]
) -> None:
    place.load(LOAD, [row(1)])
    for statement in change.split("; "):
        place.connection.execute(statement.encode())
    loader = place.loader()
    with pytest.raises(NotComparable) as caught:
        loader.claim(next_(LOAD))
    loader.close()
    for word in words:
        assert word in caught.value.message


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(1, "a\0b")], "v"),
        ([row(1), row(1)], "(id)"),
        ([(None, "v", None, None)], "(id)"),
    ],
)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_held_is_an_error_of_the_data(
    place: Place, rows: list[Row], words: str, full: bool, there: bool
) -> None:
    if there:
        place.load(LOAD, [row(7)])
    loader, load = place.loader(), replace(next_(LOAD), full=full)
    loader.claim(load)

    def work() -> None:
        loader.add(reader(rows))
        loader.publish(Loaded(len(rows)))

    with pytest.raises(Unreadable) as caught:
        work()
    assert words in caught.value.message
    assert "a\0b" not in str(caught.value)
    assert loader.find(load) is None
    loader.close()
    if there:
        assert place.rows() == [(7, "v")]
    else:
        assert place.relations() == {"_transfer_status"}


@pytest.mark.parametrize(
    ("constraint", "word"),
    [("add constraint theirs unique (v)", "theirs"), ("add constraint short check (v < 'w')", "short"),
     ("alter b set not null", "NOT NULL of b")],
)  # fmt: skip
def test_a_constraint_of_the_customers_is_named(place: Place, constraint: str, word: str) -> None:
    place.load(LOAD, [(1, "v", b"", at(1))])
    place.connection.execute(f"alter table out.orders {constraint}".encode())
    for number, full in ((2, True), (3, False)):
        load = replace(LOAD, transfer=f"t{number}", token=number, full=full)
        with pytest.raises(QueryFailed, match=word):
            place.load(load, [(1, "v", b"", at(1)), row(2, "v"), row(3, "x"), row(4, "x")])
    assert place.rows() == [(1, "v")]


def test_json_that_is_none_names_its_column(place: Place) -> None:
    fields = (FIELDS[0], Field("doc", ColumnType("json", "json")), FIELDS[3])
    load = replace(LOAD, fields=fields)
    place.load(load, [(1, '{"a":  1.00}', at(1)), (2, "null", None)])
    assert place.rows("doc::text") == [('{"a":  1.00}',), ("null",)]
    with pytest.raises(Unreadable, match="column doc of orders"):
        place.load(next_(load), [(1, "{secret", at(1))])


def test_a_later_claim_makes_an_earlier_one_worthless(place: Place) -> None:
    place.load(LOAD, [row(1)])
    first, second = place.loader(), place.loader()
    load = next_(LOAD)
    first.claim(load)
    first.add(reader([row(2, "zombie")]))
    later = replace(load, token=load.token + 1)
    second.claim(later)
    # Its session was ended, and a new one of it is told why.
    with pytest.raises(WeighbridgeError):
        first.publish(Loaded(1))
    third = place.loader()
    with pytest.raises(Overtaken):
        third.claim(load)
    second.add(reader([row(3)]))
    second.publish(Loaded(1))
    assert place.rows() == [(1, "v"), (3, "v")]
    for loader in (first, second, third):
        loader.close()


def test_an_overtaken_one_publishes_nothing_even_if_its_session_lives(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.load(LOAD, [row(1)])
    first, second = place.loader(), place.loader()
    load = next_(LOAD)
    first.claim(load)
    first.add(reader([row(2, "zombie")]))
    monkeypatch.setattr(postgresql_loader.Ledger, "end_earlier", lambda *_: None)
    second.claim(replace(load, token=load.token + 1))
    with pytest.raises(Overtaken):
        first.publish(Loaded(1))
    assert place.rows() == [(1, "v")]
    first.close()
    second.close()


def test_the_ledger_tells_a_customer_what_came(place: Place) -> None:
    load = replace(LOAD, since=at(1), until=at(9))
    place.load(load, [row(1)])
    loader = place.loader()
    loader.claim(next_(LOAD))
    loader.close()
    assert place.ask(
        "select transfer_id, model_name, status, is_full_refresh, rows_transferred, rows_changed,"
        " window_start, window_end, token, ended_at is not null from out._transfer_status order by token"
    ) == [
        ("t1", "orders", "SUCCESS", True, 1, 1, at(1), at(9), 1, True),
        ("t2", "orders", "RUNNING", False, None, None, None, None, 2, False),
    ]  # fmt: skip
    place.load(replace(LOAD, transfer="t3", token=3), [row(1)])
    assert place.ask("select status from out._transfer_status order by token") == [
        ("SUCCESS",), ("ABANDONED",), ("SUCCESS",),
    ]  # fmt: skip


def test_nothing_that_died_leaves_a_trace(place: Place) -> None:
    place.load(LOAD, [row(1)])
    for full, table in ((True, "orders"), (False, "orders"), (True, "other")):
        loader = place.loader()
        load = replace(next_(LOAD), full=full, table=table)
        loader.claim(load)
        loader.add(reader([row(2)]))
        loader.close()
    assert place.relations() == {"orders", "_transfer_status"}
    assert place.rows() == [(1, "v")]


def test_a_lock_of_another_is_waited_for_and_then_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.load(LOAD, [row(1)])
    monkeypatch.setattr(
        postgresql_loader, "LOADING",
        postgresql_loader.LOADING.replace("lock_timeout=10s", "lock_timeout=300ms"),
    )  # fmt: skip
    with place.connection.transaction():
        place.connection.execute("lock table out.orders in share mode")
        with pytest.raises(Busy) as caught:
            place.load(next_(LOAD), [row(2)])
    assert caught.value.retry
    place.load(replace(next_(LOAD), transfer="t3", token=3), [row(2)])
    assert place.rows() == [(1, "v"), (2, "v")]


@pytest.mark.parametrize("there", [True, False])
def test_rows_of_another_tenant_are_not_published(place: Place, there: bool) -> None:
    """The second wall of T03 on the fast way: the server that takes the rows looks whose they are."""
    if there:
        place.load(LOAD, [row(1)])
    copy = "copy (select i::int8, 'v'::text, null::bytea, now(), {} from generate_series(2, 9) i) to stdout (format binary)"

    def chunks(tenant: str) -> Iterator[bytes]:
        with place.connection.cursor() as cursor, cursor.copy(copy.format(tenant).encode()) as said:
            for chunk in said:
                yield bytes(chunk)

    for foreign in (
        "case i when 5 then 'Acme' else 'acme' end", "case i when 5 then null else 'acme' end",
        "case i when 5 then 'acme ' else 'acme' end",
    ):  # fmt: skip
        loader: Any = place.loader()
        load = next_(LOAD)
        loader.claim(load)
        with pytest.raises(TenantMixed):
            loader.add_copied(chunks(foreign), "acme")
        with pytest.raises(Overtaken):
            loader.publish(Loaded(8))
        loader.close()
    assert place.relations() >= {"_transfer_status"}
    assert "orders" not in place.relations() or place.rows() == [(1, "v")]
    loader = place.loader()
    loader.claim(next_(LOAD))
    came = loader.add_copied(chunks("'acme'"), "acme")
    assert came.rows == 8
    assert came.latest is not None
    loader.publish(came)
    assert len(place.rows("*")) == 8 + there
    assert len(place.rows("*")[0]) == len(FIELDS)
    loader.close()


def test_what_cannot_be_delivered_to_yet_says_so() -> None:
    vendor = registry.VENDORS["snowflake"]
    with pytest.raises(BadArgument, match="yet"):
        registry.open_loader(vendor, None, "x", HostPolicy.operator())  # pyright: ignore[reportArgumentType]
