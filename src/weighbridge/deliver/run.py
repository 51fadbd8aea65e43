"""The story of a transfer, from the claim to its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from weighbridge.compare.request import Stop
from weighbridge.deliver import store
from weighbridge.deliver.ground import Ground, open_ground
from weighbridge.deliver.load_model import Side, Task, load_model
from weighbridge.deliver.store import Transfer
from weighbridge.deliver.watch import Watch
from weighbridge.errors import (
    Busy,
    Cancelled,
    ConnectionFailed,
    Overtaken,
    RunFailed,
    StoreFailed,
    WeighbridgeError,
)
from weighbridge.fault_points import point
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.catalog.models import Model
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.store.sealed import KeyRing

# The pause before the second try; each later one is twice as long.
AGAIN_SECONDS = 2.0
# How soon it is looked again whether the transfers before this one have ended.
WAIT_SECONDS = 2.0
# Models at once, whatever a destination allows: each needs memory of this process.
MOST_AT_ONCE = 4
# How long what is known waits for our own database before the attempt is given up.
WRITE_SECONDS, WRITE_AGAIN = 60.0, 1.0
# Called in the transaction that ends a transfer whose destination wants to be verified.
Then = Callable[["Connection", Transfer], None]

log = structlog.get_logger()


def run(
    database: Database,
    ring: KeyRing,
    transfer_id: str,
    *,
    policy: HostPolicy,
    leaving: threading.Event | None = None,
    then: Then = lambda _connection, _transfer: None,
) -> None:
    """Run one transfer to its end. Raises Again where it is to be run once more, or waits.

    `leaving` is set when this process is to end: the transfer is then stopped and handed back.
    """
    try:
        with seen_by(database, EVERYTHING) as connection:
            transfer = store.claim(connection, UUID(transfer_id))
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from error
    if transfer is None:
        return None
    if transfer.status == "PENDING":
        raise Again("others go first", after=WAIT_SECONDS)
    point("transfer.claimed")
    story = _Story(database, transfer, Stop(), then)
    with Watch(database, transfer, story.stop, leaving or threading.Event()) as watch:
        try:
            if transfer.cancel_wished_at is not None:
                return story.end({}, cancelled=True)
            if transfer.tries > ATTEMPTS:
                raise _given_up(transfer)
            with seen_by(database, transfer.environment) as connection:
                ground = open_ground(connection, ring, transfer, policy)
            point("transfer.opened")
            failed = story.deliver(ground)
            story.decide(watch, ground, failed)
        except StoreFailed as error:
            if watch.lost:
                return None
            if transfer.tries >= ATTEMPTS:
                return story.fail(error)
            raise Again(error.message, after=_pause(transfer)) from error
        except WeighbridgeError as error:
            story.fail(error)
    return None


class _Story:
    """One attempt at a transfer."""

    def __init__(self, database: Database, transfer: Transfer, stop: Stop, then: Then) -> None:
        self.stop, self._then = stop, then
        self._database, self._transfer = database, transfer
        self._verified = False

    def deliver(self, ground: Ground) -> Mapping[UUID, WeighbridgeError]:
        """Deliver each model, some at once; give what failed. One that fails stops no other."""
        self._verified = ground.verified
        failed: dict[UUID, WeighbridgeError] = {}
        at_once = min(ground.at_once, MOST_AT_ONCE)
        with ThreadPoolExecutor(at_once, thread_name_prefix="model") as pool:
            tries = {model.id: pool.submit(self._try, ground, model) for model in ground.models}
            for number, tried in tries.items():
                error = tried.result()
                if error is not None:
                    failed[number] = error
        return failed

    def _try(self, ground: Ground, model: Model) -> WeighbridgeError | None:
        side = Side()
        try:
            self.stop.check()
            with ground.origins[model.id].opened(ground.policy) as spec:
                task = Task(
                    self._database, self._transfer, ground, model, spec, self.stop, side
                )  # fmt: skip
                load_model(task)
        except WeighbridgeError as error:
            told = error
        except Exception:
            log.exception("unhandled", transfer=str(self._transfer.id), model=model.name)
            told = RunFailed(
                f"The model {model.name} met a fault of ours.",
                next_step="The worker's log says more; report it with the transfer's id.",
            )
        else:
            return None
        told.add_note(side.name)
        log.info("model_failed", transfer=str(self._transfer.id), model=model.name, code=told.code)
        return told

    def decide(self, watch: Watch, ground: Ground, failed: Mapping[UUID, WeighbridgeError]) -> None:
        """End the transfer, or hand it back, or let what failed be tried again."""
        transfer = self._transfer
        if watch.lost:
            log.warning("overtaken", transfer=str(transfer.id), attempt=transfer.attempt)
            return
        if watch.leaves and any(isinstance(e, Cancelled) for e in failed.values()):
            point("transfer.leaving")
            if self._told(store.hand_back):
                point("transfer.handed_back")
                raise Again("its worker ends")
        # What somebody else cancelled at a server, none of us wished to end.
        passing = [e for e in failed.values() if _passes(e) or isinstance(e, Cancelled)]
        if passing and not watch.cancelled and transfer.tries < ATTEMPTS:
            self._write_failed(ground, failed, final=False)
            line = f"To be tried again, {transfer.tries} of {ATTEMPTS} tries were made."
            if self._told(lambda c, t: store.try_again(c, t, line)):
                point("transfer.to_be_tried_again")
                raise Again("a side could not be used", after=_pause(transfer))
        cancelled = watch.cancelled or self._is_wished()
        self._write_failed(ground, failed, final=True, cancelled=cancelled)
        self.end(failed, cancelled=cancelled and bool(failed))

    def _write_failed(
        self,
        ground: Ground,
        failed: Mapping[UUID, WeighbridgeError],
        *,
        final: bool,
        cancelled: bool = False,
    ) -> None:
        point("transfer.failing")
        for model in ground.models:
            error = failed.get(model.id)
            if error is None:
                continue
            status = "ERROR"
            if isinstance(error, Cancelled) and cancelled:
                status = "CANCELLED"
            elif not final and (_passes(error) or isinstance(error, Cancelled)):
                status = "PENDING"
            said = " ".join(f"{model.name}: {status}: {error}".split())
            self._told(_failing(model, error, status, said))

    def end(self, failed: Mapping[UUID, WeighbridgeError], *, cancelled: bool) -> None:
        """Write down how the transfer ended."""
        point("transfer.finishing")

        def ended(connection: Connection, transfer: Transfer) -> bool:
            now = store.get(connection, transfer.id)
            done = sum(run.status == "SUCCESS" for run in now.runs)
            bad = [run for run in now.runs if run.status != "SUCCESS"]
            if cancelled:
                status, line = "CANCELLED", "Cancelled."
            elif not failed and not bad:
                status, line = "SUCCESS", f"Done: {done} model{'' if done == 1 else 's'}."
            else:
                status = "PARTIAL_FAILURE" if done else "ERROR"
                line = f"Ended: {done} delivered, {len(bad)} not."
            if not store.finish(connection, transfer, status, line=line):
                return False
            if self._verified and done and not cancelled:
                self._then(connection, transfer)
            return True

        self._told(ended)
        point("transfer.finished")

    def fail(self, error: WeighbridgeError) -> None:
        """Write down that nothing could be begun."""
        point("transfer.failing_whole")
        said = _as_json(error, "weighbridge")
        self._told(lambda c, t: store.finish(c, t, "ERROR", line=f"Not begun: {error}", error=said))

    def _told(self, change: Callable[[Connection, Transfer], bool]) -> bool:
        """Change the transfer's state; waits for a database of ours that is away."""
        end = time.monotonic() + WRITE_SECONDS
        while True:
            try:
                with seen_by(self._database, self._transfer.environment) as connection:
                    return change(connection, self._transfer)
            except Overtaken:
                return False
            except StoreFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(WRITE_AGAIN)

    def _is_wished(self) -> bool:
        with seen_by(self._database, self._transfer.environment) as connection:
            return store.goes_on(connection, self._transfer)[1]


def _failing(
    model: Model, error: WeighbridgeError, status: str, line: str
) -> Callable[[Connection, Transfer], bool]:
    def change(connection: Connection, transfer: Transfer) -> bool:
        side = next(iter(getattr(error, "__notes__", [])), "weighbridge")
        store.fail_model(
            connection, transfer, model, error=_as_json(error, side), status=status, line=line
        )
        return True

    return change


def _as_json(error: WeighbridgeError, side: str) -> dict[str, str | bool]:
    return {**error.as_dict(), "side": side}


def _passes(error: WeighbridgeError) -> bool:
    """Tell what may well be gone the next time: a wrong password is not."""
    # What nobody foresaw is a RunFailed of no kind: a fault of ours, which may not come again.
    if isinstance(error, StoreFailed) or type(error) is RunFailed:
        return True
    return isinstance(error, (ConnectionFailed, Busy)) and error.retry


def _pause(transfer: Transfer) -> float:
    return AGAIN_SECONDS * 2 ** (transfer.tries - 1)


def _given_up(transfer: Transfer) -> RunFailed:
    return RunFailed(
        f"The transfer was begun {transfer.attempt} times and never came to an end.",
        next_step="The worker's log says why; this is a fault of weighbridge.",
    )
