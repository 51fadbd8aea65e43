"""Which job runs which story: the only place that wires them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weighbridge.catalog import errands
from weighbridge.datadiffs import run as datadiffs_run
from weighbridge.datadiffs import store as datadiffs_store
from weighbridge.jobs.queue import SWEEP, Work, make_app, sweeper
from weighbridge.net.hosts import HostPolicy
from weighbridge.process import begin, needed
from weighbridge.store.database import Database
from weighbridge.store.sealed import open_ring

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weighbridge.store.sealed import KeyRing


def work(url: str, ring: KeyRing, *, slots: int = 4) -> None:
    """Work jobs off until a signal ends it; what is running is finished or handed back."""
    asyncio.run(_work(url, ring, slots))


async def _work(url: str, ring: KeyRing, slots: int) -> None:
    database = Database(url, size=2 * slots, patient=True)
    policy = HostPolicy.operator()
    works: dict[str, Work] = {
        datadiffs_store.JOB: partial(datadiffs_run.run, database, ring, policy=policy),
        errands.JOB: partial(errands.run, database, ring, policy=policy),
    }
    app = make_app(url, works, slots=slots)
    async with app.open_async():
        sweeping = asyncio.create_task(_again_and_again(sweeper(app)))
        try:
            await app.run_worker_async(shutdown_graceful_timeout=25)
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping


async def _again_and_again(sweep: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        with contextlib.suppress(Exception):
            await sweep()


if __name__ == "__main__":
    begin("worker")
    # Who waits for an answer comes before who waits for a diff.
    os.nice(5)
    work(
        needed("DATABASE_URL"),
        open_ring(Path(needed("WEIGHBRIDGE_KEY_RING"))),
        slots=int(sys.argv[1]),
    )
