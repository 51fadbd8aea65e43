"""Workers that die or are overtaken while they write tables into a user's database (F01, F11, I3-I5)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import source_body
from tests.api.test_materialise import (
    leftovers_maria,
    leftovers_postgres,
    maria,
    maria_body,
    postgres,
    postgres_run,
    stored,
)
from tests.house import House, a_house
from weighbridge.connectors.mysql_writer import MySQLWriter
from weighbridge.connectors.postgresql_writer import PostgresWriter
from weighbridge.datadiffs import materialise, store
from weighbridge.store.database import EVERYTHING, seen_by

# Runs one diff and kills itself before or after the n-th call of a function.
KILLER = """
import importlib, os, pathlib, signal, sys
from weighbridge.datadiffs import run
from weighbridge.net.hosts import HostPolicy
from weighbridge.store.database import Database
from weighbridge.store.sealed import open_ring

url = sys.stdin.readline().strip()
ring, number, owner, name, when, nth = sys.argv[1:]
module, _, kind = owner.partition(":")
place = importlib.import_module(module)
place = getattr(place, kind) if kind else place
real, calls = getattr(place, name), []

def deadly(*words, **more):
    calls.append(1)
    last = len(calls) == int(nth)
    if last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    given = real(*words, **more)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    return given

setattr(place, name, deadly)
run.run(Database(url), open_ring(pathlib.Path(ring)), int(number), policy=HostPolicy.operator())
"""
WRITERS = {
    "postgres": "weighbridge.connectors.postgresql_writer:PostgresWriter",
    "mariadb": "weighbridge.connectors.mysql_writer:MySQLWriter",
}
NAMES = ("diff", "duplicates1", "duplicates2", "exclusives")
TABLES = (
    "create table l (id int, v int)", "create table r (id int, v int)",
    "insert into l values (1, 1), (2, 2), (3, 3), (3, 3), (4, 4)",
    "insert into r values (1, 1), (2, 9), (3, 3), (5, 5)",
    "create view lv as select * from l", "create view rv as select * from r",
)  # fmt: skip
# What `diff` must hold: kind, key.
DIFFERING = [("changed", 2), ("only_left", 3), ("only_left", 4), ("only_right", 5)]


class Ground:
    """A server of ours, and a database of one engine with tables and a schema to write into."""

    def __init__(self, house: House, ring: Path, engine: str, url: str) -> None:
        self.house, self.engine, self.url, self._ring = house, engine, url, ring
        self.client = house.client()
        if engine == "postgres":
            postgres_run(url, *TABLES, "create schema scratch")
            body = {**source_body(url, "shop"), "temp_schema": "scratch"}
            self.schema = "scratch"
        else:
            maria(url, *TABLES)
            self.schema = urlsplit(url).path.lstrip("/")
            body = maria_body(url, "shop", temp_schema=self.schema)
        self.source = stored(self.client, body)

    def diff(self, **more: object) -> int:
        """Ask for a diff whose results are written into its own database."""
        path = ["public"] if self.engine == "postgres" else []
        body = {
            "data_source1_id": self.source, "data_source2_id": self.source,
            "table1": [*path, "lv"], "table2": [*path, "rv"], "pk_columns": ["id"],
            "materialization_destination_id": self.source, **more,
        }  # fmt: skip
        answer = self.client.post("/datadiffs", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def killed_at(self, number: int, owner: str, name: str, when: str, nth: int) -> None:
        """Run a diff in a process that dies there; hold that it did."""
        died = subprocess.run(
            [sys.executable, "-c", KILLER, str(self._ring), str(number), owner, name, when, str(nth)],
            input=self.house.database.url + "\n", text=True, check=False, capture_output=True,
        )  # fmt: skip
        assert died.returncode == -signal.SIGKILL, (name, when, nth, died.stderr[-2000:])

    def tables(self) -> list[str]:
        url = self.url
        return leftovers_postgres(url) if self.engine == "postgres" else leftovers_maria(url)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        return postgres(self.url, query) if self.engine == "postgres" else maria(self.url, query)

    def one(self, number: int) -> store.Diff:
        with seen_by(self.house.database, EVERYTHING) as connection:
            return store.get(connection, number)

    def is_exact(self, number: int) -> None:
        """Hold that the tables are there, each row once, and nothing else of ours is."""
        found = self.client.get(f"/datadiffs/{number}/summary_results").json()
        assert found["status"] == "success", found
        assert found["materialization_error"] is None
        base = f"weighbridge_datadiff_{number}_"
        assert self.tables() == [f"{base}{name}" for name in NAMES]
        rows = self.ask(f"select kind, id from {self.schema}.{base}diff order by kind, id")
        assert list(rows) == DIFFERING
        assert self.ask(f"select id, v from {self.schema}.{base}duplicates1") == [(3, 3), (3, 3)]
        exclusives = self.ask(f"select id from {self.schema}.{base}exclusives order by id")
        assert list(exclusives) == [(4,), (5,)]

    def drop(self) -> None:
        for name in self.tables():
            drop = f"drop table {self.schema}.{name}"
            if self.engine == "postgres":
                postgres_run(self.url, drop)
            else:
                maria(self.url, drop)


@pytest.fixture(params=["postgres", "mariadb"])
def ground(request: pytest.FixtureRequest, postgres: str, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        house = stack.enter_context(a_house(postgres, tmp_path))
        url = request.getfixturevalue(f"fresh_{request.param}")
        yield Ground(house, tmp_path / "keys.json", request.param, url)


def test_killed_while_results_are_written(ground: Ground) -> None:
    """At every step: readers see all tables or none, and the next attempt makes them whole."""
    writer = WRITERS[ground.engine]
    points = [
        (writer, "create", "after", 2), (writer, "add", "before", 1), (writer, "add", "after", 2),
        (writer, "publish", "before", 1), (writer, "publish", "after", 1),
        ("weighbridge.datadiffs.store", "finish", "before", 1),
        ("weighbridge.datadiffs.store", "finish", "after", 1),
    ]  # fmt: skip
    for owner, name, when, nth in points:
        number = ground.diff()
        ground.killed_at(number, owner, name, when, nth)
        finals = {f"weighbridge_datadiff_{number}_{kind}" for kind in NAMES}
        seen = finals & set(ground.tables())
        published = name == "finish" or (name, when) == ("publish", "after")
        assert seen == (finals if published else set()), (name, when, nth)
        assert ground.one(number).status == "processing"
        ground.house.run_diff(number)
        assert ground.one(number).attempt == 2
        ground.is_exact(number)
        ground.drop()


def test_killed_while_views_are_copied(ground: Ground) -> None:
    """A copy never outlives its diff: the next attempt drops it, also if the diff has ended."""
    writer = WRITERS[ground.engine]
    points = [
        (writer, "copy", "after", 1), (writer, "copy", "after", 2),
        ("weighbridge.datadiffs.run", "compare_sides", "after", 1),
        (writer, "publish", "after", 1),
        # Its outcome is there, its copies are too.
        ("weighbridge.datadiffs.run", "_write", "after", 1),
    ]  # fmt: skip
    for owner, name, when, nth in points:
        number = ground.diff(materialize_dataset1=True, materialize_dataset2=True)
        ground.killed_at(number, owner, name, when, nth)
        copies = [table for table in ground.tables() if "_side" in table]
        assert len(copies) == (nth if name == "copy" else 2), (name, copies)
        ground.house.run_diff(number)
        assert ground.one(number).attempt == (1 if name == "_write" else 2)
        ground.is_exact(number)
        ground.drop()


def test_a_diff_that_is_given_up_leaves_no_table(ground: Ground) -> None:
    number = ground.diff(materialize_dataset1=True)
    ground.killed_at(number, WRITERS[ground.engine], "publish", "after", 1)
    assert len(ground.tables()) == len(NAMES) + 1  # the fault fired
    with seen_by(ground.house.database, EVERYTHING) as connection:
        for _ in range(10):
            store.claim(connection, number)
    ground.house.run_diff(number)
    assert ground.one(number).status == "failed"
    assert ground.tables() == []


@pytest.mark.parametrize("before", ["create", "publish"])
def test_a_worker_that_was_overtaken_changes_no_table(
    ground: Ground, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on when the later attempt has ended: its drafts go, the later one's tables stay."""
    kind = PostgresWriter if ground.engine == "postgres" else MySQLWriter
    real, overtaken, late = getattr(kind, before), list[int](), list[Any]()
    number = ground.diff()

    def stale(self: Any, *words: Any) -> None:
        if not overtaken:
            overtaken.append(1)
            ground.house.run_diff(number)
        real(self, *words)

    written = materialise.write_results

    def noted(*words: Any) -> Any:
        late.append(written(*words))
        return late[-1]

    monkeypatch.setattr(kind, before, stale)
    monkeypatch.setattr("weighbridge.datadiffs.run.write_results", noted)
    # Its watch would see that it was overtaken; here it comes too late, and only the fence holds.
    monkeypatch.setattr("weighbridge.datadiffs.run.TELL_SECONDS", 3600)
    ground.house.run_diff(number)
    assert overtaken
    assert "tables" in late[0]  # the second attempt's
    assert "error" in late[1], late  # the first one's
    assert "later attempt" in late[1]["error"]["message"]
    assert ground.one(number).attempt == 2
    ground.is_exact(number)
    comment = {
        "postgres": "select obj_description(oid) from pg_class where relname like 'weighbridge%'",
        "mariadb": "select table_comment from information_schema.tables"
        " where table_schema = database() and table_name like 'weighbridge%'",
    }[ground.engine]
    assert {row[0].rpartition("; ")[2] for row in ground.ask(comment)} == {"attempt 2"}


def test_cancelled_while_tables_are_written(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = PostgresWriter if ground.engine == "postgres" else MySQLWriter
    number, real, fired = ground.diff(), kind.add, list[int]()

    def slow(self: Any, *words: Any) -> None:
        real(self, *words)
        if not fired:
            fired.append(1)
            assert ground.client.post(f"/datadiffs/{number}/cancel").status_code == 200
            self._rows("select pg_sleep(30)" if ground.engine == "postgres" else "do sleep(30)")

    monkeypatch.setattr(kind, "add", slow)
    ground.house.run_diff(number)
    assert fired
    found = ground.one(number)
    assert found.status == "cancelled"
    assert found.finished_at is not None
    assert found.cancel_wished_at is not None
    assert (found.finished_at - found.cancel_wished_at).total_seconds() < 15
    assert ground.tables() == []
