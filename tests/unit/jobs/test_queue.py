"""A job is asked for in the transaction that writes its row: both are there, or neither."""

from __future__ import annotations

import asyncio
from typing import Any

from procrastinate.manager import JobManager
from sqlalchemy import Connection, text

from tests.house import House
from weighbridge.jobs.queue import make_app, request_job, sweeper
from weighbridge.store.database import EVERYTHING, seen_by


def jobs(house: House) -> list[tuple[Any, ...]]:
    with seen_by(house.database, EVERYTHING) as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text("select task_name, args, status::text from weighbridge.procrastinate_jobs")
            )
        ]


def test_committed(house: House) -> None:
    with seen_by(house.database, "staging") as connection:
        request_job(connection, "datadiffs.run", datadiff_id=7)
        assert jobs(house) == []  # nobody sees it before the end of the transaction
    assert jobs(house) == [("datadiffs.run", {"datadiff_id": 7}, "todo")]


def test_rolled_back(house: House) -> None:
    with seen_by(house.database, "staging") as connection:
        request_job(connection, "datadiffs.run", datadiff_id=7)
        assert _count(connection) == 1  # it was there
        connection.rollback()
    assert jobs(house) == []


def test_rolled_back_to_a_savepoint(house: House) -> None:
    with seen_by(house.database, "staging") as connection:
        request_job(connection, "datadiffs.run", datadiff_id=1)
        nested = connection.begin_nested()
        request_job(connection, "datadiffs.run", datadiff_id=2)
        nested.rollback()
    assert jobs(house) == [("datadiffs.run", {"datadiff_id": 1}, "todo")]


def test_an_unknown_job_is_refused_by_nobody_here(house: House) -> None:
    """Which jobs there are is known to the worker alone; the name is kept as it is."""
    with seen_by(house.database, "staging") as connection:
        request_job(connection, "some.other", some_id=1)
    assert jobs(house) == [("some.other", {"some_id": 1}, "todo")]


def test_a_job_whose_hand_over_was_lost_is_handed_on(house: House) -> None:
    """The database gave it to a worker that lives and never heard of it (F04)."""

    async def story() -> None:
        app = make_app(house.database.url, {"n": lambda: None}, slots=1)
        async with app.open_async():
            worker = await app.job_manager.register_worker()
            assert await app.job_manager.fetch_job(None, worker) is None
            for number in (1, 2):
                with seen_by(house.database, "staging") as connection:
                    request_job(connection, "n", n=number)
                if number == 1:
                    assert await app.job_manager.fetch_job(None, worker) is not None
            assert await JobManager(app.connector).fetch_job(None, worker) is not None
            assert {status for *_, status in jobs(house)} == {"doing"}
            await sweeper(app)()

    asyncio.run(story())
    assert sorted((args["n"], status) for _, args, status in jobs(house)) == [
        (1, "doing"),
        (2, "todo"),
    ]


def _count(connection: Connection) -> int:
    return connection.execute(
        text("select count(*) from weighbridge.procrastinate_jobs")
    ).scalar_one()
