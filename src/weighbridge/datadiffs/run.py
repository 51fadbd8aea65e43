"""The story of a stored diff, from the claim to the outcome."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from weighbridge.catalog.data_sources import open_side
from weighbridge.compare.request import Progress, Stop
from weighbridge.datadiffs import store
from weighbridge.datadiffs.request import options_of
from weighbridge.errors import Cancelled, WeighbridgeError
from weighbridge.library import Comparison, compare_sides
from weighbridge.net.hosts import HostPolicy
from weighbridge.report.as_json import plain, report_dict, row_dict
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.store.sealed import KeyRing

# How often the worker says where it is and asks whether to go on.
TELL_SECONDS = 1.0


def run(database: Database, ring: KeyRing, datadiff_id: int, *, policy: HostPolicy) -> None:
    """Run one diff to its end. Raises what may pass, so that the queue tries again."""
    with seen_by(database, EVERYTHING) as connection:
        diff = store.claim(connection, datadiff_id)
    if diff is None:
        return
    stop = Stop()
    with _Watch(database, diff, stop) as watch:
        try:
            with seen_by(database, diff.environment) as connection:
                sides = _sides(connection, ring, diff)
            with _compared(sides, diff, stop=stop, watch=watch, policy=policy) as found:
                _write(database, diff, found)
        except WeighbridgeError as error:
            if watch.lost:
                return
            _fail(database, diff, error)


def _sides(connection: Any, ring: KeyRing, diff: store.Diff) -> tuple[SideSpec, SideSpec]:
    asked = diff.request
    left, right = (
        open_side(connection, ring, number, table=table, query=query, where=where)
        for number, table, query, where in zip(
            asked.data_sources, asked.tables, asked.queries, asked.filters, strict=True
        )
    )
    return left, right


def _compared(
    sides: tuple[SideSpec, SideSpec],
    diff: store.Diff,
    *,
    stop: Stop,
    watch: _Watch,
    policy: HostPolicy,
) -> Comparison:
    sampled = any(value is not None for value in diff.request.sampling)
    options = options_of(diff.request, sampled=sampled)
    return compare_sides(sides, options, progress=watch.note, stop=stop, policy=policy)


def _write(database: Database, diff: store.Diff, found: Comparison) -> None:
    """Write rows and report in one transaction, fenced: whole or not at all."""
    with seen_by(database, diff.environment) as connection:
        store.write_rows(connection, diff, _rows(found))
        if not store.finish(connection, diff, report_dict(found.report)):
            connection.rollback()


def _rows(found: Comparison) -> Iterator[dict[str, Any]]:
    for row in found:
        yield row_dict(row)


def _fail(database: Database, diff: store.Diff, error: WeighbridgeError) -> None:
    status = "cancelled" if isinstance(error, Cancelled) else "failed"
    with seen_by(database, diff.environment) as connection:
        store.fail(connection, diff, plain(error.as_dict()), status=status)


class _Watch:
    """Says where the work is, and stops it when it was cancelled or taken over by another."""

    def __init__(self, database: Database, diff: store.Diff, stop: Stop) -> None:
        self.lost = False
        self._database, self._diff, self._stop = database, diff, stop
        self._last: dict[str, Any] = {"phase": "starting", "rows": 0, "total": None}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def note(self, seen: Progress) -> None:
        """Take what the engine says; it is written down by and by."""
        self._last = {"phase": seen.phase, "rows": seen.rows, "total": seen.total}

    def _tell(self) -> None:
        while not self._ended.wait(TELL_SECONDS):
            try:
                with seen_by(self._database, self._diff.environment) as connection:
                    goes_on = store.note_progress(connection, self._diff, self._last)
                    now = store.get(connection, self._diff.id)
            except WeighbridgeError:
                continue  # our database is away: the work goes on, the end will tell
            if not goes_on:
                self.lost = now.attempt != self._diff.attempt
                self._stop.set()
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)
