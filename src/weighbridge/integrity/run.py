"""The story of an integrity job, from the claim to the last model's result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from weighbridge.compare.request import Stop
from weighbridge.errors import (
    Cancelled,
    ConnectionFailed,
    RunFailed,
    StoreFailed,
    WeighbridgeError,
)
from weighbridge.fault_points import point
from weighbridge.integrity import results, store
from weighbridge.integrity.examine import Found, Question, examined
from weighbridge.integrity.ground import open_ground
from weighbridge.integrity.keys import key_of
from weighbridge.integrity.results import Result
from weighbridge.integrity.watch import Watch
from weighbridge.integrity.words import failed
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.report.as_json import plain
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.integrity.request import Examined
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.store.sealed import KeyRing

# How long a model's result waits for our own database before it is thrown away.
WRITE_SECONDS, WRITE_AGAIN = 60.0, 1.0
# The pause before the second try; each later one is twice as long.
AGAIN_SECONDS = 2.0

log = structlog.get_logger()


def run(
    database: Database,
    ring: KeyRing,
    job_id: str,
    *,
    policy: HostPolicy,
    leaving: threading.Event | None = None,
) -> None:
    """Run one job to its end. Raises Again where it is to be run once more.

    What is found of a model is written when the model is done: a later attempt goes on behind it.
    `leaving` is set when this process is to end: the job is then stopped and handed back.
    """
    try:
        with seen_by(database, EVERYTHING) as connection:
            job = store.claim(connection, UUID(job_id))
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from error
    if job is None:
        return
    point("integrity.claimed")
    stop = Stop()

    def tell(progress: dict[str, Any]) -> tuple[bool, bool, bool]:
        with seen_by(database, job.environment) as connection:
            goes_on = store.note_progress(connection, job, progress)
            attempt, status = store.now_of(connection, job)
        return goes_on, attempt == job.attempt, status == "RUNNING"

    with Watch(tell, stop, leaving or threading.Event()) as watch:
        try:
            _check_worth(job)
            for model in _left(job):
                watch.model(model.name)
                _one(database, ring, job, model, policy=policy, stop=stop, watch=watch)
            _finish(database, job)
        except WeighbridgeError as error:
            _ended_early(database, job, watch, error)
        except Exception as error:
            log.exception("unhandled", job=str(job.id), attempt=job.attempt)
            if job.tries >= ATTEMPTS:
                _end(database, job, _given_up(job))
                return
            raise Again("a fault of ours", after=_pause(job)) from error


def _check_worth(job: store.Job) -> None:
    """Refuse to begin what was cancelled meanwhile, or was begun too often."""
    if job.cancel_wished_at is not None:
        raise Cancelled("The job was cancelled.", next_step="Ask for it again.")
    if job.tries > ATTEMPTS:
        raise _given_up(job)


def _left(job: store.Job) -> list[Examined]:
    done = {result.model_id for result in job.results}
    return [model for model in job.request.models if model.id not in done]


def _one(
    database: Database,
    ring: KeyRing,
    job: store.Job,
    model: Examined,
    *,
    policy: HostPolicy,
    stop: Stop,
    watch: Watch,
) -> None:
    """Find what is not right of one model, and write it; what it fails by is its own result."""
    try:
        with seen_by(database, job.environment) as connection:
            ground = open_ground(connection, ring, job, model.id, own=policy)
        point("integrity.watermark_read")
        question = Question((job.request.since, job.request.until), compare=job.request.compare)
        if model.keys:
            width = len(ground.names(keys_only=True))
            question = Question(keys=[key_of(k, width) for k in model.keys],
                                compare=job.request.compare)  # fmt: skip
        with examined(ground, question, stop=stop, progress=watch.note) as found:
            point("integrity.compared")
            _write(database, job, found)
    except WeighbridgeError as error:
        if not _is_the_models(job, error):
            raise
        told = plain(error.as_dict())
        result = Result(model.id, model.name, failed(model.name, told), error=told)
        _write(database, job, Found(result, lambda: iter(())))


def _is_the_models(job: store.Job, error: WeighbridgeError) -> bool:
    """Tell whether an error ends one model alone; what may pass is tried again, as the whole job."""
    if isinstance(error, (StoreFailed, Cancelled)):
        return False
    return not (isinstance(error, ConnectionFailed) and error.retry and job.tries < ATTEMPTS)


def _write(database: Database, job: store.Job, found: Found) -> None:
    """Write rows and result, fenced: whole or not at all. Waits for a database that is away."""
    end = time.monotonic() + WRITE_SECONDS
    while True:
        try:
            return _write_once(database, job, found)
        except StoreFailed:
            if time.monotonic() > end:
                raise
            time.sleep(WRITE_AGAIN)


def _write_once(database: Database, job: store.Job, found: Found) -> None:
    with seen_by(database, job.environment) as connection:
        if store.now_of(connection, job) != (job.attempt, "RUNNING"):
            raise _overtaken(job)
        done = results.results_of(connection, [job.id])[job.id]
        # An earlier try may have been committed, and only its answer lost.
        if any(one.model_id == found.result.model_id for one in done):
            return
        results.write_rows(connection, job, found.result.model_id, found.rows())
        point("integrity.rows_copied")
        if not store.hold(connection, job):
            raise _overtaken(job)
        results.write_result(connection, job, found.result)
        point("integrity.model_writing")
    point("integrity.model_written")


def _overtaken(job: store.Job) -> Cancelled:
    log.warning("overtaken", job=str(job.id), attempt=job.attempt)
    return Cancelled("Another worker has the job by now.", next_step="Nothing is to be done.")


def _finish(database: Database, job: store.Job) -> None:
    """Write down how it ended: by what came of its models."""
    with seen_by(database, job.environment) as connection:
        done = results.results_of(connection, [job.id])[job.id]
        errors = sum(result.error is not None for result in done)
        status = "SUCCESS" if not errors else "PARTIAL_FAILURE" if errors < len(done) else "ERROR"
        if not store.end(connection, job, status):
            log.warning("overtaken", job=str(job.id), attempt=job.attempt)
        point("integrity.finishing")
    point("integrity.finished")


def _ended_early(database: Database, job: store.Job, watch: Watch, error: WeighbridgeError) -> None:
    """Hand the job back, or let it be tried again, or write down how it ended."""
    if watch.lost:
        log.warning("overtaken", job=str(job.id), attempt=job.attempt)
        return
    if watch.leaves and isinstance(error, Cancelled):
        point("integrity.leaving")
        if _told(database, job, store.hand_back):
            point("integrity.handed_back")
            raise Again("its worker ends")
    # Our own database, or the way to a side: what may pass. A wrong password does not.
    elif isinstance(error, (StoreFailed, ConnectionFailed)) and job.tries < ATTEMPTS:
        if isinstance(error, StoreFailed):
            raise Again(error.message, after=_pause(job)) from None
        if _told(
            database, job, lambda c, j: store.try_again(c, j, plain(error.as_dict()), ATTEMPTS)
        ):
            point("integrity.to_be_tried_again")
            raise Again("a side could not be reached", after=_pause(job)) from None
    _end(database, job, error)


def _pause(job: store.Job) -> float:
    return AGAIN_SECONDS * 2 ** (job.tries - 1)


def _given_up(job: store.Job) -> RunFailed:
    return RunFailed(
        f"The job was begun {job.attempt} times and never came to an end.",
        next_step="The worker's log says why; this is a fault of weighbridge.",
    )


def _end(database: Database, job: store.Job, error: WeighbridgeError) -> None:
    """Write down that a job ended before its last model: failed or cancelled."""
    cancelled = isinstance(error, Cancelled)
    told = None if cancelled else plain(error.as_dict())
    point("integrity.failing")
    status = "CANCELLED" if cancelled else "ERROR"
    _told(database, job, lambda c, j: store.end(c, j, status, told))
    point("integrity.failed")


def _told(
    database: Database, job: store.Job, change: Callable[[Connection, store.Job], bool]
) -> bool:
    """Change the job's state. Raises Again where our own database is away."""
    try:
        with seen_by(database, job.environment) as connection:
            return change(connection, job)
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from None
