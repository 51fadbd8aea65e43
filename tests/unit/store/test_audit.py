"""The audit is only added to, and a line that was changed all the same is found (T36)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.house import House, a_house
from weighbridge.store.audit import broken_line, note
from weighbridge.store.database import EVERYTHING, seen_by


@pytest.fixture
def house(postgres: str, tmp_path: Path) -> Iterator[House]:
    """Give a server with five lines in each environment, taking turns."""
    with a_house(postgres, tmp_path) as opened:
        for n in range(5):
            for environment in ("production", "staging"):
                written(opened, environment, n)
        yield opened


def line(n: int) -> int:
    """Give the id of the n-th line: each takes two numbers, its default's and its trigger's."""
    return 2 * n


def written(house: House, environment: str, n: int) -> None:
    with seen_by(house.database, environment) as connection:
        note(
            connection, environment=environment, actor="key a", action="test",
            subject=f"thing/{n}", before=None, after={"n": n, "text": "ä\u2028"},
        )  # fmt: skip


def broken(house: House, environment: str = EVERYTHING) -> int | None:
    with seen_by(house.database, environment) as connection:
        return broken_line(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "update weighbridge.audit set actor = 'another' where id = 2",
        "update weighbridge.audit set actor = actor where false",
        "delete from weighbridge.audit where id = 2",
        "truncate weighbridge.audit",
        "alter table weighbridge.audit rename to gone; update weighbridge.gone set actor = 'x'",
    ],
)
def test_nothing_changes_a_line(house: House, statement: str) -> None:
    with pytest.raises(DBAPIError), seen_by(house.database, EVERYTHING) as connection:
        connection.execute(text(statement))
    with seen_by(house.database, EVERYTHING) as connection:
        assert connection.execute(text("select count(*) from weighbridge.audit")).scalar() == 10
    assert broken(house) is None


@pytest.mark.parametrize("column", ["at", "actor", "action", "object", "before", "after"])
def test_a_changed_line_is_found(house: House, column: str) -> None:
    value = {"at": "at + interval '1 second'", "before": "'{}'", "after": "null"}.get(column, "'x'")
    tampered(house, f"update weighbridge.audit set {column} = {value} where id = {line(3)}")
    assert broken(house) == line(3)
    assert broken(house, "production") == line(3)
    assert broken(house, "staging") is None


def test_a_line_whose_hash_was_made_again_is_found_by_the_next(house: House) -> None:
    tampered(
        house,
        "update weighbridge.audit set actor = 'x', hash = weighbridge.hash_of_audit("
        "previous_hash, id, environment, at, 'x', action, object, before, after)"
        f" where id = {line(3)}",
    )
    assert broken(house) == line(5)


@pytest.mark.parametrize(("gone", "found"), [(1, 3), (2, 4), (5, 7)])
def test_a_line_taken_out_is_found(house: House, gone: int, found: int) -> None:
    tampered(house, f"delete from weighbridge.audit where id = {line(gone)}")
    assert broken(house) == line(found)


def test_a_line_moved_to_the_other_environment_is_found(house: House) -> None:
    tampered(house, f"update weighbridge.audit set environment = 'staging' where id = {line(9)}")
    assert broken(house) == line(9)


def test_writers_at_once(house: House) -> None:
    def ten(environment: str) -> None:
        for n in range(10):
            written(house, environment, n)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ten, ["production", "staging"] * 2))
    assert broken(house) is None
    assert broken(house, "production") is None
    assert broken(house, "staging") is None
    with seen_by(house.database, "staging") as connection:
        assert connection.execute(text("select count(*) from weighbridge.audit")).scalar() == 25


def test_a_hash_that_was_given_is_not_taken(house: House) -> None:
    with seen_by(house.database, "staging") as connection:
        connection.execute(
            text(
                "insert into weighbridge.audit (environment, actor, action, object, previous_hash,"
                " hash) values ('staging', 'a', 'b', 'c', 'x', 'y')"
            )
        )
    assert broken(house) is None


def test_a_change_undone_leaves_no_line(house: House) -> None:
    with seen_by(house.database, "staging") as connection:
        note(connection, environment="staging", actor="a", action="b", subject="c")
        connection.rollback()
    written(house, "staging", 9)
    assert broken(house) is None


def tampered(house: House, statement: str) -> None:
    """Do as the owner of the tables what the triggers forbid; fail if it changed nothing."""
    with psycopg.connect(house.database.url, autocommit=True) as connection:
        connection.execute("set weighbridge.environment = '*'")
        connection.execute("alter table weighbridge.audit disable trigger user")
        done = connection.execute(statement.encode())
        connection.execute("alter table weighbridge.audit enable trigger user")
    assert done.rowcount == 1
