"""Says where a job is, and stops it when it was cancelled, taken over by another, or its worker ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from weighbridge.errors import WeighbridgeError
from weighbridge.fault_points import point

if TYPE_CHECKING:
    from weighbridge.compare.request import Progress, Stop

# How often the worker says where it is and asks whether to go on.
TELL_SECONDS = 1.0

# Writes the progress down: (goes on, still mine, still running). Raises where our database is away.
Tell = Callable[[dict[str, Any]], tuple[bool, bool, bool]]


class Watch:
    """Runs beside the work while the context lasts."""

    def __init__(self, tell: Tell, stop: Stop, leaving: threading.Event) -> None:
        # Another worker has the job by now; this process ends, and gives it back.
        self.lost = self.leaves = False
        self._tell_it, self._stop, self._leaving = tell, stop, leaving
        self._last: dict[str, Any] = {"phase": "starting", "model": None, "rows": 0}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def model(self, name: str) -> None:
        """Say which model is looked at."""
        self._last = {"phase": "starting", "model": name, "rows": 0}

    def note(self, seen: Progress) -> None:
        """Take what the engine says; it is written down by and by."""
        point("integrity.comparing")
        self._last = {**self._last, "phase": seen.phase, "rows": seen.rows}

    def _tell(self) -> None:
        while not self._ended.wait(TELL_SECONDS):
            if self._leaving.is_set():
                self.leaves = True
                self._stop.insist(self._ended)
                return
            try:
                goes_on, mine, runs = self._tell_it(self._last)
            except WeighbridgeError:
                continue  # our database is away: the work goes on, the end will tell
            point("integrity.told")
            if not goes_on:
                self.lost = not mine
                if mine and not runs:
                    return  # its end is written, by us
                point("integrity.cancel_seen")
                self._stop.insist(self._ended)
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)
