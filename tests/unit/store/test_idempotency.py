"""A request sent twice under one key is carried out once, whatever comes between (F07)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from tests.house import House
from weighbridge.catalog.api_keys import make_key
from weighbridge.errors import BadArgument
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.idempotency import Wish, once


@pytest.fixture
def key_id(ground: House) -> int:
    """Give a key that no other test has used."""
    with seen_by(ground.database, EVERYTHING) as connection:
        return make_key(
            connection, name="n", environment="production", scopes=["diffs:read"]
        ).key.id


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0
        self.lock = threading.Lock()

    def __call__(self) -> dict[str, int]:
        with self.lock:
            self.done += 1
            return {"n": self.done}


def asked(ground: House, work: Any, key_id: int, *, given: str = "a", body: bytes = b"1") -> Any:
    with seen_by(ground.database, "production") as connection:
        return once(connection, Wish(given, body), work, key_id=key_id, environment="production")


def test_twice(ground: House, key_id: int) -> None:
    work = Work()
    assert [asked(ground, work, key_id) for _ in range(3)] == [{"n": 1}] * 3
    assert asked(ground, work, key_id, given="b") == {"n": 2}


def test_without_a_key_it_is_done_each_time(ground: House, key_id: int) -> None:
    work = Work()
    with seen_by(ground.database, "production") as connection:
        for _ in range(2):
            once(connection, None, work, key_id=key_id, environment="production")
    assert work.done == 2


def test_at_once(ground: House, key_id: int) -> None:
    """The first holds its transaction open until the second is waiting for it."""
    work, threads = Work(), 4
    begun = threading.Barrier(threads)

    def one(_: int) -> Any:
        begun.wait(10)

        def slowly() -> Any:
            with seen_by(ground.database, EVERYTHING) as connection:
                waiting = text(
                    "select count(*) from pg_stat_activity where datname = current_database()"
                    " and wait_event_type = 'Lock' and query like 'INSERT INTO %idempotency%'"
                )
                for _ in range(200):
                    if connection.execute(waiting).scalar_one() == threads - 1:
                        return work()
                    connection.execute(text("select pg_sleep(0.02), pg_stat_clear_snapshot()"))
            raise AssertionError("no second request came meanwhile")

        return asked(ground, slowly, key_id)

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(one, range(threads)))
    assert answers == [{"n": 1}] * threads
    assert work.done == 1


def test_an_error_keeps_nothing(ground: House, key_id: int) -> None:
    def fails() -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asked(ground, fails, key_id)
    assert asked(ground, Work(), key_id, body=b"2") == {"n": 1}


def test_another_request_under_the_same_key(ground: House, key_id: int) -> None:
    work = Work()
    asked(ground, work, key_id)
    with pytest.raises(BadArgument, match="given before"):
        asked(ground, work, key_id, body=b"2")
    assert work.done == 1


def test_another_caller_under_the_same_word(ground: House, key_id: int) -> None:
    asked(ground, Work(), key_id)
    with seen_by(ground.database, EVERYTHING) as connection:
        other = make_key(connection, name="n", environment="production", scopes=["keys"]).key.id
    assert asked(ground, lambda: "mine", other, body=b"2") == "mine"


def test_a_day_later_it_is_a_new_request(ground: House, key_id: int) -> None:
    work = Work()
    asked(ground, work, key_id)
    with seen_by(ground.database, EVERYTHING) as connection:
        connection.execute(
            text("update weighbridge.idempotency set created_at = created_at - interval '25 hours'"
                 " where key_id = :key"), {"key": key_id},
        )  # fmt: skip
    assert asked(ground, work, key_id, body=b"2") == {"n": 2}
