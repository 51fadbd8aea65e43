"""What goes to a destination, and where it is read: models that are enabled, and their tables."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighbridge.catalog import records
from weighbridge.catalog.destinations import EVERY_MODEL, Destination
from weighbridge.catalog.models import Model, every_model, open_source_options
from weighbridge.catalog.recipients import models_of
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.names import table_name
from weighbridge.store.tables import sources

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy
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


@dataclass(frozen=True)
class Origin:
    """Where a model's table is, secrets too: never to be read as it is, but by `rows_of`."""

    vendor: registry.Vendor
    options: Options
    table: tuple[str, ...]

    def opened(self, policy: HostPolicy) -> AbstractContextManager[SideSpec]:
        """Give the side of the whole table, through a tunnel if its options ask for one."""
        label = "the source"
        return registry.open_side(self.vendor, self.options, label, policy, self.table, ())


def origin_of(connection: Connection, ring: KeyRing, model: Model) -> Origin:
    """Say where a model's table is. Raises NoSuchObject, BadArgument."""
    row = records.find(connection, sources, model.source_id)
    vendor = registry.find_vendor(row.vendor, source=True)
    options = open_source_options(connection, ring, model.source_id)
    return Origin(vendor, options, table_name(model.source_table))
