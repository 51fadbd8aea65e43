"""Loads into files of DuckDB, which one program at a time may write; MotherDuck cannot be reached here."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.loaders.ground import EVERY, USUAL, a_load, batches, deliver, field, loaded, moment
from weighbridge.catalog.destination_test import check_address
from weighbridge.connectors import duckdb_loader
from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.duckdb_loader import DuckDBLoader
from weighbridge.connectors.duckdb_place import FOLDER, place_of
from weighbridge.connectors.loading import Loaded
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import (
    BadArgument,
    Busy,
    Cancelled,
    HostRefused,
    NotComparable,
    Overtaken,
    QueryFailed,
    Unreadable,
)
from weighbridge.net.hosts import HostPolicy

POLICY = HostPolicy.operator()
SPEC = SideSpec("motherduck", "the destination", database="shop.duckdb", password="none")
Opener = Callable[[], DuckDBLoader]
Ask = Callable[..., list[tuple[Any, ...]]]
ROWS = [(1, "a", moment(2)), (2, "b", moment(3)), (3, None, None)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Allow a folder of files."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Opener:
    return lambda: DuckDBLoader(SPEC, POLICY, "sales")


@pytest.fixture
def ask(folder: Path) -> Ask:
    """Give a customer's own look into the file."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(folder / "shop.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            if "sales" in sql or "select" not in sql:
                connection.execute("create schema if not exists sales")
            connection.execute("use sales")
            return connection.execute(sql).fetchall()

    return rows


def test_first_full_then_merged(opened: Opener, ask: Ask) -> None:
    done = deliver(opened, a_load(1, full=True), ROWS)
    assert (done.rows, done.changed, done.latest) == (3, 3, moment(3))
    rows = [(2, "B", moment(4)), (3, "c", moment(1)), (4, "d", moment(5))]
    assert deliver(opened, a_load(2), rows).changed == 3
    assert ask("select name from orders order by id") == [("a",), ("B",), ("c",), ("d",)]
    assert ask(
        "select model_name, transfer_id, status, is_full_refresh, rows_transferred, rows_changed,"
        " epoch_us(window_start), epoch_us(watermark), token from _transfer_status order by token"
    ) == [
        ("orders", "t-1", "SUCCESS", True, 3, 3, None, _micros(moment(3)), 1),
        ("orders", "t-2", "SUCCESS", False, 3, 3, _micros(moment(1)), _micros(moment(5)), 2),
    ]  # fmt: skip
    done = deliver(opened, a_load(3, full=True), [rows[0], (9, "i", moment(1))])
    assert done.changed == 4
    assert ask("select id from orders order by id") == [(2,), (9,)]
    # The same rows again are no change.
    assert deliver(opened, a_load(4, full=True), [rows[0], (9, "i", moment(1))]).changed == 0


def _micros(when: datetime) -> int:
    return int((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000 + 0.5)


def test_every_type_is_held_exactly(opened: Opener, ask: Ask) -> None:
    fields = [f for f, _ in EVERY]
    row = [value for _, value in EVERY]
    deliver(opened, a_load(1, fields=fields, full=True), [row, [8, *(None for _ in EVERY[1:])]])
    names = ", ".join(
        'epoch_us("at")' if f.name == "at" else f"cast({f.name} as varchar)" if f.name in "uj"
        else f.name for f in fields
    )  # fmt: skip
    there = ask(f"select {names} from orders order by id")
    expected = [_micros(v) if isinstance(v, datetime) and v.tzinfo else v for v in row]
    assert list(there[0]) == expected
    assert list(there[1]) == [8, *(None for _ in EVERY[1:])]
    kinds = dict(
        ask("select column_name, data_type from duckdb_columns() where table_name = 'orders'")
    )
    assert kinds["d"] == "DECIMAL(12,3)"
    assert (kinds["big"], kinds["j"], kinds["raw"]) == ("VARCHAR", "JSON", "BLOB")
    assert (kinds["at"], kinds["plain"]) == ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP")


@pytest.mark.parametrize("number", [5e-324, 1.7976931348623157e308, 0.1, math.inf, -math.inf])
def test_floats_arrive_to_the_last_bit(opened: Opener, ask: Ask, number: float) -> None:
    fields = [field("id", "bigint"), field("f", "float")]
    deliver(opened, a_load(1, fields=fields, last_modified=""), [(1, number), (2, math.nan)])
    assert ask("select f, isnan((select f from orders where id = 2)) from orders where id = 1") == [
        (number, True)]  # fmt: skip


def test_what_cannot_be_held_is_an_error(opened: Opener, ask: Ask) -> None:
    for kind, value in (("uuid", "none"), ("json", "{")):
        fields = [field("id", "bigint"), field("v", kind)]
        load = a_load(1, fields=fields, last_modified="", table=kind)
        with pytest.raises(Unreadable, match="cannot be held") as caught:
            deliver(opened, load, [(1, value)])
        assert caught.value.blame == "data"
    assert ask("select count(*) from uuid") == [(0,)]


def test_keys_of_text(opened: Opener, ask: Ask) -> None:
    fields = [field("k", "text"), field("raw", "binary"), field("at", "timestamp")]
    texts = ["a", "A", "a ", "á", "a\0", "", " ", "x" * 5000]
    rows = [(t, raw, moment(2)) for t in texts for raw in (b"", b"\0", b" ")]
    load = a_load(1, fields=fields, key=("k", "raw"))
    assert deliver(opened, load, rows).changed == 24
    assert deliver(opened, replace(load, transfer="t-2", token=2), rows).changed == 0


def test_a_newer_row_is_never_overwritten(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), [(1, "new", moment(9)), (2, "same", moment(9)), (3, "none", None)])
    late = [(1, "old", moment(8)), (2, "again", moment(9)), (3, "some", moment(1))]
    assert deliver(opened, a_load(2), late).changed == 2
    assert ask("select name from orders order by id") == [("new",), ("again",), ("some",)]


@pytest.mark.parametrize("key", [1, None])
def test_a_key_that_is_none(opened: Opener, ask: Ask, key: int | None) -> None:
    with pytest.raises(Unreadable, match="not unique, or null"):
        deliver(opened, a_load(1), [(1, "a", moment(1)), (key, "b", moment(2))])
    assert ask("select * from orders") == []


def test_the_same_load_is_published_once(opened: Opener, ask: Ask) -> None:
    load = a_load(1)
    first = deliver(opened, load, ROWS)
    with closing(opened()) as again:
        assert again.find(load) == first
        assert again.find(a_load(2)) is None
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


def test_a_load_that_fails_changes_nothing(
    opened: Opener, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(opened, a_load(1, full=True), ROWS)
    with closing(opened()) as loader:
        loader.claim(a_load(2, full=True))
        loader.add(batches(USUAL, [(9, "z", moment(9))]))
        with pytest.raises(QueryFailed, match="Of 2 rows of orders, 1 arrived"):
            loader.publish(Loaded(2))
        asked = loader._ask

        def fails(sql: str, *values: object) -> list[tuple[Any, ...]]:
            if sql == "COMMIT":
                raise QueryFailed("It fails.", next_step="")
            return asked(sql, *values)

        monkeypatch.setattr(loader, "_ask", fails)
        with pytest.raises(QueryFailed, match="It fails"):
            loader.publish(Loaded(1))
    assert ask("select id from orders order by id") == [(1,), (2,), (3,)]
    assert ask("select status from _transfer_status order by token") == [("SUCCESS",), ("RUNNING",)]


def test_columns_come_and_go(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), ROWS)
    ask("alter table orders add column own_words text")
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
        ("alter table orders alter name type int using 1", "column name of orders is INTEGER"),
        ("drop table orders; create table orders (id bigint, name text)", "no primary key"),
        ("drop table orders; create view orders as select 1 as id", "cannot be a delivered table"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error(opened: Opener, ask: Ask, change: str, words: str) -> None:
    deliver(opened, a_load(1), ROWS[:2])
    for statement in change.split("; "):
        ask(statement)
    with pytest.raises(NotComparable, match=words):
        deliver(opened, a_load(2), ROWS)


HOLDER = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_file_that_another_program_has_open(
    opened: Opener, ask: Ask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(opened, a_load(1), ROWS)
    with closing(opened()) as loader:
        loader.claim(a_load(2))
        loader.add(batches(USUAL, [(9, "z", moment(9))]))
        monkeypatch.setattr(duckdb_loader, "LOCK_SECONDS", 0.5)
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder / "shop.duckdb")], stdout=subprocess.PIPE
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(Busy, match="open in another program") as caught:
                loader.publish(Loaded(1))
            with pytest.raises(Busy, match="open in another program"):
                open_source(replace(SPEC, table=("sales", "orders")), POLICY)
            assert caught.value.retry
            assert str(folder) not in str(caught.value)
            # It is waited for.
            monkeypatch.setattr(duckdb_loader, "LOCK_SECONDS", 20)
            threading.Timer(1, holder.kill).start()
            assert loader.publish(Loaded(1)).changed == 1
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close() if holder.stdout else None
    assert ask("select count(*) from orders") == [(4,)]


def test_a_load_is_cancelled(opened: Opener, ask: Ask) -> None:
    with closing(opened()) as loader:
        loader.claim(a_load(1))
        stop = threading.Timer(0.5, loader.cancel)
        stop.start()

        def endless() -> Any:
            for n in range(100_000):
                yield from batches(USUAL, [(n, "a", moment(1))])
                time.sleep(0.01)

        with pytest.raises(Cancelled):
            loader.add(endless())
    assert ask("select * from orders") == []


def test_it_is_a_source_too(opened: Opener, ask: Ask) -> None:
    deliver(opened, a_load(1), ROWS)
    with closing(open_source(replace(SPEC, table=("sales", "orders")), POLICY)) as source:
        shape = source.shape()
        assert shape.primary_key == ("id",)
        read = source.read(Reading(tuple(Output(c.name, c) for c in shape.columns)))
        assert sorted(v for batch in read for v in batch.column(0).to_pylist()) == [1, 2, 3]


@pytest.mark.parametrize(
    "path",
    ["/etc/x.duckdb", "../x.duckdb", "a/../../x.duckdb", "a\\..\\x.duckdb", "x\0.duckdb", "away/x.duckdb"],
)  # fmt: skip
def test_no_file_outside_of_the_folder(folder: Path, tmp_path_factory: Any, path: str) -> None:
    (folder / "away").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(BadArgument, match="does not lie below"):
        place_of(replace(SPEC, database=path), POLICY)


def test_no_files_without_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    with pytest.raises(BadArgument, match="not allowed on this server"):
        place_of(SPEC, POLICY)


def test_a_recipient_names_no_file(folder: Path, opened: Opener) -> None:
    deliver(opened, a_load(1), ROWS)
    vendor = registry.find_vendor("motherduck")
    said = {"schema": "sales", "access_token_auth": {"access_token": "t"}}
    policy = HostPolicy.recipient()
    for name in ("shop.duckdb", "none.duckdb", "SHOP.DUCKDB"):
        options = registry.checked(vendor, {**said, "database": name})
        for attempt in (
            lambda o=options: registry.open_loader(vendor, o, "x", policy),
            lambda o=options: check_address(vendor, o, policy, uniform=True),
        ):
            with pytest.raises(HostRefused, match="cannot be used"):
                attempt()
    check_address(vendor, registry.checked(vendor, {**said, "database": "shop.duckdb"}), POLICY,
                  uniform=False)  # fmt: skip


@pytest.mark.parametrize(
    "name", ["md:a?motherduck_token=x", "a/b", "", "a'b", "md:", "s3://x", "a b"]
)
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(BadArgument, match="neither the name"):
        place_of(replace(SPEC, database=name), POLICY)


def test_motherducks_names() -> None:
    for said in ("md:sales-1", "sales-1"):
        place = place_of(replace(SPEC, database=said), HostPolicy.recipient())
        assert (place.name, place.file, place.token) == ("sales-1", None, "none")
    assert "none" not in repr(SPEC)
