"""Looks after a transfer that runs: it ends what was cancelled, taken over, or must be given back."""

from __future__ import annotations

import threading
from typing import Self

from weighbridge.compare.request import Stop
from weighbridge.deliver import store
from weighbridge.deliver.store import Transfer
from weighbridge.errors import WeighbridgeError
from weighbridge.fault_points import point
from weighbridge.store.database import Database, seen_by

# How often it asks whether to go on.
LOOK_SECONDS = 1.0


class Watch:
    """Watches over a transfer. `lost`: another worker has it by now. `leaves`: this process ends.

    `cancelled`: somebody wished for its end.
    """

    def __init__(
        self, database: Database, transfer: Transfer, stop: Stop, leaving: threading.Event
    ) -> None:
        self.lost = self.leaves = self.cancelled = False
        self._database, self._transfer, self._stop = database, transfer, stop
        self._leaving, self._ended = leaving, threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def _look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            if self._leaving.is_set():
                self.leaves = True
            else:
                self._ask()
            if self.leaves or self.lost or self.cancelled:
                self._stop.insist(self._ended)
                return

    def _ask(self) -> None:
        try:
            with seen_by(self._database, self._transfer.environment) as connection:
                ours, wished = store.goes_on(connection, self._transfer)
        except WeighbridgeError:
            return  # our database is away: the work goes on, the end will tell
        point("transfer.told")
        self.lost, self.cancelled = not ours, wished
        if wished:
            point("transfer.cancel_seen")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)
