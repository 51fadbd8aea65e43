"""Deliveries to folders of files on real servers: loaded, read back, fenced, never twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.file_ground import (
    FIELDS,
    a_load,
    at,
    bucket_store,
    data_files,
    deliver,
    loader_of,
    manifests_of,
    reader,
    rows_seen,
    sftp_store,
)
from weighbridge.connectors.loading import Field, Loaded
from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    HostKeyChanged,
    NoSuchDatabase,
    NoSuchTable,
    NotComparable,
    Overtaken,
    RunFailed,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.types.columns import ColumnType

if TYPE_CHECKING:
    from tests.servers.seaweed import Bucket
    from tests.servers.sftp import SftpServer
    from weighbridge.connectors.file_store import FileStore

Open = Callable[[], "FileStore"]


@pytest.fixture(params=["bucket", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Give what opens an empty folder of each kind of place."""
    server = request.getfixturevalue(request.param)
    if request.param == "bucket":
        yield lambda: bucket_store(server, f"in/{tmp_path.name}")
    else:
        yield lambda: sftp_store(server, f"in/{tmp_path.name}")


@pytest.fixture
def folder(bucket: Bucket, tmp_path: Path) -> Open:
    """Give an empty folder of the bucket alone: it is the faster one."""
    return lambda: bucket_store(bucket, f"alone/{tmp_path.name}")


def visible(opened: Open, read: Callable[[FileStore], Any]) -> Any:
    store = opened()
    try:
        return read(store)
    finally:
        store.close()


@pytest.mark.parametrize(
    "layout", [{}, {"file_format": "csv", "delimiter": ";"}, {"manifest": False}]
)
def test_full_then_incremental(place: Open, layout: dict[str, Any]) -> None:
    first = [(1, "a", at(1)), (2, "", at(2)), (3, None, None)]
    done = deliver(loader_of(place(), **layout), a_load("t1", 1, full=True), first)
    assert (done.rows, done.bytes > 0) == (3, True)
    second = [(1, "old", at(0)), (2, "new", at(3)), (4, "x", at(4)), (3, "y", at(1))]
    deliver(loader_of(place(), **layout), a_load("t2", 2), second)
    # The same load again, by another attempt: it is there already.
    again = deliver(loader_of(place(), **layout), a_load("t2", 3), [(9, "never", at(9))])
    assert again.rows == 4
    assert rows_seen(place()) == [
        (1, "a", at(1)), (2, "new", at(3)), (3, "y", at(1)), (4, "x", at(4)),
    ]  # fmt: skip
    shown = visible(place, manifests_of)
    assert len(shown) == (0 if layout.get("manifest") is False else 2)
    deliver(loader_of(place(), **layout), a_load("t4", 4, full=True), [(7, "only", at(7))])
    assert rows_seen(place()) == [(7, "only", at(7))]
    deliver(loader_of(place(), **layout), a_load("t5", 5, full=True), [])
    assert rows_seen(place()) == []


def test_a_manifest_names_what_is_there(place: Open) -> None:
    load = replace(a_load("t1", 1, full=True), since=None, until=None)
    deliver(loader_of(place()), load, [(1, "a", at(1)), (2, "b", at(2))])
    (manifest,) = visible(place, manifests_of)
    assert manifest["is_full_refresh"]
    assert manifest["rows"] == sum(f["rows"] for f in manifest["files"]) == 2
    assert {f["name"] for f in manifest["files"]} == visible(place, data_files)
    assert manifest["files"][0]["name"] == "orders/dt=2026-01-02/t1_1_0.parquet"
    assert [(c["name"], c["data_type"]) for c in manifest["columns"]] == [
        ("id", "bigint"), ("name", "text"), ("changed_at", "timestamp"),
    ]  # fmt: skip
    assert manifest["key"] == ["id"]


def test_columns_evolve(folder: Open) -> None:
    wider = (*FIELDS, Field("note", ColumnType("text", "text")))
    deliver(loader_of(folder()), a_load("t1", 1, fields=wider), [(1, "a", at(1), "n")])
    deliver(loader_of(folder()), a_load("t2", 2), [(2, "b", at(2))])
    assert rows_seen(folder()) == [(1, "a", at(1), "n"), (2, "b", at(2), None)]
    other = (FIELDS[0], Field("name", ColumnType("date", "date")), FIELDS[2])
    with pytest.raises(NotComparable, match="full refresh"):
        deliver(loader_of(folder()), a_load("t3", 3, fields=other), [])
    # The type of a column that was left out for a while is remembered, too.
    gone = (*FIELDS, Field("note", ColumnType("bool", "boolean")))
    with pytest.raises(NotComparable, match="note"):
        deliver(loader_of(folder()), a_load("t4", 4, fields=gone), [])
    assert len(rows_seen(folder())) == 2


def test_a_row_longer_than_a_block_of_the_reader(folder: Open) -> None:
    rows = [(n, "y" * (5 * 2**20 if n == 3 else 3), at(n)) for n in range(6)]
    deliver(loader_of(folder(), file_format="csv"), a_load("t1", 1), rows)
    assert rows_seen(folder()) == rows


def test_a_row_without_a_moment(folder: Open) -> None:
    """It replaces what was before its load, and is replaced by what comes after."""
    deliver(loader_of(folder()), a_load("t1", 1), [(1, "a", at(9)), (2, "b", at(9))])
    deliver(loader_of(folder()), a_load("t2", 2), [(1, "timeless", None), (2, "timeless", None)])
    deliver(loader_of(folder()), a_load("t3", 3), [(2, "c", at(1))])
    assert rows_seen(folder()) == [(1, "timeless", None), (2, "c", at(1))]


def test_a_later_claim_ends_an_earlier_attempt(place: Open) -> None:
    early, load = loader_of(place()), a_load("t1", 1)
    early.claim(load)
    early.add(reader(load, [(1, "zombie", at(1))]))
    deliver(loader_of(place()), a_load("t1", 2), [(1, "right", at(1))])
    with pytest.raises(Overtaken):
        early.publish(Loaded(1))
    early.close()
    with pytest.raises(Overtaken):
        deliver(loader_of(place()), a_load("t0", 1), [])
    assert rows_seen(place()) == [(1, "right", at(1))]


def test_an_attempt_that_was_ended_cannot_publish_at_the_last_moment(folder: Open) -> None:
    """The worker freezes between its last look and its manifest; another claims and cleans up."""
    early, load = loader_of(folder()), a_load("t1", 1)
    early.claim(load)
    early.add(reader(load, [(1, "zombie", at(1))]))
    make = early._make
    late = loader_of(folder())
    fired: list[bool] = []

    def frozen(name: str, manifest: Any) -> bool:
        late.claim(a_load("t1", 2))
        fired.append(True)
        return make(name, manifest)

    early._make = frozen  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(Overtaken):
        early.publish(Loaded(1))
    assert fired
    early.close()
    late.add(reader(load, [(1, "right", at(1))]))
    late.publish(Loaded(1))
    late.close()
    assert rows_seen(folder()) == [(1, "right", at(1))]
    assert visible(folder, data_files) == {"orders/dt=2026-01-02/t1_2_0.parquet"}
    dead, alive = visible(folder, manifests_of)
    assert (dead["status"], dead["files"]) == ("abandoned", [])
    assert alive["status"] == "published"


@pytest.mark.parametrize("turn", range(3))
def test_attempts_at_one_load_that_race(place: Open, turn: int) -> None:
    """Four at once, each told that it published, was overtaken, or that it was there already."""
    said: list[str] = []
    start = threading.Barrier(4)

    def attempt(token: int) -> None:
        loader = loader_of(place())
        start.wait(20)
        try:
            deliver(loader, a_load("t1", token), [(1, f"by {token}", at(1)), (2, "b", at(2))])
            said.append("delivered")
        except Overtaken:
            said.append("overtaken")
        except WeighbridgeError as error:
            said.append(str(error))

    threads = [threading.Thread(target=attempt, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(said) <= {"delivered", "overtaken"}, said
    deliver(loader_of(place()), a_load("t1", 9), [(1, "by 9", at(1)), (2, "b", at(2))])
    published = [m for m in visible(place, manifests_of) if m["status"] == "published"]
    assert len(published) == 1
    seen = rows_seen(place())
    assert [row[0] for row in seen] == [1, 2]
    named = {f["name"] for m in published for f in m["files"]}
    assert named <= visible(place, data_files)


def test_the_dead_leave_nothing(place: Open) -> None:
    dead, load = loader_of(place(), file_bytes=1), a_load("t1", 1)
    dead.claim(load)
    dead.add(reader(load, [(n, "x", at(1)) for n in range(5)]))
    dead._claimed()[1].finish()
    assert len(visible(place, data_files)) == 1
    # Killed here: nothing is closed. The next attempt at anything of this model cleans up.
    deliver(loader_of(place()), a_load("t2", 2), [(1, "a", at(1))])
    assert visible(place, data_files) == {"orders/dt=2026-01-02/t2_2_0.parquet"}
    assert rows_seen(place()) == [(1, "a", at(1))]
    dead._claimed()[1].close()
    dead._store.close()


def test_what_is_given_up_is_taken_back(place: Open) -> None:
    loader, load = loader_of(place()), a_load("t1", 1)
    loader.claim(load)
    loader.add(reader(load, [(1, "a", at(1))]))
    with pytest.raises(RunFailed, match="1 rows were written and 2 were read"):
        loader.publish(Loaded(2))
    loader.close()
    assert visible(place, data_files) == set()
    with pytest.raises(NoSuchTable, match="Nothing of orders was delivered"):
        rows_seen(place())


def test_a_file_that_was_altered_is_named(place: Open, tmp_path: Path) -> None:
    deliver(loader_of(place()), a_load("t1", 1), [(1, "a", at(1))])
    (name,) = visible(place, data_files)
    other = tmp_path / "other"
    other.write_bytes(b"PAR1 or not")
    visible(place, lambda store: store.put(name, other))
    with pytest.raises(Unreadable, match=rf"{name} is not what was delivered"):
        rows_seen(place())
    visible(place, lambda store: store.delete(name))
    with pytest.raises(Unreadable, match=rf"{name} is missing"):
        rows_seen(place())
    manifest = "_manifests/orders/00000000000000000001_t1.json"
    visible(place, lambda store: store.put(manifest, other))
    with pytest.raises(Unreadable, match=manifest):
        rows_seen(place())


def test_wrong_keys_bucket_and_user(bucket: Bucket, sftp: SftpServer) -> None:
    for changes, wrong in (
        ({"secret_key": "x"}, "refuses the access key"),
        ({"access_id": "x"}, "key"),
    ):
        store = bucket_store(bucket, "f", **changes)
        with pytest.raises(AuthFailed, match=wrong):
            store.create("a", b"")
        store.close()
    store = bucket_store(bucket, "f", bucket="nobody-made-it")
    with pytest.raises(NoSuchDatabase, match="has no bucket nobody-made-it"):
        store.create("a", b"")
    store.close()
    with pytest.raises(AuthFailed, match="refuses the user stranger"):
        sftp_store(sftp, user="stranger")


def test_a_server_with_another_key_gets_nothing(sftp: SftpServer, tmp_path: Path) -> None:
    """T23: it answers at the same place with a key of its own; nobody even says a name to it."""
    from tests.servers.sftp import sftp_server  # noqa: PLC0415 another server of this test

    with sftp_server(tmp_path / "thief") as thief:
        with pytest.raises(HostKeyChanged, match="Nothing was sent"):
            sftp_store(thief, host_key=sftp.host_key)
        assert thief.logins == []
    with pytest.raises(BadArgument, match="has no host_key yet"):
        sftp_store(sftp, host_key="")
    assert sftp.logins == []
    first = sftp_store(sftp, host_key="", first=True)
    assert first.host_key == sftp.host_key
    first.close()
