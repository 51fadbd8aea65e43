"""What a transfer stands on: a destination to load into, models, and where each is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from weighbridge.catalog.deliverable import Origin, enabled_models, origin_of
from weighbridge.catalog.destinations import Address, Sight, get_destination, open_address
from weighbridge.catalog.models import Model
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.tenancy import TenantScope
from weighbridge.errors import ConnectionFailed, HostRefused
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.connectors.loading import Loader
    from weighbridge.deliver.store import Transfer
    from weighbridge.store.sealed import KeyRing


@dataclass(frozen=True)
class Ground:
    """The models that are still to be delivered, and all that is needed to do so, secrets too."""

    models: Sequence[Model]
    origins: Mapping[UUID, Origin]
    address: Address
    name: str
    scope: TenantScope
    policy: HostPolicy
    at_once: int
    verified: bool

    def open_loader(self) -> Loader:
        """Connect to the destination. A recipient is not told who answers at an address."""
        address = self.address
        if not address.by_recipient:
            return registry.open_loader(address.vendor, address.options, self.name, self.policy)
        try:
            return registry.open_loader(
                address.vendor, address.options, self.name, HostPolicy.recipient()
            )
        except ConnectionFailed as error:
            if not error.retry:
                raise
            raise ConnectionFailed(
                "The host of the connection cannot be used.",
                next_step="Check the host and the port, or ask the operator.",
            ) from None
        except HostRefused:
            raise HostRefused(
                "The host of the connection cannot be used.",
                next_step="Check the host and the port, or ask the operator.",
            ) from None


def open_ground(
    connection: Connection, ring: KeyRing, transfer: Transfer, policy: HostPolicy
) -> Ground:
    """Read what is delivered where. Raises NoSuchObject, BadArgument, StoreFailed."""
    place = get_destination(connection, transfer.destination_id, Sight())
    done = {run.model_id for run in transfer.runs if run.status == "SUCCESS"}
    wanted = set(transfer.models)
    models = [
        model
        for model in enabled_models(connection, place)
        if (not wanted or model.name in wanted) and model.id not in done
    ]
    return Ground(
        models=models,
        origins={model.id: origin_of(connection, ring, model) for model in models},
        address=open_address(connection, ring, place.id, Sight()),
        name=place.name,
        scope=TenantScope("", place.recipient.id_in_provider_system),
        policy=policy,
        at_once=place.max_concurrent_queries_per_transfer,
        verified=place.verify_after_transfer,
    )
