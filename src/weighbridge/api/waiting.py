"""Work that a client waits for at the other end: not too much of it at once, none for nobody."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool

if TYPE_CHECKING:
    from starlette.requests import Request

Result = TypeVar("Result")


class Seats:
    """So many at once in this process, `each` of one key; who comes later is asked to come again."""

    def __init__(self, count: int, *, each: int) -> None:
        self._count, self._each = count, each
        self._taken = Counter[int]()
        self._lock = threading.Lock()

    async def wait_for(
        self, request: Request, key: int, work: Callable[[threading.Event], Result]
    ) -> Result:
        """Do work in a thread, with an event that is set if the client goes away meanwhile.

        Raises 503 where every seat is taken, 429 where the key has as many as it may have.
        """
        self._take(key)
        gone = threading.Event()

        def seated() -> Result:
            # The seat is free when the work has ended, whoever waited for it.
            try:
                return work(gone)
            finally:
                self._leave(key)

        working = asyncio.ensure_future(run_in_threadpool(seated))
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not working.done():
                gone.set()
            leaving.cancel()
        return await working

    def _take(self, key: int) -> None:
        with self._lock:
            if self._taken.total() >= self._count:
                status, why = 503, "Too many are asking just now."
            elif self._taken[key] >= self._each:
                status, why = 429, f"This key asks {self._each} at once already."
            else:
                self._taken[key] += 1
                return
        raise HTTPException(status, f"{why} Ask again in a moment.", headers={"Retry-After": "5"})

    def _leave(self, key: int) -> None:
        with self._lock:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]


async def _left(request: Request) -> None:
    """Wait until the client goes away. Its body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
