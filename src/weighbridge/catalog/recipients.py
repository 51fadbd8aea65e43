"""The customers to whom is delivered, and the products that they subscribe to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from weighbridge.catalog import records
from weighbridge.catalog.records import Wanted
from weighbridge.errors import BadArgument, NotNow
from weighbridge.store.tables import destinations, models, products, recipients

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import Row

# What a recipient without products gets, if there is a product of that name; else every model.
DEFAULT = "default"


@dataclass(frozen=True)
class Product:
    """Models under one name."""

    id: UUID
    name: str
    models: Sequence[str]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Recipient:
    """A customer; `id_in_provider_system` is the tenant value of its rows."""

    id: UUID
    name: str
    id_in_provider_system: str
    products: Sequence[str]
    created_at: datetime
    updated_at: datetime


def add_recipient(
    connection: Connection, values: Mapping[str, Any], *, environment: str, created_by: int
) -> Recipient:
    """Store a recipient. Raises BadArgument for unknown products, or an id that is taken."""
    _check_names(connection, products, "products", values["products"])
    return _recipient(
        records.add(
            connection, recipients, unique="id_in_provider_system", **values,
            environment=environment, created_by=created_by,
        )
    )  # fmt: skip


def get_recipient(connection: Connection, number: UUID, *, locked: bool = False) -> Recipient:
    """Give a recipient. Raises NoSuchObject."""
    return _recipient(records.find(connection, recipients, number, locked=locked))


def get_recipients(connection: Connection, numbers: Collection[UUID]) -> dict[UUID, Recipient]:
    """Give some recipients by their ids."""
    rows = records.every(connection, recipients, recipients.c.id.in_(numbers))
    return {row.id: _recipient(row) for row in rows}


def find_recipient(connection: Connection, tenant: str) -> Recipient | None:
    """Give the recipient of a tenant value."""
    found = records.every(connection, recipients, recipients.c.id_in_provider_system == tenant)
    return _recipient(found[0]) if found else None


def list_recipients(
    connection: Connection, wanted: Wanted, *, tenants: Collection[str] = ()
) -> tuple[list[Recipient], bool]:
    """Give a page of recipients, and whether more follow."""
    conditions = [recipients.c.id_in_provider_system.in_(tenants)] if tenants else []
    rows, more = records.page(connection, recipients, wanted, *conditions)
    return [_recipient(row) for row in rows], more


def change_recipient(
    connection: Connection, number: UUID, values: Mapping[str, Any]
) -> tuple[Recipient, Recipient]:
    """Change what is given: (before, after). Raises NoSuchObject, BadArgument.

    The tenant value stays: rows that were delivered under it could not be told from others.
    """
    before = get_recipient(connection, number, locked=True)
    if "products" in values:
        _check_names(connection, products, "products", values["products"])
    row = records.change(connection, recipients, number, unique="id_in_provider_system", **values)
    return before, _recipient(row)


def delete_recipient(connection: Connection, number: UUID) -> Recipient:
    """Delete a recipient without destinations; its tokens open nothing any more."""
    before = get_recipient(connection, number, locked=True)
    if records.every(connection, destinations, destinations.c.recipient_id == number):
        raise NotNow(
            f"The recipient {before.name!r} has destinations.", next_step="Delete these first."
        )
    records.delete(connection, recipients, number)
    return before


def add_product(
    connection: Connection, values: Mapping[str, Any], *, environment: str, created_by: int
) -> Product:
    """Store a product. Raises BadArgument for unknown models, or a name that is taken."""
    _check_names(connection, models, "models", values["models"])
    return _product(
        records.add(
            connection, products, unique="name", **values,
            environment=environment, created_by=created_by,
        )
    )  # fmt: skip


def get_product(connection: Connection, number: UUID) -> Product:
    """Give a product. Raises NoSuchObject."""
    return _product(records.find(connection, products, number))


def list_products(
    connection: Connection, wanted: Wanted, *, names: Collection[str] | None = None
) -> tuple[list[Product], bool]:
    """Give a page of products, and whether more follow; `names`: of these only."""
    conditions = [products.c.name.in_(names)] if names is not None else []
    rows, more = records.page(connection, products, wanted, *conditions)
    return [_product(row) for row in rows], more


def change_product(
    connection: Connection, number: UUID, values: Mapping[str, Any]
) -> tuple[Product, Product]:
    """Change what is given: (before, after). Raises NoSuchObject, BadArgument."""
    before = _product(records.find(connection, products, number, locked=True))
    if "models" in values:
        _check_names(connection, models, "models", values["models"])
    return before, _product(records.change(connection, products, number, unique="name", **values))


def delete_product(connection: Connection, number: UUID) -> Product:
    """Delete a product that nobody subscribes to. Raises NoSuchObject, NotNow."""
    before = _product(records.find(connection, products, number, locked=True))
    if records.every(connection, recipients, recipients.c.products.contains([before.name])):
        raise NotNow(
            f"Recipients subscribe to the product {before.name!r}.",
            next_step="Take it out of their products first.",
        )
    records.delete(connection, products, number)
    return before


def models_of(connection: Connection, recipient: Recipient) -> frozenset[str] | None:
    """Give the names of the models that a recipient may have; None: every one."""
    wanted = recipient.products or [DEFAULT]
    found = records.every(connection, products, products.c.name.in_(wanted))
    if not recipient.products and not found:
        return None
    return frozenset(name for product in found for name in product.models)


def _check_names(connection: Connection, table: Any, field: str, names: Sequence[str]) -> None:
    there = {row.name for row in records.every(connection, table, table.c.name.in_(names))}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise BadArgument(
            f"{field}: there is none named {unknown[0][:60]!r}.",
            next_step=f"GET /{table.name} lists those that there are.",
        )


def _recipient(row: Row[Any]) -> Recipient:
    return Recipient(
        row.id, row.name, row.id_in_provider_system, row.products, row.created_at, row.updated_at
    )


def _product(row: Row[Any]) -> Product:
    return Product(row.id, row.name, row.models, row.created_at, row.updated_at)
