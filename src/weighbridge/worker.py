"""Which job runs which story: the only place that wires them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from weighbridge.catalog import errands
from weighbridge.catalog.data_sources import policy_of
from weighbridge.catalog.destinations import Sight
from weighbridge.datadiffs import run as datadiffs_run
from weighbridge.datadiffs import store as datadiffs_store
from weighbridge.deliver import run as deliver_run
from weighbridge.deliver import store as deliver_store
from weighbridge.deliver.schedule import request_due
from weighbridge.errors import NotNow
from weighbridge.integrity import repair_run, repairs
from weighbridge.integrity import run as integrity_run
from weighbridge.integrity import store as integrity_store
from weighbridge.integrity.request import Wish
from weighbridge.jobs.queue import SWEEP, Work, make_app, sweeper
from weighbridge.process import begin, grace_seconds, needed
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.sealed import open_ring

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.store.sealed import KeyRing

# How long the stories have to stop what they run on other servers and to hand it back.
LEAVE_SECONDS = 8.0

log = structlog.get_logger()


def work(url: str, ring: KeyRing, *, slots: int = 4, grace: float = 20.0) -> None:
    """Work jobs off until a signal ends it: in `grace` seconds, or at once at a second signal.

    What is running then is stopped and handed back to the queue.
    """
    asyncio.run(_work(url, ring, slots, grace))


async def _work(url: str, ring: KeyRing, slots: int, grace: float) -> None:
    database = Database(url, size=2 * slots, patient=True)
    policy = policy_of(database)
    leaving = threading.Event()
    works: dict[str, Work] = {
        datadiffs_store.JOB: partial(
            datadiffs_run.run, database, ring, policy=policy, leaving=leaving
        ),
        deliver_store.JOB: partial(
            deliver_run.run, database, ring, policy=policy, leaving=leaving, then=_verify
        ),
        integrity_store.JOB: partial(
            integrity_run.run, database, ring, policy=policy, leaving=leaving
        ),
        repairs.JOB: partial(repair_run.run, database, ring, policy=policy, leaving=leaving),
        errands.JOB: partial(errands.run, database, ring, policy=policy),
    }
    app = make_app(url, works, slots=slots)
    async with app.open_async():
        sweep = sweeper(app)

        async def rounds() -> None:
            await sweep()
            await asyncio.to_thread(_find_lost, database)
            await asyncio.to_thread(_find_due, database)

        sweeping = asyncio.create_task(_again_and_again(rounds))
        try:
            await _until_told(app.run_worker_async(), leaving, grace)
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
    database.close()


async def _until_told(
    working: Coroutine[Any, Any, None], leaving: threading.Event, grace: float
) -> None:
    """Work until SIGTERM or SIGINT; then take no more jobs, and bring what runs to an end."""
    task, loop, told = asyncio.create_task(working), asyncio.get_running_loop(), 0

    def leave() -> None:
        leaving.set()
        # Something that cannot be stopped is left as it is: its heartbeat ends, and another
        # worker begins it again.
        loop.call_later(LEAVE_SECONDS, _die)

    def hear() -> None:
        nonlocal told
        told += 1
        if told == 1:
            task.cancel()  # procrastinate's word for: finish, and take no more
            loop.call_later(grace, leave)
        else:
            leave()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hear)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _die() -> None:
    log.error("left unfinished")
    os._exit(1)


def _find_lost(database: Database) -> None:
    with seen_by(database, EVERYTHING) as connection:
        for number in datadiffs_store.request_lost(connection):
            log.error("lost", diff=number)
        for transfer in deliver_store.request_lost(connection):
            log.error("lost", transfer=str(transfer))


def _verify(connection: Connection, transfer: deliver_store.Transfer) -> None:
    """Ask for an integrity job after a transfer whose destination is set to be verified."""
    # Where jobs of the destination pile up, those that wait will see these rows, too.
    with contextlib.suppress(NotNow):
        integrity_store.request(
            connection, transfer.destination_id, Wish({}), sight=Sight(),
            environment=transfer.environment, created_by=None,
        )  # fmt: skip


def _find_due(database: Database) -> None:
    with seen_by(database, EVERYTHING) as connection:
        for transfer, due_at in request_due(connection):
            log.info("due", transfer=str(transfer), due_at=due_at.isoformat())
        for job_id in integrity_store.request_lost(connection):
            log.error("lost", integrity_job=str(job_id))
        for repair_id in repairs.request_lost(connection):
            log.error("lost", repair=str(repair_id))


async def _again_and_again(errand: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(Exception):
            await errand()


if __name__ == "__main__":
    begin("worker")
    # Who waits for an answer comes before who waits for a diff.
    os.nice(5)
    work(
        needed("DATABASE_URL"),
        open_ring(Path(needed("WEIGHBRIDGE_KEY_RING"))),
        slots=int(sys.argv[1]),
        grace=grace_seconds(os.environ),
    )
