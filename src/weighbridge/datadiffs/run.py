"""The story of a stored diff, from the claim to the outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from weighbridge.compare.request import Progress, Stop
from weighbridge.connectors.registry import open_source
from weighbridge.datadiffs import sampling, store
from weighbridge.datadiffs.ground import Ground, Sides, clear, open_ground, ready
from weighbridge.datadiffs.materialise import write_results
from weighbridge.datadiffs.request import options_of
from weighbridge.errors import Cancelled, NoSuchConnection, RunFailed, StoreFailed, WeighbridgeError
from weighbridge.jobs.queue import ATTEMPTS
from weighbridge.library import Comparison, compare_sides
from weighbridge.net.hosts import HostPolicy
from weighbridge.report.as_json import plain, report_dict, row_dict
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from weighbridge.store.sealed import KeyRing

# How often the worker says where it is and asks whether to go on.
TELL_SECONDS = 1.0
# How long a finished comparison waits for our own database before it is thrown away.
WRITE_SECONDS, WRITE_AGAIN = 60.0, 1.0


def run(database: Database, ring: KeyRing, datadiff_id: int, *, policy: HostPolicy) -> None:
    """Run one diff to its end. Raises what may pass, so that the queue tries again."""
    with seen_by(database, EVERYTHING) as connection:
        diff = store.claim(connection, datadiff_id)
    if diff is None:
        _tidy_ended(database, ring, datadiff_id, policy)
        return
    stop = Stop()
    with _Watch(database, diff, stop) as watch:
        ground: Ground | None = None
        try:
            with seen_by(database, diff.environment) as connection:
                ground = open_ground(connection, ring, diff, policy)
            if diff.attempt > ATTEMPTS:
                raise _given_up(diff)
            with (
                ready(ground, diff, stop) as sides,
                _compared(sides, diff, stop=stop, watch=watch, policy=policy) as found,
            ):
                watch.phase("writing the results")
                additions = _additions(sides, diff, found, ground, stop=stop, policy=policy)
                _write(database, diff, found, additions)
        except WeighbridgeError as error:
            if watch.lost:
                return
            if isinstance(error, StoreFailed) and diff.attempt < ATTEMPTS:
                raise
            _fail(database, diff, error, ground)
        except Exception:
            if diff.attempt >= ATTEMPTS:
                _fail(database, diff, _given_up(diff), ground)
            raise


def _tidy_ended(database: Database, ring: KeyRing, number: int, policy: HostPolicy) -> None:
    """Drop the copies of a diff whose worker died between its end and that."""
    with seen_by(database, EVERYTHING) as connection:
        diff = store.get(connection, number)
    if not diff.attempt or not any(diff.request.copied()):
        return
    # A connection that was deleted since has nothing that could be reached.
    with suppress(NoSuchConnection):
        with seen_by(database, diff.environment) as connection:
            ground = open_ground(connection, ring, diff, policy)
        clear(ground, diff, before=diff.attempt + 1, copies_only=True)


def _given_up(diff: store.Diff) -> RunFailed:
    return RunFailed(
        f"The diff was begun {diff.attempt} times and never came to an end.",
        next_step="The worker's log says why; this is a fault of weighbridge.",
    )


def _compared(
    sides: Sides, diff: store.Diff, *, stop: Stop, watch: _Watch, policy: HostPolicy
) -> Comparison:
    """Compare a sample where one is wished for and may stand for the whole, else every row."""

    def compared(*, sampled: bool) -> Comparison:
        options = options_of(diff.request, sampled=sampled)
        return compare_sides(sides, options, progress=watch.note, stop=stop, policy=policy)

    wish = diff.request.sampling
    if not sampling.wished(wish):
        return compared(sampled=False)
    reason = sampling.too_small(wish, _larger(sides, policy))
    if reason is None:
        found = compared(sampled=True)
        reason = sampling.too_faulty(wish, found.report)
        if reason is None:
            return found
        found.close()
    found = compared(sampled=False)
    found.report = replace(found.report, warnings=(*found.report.warnings, reason))
    return found


def _additions(
    sides: Sides,
    diff: store.Diff,
    found: Comparison,
    ground: Ground,
    *,
    stop: Stop,
    policy: HostPolicy,
) -> dict[str, Any]:
    """Make what was asked for beside the report: counts by time, tables in the destination."""
    asked, made = diff.request, dict[str, Any]()
    if asked.time_column is not None and asked.time_aggregate is not None:
        buckets = found.timeline(asked.time_column, asked.time_aggregate)
        if isinstance(buckets, str):
            found.report = replace(found.report, warnings=(*found.report.warnings, buckets))
        else:
            made["time_aggregates"] = [
                {"bucket_start": b.start, "rows": b.rows, "changed": b.changed, "only": b.only}
                for b in buckets
            ]
    if ground.destination is None:
        return made
    if asked.whole_results and found.report.sampling is not None:
        options = options_of(asked, sampled=False)
        with compare_sides(
            sides, options, progress=lambda _: None, stop=stop, policy=policy
        ) as whole:
            made["materialized"] = write_results(whole, diff, ground.destination, stop)
    else:
        made["materialized"] = write_results(found, diff, ground.destination, stop)
    return made


def _larger(sides: Sides, policy: HostPolicy) -> int | None:
    """Ask the catalogs for the rows of the larger side; None if one does not know."""
    rows: list[int | None] = []
    for side in sides:
        source = open_source(side, policy)
        try:
            rows.append(source.estimate().rows)
        finally:
            source.close()
    known = [count for count in rows if count is not None]
    return max(known) if len(known) == len(rows) else None


def _write(
    database: Database, diff: store.Diff, found: Comparison, additions: dict[str, Any]
) -> None:
    """Write rows and report, fenced: whole or not at all. Waits for a database that is away."""
    report, end = report_dict(found.report), time.monotonic() + WRITE_SECONDS
    while True:
        try:
            _write_once(database, diff, found, (report, additions))
        except StoreFailed:
            if time.monotonic() > end:
                raise
            time.sleep(WRITE_AGAIN)
        else:
            return


def _write_once(
    database: Database,
    diff: store.Diff,
    found: Comparison,
    outcome: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    with seen_by(database, diff.environment) as connection:
        now = store.get(connection, diff.id)
        # An earlier try may have been committed, and only its answer lost.
        if (now.attempt, now.status) != (diff.attempt, "processing"):
            return
        store.write_rows(connection, diff, _rows(found))
        if not store.finish(connection, diff, *outcome):
            connection.rollback()


def _rows(found: Comparison) -> Iterator[dict[str, Any]]:
    for row in found:
        yield row_dict(row)


def _fail(
    database: Database, diff: store.Diff, error: WeighbridgeError, ground: Ground | None
) -> None:
    status = "cancelled" if isinstance(error, Cancelled) else "failed"
    with seen_by(database, diff.environment) as connection:
        ended = store.fail(connection, diff, plain(error.as_dict()), status=status)
    if ended and ground is not None:
        # What has no outcome has no tables either.
        clear(ground, diff, before=diff.attempt + 1)


class _Watch:
    """Says where the work is, and stops it when it was cancelled or taken over by another."""

    def __init__(self, database: Database, diff: store.Diff, stop: Stop) -> None:
        self.lost = False
        self._database, self._diff, self._stop = database, diff, stop
        self._last: dict[str, Any] = {"phase": "starting", "rows": 0, "total": None}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def phase(self, name: str) -> None:
        """Say what is done after the engine has ended."""
        self._last = {**self._last, "phase": name}

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
                if self.lost or now.status == "processing":
                    self._stop.insist(self._ended)
                return  # or its end was written down just now

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)
