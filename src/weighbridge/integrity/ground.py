"""What a job stands on: whose rows, from where to where, up to which watermark; opened as two sides."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

from weighbridge.catalog.destinations import Sight, get_destination, open_address
from weighbridge.catalog.models import Model, get_model, get_source, open_source_options
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.names import table_name
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.tenancy import (
    Condition,
    TenantScope,
    Window,
    part_of,
    rows_of,
)
from weighbridge.errors import NoSuchColumn, NoSuchTable, NotComparable
from weighbridge.integrity.keys import as_values
from weighbridge.net.hosts import HostPolicy
from weighbridge.store.tables import watermarks
from weighbridge.types.delivered import delivered_type

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.integrity.store import Job
    from weighbridge.store.sealed import KeyRing
    from weighbridge.types.columns import Column, ColumnType, Shape

_MOMENTS = {"date", "timestamp", "timestamptz"}


@dataclass(frozen=True)
class Place:
    """A source or a destination, and whom its address may reach."""

    vendor: registry.Vendor
    options: Options
    label: str
    policy: HostPolicy


@dataclass(frozen=True)
class Confirmed:
    """What a destination has confirmed of a model: the greatest moment of change, and of which revision."""

    latest: datetime | None
    revision_id: UUID


@dataclass(frozen=True)
class Ground:
    """One model at one destination, as the catalog has it at one moment.

    `confirmed` is None for a model that was never delivered.
    """

    model: Model
    source: Place
    destination: Place
    scope: TenantScope
    confirmed: Confirmed | None

    @property
    def latest(self) -> datetime | None:
        """Give the greatest moment of change that the destination has confirmed of this model.

        Of a model that was changed since, nothing is confirmed: the next transfer is a full one.
        """
        return self.confirmed.latest if self.confirmed is not None and self.delivered else None

    @property
    def delivered(self) -> bool:
        """Tell whether the model was ever delivered as it is now."""
        return self.confirmed is not None and self.confirmed.revision_id == self.model.revision_id

    def names(self, *, keys_only: bool = False) -> list[tuple[str, str]]:
        """Give the modelled columns: (name in the source, name at the destination)."""
        return [
            (column["name_in_source"], column["name_in_destination"])
            for column in self.model.columns
            if not keys_only or column["is_primary_key"]
        ]

    @property
    def last_modified(self) -> tuple[str, str]:
        """Name the column of the moment of change, on both sides."""
        column = next(c for c in self.model.columns if c["is_last_modified"])
        return column["name_in_source"], column["name_in_destination"]


def open_ground(
    connection: Connection, ring: KeyRing, job: Job, model_id: UUID, *, own: HostPolicy
) -> Ground:
    """Take a model, its places with their secrets, and the watermark out of our database.

    The watermark is that of now: whatever is read afterwards holds all that it covers.
    """
    everybody = Sight()
    destination = get_destination(connection, job.destination_id, everybody)
    address = open_address(connection, ring, job.destination_id, everybody)
    model = get_model(connection, model_id)
    source = get_source(connection, model.source_id)
    row = connection.execute(
        select(watermarks).where(
            watermarks.c.destination_id == job.destination_id, watermarks.c.model_id == model.id
        )
    ).one_or_none()
    return Ground(
        model=model,
        source=Place(
            registry.find_vendor(source.vendor),
            open_source_options(connection, ring, source.id),
            f"the source {source.name}", own,
        ),
        destination=Place(
            address.vendor, address.options, f"the destination {destination.name}",
            HostPolicy.recipient() if address.by_recipient else own,
        ),
        scope=TenantScope(model.organization_column, destination.recipient.id_in_provider_system),
        confirmed=None if row is None else Confirmed(row.latest, row.revision_id),
    )  # fmt: skip


@dataclass(frozen=True)
class Sides:
    """Both sides of a model, open to the engine while the context lasts.

    `narrow` holds the rows that are asked for, `whole` those among which they are looked for when
    they are read again: a row may have left the window on one side. The right one is None where the
    destination has no such table. `columns` are compared: (source's, name there, what it holds).
    `watermark`: up to which moment of change every row must be there, which is what was confirmed,
    less the source's look-back.
    """

    narrow: tuple[SideSpec, SideSpec | None]
    whole: tuple[SideSpec, SideSpec | None]
    shapes: tuple[Shape, Shape | None]
    columns: tuple[tuple[Column, str, ColumnType], ...]
    not_there: tuple[str, ...]
    watermark: datetime | None


@contextmanager
def sides_of(
    ground: Ground,
    *,
    span: tuple[datetime | None, datetime | None] = (None, None),
    keys: Sequence[tuple[str, ...]] | None = None,
) -> Generator[Sides]:
    """Open a model's source, of its one tenant, and its table at the destination.

    Raises NotComparable, NoSuchColumn, and what connecting raises.
    """
    named = ground.names(keys_only=True)
    ours, theirs = (tuple(pair[side] for pair in named) for side in (0, 1))
    source, place = ground.source, ground.destination
    with registry.open_side(
        source.vendor, source.options, source.label, source.policy,
        table_name(ground.model.source_table), ours,
    ) as left:  # fmt: skip
        shape, look_back = _asked(left, source.policy)
        mark = None if ground.latest is None else ground.latest - timedelta(seconds=look_back)
        columns = _columns(ground, shape)
        held = _keys(columns, ours, keys)
        wide, narrow = (
            rows_of(
                left, shape, ground.scope,
                filters=[Condition(f["column"], f["operator"], f["value"]) for f in ground.model.filters],
                window=window, keys=None if held is None else (ours, held),
            )
            for window in (None, _window(ground.last_modified[0], span))
        )  # fmt: skip
        with ExitStack() as stack:
            right: SideSpec | None = None
            there: Shape | None = None
            with suppress(NoSuchTable):
                right = stack.enter_context(
                    registry.open_side(
                        place.vendor, place.options, place.label, place.policy,
                        ground.model.name, theirs,
                    )
                )  # fmt: skip
                there, _ = _asked(right, place.policy)
            if right is None or there is None:
                yield Sides((narrow, None), (wide, None), (shape, None), columns, (), mark)
                return
            kept, gone = _there(ground, columns, there)
            all_of, some = (
                part_of(right, there, window=window, keys=None if held is None else (theirs, held))
                for window in (None, _window(ground.last_modified[1], span))
            )
            yield Sides((narrow, some), (wide, all_of), (shape, there), kept, gone, mark)


def _window(column: str, span: tuple[datetime | None, datetime | None]) -> Window | None:
    return None if span == (None, None) else Window(column, *span)


def _asked(spec: SideSpec, policy: HostPolicy) -> tuple[Shape, int]:
    """Ask a side for its columns, and for its look-back in seconds."""
    source = open_source(spec, policy, snapshot=False)
    try:
        return source.shape(), source.traits.look_back
    finally:
        source.close()


def _columns(ground: Ground, shape: Shape) -> tuple[tuple[Column, str, ColumnType], ...]:
    found: list[tuple[Column, str, ColumnType]] = []
    for said in ground.model.columns:
        column = shape.column(said["name_in_source"])
        if column is None:
            known = ", ".join(c.name for c in shape.columns[:20])
            raise NoSuchColumn(
                f"The source's table has no column {said['name_in_source']}.",
                next_step=f"It has {known}. Correct the model.",
            )
        if any(column.name == other.name for other, _, _ in found):
            raise NotComparable(
                f"The model delivers the column {column.name} twice.",
                next_step="Deliver it once, or select it twice in a view of the source.",
            )
        kind = delivered_type(said["data_type"], column.type, column.name)
        found.append((column, said["name_in_destination"], kind))
    moment = next(c for c, _, _ in found if c.name == ground.last_modified[0])
    if moment.type.family not in _MOMENTS:
        raise NotComparable(
            f"The column {moment.name} is {moment.type.declared}: no moment of a last change.",
            next_step="Choose a date or a timestamp as is_last_modified.",
        )
    return tuple(found)


def _keys(
    columns: tuple[tuple[Column, str, ColumnType], ...],
    names: tuple[str, ...],
    keys: Sequence[tuple[str, ...]] | None,
) -> list[tuple[str, ...]] | None:
    if keys is None:
        return None
    by_name = {column.name: column for column, _, _ in columns}
    return as_values(keys, tuple(by_name[name] for name in names))


def _there(
    ground: Ground, columns: tuple[tuple[Column, str, ColumnType], ...], there: Shape
) -> tuple[tuple[tuple[Column, str, ColumnType], ...], tuple[str, ...]]:
    """Leave out the columns that came to the model since it was delivered; others must be there."""
    gone = tuple(name for _, name, _ in columns if there.column(name) is None)
    needed = {name for _, name in ground.names(keys_only=True)} | {ground.last_modified[1]}
    if gone and (needed.intersection(gone) or ground.delivered):
        raise NoSuchColumn(
            f"The table {ground.model.name} at the destination has no column {gone[0]}.",
            next_step="A full refresh makes the table as the model describes it.",
        )
    return tuple(c for c in columns if c[1] not in gone), gone


def micros(moment: datetime) -> int:
    """Count the microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def both(pair: tuple[Any, Any | None]) -> tuple[Any, Any]:
    """Say that a pair has both sides."""
    return cast("tuple[Any, Any]", pair)
