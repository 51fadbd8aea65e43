"""Tokens for a recipient's browser: one recipient, perhaps one destination, one hour.

A token is `wbs_<environment>_<id>_<secret>_<checksum>`, made and kept like a key of the API. It opens
nothing any more once its hour is over by the database's clock, it or the key that made it was
revoked, or its recipient was deleted.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, func, select, update

from weighbridge.catalog import api_keys as keys
from weighbridge.catalog.records import as_dict
from weighbridge.store.tables import recipients, scoped_tokens

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

PREFIX = "wbs"


@dataclass(frozen=True)
class ScopedToken:
    """A token as it is stored; nothing here opens a door."""

    public_id: str
    environment: str
    recipient_id: UUID
    destination_id: UUID | None
    application_origin: str


@dataclass(frozen=True)
class NewToken:
    """A token that was just made, with the text that is shown this once."""

    token: ScopedToken
    text: str = field(repr=False)


def make_token(
    connection: Connection,
    *,
    recipient: UUID,
    destination: UUID | None,
    origin: str,
    environment: str,
    created_by: int,
    entropy: Callable[[int], bytes] = os.urandom,
) -> NewToken:
    """Make a token for a recipient, and perhaps a destination, that were found."""
    text, public, secret_hash = keys.new_secret(PREFIX, environment, entropy)
    row = connection.execute(
        scoped_tokens.insert()
        .values(
            public_id=public,
            environment=environment,
            secret_hash=secret_hash,
            recipient_id=recipient,
            destination_id=destination,
            application_origin=origin,
            created_by=created_by,
        )
        .returning(scoped_tokens)
    ).one()
    return NewToken(_token(row), text)


def check_token(
    connection: Connection, text: str, *, origin: str
) -> tuple[ScopedToken, keys.ApiKey] | None:
    """Give the token that a text opens with, and the key that made it; None for anything else."""
    said = keys.read_secret(PREFIX, text)
    if said is None:
        return None
    row = connection.execute(
        select(scoped_tokens)
        .join(recipients, recipients.c.id == scoped_tokens.c.recipient_id)
        .where(
            scoped_tokens.c.public_id == said.public_id,
            scoped_tokens.c.environment == said.environment,
            scoped_tokens.c.revoked_at.is_(None),
            scoped_tokens.c.expires_at > func.clock_timestamp(),
            recipients.c.deleted_at.is_(None),
        )
    ).one_or_none()
    # The same work is done whether the token is there or not.
    stored = row.secret_hash if row is not None else b""
    if not hmac.compare_digest(said.secret_hash, bytes(stored)) or row is None:
        return None
    key = keys.find_key(connection, row.created_by)
    if key is None or not hmac.compare_digest(origin.encode(), row.application_origin.encode()):
        return None
    return _token(row), key


def revoke_token(connection: Connection, text: str) -> ScopedToken | None:
    """Take a token out of use; None for what is none, or not to be seen."""
    said = keys.read_secret(PREFIX, text)
    if said is None:
        return None
    row = connection.execute(
        update(scoped_tokens)
        .where(
            scoped_tokens.c.public_id == said.public_id,
            scoped_tokens.c.secret_hash == said.secret_hash,
        )
        .values(revoked_at=func.coalesce(scoped_tokens.c.revoked_at, func.clock_timestamp()))
        .returning(scoped_tokens)
    ).one_or_none()
    return None if row is None else _token(row)


def _token(row: Row[tuple[object, ...]]) -> ScopedToken:
    said = as_dict(row)
    return ScopedToken(**{name: said[name] for name in ScopedToken.__dataclass_fields__})
