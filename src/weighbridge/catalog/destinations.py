"""The places to which is delivered: whose, of which vendor, with which options, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import or_, select

from weighbridge.catalog import records
from weighbridge.catalog.models import model_names
from weighbridge.catalog.recipients import Recipient, get_recipient, get_recipients, models_of
from weighbridge.catalog.records import Wanted
from weighbridge.catalog.sealed_options import opened, sealed
from weighbridge.catalog.ssh_keys import give_private_keys, private_key
from weighbridge.connectors.destinations import registry, shapes
from weighbridge.errors import BadArgument
from weighbridge.store.tables import destinations

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.engine import Row

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.store.sealed import KeyRing

# Every model that the recipient may have, also those that are added later.
EVERY_MODEL = "*"
# Where the options of vendors hold a public key of ours.
_PUBLIC_KEYS = (("ssh_tunnel", "ssh_public_key"), ("public_key_auth", "public_key"))
# Where they name an SSH server: in which object, and by what it is known, the key last.
_HOST_KEYS = (
    ("ssh_tunnel", ("ssh_tunnel_host", "ssh_tunnel_port", "ssh_host_key")),
    ("", ("host", "port", "host_key")),
)


@dataclass(frozen=True)
class Sight:
    """Whose destinations may be seen and changed: everybody's, one recipient's, or one alone."""

    recipient: UUID | None = None
    destination: UUID | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Say it to a query."""
        said = {destinations.c.recipient_id: self.recipient, destinations.c.id: self.destination}
        return [column == value for column, value in said.items() if value is not None]


@dataclass(frozen=True)
class Destination:
    """A destination as it may be shown, with whose it is."""

    id: UUID
    recipient: Recipient
    name: str
    vendor: str
    options: Mapping[str, Any]
    by_recipient: bool
    enabled_models: Sequence[str]
    frequency_minutes: int
    is_enabled: bool
    max_concurrent_transfers: int
    max_concurrent_queries_per_transfer: int
    machine_type_id: UUID | None
    verify_after_transfer: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Address:
    """What is needed to reach a destination: with secrets, never to be shown."""

    vendor: registry.Vendor
    options: Options
    by_recipient: bool


def add_destination(
    connection: Connection,
    ring: KeyRing,
    *,
    recipient: UUID,
    vendor: str,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    sight: Sight,
    environment: str,
    created_by: int,
    identity: Callable[[], UUID] = uuid4,
) -> Destination:
    """Store a destination. Raises BadArgument for what is wrong, and NoSuchObject."""
    found = registry.find_vendor(vendor)
    owner = get_recipient(connection, recipient, locked=True)
    whole = registry.checked(found, options)
    _check_models(connection, owner, settings)
    number = identity()
    _check_public_keys(connection, ring, found, whole, owner=owner.id)
    row = records.add(
        connection, destinations, unique="id", id=number, recipient_id=owner.id, vendor=vendor,
        by_recipient=sight.recipient is not None, **settings,
        **sealed(ring, "destinations", number, whole),
        environment=environment, created_by=created_by,
    )  # fmt: skip
    return _destination(row, owner)


def get_destination(connection: Connection, number: UUID, sight: Sight) -> Destination:
    """Give a destination. Raises NoSuchObject."""
    row = records.find(connection, destinations, number, *sight.conditions())
    return _destination(row, get_recipient(connection, row.recipient_id))


def list_destinations(
    connection: Connection, wanted: Wanted, sight: Sight
) -> tuple[list[Destination], bool]:
    """Give a page of destinations, and whether more follow."""
    rows, more = records.page(connection, destinations, wanted, *sight.conditions())
    owners = get_recipients(connection, {row.recipient_id for row in rows})
    return [_destination(row, owners[row.recipient_id]) for row in rows], more


def every_destination(connection: Connection, sight: Sight) -> list[Destination]:
    """Give all destinations, in the order of their making."""
    rows = records.every(connection, destinations, *sight.conditions())
    owners = get_recipients(connection, {row.recipient_id for row in rows})
    return [_destination(row, owners[row.recipient_id]) for row in rows]


def change_destination(
    connection: Connection,
    ring: KeyRing,
    number: UUID,
    *,
    options: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    sight: Sight,
) -> tuple[Destination, Destination]:
    """Change what is given: (before, after). What was merged is checked again as a whole.

    Raises NoSuchObject, BadArgument.
    """
    row = records.find(connection, destinations, number, *sight.conditions(), locked=True)
    owner = get_recipient(connection, row.recipient_id)
    _check_models(connection, owner, settings)
    values = dict(settings)
    if options is not None:
        vendor = registry.find_vendor(row.vendor)
        whole = registry.changed(vendor, opened(ring, "destinations", row), options)
        _check_public_keys(connection, ring, vendor, whole, owner=owner.id)
        values |= sealed(ring, "destinations", number, whole)
        # Once a recipient has typed an address, it stays one that a recipient typed.
        values["by_recipient"] = row.by_recipient or sight.recipient is not None
    after = records.change(connection, destinations, number, unique="id", **values)
    return _destination(row, owner), _destination(after, owner)


def delete_destination(connection: Connection, number: UUID, sight: Sight) -> Destination:
    """Delete a destination; its secrets go at once. Raises NoSuchObject."""
    row = records.find(connection, destinations, number, *sight.conditions(), locked=True)
    owner = get_recipient(connection, row.recipient_id)
    records.delete(connection, destinations, number, secret=None)
    return _destination(row, owner)


def open_address(
    connection: Connection,
    ring: KeyRing,
    number: UUID,
    sight: Sight,
    *,
    change: Mapping[str, Any] | None = None,
) -> Address:
    """Give what reaches a destination, as it is or as a change would make it.

    Raises NoSuchObject, BadArgument.
    """
    row = records.find(connection, destinations, number, *sight.conditions())
    vendor = registry.find_vendor(row.vendor)
    whole = registry.changed(vendor, opened(ring, "destinations", row), change or {})
    _check_public_keys(connection, ring, vendor, whole, owner=row.recipient_id)
    give_private_keys(ring, whole)
    return Address(vendor, whole, row.by_recipient or sight.recipient is not None)


def new_address(
    connection: Connection,
    ring: KeyRing,
    vendor: str,
    *,
    options: Mapping[str, Any],
    sight: Sight,
    owner: UUID | None,
) -> Address:
    """Give what would reach a destination that is not stored. Raises BadArgument.

    `owner`: the recipient, if one was named; without one, no key of anybody's may be used.
    """
    found = registry.find_vendor(vendor)
    whole = registry.checked(found, options)
    _check_public_keys(connection, ring, found, whole, owner=owner)
    give_private_keys(ring, whole)
    return Address(found, whole, sight.recipient is not None)


def lacks_host_key(destination: Destination) -> bool:
    """Tell whether it names an SSH server whose key is not known yet."""
    parts = ((_inside(destination.options, name), names) for name, names in _HOST_KEYS)
    return any(part is not None and not part.get(names[-1]) for part, names in parts)


def keep_host_key(
    connection: Connection, number: UUID, sight: Sight, *, tested: Options, key: str
) -> tuple[Destination, Destination]:
    """Keep the key that a server showed at its first test, if it is still the one that was tested.

    Give the destination before and after.
    """
    row = records.find(connection, destinations, number, *sight.conditions(), locked=True)
    owner, options = get_recipient(connection, row.recipient_id), dict(row.options)
    shown = shapes.split(tested)[0]
    for inside, names in _HOST_KEYS:
        before, said = _inside(options, inside), _inside(shown, inside)
        same = before and said and all(before.get(name) == said.get(name) for name in names)
        if before and same and not before.get(names[-1]):
            kept = {**before, names[-1]: key}
            options = {**options, inside: kept} if inside else kept
    if options == row.options:
        return _destination(row, owner), _destination(row, owner)
    after = records.change(connection, destinations, number, unique="id", options=options)
    return _destination(row, owner), _destination(after, owner)


def _inside(options: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Give the part of options that names an SSH server; None where it is not used."""
    if name:
        return options.get(name) if options.get("use_ssh_tunnel") else None
    return options if "public_key_auth" in options else None


def _check_models(connection: Connection, owner: Recipient, settings: Mapping[str, Any]) -> None:
    said = set(settings.get("enabled_models", ())) - {EVERY_MODEL}
    if not said:
        return
    there, allowed = model_names(connection), models_of(connection, owner)
    unknown = sorted(said - (there if allowed is None else there & allowed))
    if unknown:
        raise BadArgument(
            f"enabled_models: {owner.name!r} has no model named {unknown[0][:60]!r}.",
            next_step="Use names of GET /models that are in the recipient's products, or '*'.",
        )


def _check_public_keys(
    connection: Connection,
    ring: KeyRing,
    vendor: registry.Vendor,
    options: Options,
    *,
    owner: UUID | None,
) -> None:
    """Hold that a public key is one of ours, and no other recipient's.

    Who knows another's public key could else travel with our private one through that one's tunnel.
    """
    said = shapes.plain(options)
    for path in _PUBLIC_KEYS:
        line = str((said.get(path[0]) or {}).get(path[1]) or "").strip()
        if not line:
            continue
        try:
            private_key(ring, line)
        except BadArgument as error:
            raise BadArgument(
                f"{vendor.key}.{'.'.join(path)}: expected a key that was made here.",
                next_step=error.next_step,
            ) from None
        # The words before the comment are the key itself, whatever stands around them.
        same = [destinations.c.options[p].as_string().contains(line) for p in _PUBLIC_KEYS]
        others = destinations.c.recipient_id.is_distinct_from(owner)
        if connection.execute(select(1).where(others, or_(*same)).limit(1)).first():
            raise BadArgument(
                f"{vendor.key}.{'.'.join(path)}: this key belongs to another recipient.",
                next_step="Ask POST /actions/generate-ssh-key for a new one.",
            )


def _destination(row: Row[Any], owner: Recipient) -> Destination:
    said = records.as_dict(row)
    names = [name for name in Destination.__dataclass_fields__ if name != "recipient"]
    return Destination(recipient=owner, **{name: said[name] for name in names})
