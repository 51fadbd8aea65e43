"""The connections that a server's users configured, in our database, their secrets sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from weighbridge.catalog.vendor_forms import check_schema, checked, side_of
from weighbridge.connectors.names import table_name
from weighbridge.errors import BadArgument, NoSuchConnection, StoreFailed
from weighbridge.net.hosts import HostPolicy
from weighbridge.store.tables import connections

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.store.database import Database
    from weighbridge.store.sealed import KeyRing


@dataclass(frozen=True)
class DataSource:
    """A stored connection as it may be shown: `has_secret` instead of the secret."""

    id: int
    environment: str
    name: str
    vendor: str
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    has_secret: bool
    created_at: datetime


def policy_of(database: Database) -> HostPolicy:
    """Say which hosts the server's connections may reach: never its own database."""
    own = database.place
    return HostPolicy.operator(own_databases=() if own is None else (own,))


def add_data_source(
    connection: Connection,
    ring: KeyRing,
    *,
    environment: str,
    name: str,
    vendor: str,
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
    created_by: int | None,
) -> DataSource:
    """Store a connection. Raises BadArgument for a wrong field or a name that is taken."""
    shown, secret = checked(vendor, dict(options))
    if settings.get("temp_schema") is not None:
        check_schema(vendor, settings["temp_schema"])
    try:
        with connection.begin_nested():
            row = connection.execute(
                connections.insert()
                .values(
                    environment=environment,
                    name=name,
                    vendor=vendor,
                    options=shown,
                    settings=dict(settings),
                    created_by=created_by,
                )
                .returning(connections)
            ).one()
    except IntegrityError:
        raise BadArgument(
            f"There is a connection named {name!r} already.", next_step="Choose another name."
        ) from None
    if secret is not None:
        sealed = ring.seal(secret, _place(row.id))
        row = connection.execute(
            update(connections)
            .where(connections.c.id == row.id)
            .values(secret=sealed)
            .returning(connections)
        ).one()
    return _data_source(row)


def list_data_sources(connection: Connection) -> list[DataSource]:
    """List every connection that the transaction may see."""
    rows = connection.execute(
        select(connections).where(connections.c.deleted_at.is_(None)).order_by(connections.c.id)
    )
    return [_data_source(row) for row in rows]


def get_data_source(connection: Connection, number: int) -> DataSource:
    """Give one connection. Raises NoSuchConnection, also for one that may not be seen."""
    return _data_source(_row(connection, number))


def find_data_source(connection: Connection, name: str, environment: str) -> DataSource:
    """Give a connection by its name. Raises NoSuchConnection."""
    row = connection.execute(
        select(connections).where(
            connections.c.name == name,
            connections.c.environment == environment,
            connections.c.deleted_at.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NoSuchConnection(
            f"No connection named {name!r} is stored for {environment}.",
            next_step="`weighbridge connections list --stored` shows those that are.",
        )
    return _data_source(row)


def temp_schema(source: DataSource, field: str) -> str:
    """Name the schema that tables may be written into. Raises BadArgument if there is none.

    Clients write it as database.schema, too.
    """
    schema = source.settings.get("temp_schema")
    if not schema:
        raise BadArgument(
            f"{field} cannot be used: the data source {source.id} has no temp_schema to write into.",
            next_step="Store the connection with temp_schema, the name of a schema in which its user"
            " may create tables.",
        )
    return table_name(schema)[-1]


def open_side(
    connection: Connection,
    ring: KeyRing,
    number: int,
    *,
    table: tuple[str, ...] = (),
    query: str | None = None,
    where: str | None = None,
) -> SideSpec:
    """Make a side of a stored connection, with its secret inside."""
    row = _row(connection, number)
    secret = None if row.secret is None else ring.unseal(bytes(row.secret), _place(row.id))
    return side_of(
        row.vendor, row.options, secret, name=row.name, table=table, query=query, where=where
    )


def unopened(connection: Connection, ring: KeyRing) -> list[str]:
    """Name the connections whose secret this key ring does not open."""
    rows = connection.execute(
        select(connections)
        .where(connections.c.deleted_at.is_(None), connections.c.secret.is_not(None))
        .order_by(connections.c.id)
    )
    return [row.name for row in rows if not _opens(ring, row)]


def _opens(ring: KeyRing, row: Row[Any]) -> bool:
    try:
        ring.unseal(bytes(row.secret), _place(row.id))
    except StoreFailed:
        return False
    return True


def _row(connection: Connection, number: int) -> Row[Any]:
    row = connection.execute(
        select(connections).where(connections.c.id == number, connections.c.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NoSuchConnection(
            f"There is no data source {number}.",
            next_step="GET /api/v1/data_sources lists those that this key may use.",
        )
    return row


def _place(number: int) -> str:
    return f"connections/{number}/secret"


def _data_source(row: Row[Any]) -> DataSource:
    return DataSource(
        id=row.id,
        environment=row.environment,
        name=row.name,
        vendor=row.vendor,
        options=row.options,
        settings=row.settings,
        has_secret=row.secret is not None,
        created_at=row.created_at,
    )
