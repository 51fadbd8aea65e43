"""Loads into a real MariaDB: once, whole, in order, and never a value that is another one there."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults.proxy import proxied
from tests.loaders.ground import (
    BEGAN,
    EVERY,
    USUAL,
    a_load,
    batches,
    deliver,
    field,
    loaded,
    moment,
)
from tests.servers.mariadb import connect
from weighbridge.connectors import mysql_loader
from weighbridge.connectors.loading import Loaded
from weighbridge.connectors.mysql_loader import MySQLLoader
from weighbridge.connectors.sides import parse_side
from weighbridge.errors import (
    Busy,
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    NotComparable,
    Overtaken,
    QueryFailed,
    Unreadable,
)
from weighbridge.net.hosts import HostPolicy

Opener = Callable[[], MySQLLoader]
Ask = Callable[..., list[tuple[Any, ...]]]


def opener(url: str) -> Opener:
    spec = replace(parse_side(f"{url}#x"), table=(), label="the destination")
    return lambda: MySQLLoader(spec, HostPolicy.operator(), str(spec.database))


@pytest.fixture
def opened(fresh_mariadb: str) -> Opener:
    return opener(fresh_mariadb)


@pytest.fixture
def ask(fresh_mariadb: str) -> Iterator[Ask]:
    """Give a customer's own session."""
    with closing(connect(fresh_mariadb)) as connection:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        yield rows


ROWS = [(1, "a", moment(2)), (2, "b", moment(3)), (3, None, None)]


def test_first_full_then_merged(opened: Opener, ask: Ask) -> None:
    done = deliver(opened, a_load(1, full=True), ROWS)
    assert (done.rows, done.changed, done.latest) == (3, 3, moment(3))
    assert done.bytes > 30
    assert ask("select id, name, at from orders order by id") == [
        (1, "a", moment(2).replace(tzinfo=None)), (2, "b", moment(3).replace(tzinfo=None)),
        (3, None, None),
    ]  # fmt: skip
    rows = [(2, "B", moment(4)), (3, "c", moment(1)), (4, "d", moment(5))]
    done = deliver(opened, a_load(2), rows)
    assert done.changed == 3
    assert [r[1] for r in ask("select id, name from orders order by id")] == ["a", "B", "c", "d"]
    assert ask(
        "select model_name, transfer_id, status, is_full_refresh, rows_transferred, rows_changed,"
        " began_at, window_start, window_end, watermark, token from _transfer_status order by token"
    ) == [
        ("orders", "t-1", "SUCCESS", 1, 3, 3, BEGAN.replace(tzinfo=None), None,
         moment(28).replace(tzinfo=None), moment(3).replace(tzinfo=None), 1),
        ("orders", "t-2", "SUCCESS", 0, 3, 3, BEGAN.replace(tzinfo=None),
         moment(1).replace(tzinfo=None), moment(28).replace(tzinfo=None),
         moment(5).replace(tzinfo=None), 2),
    ]  # fmt: skip
    # What the source has no more goes with a full refresh, and rows that are the same are no change.
    done = deliver(opened, a_load(3, full=True), [rows[0], (9, "i", moment(1))])
    assert done.changed == 4
    assert ask("select id from orders order by id") == [(2,), (9,)]


def test_every_type_is_held_exactly(opened: Opener, ask: Ask) -> None:
    fields = [f for f, _ in EVERY]
    row = [value for _, value in EVERY]
    empty = [8, *(None for _ in EVERY[1:])]
    deliver(opened, a_load(1, fields=fields, full=True), [row, empty])
    there = ask("select * from orders order by id")
    expected = [
        v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in row
    ]  # instants lie there in UTC
    assert list(there[0]) == expected
    assert list(there[1]) == empty
    kinds = dict(ask("select column_name, column_type from information_schema.columns"
                     " where table_schema = database() and table_name = 'orders'"))  # fmt: skip
    assert kinds["d"] == "decimal(12,3)"
    assert (kinds["big"], kinds["j"], kinds["raw"]) == ("longtext", "longtext", "longblob")
    assert (kinds["at"], kinds["u"], kinds["b"]) == ("datetime(6)", "char(36)", "tinyint(1)")


@pytest.mark.parametrize(
    "number", [5e-324, 1.7976931348623157e308, -0.0, 0.1, 1 / 3, 2.0**60 + 2**8]
)
def test_floats_arrive_to_the_last_bit(opened: Opener, ask: Ask, number: float) -> None:
    fields = [field("id", "bigint"), field("f", "float")]
    deliver(opened, a_load(1, fields=fields, last_modified=""), [(1, number)])
    (there,) = ask("select f from orders")[0]
    assert there == number
    assert math.copysign(1, there) == math.copysign(1, number) or number == 0


@pytest.mark.parametrize(
    ("data_type", "value", "words"),
    [
        ("float", math.nan, "NaN or infinity"),
        ("float", -math.inf, "NaN or infinity"),
        ("date", date(999, 12, 31), "years 1000 to 9999"),
        ("timestamp", datetime(999, 12, 31, tzinfo=UTC), "years 1000 to 9999"),
        ("uuid", "no uuid", "no uuid"),
        ("decimal(50,2)", "NaN", "no number"),
        ("decimal(50,2)", "1.234", "no number"),
        ("decimal(50,2)", "1" * 49, "no number"),
    ],
)
def test_what_cannot_be_held_is_an_error_of_its_column(
    opened: Opener, ask: Ask, data_type: str, value: object, words: str
) -> None:
    fields = [field("id", "bigint"), field("v", data_type)]
    load = a_load(1, fields=fields, last_modified="")
    with pytest.raises(Unreadable, match=f"column v of orders: .*{words}") as caught:
        deliver(opened, load, [(1, None), (2, value)])
    assert caught.value.blame == "data"
    assert str(value) not in str(caught.value) or value == "no uuid"
    assert ask("select * from orders") == []
    assert ask("select status from _transfer_status") == [("RUNNING",)]


def test_keys_of_text_are_told_apart_byte_by_byte(opened: Opener, ask: Ask) -> None:
    fields = [
        field("k", "text"),
        field("raw", "binary"),
        field("u", "uuid"),
        field("at", "timestamp"),
    ]
    one = "0b5c1c1e-7f2a-4b43-8f5e-000000000001"
    texts = ["a", "A", "a ", "á", "a\0", "", " ", "ß", "ss", "😀" * 100]
    rows = [(t, raw, one, moment(2)) for t in texts for raw in (b"", b"\0", b" ")]
    load = a_load(1, fields=fields, key=("k", "raw", "u"))
    assert deliver(opened, load, rows).changed == 30
    assert deliver(opened, replace(load, transfer="t-2", token=2), rows).changed == 0
    assert ask("select count(*), count(distinct hex(k)) from orders") == [(30, 10)]


@pytest.mark.parametrize("value", ["x" * 256, None])
def test_keys_that_no_index_takes(opened: Opener, value: str | None) -> None:
    load = a_load(1, fields=[field("k", "text"), field("at", "timestamp")], key=("k",))
    with pytest.raises(Unreadable, match="column k of orders: null, or one longer than 255"):
        deliver(opened, load, [(value, moment(1))])


def test_a_newer_row_is_never_overwritten(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), [(1, "new", moment(9)), (2, "same", moment(9)), (3, "none", None)])
    late = [(1, "old", moment(8)), (2, "again", moment(9)), (3, "some", moment(1))]
    assert deliver(opened, a_load(2), late).changed == 2
    assert ask("select name from orders order by id") == [("new",), ("again",), ("some",)]


def test_one_key_twice_is_an_error(opened: Opener, ask: Ask) -> None:
    with pytest.raises(Unreadable, match="share a key"):
        deliver(opened, a_load(1), [(1, "a", moment(1)), (1, "b", moment(2))])
    assert ask("select * from orders") == []


def test_a_unique_index_of_the_customer_never_moves_a_row(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), [(1, "a", moment(1))])
    ask("alter table orders add unique (name(100))")
    with pytest.raises(Unreadable, match="unique index"):
        deliver(opened, a_load(2), [(2, "a", moment(2))])
    assert ask("select id, name from orders") == [(1, "a")]


def test_the_same_load_is_published_once(opened: Opener, ask: Ask) -> None:
    load = a_load(1)
    first = deliver(opened, load, ROWS)
    with closing(opened()) as again:
        assert again.find(load) == first
        assert again.find(a_load(2)) is None
        # An attempt that had looked before the first one published.
        again.claim(replace(load, token=2))
        again.add(batches(load.fields, [(1, "changed since", moment(20))]))
        assert again.publish(Loaded(1)) == first
    assert ask("select name from orders order by id") == [("a",), ("b",), (None,)]


def test_who_was_overtaken_changes_nothing(opened: Opener, ask: Ask) -> None:
    with closing(opened()) as early, closing(opened()) as late:
        early.claim(a_load(1))
        early.add(batches(USUAL, ROWS))
        late.claim(a_load(2))
        late.add(batches(USUAL, ROWS[:1]))
        with pytest.raises(Overtaken):
            early.publish(loaded(a_load(1), ROWS))
        late.publish(loaded(a_load(2), ROWS[:1]))
        with pytest.raises(Overtaken):
            early.claim(a_load(1))
    assert ask("select id from orders") == [(1,)]
    assert ask("select transfer_id, status from _transfer_status order by token") == [
        ("t-1", "ABANDONED"), ("t-2", "SUCCESS")]  # fmt: skip


def test_nothing_is_seen_before_all_of_it(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1, full=True), ROWS)
    ask("create view seen as select * from orders")
    with closing(opened()) as loader:
        loader.claim(a_load(2, full=True))
        loader.add(batches(USUAL, [(9, "z", moment(9))]))
        tables = ask("select table_name from information_schema.tables"
                     " where table_schema = database()")  # fmt: skip
        assert set(tables) == {("_transfer_status",), ("orders",), ("seen",)}
        assert len(ask("select * from seen")) == 3
        loader.publish(Loaded(1))
    assert ask("select id from seen") == [(9,)]


def test_columns_come_and_go(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), ROWS)
    ask("alter table orders add column own_words text, add index (at)")
    ask("update orders set own_words = 'mine'")
    more = (field("id", "bigint"), field("at", "timestamp"), field("extra", "decimal(8,2)"))
    deliver(opened, a_load(2, fields=more), [(1, moment(20), None), (5, moment(20), 5)])
    assert ask("select id, name, own_words, extra from orders order by id") == [
        (1, None, "mine", None), (2, None, "mine", None), (3, None, "mine", None),
        (5, None, None, 5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "alter table orders modify name varchar(9)",
            "column name of orders is varchar.9..*expected longtext",
        ),
        ("alter table orders drop primary key", r"no primary key \(id\)"),
        ("alter table orders drop primary key, add primary key (id, at)", "no primary key"),
        ("drop table orders; create view orders as select 1 as id", "cannot be a delivered table"),
    ],
)
def test_what_does_not_fit_is_an_error(opened: Opener, ask: Ask, change: str, words: str) -> None:
    deliver(opened, a_load(1), ROWS[:2])
    for statement in change.split("; "):
        ask(statement)
    with pytest.raises(NotComparable, match=words):
        deliver(opened, a_load(2), ROWS)


def test_a_key_that_folds_letters_is_refused(opened: Opener, ask: Ask) -> None:
    load = a_load(1, fields=[field("k", "text"), field("at", "timestamp")], key=("k",))
    deliver(opened, load, [("a", moment(1))])
    ask("alter table orders modify k varchar(255) collate utf8mb4_general_ci not null")
    with pytest.raises(NotComparable, match="utf8mb4_general_ci"):
        deliver(opened, replace(load, transfer="t-2", token=2), [("A", moment(1))])


def test_rows_that_were_counted_otherwise_are_not_published(opened: Opener, ask: Ask) -> None:
    with closing(opened()) as loader:
        loader.claim(a_load(1))
        loader.add(batches(USUAL, ROWS))
        with pytest.raises(QueryFailed, match="Of 4 rows of orders, 3 arrived"):
            loader.publish(Loaded(4))
    assert ask("select * from orders") == []


def test_large_values_and_many_rows(opened: Opener, ask: Ask) -> None:
    large = "ü" * 1_500_000
    rows = [(n, large if n == 5 else "v" * 200, moment(1)) for n in range(20_000)]
    assert deliver(opened, a_load(1), rows).changed == 20_000
    assert ask("select count(*), sum(char_length(name)) from orders") == [
        (20_000, 19_999 * 200 + 1_500_000)]  # fmt: skip


def test_a_frozen_worker_holds_no_locks(
    opened: Opener, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql_loader, "IDLE_SECONDS", 1)
    deliver(opened, a_load(1), ROWS)
    with closing(opened()) as frozen, closing(opened()) as awake:
        frozen.claim(a_load(2))
        frozen.add(batches(USUAL, ROWS[:1]))
        held = frozen._transaction()
        held.__enter__()
        frozen._ledger.hold(a_load(2))
        began = time.monotonic()
        awake.claim(a_load(3))  # waits for the frozen one's lock
        assert 0.2 < time.monotonic() - began < 8
        with pytest.raises(ConnectionLost):
            held.__exit__(None, None, None)
        awake.add(batches(USUAL, [(7, "g", moment(7))]))
        awake.publish(Loaded(1))
    assert ask("select count(*) from orders") == [(4,)]


def test_a_lock_of_another_is_waited_for_a_while(
    opened: Opener, fresh_mariadb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(opened, a_load(1), ROWS)
    with closing(connect(fresh_mariadb)) as other, other.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("select * from orders for update")
        with closing(opened()) as loader:
            loader._ask("SET SESSION innodb_lock_wait_timeout = 1")
            loader.claim(a_load(2))
            loader.add(batches(USUAL, [(1, "z", moment(9))]))
            with pytest.raises(Busy) as caught:
                loader.publish(Loaded(1))
    assert caught.value.retry


def test_a_load_is_cancelled(opened: Opener, fresh_mariadb: str, ask: Ask) -> None:
    deliver(opened, a_load(1), ROWS)
    with closing(connect(fresh_mariadb)) as other, other.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("select * from orders for update")
        with closing(opened()) as loader:
            loader.claim(a_load(2))
            loader.add(batches(USUAL, [(1, "z", moment(9))]))
            stop = threading.Timer(1, loader.cancel)
            stop.start()
            began = time.monotonic()
            with pytest.raises(Cancelled):
                loader.publish(Loaded(1))
            assert time.monotonic() - began < 5
    assert ask("select name from orders where id = 1") == [("a",)]


def test_a_connection_that_breaks_anywhere(fresh_mariadb: str, ask: Ask) -> None:
    rows = [(n, "v" * 500, moment(1)) for n in range(3000)]
    with proxied(fresh_mariadb) as way:
        deliver(opener(way.url(fresh_mariadb)), a_load(1), rows)
        whole = way.passed
    assert whole > 1000
    for token, part in enumerate((0.02, 0.3, 0.6, 0.75, 0.9, 0.97, 0.999), start=2):
        load = a_load(token, table=f"t{token}")
        with proxied(fresh_mariadb, after=int(whole * part)) as way:
            with pytest.raises(ConnectionFailed):
                deliver(opener(way.url(fresh_mariadb)), load, rows)
            assert way.fired
        # What was committed is found, what was not is loaded: each row is there once.
        deliver(opener(fresh_mariadb), replace(load, token=token + 100), rows)
        assert ask(f"select count(*) from t{token}") == [(3000,)]


def test_an_acknowledgement_that_is_lost(
    fresh_mariadb: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = a_load(1)
    with (
        proxied(fresh_mariadb) as way,
        closing(opener(way.url(fresh_mariadb))()) as loader,
    ):
        loader.claim(load)
        loader.add(batches(USUAL, ROWS))
        ask_it = loader._ask

        def cut(sql: str, *values: object) -> list[tuple[Any, ...]]:
            if sql == "COMMIT":
                loader._connection._sock.sendall(b"\x07\x00\x00\x00\x03COMMIT")
                until = time.monotonic() + 5
                while not ask("select * from orders") and time.monotonic() < until:
                    time.sleep(0.01)
                assert loader._connection._sock.recv(100)  # the answer, thrown away
                way.fire()
            return ask_it(sql, *values)

        monkeypatch.setattr(loader, "_ask", cut)
        with pytest.raises(ConnectionLost):
            loader.publish(loaded(load, ROWS))
    with closing(opener(fresh_mariadb)()) as again:
        found = again.find(load)
    assert found is not None
    assert (found.rows, found.latest) == (3, moment(3))
    assert ask("select count(*) from orders") == [(3,)]


def test_the_password_is_in_no_error(fresh_mariadb: str) -> None:
    password = str(urlsplit(fresh_mariadb).password)
    with closing(opener(fresh_mariadb)()) as loader, pytest.raises(QueryFailed) as caught:
        loader._ask(f"SELECT {password.replace('-', '_')} FROM nothing_there -- {password}")
    assert password not in str(caught.value)
