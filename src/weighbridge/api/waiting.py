"""Work that a client waits for at the other end: not too much of it at once, none for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.requests import Request

Result = TypeVar("Result")


class Seats:
    """So many at once in this process; who comes later is asked to come again."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    async def wait_for(self, request: Request, work: Callable[[threading.Event], Result]) -> Result:
        """Do work in a thread, with an event that is set if the client goes away meanwhile.

        Raises 503 where every seat is taken.
        """
        if not self._free.acquire(blocking=False):
            raise HTTPException(
                503, "Too many are asking just now. Ask again in a moment.",
                headers={"Retry-After": "5"},
            )  # fmt: skip
        gone = threading.Event()

        def seated() -> Result:
            # The seat is free when the work has ended, whoever waited for it.
            try:
                return work(gone)
            finally:
                self._free.release()

        working = asyncio.ensure_future(run_in_threadpool(seated))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not working.done():
                gone.set()
            leaving.cancel()
        return await working


async def _left(request: Request) -> None:
    """Wait until the client goes away. Its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
