"""What a diff stands on: two sides to read, and places to write into; opened, made ready, tidied."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from weighbridge.catalog.data_sources import get_data_source, open_side, temp_schema
from weighbridge.catalog.standing import accepts, check_login
from weighbridge.connectors.sides import SideSpec
from weighbridge.datadiffs.materialise import TRIES, WAIT, Place, copy_view, tidy
from weighbridge.datadiffs.request import moment_of, windowed
from weighbridge.errors import WeighbridgeError
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.compare.request import Stop
    from weighbridge.datadiffs.store import Diff
    from weighbridge.store.sealed import KeyRing

Sides = tuple[SideSpec, SideSpec]
log = structlog.get_logger()


@dataclass(frozen=True)
class Ground:
    """Both sides as they were asked for; `copies` says where a side's view is copied to.

    `doubted` are the logins that SQL of a user runs on only if they can do nothing but read.
    """

    sides: Sides
    copies: tuple[Place | None, Place | None]
    destination: Place | None
    doubted: tuple[SideSpec, ...] = ()


def open_ground(connection: Connection, ring: KeyRing, diff: Diff, policy: HostPolicy) -> Ground:
    """Take sides and places out of the stored connections, with their secrets inside."""
    asked = diff.request
    left, right = (
        replace(
            open_side(connection, ring, number, table=table, query=query, where=where),
            as_of=None if point is None else moment_of("time_travel_point", point, diff.created_at),
        )
        for number, table, query, where, point in zip(
            asked.data_sources, asked.tables, asked.queries, asked.filters, asked.travel,
            strict=True,
        )
    )  # fmt: skip
    places = [
        _place(connection, number, spec, f"materialize_dataset{n}", policy=policy) if copy else None
        for n, (number, spec, copy) in enumerate(
            zip(asked.data_sources, (left, right), asked.copied(), strict=True), 1
        )
    ]
    destination = None
    if asked.destination is not None:
        spec = open_side(connection, ring, asked.destination)
        field = "materialization_destination_id"
        destination = _place(connection, asked.destination, spec, field, policy=policy)
    doubted = tuple(
        spec
        for number, spec in zip(asked.data_sources, (left, right), strict=True)
        if spec.query and not accepts(get_data_source(connection, number).settings)
    )
    return Ground(windowed(asked, (left, right)), (places[0], places[1]), destination, doubted)


def _place(
    connection: Connection, number: int, spec: SideSpec, field: str, *, policy: HostPolicy
) -> Place:
    source = get_data_source(connection, number)
    return Place(number, replace(spec, label=source.name), temp_schema(source, field), policy)


@contextmanager
def ready(ground: Ground, diff: Diff, stop: Stop, *, policy: HostPolicy) -> Generator[Sides]:
    """Give the sides to read. Views to be copied are copies, dropped at the end, whatever it is."""
    for spec in ground.doubted:
        check_login(spec, policy)
    if diff.attempt > 1:
        clear(ground, diff, before=diff.attempt)
    try:
        left, right = (_side(ground, side, diff, stop) for side in (0, 1))
        yield left, right
    finally:
        for place in ground.copies:
            if place is not None:
                _insist(place, diff, before=diff.attempt + 1, copies_only=True)


def _side(ground: Ground, side: int, diff: Diff, stop: Stop) -> SideSpec:
    spec, place = ground.sides[side], ground.copies[side]
    # A copy has no history: what is read as of a moment is read where it is.
    if place is None or spec.as_of is not None:
        return spec
    copy = copy_view(spec.table, f"side{side + 1}", diff, place=place, stop=stop)
    return spec if copy is None else replace(spec, table=(place.schema, copy))


def clear(ground: Ground, diff: Diff, *, before: int, copies_only: bool = False) -> None:
    """Drop what attempts before one left in all places; one that cannot be reached is told to the log."""
    for place in (*ground.copies, ground.destination):
        if place is not None and not (copies_only and place is ground.destination):
            _insist(place, diff, before=before, copies_only=copies_only)


def _insist(place: Place, diff: Diff, *, before: int, copies_only: bool) -> None:
    for again in range(TRIES):
        try:
            return tidy(diff, place, before=before, copies_only=copies_only)
        except WeighbridgeError as error:
            if not error.retry or again == TRIES - 1:
                log.warning(
                    "left_behind", datadiff=diff.id, data_source=place.source, code=error.code
                )
                return None
        time.sleep(WAIT)
    return None
