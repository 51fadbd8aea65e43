"""What goes to a destination, and where it is read: models that are enabled, and their tables."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from weighbridge.catalog import records
from weighbridge.catalog.destinations import EVERY_MODEL, Destination
from weighbridge.catalog.models import Model, every_model
from weighbridge.catalog.recipients import models_of
from weighbridge.catalog.sealed_options import opened
from weighbridge.connectors.destinations import registry, shapes
from weighbridge.connectors.names import table_name
from weighbridge.store.tables import sources

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.store.sealed import KeyRing


def enabled_models(connection: Connection, destination: Destination) -> list[Model]:
    """List the models that go to a destination: enabled there, and allowed to its recipient."""
    wanted = set(destination.enabled_models)
    allowed = models_of(connection, destination.recipient)
    return [
        model
        for model in every_model(connection, names=allowed)
        if EVERY_MODEL in wanted or model.name in wanted
    ]


def source_side(connection: Connection, ring: KeyRing, model: Model) -> SideSpec:
    """Give the side of a model's whole table, with secrets inside: never to be read as it is.

    What may be read of it says `connectors.tenancy.rows_of`. Raises NoSuchObject, BadArgument.
    """
    row: Any = records.find(connection, sources, model.source_id)
    vendor = registry.find_vendor(row.vendor, source=True)
    options = registry.checked(vendor, opened(ring, "sources", row))
    table = table_name(model.source_table)
    schema = shapes.plain(options).get("schema")
    if len(table) == 1 and schema:
        table = (str(schema), *table)
    return replace(registry.side(vendor, options, "the source"), table=table)
