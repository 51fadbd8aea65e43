"""The work runs in a thread; the main thread listens to signals and draws progress.

A driver may sit in C code for minutes, where Python runs no signal handler. The main thread
never does, so Ctrl-C is always heard: it sets the stop switch, which cancels the queries on the
servers, waits for the work to end, and leaves after `GRACE` seconds even if it does not.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from weighbridge.cli.progress import ProgressLine
from weighbridge.cli.surroundings import Surroundings
from weighbridge.compare.request import Stop
from weighbridge.errors import Cancelled

GRACE = 5.0
INTERRUPTED = 130
_HEARD = ("SIGINT", "SIGTERM", "SIGHUP")
_POLL = 0.1

Work = Callable[[Stop], int]


@dataclass
class _Ending:
    """How the work ended: with an exit code, or with an error."""

    code: int | None = None
    error: BaseException | None = None


def watched(work: Work, line: ProgressLine, around: Surroundings) -> int:
    """Do the work and give its exit code. Raises what the work raised; Cancelled after a signal.

    After Ctrl-C it gives 130.
    """
    stop, ending, done = Stop(), _Ending(), threading.Event()

    def run() -> None:
        try:
            ending.code = work(stop)
        except BaseException as error:  # noqa: BLE001 the main thread raises it again
            ending.error = error
        finally:
            done.set()

    with _listening() as heard:
        threading.Thread(target=run, name="weighbridge-work", daemon=True).start()
        while not done.wait(_POLL):
            line.tick()
            if heard:
                _wind_down(heard[0], stop, done, line=line, around=around)
        line.clear()
        if heard:
            return _after_signal(heard[0], ending, around)
    if ending.error is not None:
        raise ending.error
    return ending.code or 0


@contextmanager
def _listening() -> Generator[list[int]]:
    """Collect signals. A second one leaves at once: the person has said it twice."""
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if heard:
            os._exit(_code_of(heard[0]))
        heard.append(number)

    numbers = [getattr(signal, name) for name in _HEARD if hasattr(signal, name)]
    # nohup's wish (SIGHUP ignored) and a shell's background job (SIGINT ignored) are kept.
    numbers = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _code_of(number: int) -> int:
    return INTERRUPTED if number == signal.SIGINT else Cancelled.exit_code


def _wind_down(
    number: int,
    stop: Stop,
    done: threading.Event,
    *,
    line: ProgressLine,
    around: Surroundings,
) -> None:
    line.clear()
    around.say("weighbridge: stopping, and cancelling what runs on the servers …")
    # Cancelling asks the servers, which may be slow to answer: not in the thread that counts time.
    threading.Thread(target=stop.insist, args=(done,), name="weighbridge-stop", daemon=True).start()
    until = around.clock() + GRACE
    while not done.wait(_POLL):
        if around.clock() >= until:
            around.say(
                f"weighbridge: the work did not end within {GRACE:g} s; leaving."
                " A query may still run on a server."
            )
            sys.stdout.flush()
            # Threads that hang in a driver would hold up a regular exit.
            os._exit(_code_of(number))


def _after_signal(number: int, ending: _Ending, around: Surroundings) -> int:
    # A result that was ready when the signal came was still printed in part only.
    if number == signal.SIGINT:
        around.say("weighbridge: interrupted; nothing is left running.")
        return INTERRUPTED
    if isinstance(ending.error, Cancelled):
        raise ending.error
    raise Cancelled(
        f"The run was ended by {signal.Signals(number).name}.", next_step="Run it again."
    ) from ending.error
