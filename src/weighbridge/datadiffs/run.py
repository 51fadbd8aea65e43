"""The story of a stored diff, from the claim to the outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import structlog

from weighbridge.compare.request import Progress, Stop
from weighbridge.connectors.registry import open_source
from weighbridge.datadiffs import sampling, store
from weighbridge.datadiffs.ground import Ground, Sides, clear, open_ground, ready
from weighbridge.datadiffs.materialise import write_results
from weighbridge.datadiffs.request import options_of
from weighbridge.errors import (
    Cancelled,
    ConnectionFailed,
    NoSuchConnection,
    RunFailed,
    StoreFailed,
    WeighbridgeError,
)
from weighbridge.fault_points import point
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.library import Comparison, compare_sides
from weighbridge.net.hosts import HostPolicy
from weighbridge.report.as_json import plain, report_dict, row_dict
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.store.sealed import KeyRing

# How often the worker says where it is and asks whether to go on.
TELL_SECONDS = 1.0
# How long a finished comparison waits for our own database before it is thrown away.
WRITE_SECONDS, WRITE_AGAIN = 60.0, 1.0
# The pause before the second try; each later one is twice as long.
AGAIN_SECONDS = 2.0

log = structlog.get_logger()


def run(
    database: Database,
    ring: KeyRing,
    datadiff_id: int,
    *,
    policy: HostPolicy,
    leaving: threading.Event | None = None,
) -> None:
    """Run one diff to its end. Raises Again where it is to be run once more.

    `leaving` is set when this process is to end: the diff is then stopped and handed back.
    """
    try:
        with seen_by(database, EVERYTHING) as connection:
            diff = store.claim(connection, datadiff_id)
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from error
    if diff is None:
        _tidy_ended(database, ring, datadiff_id, policy)
        return
    point("diff.claimed")
    stop = Stop()
    with _Watch(database, diff, stop, leaving or threading.Event()) as watch:
        ground: Ground | None = None
        try:
            with seen_by(database, diff.environment) as connection:
                ground = open_ground(connection, ring, diff, policy)
            point("diff.sides_read")
            _check_worth(diff)
            with (
                ready(ground, diff, stop, policy=policy) as sides,
                _compared(sides, diff, stop=stop, watch=watch, policy=policy) as found,
            ):
                point("diff.compared")
                watch.phase("writing the results")
                additions = _additions(sides, diff, found, ground, stop=stop, policy=policy)
                _write(database, diff, found, additions)
        except WeighbridgeError as error:
            _ended_early(database, diff, watch, error, ground=ground)
        except Exception as error:
            log.exception("unhandled", diff=diff.id, attempt=diff.attempt)
            if diff.tries >= ATTEMPTS:
                _end(database, diff, _given_up(diff), ground)
                return
            raise Again("a fault of ours", after=_pause(diff)) from error


def _check_worth(diff: store.Diff) -> None:
    """Refuse to begin what was cancelled meanwhile, or was begun too often."""
    if diff.cancel_wished_at is not None:
        raise Cancelled("The diff was cancelled.", next_step="Ask for it again.")
    if diff.tries > ATTEMPTS:
        raise _given_up(diff)


def _ended_early(
    database: Database,
    diff: store.Diff,
    watch: _Watch,
    error: WeighbridgeError,
    *,
    ground: Ground | None,
) -> None:
    """Hand the diff back, or let it be tried again, or write down how it ended."""
    if watch.lost:
        log.warning("overtaken", diff=diff.id, attempt=diff.attempt)
        return
    if watch.leaves and isinstance(error, Cancelled):
        point("diff.leaving")
        if _told(database, diff, store.hand_back):
            point("diff.handed_back")
            raise Again("its worker ends")
    # Our own database, or the way to a side: what may pass. A wrong password does not.
    elif isinstance(error, (StoreFailed, ConnectionFailed)) and diff.tries < ATTEMPTS:
        if isinstance(error, StoreFailed):
            raise Again(error.message, after=_pause(diff)) from None
        if error.retry and _told(
            database, diff, lambda c, d: store.try_again(c, d, plain(error.as_dict()), ATTEMPTS)
        ):
            point("diff.to_be_tried_again")
            raise Again("a side could not be reached", after=_pause(diff)) from None
    _end(database, diff, error, ground)


def _pause(diff: store.Diff) -> float:
    return AGAIN_SECONDS * 2 ** (diff.tries - 1)


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
            log.warning("overtaken", diff=diff.id, attempt=diff.attempt, now=now.attempt)
            return
        store.write_rows(connection, diff, _rows(found))
        if not store.finish(connection, diff, *outcome):
            log.warning("overtaken", diff=diff.id, attempt=diff.attempt)
            connection.rollback()
        point("diff.finishing")
    point("diff.finished")


def _rows(found: Comparison) -> Iterator[dict[str, Any]]:
    for row in found:
        yield row_dict(row)


def _end(
    database: Database, diff: store.Diff, error: WeighbridgeError, ground: Ground | None
) -> None:
    """Write down that a diff ended without an outcome: failed or cancelled."""
    status = "cancelled" if isinstance(error, Cancelled) else "failed"
    point("diff.failing")
    ended = _told(
        database, diff, lambda c, d: store.fail(c, d, plain(error.as_dict()), status=status)
    )
    point("diff.failed")
    if ended and ground is not None:
        # What has no outcome has no tables either.
        clear(ground, diff, before=diff.attempt + 1)


def _told(
    database: Database, diff: store.Diff, change: Callable[[Connection, store.Diff], bool]
) -> bool:
    """Change the diff's state. Raises Again where our own database is away."""
    try:
        with seen_by(database, diff.environment) as connection:
            return change(connection, diff)
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from None


class _Watch:
    """Says where the work is, and stops it when it was cancelled or taken over by another."""

    def __init__(
        self, database: Database, diff: store.Diff, stop: Stop, leaving: threading.Event
    ) -> None:
        # Another worker has the diff by now; this process ends, and gives it back.
        self.lost = self.leaves = False
        self._database, self._diff, self._stop, self._leaving = database, diff, stop, leaving
        self._last: dict[str, Any] = {"phase": "starting", "rows": 0, "total": None}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="watch", daemon=True)

    def phase(self, name: str) -> None:
        """Say what is done after the engine has ended."""
        self._last = {**self._last, "phase": name}

    def note(self, seen: Progress) -> None:
        """Take what the engine says; it is written down by and by."""
        point("diff.comparing")
        self._last = {"phase": seen.phase, "rows": seen.rows, "total": seen.total}

    def _tell(self) -> None:
        while not self._ended.wait(TELL_SECONDS):
            if self._leaving.is_set():
                self.leaves = True
                self._stop.insist(self._ended)
                return
            try:
                with seen_by(self._database, self._diff.environment) as connection:
                    goes_on = store.note_progress(connection, self._diff, self._last)
                    now = store.get(connection, self._diff.id)
            except WeighbridgeError:
                continue  # our database is away: the work goes on, the end will tell
            point("diff.told")
            if not goes_on:
                self.lost = now.attempt != self._diff.attempt
                if not self.lost and now.status != "processing":
                    return  # its end is written, by us
                point("diff.cancel_seen")
                self._stop.insist(self._ended)
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)
