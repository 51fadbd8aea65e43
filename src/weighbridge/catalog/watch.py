"""Ends work on another system when its time is up, it brings too much, or nobody waits any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal, Self, TypeVar

from weighbridge.errors import ConnectionFailed

Result = TypeVar("Result")

Reason = Literal["time", "gone", "bytes"]
# How often it looks: what can arrive meanwhile is memory.
LOOK_SECONDS = 0.02
# A query that begins just after it was cancelled is missed: so it is cancelled again.
AGAIN_SECONDS = 0.5
# Who does not end when told to is cut off.
SEVER_SECONDS = 3.0


class Watch:
    """Watches over a block of code. `reason` says, afterwards, why it was ended, if it was.

    `cancel` ends what runs; `sever` cuts the connection, where there is one to cut. `gone` is set
    by whoever learns that nobody waits for the answer. `too_much` tells that it brings too much.
    """

    def __init__(
        self,
        cancel: Callable[[], None],
        *,
        seconds: float,
        sever: Callable[[], None] = lambda: None,
        gone: threading.Event | None = None,
        too_much: Callable[[], bool] = lambda: False,
    ) -> None:
        self.reason: Reason | None = None
        self._cancel, self._sever, self._too_much = cancel, sever, too_much
        self._seconds, self._gone = seconds, gone or threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._end = time.monotonic() + self._seconds
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self.reason = self._why()
            if self.reason is not None:
                self._insist()

    def _why(self) -> Reason | None:
        if self._too_much():
            return "bytes"
        if self._gone.is_set():
            return "gone"
        return "time" if time.monotonic() > self._end else None

    def _insist(self) -> None:
        # What is on its way already would arrive whole, however often it is cancelled.
        patience = 0.0 if self.reason == "bytes" else SEVER_SECONDS
        end = time.monotonic() + patience
        while not self._done.is_set():
            if time.monotonic() >= end:
                self._sever()
            self._cancel()
            self._done.wait(AGAIN_SECONDS)


def within(seconds: float, work: Callable[[], Result], give_up: Callable[[], None]) -> Result:
    """Do work in a thread of its own, for no resolver and not every driver has a time limit.

    Where it takes longer, `give_up` is called to end it, and ConnectionFailed is raised.
    """
    done: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 it is raised where the work was asked for
            failed.append(error)

    thread = threading.Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if done:
        return done[0]
    give_up()
    raise ConnectionFailed(
        f"No answer within {seconds:g} s.",
        next_step="Check the server, and what lies between it and this machine.",
    )
