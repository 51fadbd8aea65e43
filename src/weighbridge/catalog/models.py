"""What can be delivered: sources, and the models of their tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from weighbridge.catalog import records
from weighbridge.catalog.records import Wanted
from weighbridge.catalog.sealed_options import opened, sealed
from weighbridge.catalog.ssh_keys import give_private_keys
from weighbridge.connectors.destinations import registry
from weighbridge.errors import BadArgument, NotNow
from weighbridge.store.tables import models, sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.engine import Row

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.store.sealed import KeyRing


@dataclass(frozen=True)
class Source:
    """A connection that is delivered from, as it may be shown."""

    id: UUID
    name: str
    vendor: str
    options: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Model:
    """A table that is delivered: to each recipient the rows whose tenant column names it."""

    id: UUID
    name: str
    source_id: UUID
    revision_id: UUID
    description: str
    source_table: str
    organization_column: str
    columns: Sequence[Mapping[str, Any]]
    filters: Sequence[Mapping[str, Any]]
    created_at: datetime
    updated_at: datetime


def add_source(
    connection: Connection,
    ring: KeyRing,
    *,
    name: str,
    vendor: str,
    options: Mapping[str, Any],
    environment: str,
    created_by: int,
    identity: Callable[[], UUID] = uuid4,
) -> Source:
    """Store a source. Raises BadArgument for a wrong field or a name that is taken."""
    found = registry.find_vendor(vendor, source=True)
    number = identity()
    return _source(
        records.add(
            connection, sources, unique="name", id=number, name=name, vendor=vendor,
            **sealed(ring, "sources", number, registry.checked(found, options)),
            environment=environment, created_by=created_by,
        )
    )  # fmt: skip


def get_source(connection: Connection, number: UUID) -> Source:
    """Give a source. Raises NoSuchObject."""
    return _source(records.find(connection, sources, number))


def open_source_options(connection: Connection, ring: KeyRing, number: UUID) -> Options:
    """Give the options of a source with its secrets, for whoever connects to it."""
    row = records.find(connection, sources, number)
    whole = registry.checked(registry.find_vendor(row.vendor), opened(ring, "sources", row))
    give_private_keys(ring, whole)
    return whole


def list_sources(connection: Connection, wanted: Wanted) -> tuple[list[Source], bool]:
    """Give a page of sources, and whether more follow."""
    rows, more = records.page(connection, sources, wanted)
    return [_source(row) for row in rows], more


def change_source(
    connection: Connection,
    ring: KeyRing,
    number: UUID,
    *,
    name: str | None,
    options: Mapping[str, Any] | None,
) -> tuple[Source, Source]:
    """Change what is given: (before, after). Raises NoSuchObject, BadArgument."""
    row = records.find(connection, sources, number, locked=True)
    values: dict[str, Any] = {} if name is None else {"name": name}
    if options is not None:
        vendor = registry.find_vendor(row.vendor)
        whole = registry.changed(vendor, opened(ring, "sources", row), options)
        values |= sealed(ring, "sources", number, whole)
    changed = records.change(connection, sources, number, unique="name", **values)
    return _source(row), _source(changed)


def delete_source(connection: Connection, number: UUID) -> Source:
    """Delete a source that no model uses; its secrets go at once. Raises NoSuchObject, NotNow."""
    before = _source(records.find(connection, sources, number, locked=True))
    if records.every(connection, models, models.c.source_id == number):
        raise NotNow(f"Models use the source {before.name!r}.", next_step="Delete these first.")
    records.delete(connection, sources, number, secret=None)
    return before


def add_model(
    connection: Connection, values: Mapping[str, Any], *, environment: str, created_by: int
) -> Model:
    """Store a model. Raises BadArgument for an unknown source or a name that is taken."""
    _check_source(connection, values["source_id"])
    return _model(
        records.add(
            connection, models, unique="name", **values,
            environment=environment, created_by=created_by,
        )
    )  # fmt: skip


def get_model(
    connection: Connection, number: UUID, *, names: Collection[str] | None = None
) -> Model:
    """Give a model; `names`: if it is one of these. Raises NoSuchObject."""
    return _model(records.find(connection, models, number, *_named(names)))


def list_models(
    connection: Connection, wanted: Wanted, *, names: Collection[str] | None = None
) -> tuple[list[Model], bool]:
    """Give a page of models, and whether more follow; `names`: of these only."""
    rows, more = records.page(connection, models, wanted, *_named(names))
    return [_model(row) for row in rows], more


def every_model(connection: Connection, *, names: Collection[str] | None = None) -> list[Model]:
    """Give all models, in the order of their making; `names`: of these only."""
    return [_model(row) for row in records.every(connection, models, *_named(names))]


def model_names(connection: Connection) -> frozenset[str]:
    """Give the name of every model."""
    return frozenset(row.name for row in records.every(connection, models))


def change_model(
    connection: Connection,
    number: UUID,
    values: Callable[[Model], Mapping[str, Any]],
    *,
    identity: Callable[[], UUID] = uuid4,
) -> tuple[Model, Model]:
    """Change a model to what `values` makes of it: (before, after), with another revision.

    Raises NoSuchObject, BadArgument.
    """
    before = _model(records.find(connection, models, number, locked=True))
    made = values(before)
    if "source_id" in made:
        _check_source(connection, made["source_id"])
    after = records.change(
        connection, models, number, unique="name", **made, revision_id=identity()
    )
    return before, _model(after)


def delete_model(connection: Connection, number: UUID) -> Model:
    """Delete a model; products and destinations that name it get nothing of it any more."""
    before = _model(records.find(connection, models, number, locked=True))
    records.delete(connection, models, number)
    return before


def _check_source(connection: Connection, number: UUID) -> None:
    # Named in the body, not in the path: the request is wrong, nothing is missing here. Locked, so
    # that nobody deletes it meanwhile.
    if not records.every(connection, sources, sources.c.id == number):
        raise BadArgument(
            f"source_id: there is no source {str(number)!r}.",
            next_step="GET /sources lists those that there are.",
        )
    records.find(connection, sources, number, locked=True)


def _named(names: Collection[str] | None) -> list[Any]:
    return [] if names is None else [models.c.name.in_(names)]


def _source(row: Row[Any]) -> Source:
    return Source(row.id, row.name, row.vendor, row.options, row.created_at, row.updated_at)


def _model(row: Row[Any]) -> Model:
    said = records.as_dict(row)
    return Model(**{name: said[name] for name in Model.__dataclass_fields__})
