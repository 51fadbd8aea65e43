"""Transfers asked for, by a person or a schedule: checked, written with their job, listed, cancelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select, tuple_, update

from weighbridge.catalog.deliverable import enabled_models
from weighbridge.catalog.destinations import Destination, Sight, get_destination
from weighbridge.connectors.destinations import registry
from weighbridge.deliver import store
from weighbridge.deliver.store import JOB, Transfer
from weighbridge.errors import BadArgument, NotNow
from weighbridge.jobs.queue import request_job
from weighbridge.store.tables import destinations, transfers

if TYPE_CHECKING:
    from weighbridge.catalog.records import Wanted

# A recipient may ask, too: not for more than can ever matter.
MOST_WAITING = 50


@dataclass(frozen=True)
class Wish:
    """What is asked for: models (none: every enabled one), a window [since, until), all anew."""

    models: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    full_refresh: bool = False
    debug: bool = False
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Filters:
    """Which transfers are listed; (key, value) of each tag; `ended` in [after, before)."""

    destination: UUID | None = None
    status: str | None = None
    tags: Sequence[tuple[str, str]] = ()
    ended_after: datetime | None = None
    ended_before: datetime | None = None


def request(
    connection: Connection,
    destination: UUID,
    wish: Wish,
    *,
    sight: Sight,
    environment: str,
    created_by: int | None,
) -> Transfer:
    """Write a transfer down and ask for its job, both in this transaction.

    Raises NoSuchObject, BadArgument, NotNow for a destination that is switched off.
    """
    place = get_destination(connection, destination, sight)
    check(connection, place, wish)
    _check_waiting(connection, place)
    row = connection.execute(
        transfers.insert()
        .values(
            environment=environment,
            destination_id=place.id,
            is_full_refresh=wish.full_refresh,
            is_debug_mode=wish.debug,
            models=sorted(set(wish.models)),
            window_start=wish.since,
            window_end=wish.until,
            tags=dict(wish.tags),
            created_by=created_by,
        )
        .returning(transfers.c.id)
    ).one()
    request_job(connection, JOB, transfer_id=str(row.id))
    return store.get(connection, row.id)


def check(connection: Connection, place: Destination, wish: Wish) -> None:
    """Refuse what cannot be done. Raises BadArgument, NotNow."""
    vendor = registry.find_vendor(place.vendor)
    if not vendor.delivers:
        raise BadArgument(
            f"Nothing can be delivered to {vendor.display} yet.",
            next_step="Its options are stored; choose a destination of another vendor meanwhile.",
        )
    if not place.is_enabled:
        raise NotNow(
            "The destination is switched off.", next_step="Set its is_enabled to true first."
        )
    if wish.full_refresh and (wish.since or wish.until):
        raise BadArgument(
            "full_refresh: expected no window with it, because it replaces all rows.",
            next_step="Leave out start_transfer_window_at and end_transfer_window_at.",
        )
    if wish.since and wish.until and wish.since >= wish.until:
        raise BadArgument(
            "start_transfer_window_at: expected a moment before end_transfer_window_at.",
            next_step="The window holds its start and not its end.",
        )
    known = {model.name for model in enabled_models(connection, place)}
    unknown = sorted(set(wish.models) - known)
    if unknown:
        raise BadArgument(
            f"models: {unknown[0][:60]!r} is not enabled for this destination.",
            next_step=f"Use names among {', '.join(sorted(known)[:20])}."
            if known else "Enable a model first.",
        )  # fmt: skip


def _check_waiting(connection: Connection, place: Destination) -> None:
    waiting = connection.execute(
        select(func.count())
        .select_from(transfers)
        .where(transfers.c.destination_id == place.id, transfers.c.status == "PENDING")
    ).scalar_one()
    if waiting >= MOST_WAITING:
        raise NotNow(
            f"{waiting} transfers wait at this destination already.",
            next_step="Wait for them, or cancel some.",
        )


def get(connection: Connection, number: UUID, sight: Sight) -> Transfer:
    """Give one transfer. Raises NoSuchObject, also for one that may not be seen."""
    return store.get(connection, number, *_seen(sight))


def list_transfers(
    connection: Connection, wanted: Wanted, filters: Filters, sight: Sight
) -> tuple[list[Transfer], bool]:
    """Give a page of transfers in the order of their asking, and whether more follow."""
    place = tuple_(transfers.c.submitted_at, transfers.c.id)
    query = select(transfers).where(*_seen(sight), *_conditions(filters))
    if wanted.after is not None:
        query = query.where(place < wanted.after if wanted.descending else place > wanted.after)
    order = (transfers.c.submitted_at, transfers.c.id)
    ordered = [column.desc() if wanted.descending else column for column in order]
    found = connection.execute(query.order_by(*ordered).limit(wanted.size + 1)).all()
    shown = store.with_runs(connection, found[: wanted.size])
    return shown, len(found) > wanted.size


def cancel(connection: Connection, number: UUID, sight: Sight) -> Transfer:
    """Ask for the end of a transfer: one that waits ends at once, one that runs within seconds.

    One that has ended stays as it is. Raises NoSuchObject.
    """
    get(connection, number, sight)
    connection.execute(
        update(transfers)
        .where(transfers.c.id == number, transfers.c.status == "PENDING")
        .values(
            status="CANCELLED",
            ended_at=func.clock_timestamp(),
            cancel_wished_at=func.coalesce(transfers.c.cancel_wished_at, func.clock_timestamp()),
        )
    )
    connection.execute(
        update(transfers)
        .where(transfers.c.id == number, transfers.c.status == "RUNNING")
        .values(
            cancel_wished_at=func.coalesce(transfers.c.cancel_wished_at, func.clock_timestamp())
        )
    )
    return get(connection, number, sight)


def _seen(sight: Sight) -> list[ColumnElement[bool]]:
    """Say whose transfers may be seen: those of the destinations that may be."""
    seen = select(destinations.c.id).where(destinations.c.deleted_at.is_(None), *sight.conditions())
    return [transfers.c.destination_id.in_(seen)]


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    made: list[ColumnElement[bool]] = []
    if filters.destination is not None:
        made.append(transfers.c.destination_id == filters.destination)
    if filters.status is not None:
        made.append(transfers.c.status == filters.status)
    made += [transfers.c.tags[key].astext == value for key, value in filters.tags]
    if filters.ended_after is not None:
        made.append(transfers.c.ended_at >= filters.ended_after)
    if filters.ended_before is not None:
        made.append(transfers.c.ended_at < filters.ended_before)
    return made
