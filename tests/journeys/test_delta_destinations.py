"""Deliveries to Delta tables, on a folder and on a bucket: one commit for a load, fenced, once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tests.file_ground import FIELDS, POLICY, Row, a_load, at, deliver, place_of, reader
from weighbridge.connectors.delta import TRANSFER, DeltaLog, DeltaPlace
from weighbridge.connectors.delta_loader import DeltaLoader, delta_mirror
from weighbridge.connectors.loading import Field, Loaded
from weighbridge.errors import (
    BadArgument,
    ConnectionFailed,
    ConnectionLost,
    NoSuchTable,
    NotComparable,
    Overtaken,
    WeighbridgeError,
)
from weighbridge.types.columns import ColumnType

if TYPE_CHECKING:
    from tests.servers.seaweed import Bucket

Open = Callable[[], DeltaLog]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Give what opens a place without tables."""
    if request.param == "folder":
        yield lambda: DeltaLog(DeltaPlace("the lake", str(tmp_path)), POLICY)
    else:
        bucket = place_of(request.getfixturevalue("bucket"))
        yield lambda: DeltaLog(DeltaPlace("the lake", f"lake/{tmp_path.name}", bucket), POLICY)


@pytest.fixture
def folder(tmp_path: Path) -> Open:
    return lambda: DeltaLog(DeltaPlace("the lake", str(tmp_path)), POLICY)


def seen(opened: Open, table: str = "orders") -> list[Row]:
    log = opened()
    try:
        with delta_mirror(log, "the lake", table) as side:
            assert side.path is not None
            with duckdb.connect(side.path, read_only=True) as connection:
                return connection.execute(f'FROM "{table}" ORDER BY 1').fetchall()
    finally:
        log.close()


def commits(opened: Open) -> list[str]:
    """List the transfers that were published, in order."""
    log = opened()
    table = log.table("orders")
    assert table is not None
    found = [str(one[TRANSFER]) for one in table.history() if TRANSFER in one]
    log.close()
    return found[::-1]


def test_full_then_incremental(place: Open) -> None:
    first = [(1, "a", at(1)), (2, "", at(2)), (3, None, None)]
    deliver(DeltaLoader(place()), a_load("t1", 1, full=True), first)
    second = [(1, "old", at(0)), (2, "new", at(3)), (4, "x", at(4)), (3, "y", at(1))]
    done = deliver(DeltaLoader(place()), a_load("t2", 2), second)
    assert (done.rows, done.changed) == (4, 3)
    again = deliver(DeltaLoader(place()), a_load("t2", 3), [(9, "never", at(9))])
    assert again.rows == 4
    assert seen(place) == [
        (1, "a", at(1)), (2, "new", at(3)), (3, "y", at(1)), (4, "x", at(4)),
    ]  # fmt: skip
    deliver(DeltaLoader(place()), a_load("t4", 4, full=True), [])
    assert seen(place) == []
    assert commits(place) == ["t1", "t2", "t4"]


def test_columns_evolve(folder: Open) -> None:
    deliver(DeltaLoader(folder()), a_load("t1", 1), [(1, "a", at(1)), (2, "b", at(2))])
    wider = (*FIELDS, Field("Note.x", ColumnType("bytes", "binary")))
    deliver(DeltaLoader(folder()), a_load("t2", 2, fields=wider), [(1, "z", at(9), b"\x00")])
    deliver(DeltaLoader(folder()), a_load("t3", 3), [(3, "c", at(3))])
    assert seen(folder) == [
        (1, "z", at(9), b"\x00"), (2, "b", at(2), None), (3, "c", at(3), None),
    ]  # fmt: skip
    other = (FIELDS[0], Field("name", ColumnType("date", "date")), FIELDS[2])
    with pytest.raises(NotComparable, match="another type"):
        deliver(DeltaLoader(folder()), a_load("t4", 4, fields=other), [])
    deliver(DeltaLoader(folder()), a_load("t5", 5, full=True, fields=other), [(1, None, at(1))])
    # The customer's other columns stay.
    assert seen(folder) == [(1, None, at(1), None)]
    spaced = (*FIELDS, Field("a b", ColumnType("text", "text")))
    with pytest.raises(BadArgument, match="column mapping"):
        deliver(DeltaLoader(folder()), a_load("t6", 6, fields=spaced), [])


def test_an_attempt_that_was_overtaken_commits_nothing(place: Open) -> None:
    early, load = DeltaLoader(place()), a_load("t1", 1)
    early.claim(load)
    early.add(reader(load, [(1, "zombie", at(1))]))
    deliver(DeltaLoader(place()), a_load("t2", 2), [(1, "right", at(1))])
    with pytest.raises(Overtaken):
        early.publish(Loaded(1))
    early.close()
    with pytest.raises(Overtaken):
        deliver(DeltaLoader(place()), a_load("t0", 1), [])
    assert seen(place) == [(1, "right", at(1))]
    assert commits(place) == ["t2"]


@pytest.mark.parametrize("full", [False, True])
def test_the_last_look_is_not_what_keeps_it_out(folder: Open, full: bool) -> None:
    """Another claims between the last look and the commit: Delta's own rule refuses the commit."""
    early, load = DeltaLoader(folder()), a_load("t1", 1, full=full)
    early.claim(load)
    early.add(reader(load, [(1, "zombie", at(1))]))
    commit, fired = early._commit, []

    def frozen(*words: Any) -> Any:
        deliver(DeltaLoader(folder()), a_load("t2", 2, full=full), [(1, "right", at(1))])
        fired.append(True)
        return commit(*words)

    early._commit = frozen  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Overtaken):
        early.publish(Loaded(1))
    early.close()
    assert fired
    assert seen(folder) == [(1, "right", at(1))]


def test_attempts_at_one_load_that_race(place: Open) -> None:
    said: list[str] = []
    start = threading.Barrier(4)

    def attempt(token: int) -> None:
        loader = DeltaLoader(place())
        start.wait(20)
        try:
            deliver(loader, a_load("t1", token), [(1, "a", at(1)), (2, "b", at(2))])
            said.append("delivered")
        except WeighbridgeError as error:
            said.append("overtaken" if error.retry or error.code == "overtaken" else str(error))

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(said) <= {"delivered", "overtaken"}, said
    deliver(DeltaLoader(place()), a_load("t1", 9), [(1, "a", at(1)), (2, "b", at(2))])
    assert seen(place) == [(1, "a", at(1)), (2, "b", at(2))]
    assert commits(place) == ["t1"]


@pytest.mark.parametrize("full", [False, True])
def test_the_answer_to_the_commit_is_lost(place: Open, full: bool) -> None:
    """The commit is there, and nobody says so: it is found in the log, and not made again."""
    loader, load = DeltaLoader(place()), a_load("t1", 1, full=full)
    loader.claim(load)
    rows = [(n, "x", at(1)) for n in range(1000)]
    loader.add(reader(load, rows))
    commit, fired = loader._commit, []

    def lost(*words: Any) -> Any:
        commit(*words)
        fired.append(True)
        raise ConnectionLost("lost", next_step="x")

    loader._commit = lost  # pyright: ignore[reportAttributeAccessIssue]
    assert loader.publish(Loaded(len(rows))).rows == len(rows)
    assert fired, "the fault did not happen"
    loader.close()
    assert deliver(DeltaLoader(place()), a_load("t1", 2, full=full), []).rows == len(rows)
    assert seen(place) == rows
    assert commits(place) == ["t1"]


def test_nothing_there_and_nobody_there(folder: Open, bucket: Bucket) -> None:
    with pytest.raises(NoSuchTable, match="Nothing of orders"):
        seen(folder)
    wrong = DeltaPlace("the lake", "f", place_of(bucket, secret_key="wrong"))
    with pytest.raises(ConnectionFailed, match="key"):
        deliver(DeltaLoader(DeltaLog(wrong, POLICY)), a_load("t1", 1), [])


def test_what_the_options_say_is_kept(tmp_path: Path) -> None:
    said = {
        "delta.enableChangeDataFeed": "true",
        "delta.deletedFileRetentionDuration": "interval 3 days",
    }
    place = DeltaPlace("the lake", str(tmp_path), properties=said, retention_hours=72)
    deliver(DeltaLoader(DeltaLog(place, POLICY)), a_load("t1", 1), [(1, "a", at(1))])
    deliver(DeltaLoader(DeltaLog(place, POLICY)), a_load("t2", 2), [(1, "b", at(2))])
    table = DeltaTable(tmp_path / "orders")
    assert table.metadata().configuration == said
    kinds = {row["_change_type"] for row in pa.table(table.load_cdf(1).read_all()).to_pylist()}
    assert {"insert", "update_preimage", "update_postimage"} <= kinds
