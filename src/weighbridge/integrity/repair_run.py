"""The story of a repair: what is broken is looked at anew, put right, and looked at once more.

The statements and their way back are written down before the first one runs: whoever goes on behind a
worker that died runs them again, which changes nothing that was changed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from weighbridge.compare.request import Stop
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.patcher import open_patcher
from weighbridge.connectors.patching import text_of
from weighbridge.errors import (
    Cancelled,
    ConnectionFailed,
    NotNow,
    RunFailed,
    StoreFailed,
    WeighbridgeError,
)
from weighbridge.fault_points import point
from weighbridge.integrity import repairs
from weighbridge.integrity.bundle import Broken, bundle_of, scripts, table_of
from weighbridge.integrity.examine import Question, examined
from weighbridge.integrity.ground import Ground, Place, open_ground
from weighbridge.integrity.watch import Watch
from weighbridge.jobs.queue import ATTEMPTS, Again
from weighbridge.report.as_json import plain
from weighbridge.store.database import EVERYTHING, Database, seen_by

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.integrity.store import Job
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.store.sealed import KeyRing

AGAIN_SECONDS = 2.0
Entry = dict[str, Any]
log = structlog.get_logger()


def run(
    database: Database,
    ring: KeyRing,
    repair_id: str,
    *,
    policy: HostPolicy,
    leaving: threading.Event | None = None,
) -> None:
    """Run one repair to its end. Raises Again where it is to be run once more."""
    try:
        with seen_by(database, EVERYTHING) as connection:
            claimed = repairs.claim(connection, UUID(repair_id))
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from error
    if claimed is None:
        return
    repair, job = claimed
    point("repair.claimed")
    stop = Stop()

    def tell(_: dict[str, Any]) -> tuple[bool, bool, bool]:
        with seen_by(database, repair.environment) as connection:
            return repairs.note_progress(connection, repair)

    with Watch(tell, stop, leaving or threading.Event()) as watch:
        try:
            if repair.tries > ATTEMPTS:
                raise _given_up(repair)
            _all_models(_Work(database, ring, repair, job, policy, stop, watch))
        except WeighbridgeError as error:
            _ended_early(database, repair, watch, error)
        except Exception as error:
            log.exception("unhandled", repair=str(repair.id), attempt=repair.attempt)
            if repair.tries >= ATTEMPTS:
                _end(database, repair, "ERROR", _given_up(repair))
                return
            raise Again("a fault of ours", after=AGAIN_SECONDS) from error


class _Work:
    """What every model of a repair needs, and what was written down of them so far."""

    def __init__(  # noqa: PLR0917 made at one place
        self, database: Database, ring: KeyRing, repair: repairs.Repair, job: Job,
        policy: HostPolicy, stop: Stop, watch: Watch,
    ) -> None:  # fmt: skip
        self.database, self.ring, self.repair, self.job = database, ring, repair, job
        self.policy, self.stop, self.watch = policy, stop, watch
        self.entries: dict[str, Entry] = {
            one["model_name"]: dict(one) for one in repair.outcome or ()
        }

    def keep(self, entry: Entry) -> None:
        """Write down how far a model is. Raises Cancelled if another one has the repair by now."""
        self.entries[entry["model_name"]] = entry
        with seen_by(self.database, self.repair.environment) as connection:
            held = repairs.write_down(connection, self.repair, list(self.entries.values()))
        if not held:
            raise Cancelled("Another worker has the repair by now.", next_step="Nothing to do.")


def _all_models(work: _Work) -> None:
    with seen_by(work.database, work.repair.environment) as connection:
        rows = repairs.broken(connection, work.job, work.repair)
    for model_id, some in rows.items():
        _one_model(work, model_id, some)
    entries = work.entries.values()
    failed = sum(bool(entry["error_message"]) for entry in entries)
    unwell = failed or any(entry["rows_not_right"] for entry in entries)
    status = "SUCCESS" if not unwell else "ERROR" if failed == len(entries) else "PARTIAL_FAILURE"
    point("repair.finishing")
    _end(work.database, work.repair, status, None)
    point("repair.finished")


def _one_model(work: _Work, model_id: UUID, rows: Sequence[Broken]) -> None:
    with seen_by(work.database, work.repair.environment) as connection:
        ground = open_ground(connection, work.ring, work.job, model_id, own=work.policy)
    name = ground.model.name
    begun = work.entries.get(name)
    if begun is not None and begun["done"]:
        return
    work.watch.model(name)
    try:
        if begun is None:
            begun = _planned(work, ground, rows)
            work.keep(begun)
            point("repair.planned")
        _apply(work, ground, begun["forward_sql"])
        point("repair.applied")
        work.keep(_verified(work, ground, begun))
        point("repair.verified")
    except WeighbridgeError as error:
        if isinstance(error, (StoreFailed, Cancelled)) or (
            isinstance(error, ConnectionFailed) and error.retry and work.repair.tries < ATTEMPTS
        ):
            raise
        planned = begun or repairs.entry(name)
        work.keep({**planned, "error_message": f"{error.message} {error.next_step}", "done": True})


def _planned(work: _Work, ground: Ground, rows: Sequence[Broken]) -> Entry:
    """Look at the rows anew, and write what puts right those that are as they were looked at."""
    now = _differing(work, ground, [row.key for row in rows])
    wanted, right, changed = list[Broken](), 0, 0
    for row in rows:
        found = now.get(_name(row.key))
        if found is None:
            right += 1
        elif found["destination"] != row.destination or not _fits(row.kind, found):
            changed += 1
        else:
            wanted.append(Broken(row.kind, row.key, found["source"], row.destination))
    place = ground.destination
    pen = repairs.pen_at(place.vendor, place.options)
    table = table_of(ground.model, registry.schema_of(place.options), pen)
    made = bundle_of(ground.model.name, table, wanted)
    forward, undo = scripts(pen, made.patches)
    entry = repairs.entry(
        ground.model.name, plan=made.plan, forward=forward, undo=undo,
        right_already=right, changed_since=changed, not_right=made.unfit,
    )  # fmt: skip
    return {**entry, "done": False, "keys": [dict(key) for key in made.keys]}


def _fits(kind: str, found: Mapping[str, Any]) -> bool:
    """Tell whether a row is still broken in the way in which it was: orphaned or not."""
    return (found["source"] is None) == (kind == "orphaned")


def _verified(work: _Work, ground: Ground, entry: Entry) -> Entry:
    """Look at exactly the keys that were put right."""
    now = _differing(work, ground, entry["keys"])
    left = [found for key in entry["keys"] if (found := now.get(_name(key))) is not None]
    # What the source changed since comes with the next transfer.
    stale = sum(found["class"] in {"stale", "pending"} for found in left)
    return {
        **entry,
        "done": True,
        "rows_repaired": len(entry["keys"]) - len(left),
        "rows_changed_since": entry["rows_changed_since"] + stale,
        "rows_not_right": entry["rows_not_right"] + len(left) - stale,
    }


def _differing(
    work: _Work, ground: Ground, keys: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Compare the rows of some keys by the engine; give those that differ, by their key."""
    columns = [theirs for _, theirs in ground.names(keys_only=True)]
    asked = [tuple(text_of(key[name]) for name in columns) for key in keys]
    question = Question(keys=asked, every=True)
    with examined(ground, question, stop=work.stop, progress=work.watch.note) as found:
        if not found.table:
            raise NotNow(
                f"The table {ground.model.name} is not at the destination any more.",
                next_step="A full refresh makes it anew.",
            )
        return {_name(row["key"]): row for row in found.rows()}


def _open(place: Place, table: str) -> AbstractContextManager[SideSpec]:
    return registry.open_side(place.vendor, place.options, place.label, place.policy, table, ())


def _apply(work: _Work, ground: Ground, statements: Sequence[str]) -> None:
    """Run a bundle's way forward: all of it in one transaction."""
    # What begins and ends it for a person, the connection does itself.
    listed = [s for s in statements if s.startswith(("INSERT ", "UPDATE ", "DELETE "))]
    if not listed:
        return
    place = ground.destination
    with _open(place, ground.model.name) as spec:
        patcher = open_patcher(spec, place.policy, place.vendor.display)
        try:
            work.stop.on_set(patcher.cancel)
            work.stop.check()
            done = patcher.apply(listed)
        finally:
            patcher.close()
    log.info("repaired", repair=str(work.repair.id), model=ground.model.name,
             rows=sum(done), left=len(done) - sum(done))  # fmt: skip


def _name(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _given_up(repair: repairs.Repair) -> RunFailed:
    return RunFailed(
        f"The repair was begun {repair.attempt} times and never came to an end.",
        next_step="The worker's log says why; this is a fault of weighbridge.",
    )


def _ended_early(
    database: Database, repair: repairs.Repair, watch: Watch, error: WeighbridgeError
) -> None:
    """Hand the repair back, or let it be tried again, or write down how it ended."""
    if watch.lost:
        log.warning("overtaken", repair=str(repair.id), attempt=repair.attempt)
        return
    if watch.leaves and isinstance(error, Cancelled):
        if _told(database, repair, repairs.hand_back):
            raise Again("its worker ends")
    elif isinstance(error, (StoreFailed, ConnectionFailed)) and repair.tries < ATTEMPTS:
        raise Again(error.message, after=AGAIN_SECONDS * 2 ** (repair.tries - 1)) from None
    _end(database, repair, "CANCELLED" if isinstance(error, Cancelled) else "ERROR", error)


def _end(
    database: Database, repair: repairs.Repair, status: str, error: WeighbridgeError | None
) -> None:
    told = None if error is None else plain(error.as_dict())
    _told(database, repair, lambda c, r: repairs.end(c, r, status, told))


def _told(
    database: Database,
    repair: repairs.Repair,
    change: Callable[[Connection, repairs.Repair], bool],
) -> bool:
    """Change the repair's state. Raises Again where our own database is away."""
    try:
        with seen_by(database, repair.environment) as connection:
            return change(connection, repair)
    except StoreFailed as error:
        raise Again(error.message, after=AGAIN_SECONDS) from None
