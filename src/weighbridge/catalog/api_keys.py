"""The keys of the API: shown once, stored as a hash, bound to an environment and scopes.

A key is `wbk_<environment>_<id>_<secret>_<checksum>`: programs that look for leaked secrets find
it by its form, and the checksum tells it from noise. The database has the SHA-256 of the secret,
which has 256 bits of its own: no slow hash is needed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, text, update

from weighbridge.errors import BadArgument
from weighbridge.store.tables import ENVIRONMENTS, api_keys

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

SCOPES = {
    "diffs:read": "read diffs, their summaries and rows",
    "diffs:write": "ask for, cancel and archive diffs",
    "connections:read": "list connections, without secrets",
    "connections:write": "add, change and test connections",
    "models:read": "read sources, models and products, without secrets",
    "models:write": "add, change and delete sources, models and products",
    "destinations:read": "read recipients and destinations, without secrets",
    "destinations:write": "add, change, test and delete recipients and destinations",
    "tokens": "make and revoke tokens with which one recipient's browser changes its destinations",
    "run_sql": "run queries of one's own on a connection, read-only",
    "keys": "make and revoke keys",
}
PREFIX = "wbk"
_SECRET = re.compile(r"([a-z]{3})_([a-z]+)_([a-z2-7]{12})_([A-Za-z0-9-]{43})_([0-9a-f]{8})")
# A key that is used all the time need not be written down each time.
_USED_EVERY = "interval '1 minute'"
_IN_USE = (
    api_keys.c.revoked_at.is_(None),
    func.coalesce(api_keys.c.expires_at > func.clock_timestamp(), True),
)


@dataclass(frozen=True)
class ApiKey:
    """A key as it is stored; nothing here opens a door."""

    id: int
    public_id: str
    name: str
    environment: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewKey:
    """A key that was just made, with the token that is shown this once."""

    key: ApiKey
    token: str = field(repr=False)


def make_key(
    connection: Connection,
    *,
    name: str,
    environment: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
) -> NewKey:
    """Make a key. Raises BadArgument for an unknown scope or environment."""
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise BadArgument(
            f"{', '.join(unknown) or 'No scope'}: expected one or more of {', '.join(SCOPES)}.",
            next_step="Name the scopes with --scope; `weighbridge keys create --help` lists them.",
        )
    if environment not in ENVIRONMENTS:
        raise BadArgument(
            f"{environment!r} is no environment.", next_step=f"Use {' or '.join(ENVIRONMENTS)}."
        )
    token, public, secret_hash = new_secret(PREFIX, environment, entropy)
    row = connection.execute(
        api_keys.insert()
        .values(
            public_id=public,
            name=name,
            environment=environment,
            scopes=wanted,
            secret_hash=secret_hash,
            expires_at=expires_at,
        )
        .returning(api_keys)
    ).one()
    return NewKey(_key(row), token)


@dataclass(frozen=True)
class Said:
    """What a text claims to open; only the database knows whether it does."""

    environment: str
    public_id: str
    secret_hash: bytes = field(repr=False)


def new_secret(
    prefix: str, environment: str, entropy: Callable[[int], bytes]
) -> tuple[str, str, bytes]:
    """Make what opens a door: (the text that is shown once, its public id, its secret's hash)."""
    public = base64.b32encode(entropy(8))[:12].decode().lower()
    secret = base64.urlsafe_b64encode(entropy(32)).rstrip(b"=").decode().replace("_", "-")
    body = f"{prefix}_{environment}_{public}_{secret}"
    return f"{body}_{_checksum(body)}", public, _hash(secret)


def read_secret(prefix: str, text: str) -> Said | None:
    """Take such a text apart; None for what was never made here."""
    found = _SECRET.fullmatch(text)
    if found is None or found[1] != prefix or _checksum(text.rpartition("_")[0]) != found[5]:
        return None
    return Said(found[2], found[3], _hash(found[4]))


def check_key(connection: Connection, token: str) -> ApiKey | None:
    """Give the key that a token opens with; None for anything else, whatever it is."""
    said = read_secret(PREFIX, token)
    if said is None:
        return None
    row = connection.execute(
        select(api_keys).where(
            api_keys.c.public_id == said.public_id,
            api_keys.c.environment == said.environment,
            *_IN_USE,
        )
    ).one_or_none()
    # The same work is done whether the key is there or not.
    stored = row.secret_hash if row is not None else b""
    if not hmac.compare_digest(said.secret_hash, bytes(stored)) or row is None:
        return None
    return _key(row)


def find_key(connection: Connection, number: int) -> ApiKey | None:
    """Give a key that is in use, by its number."""
    row = connection.execute(
        select(api_keys).where(api_keys.c.id == number, *_IN_USE)
    ).one_or_none()
    return None if row is None else _key(row)


def note_use(connection: Connection, key: ApiKey) -> None:
    """Write down that a key was used, at most once a minute."""
    connection.execute(
        update(api_keys)
        .where(
            api_keys.c.id == key.id,
            func.coalesce(
                api_keys.c.last_used_at < func.clock_timestamp() - text(_USED_EVERY),
                True,
            ),
        )
        .values(last_used_at=func.clock_timestamp())
    )


def revoke_key(connection: Connection, public_id: str) -> ApiKey | None:
    """Take a key out of use; it opens nothing from the end of this transaction on."""
    row = connection.execute(
        update(api_keys)
        .where(api_keys.c.public_id == public_id)
        .values(revoked_at=func.coalesce(api_keys.c.revoked_at, func.clock_timestamp()))
        .returning(api_keys)
    ).one_or_none()
    return None if row is None else _key(row)


def list_keys(connection: Connection) -> list[ApiKey]:
    """List every key that the transaction may see, the newest last."""
    return [_key(row) for row in connection.execute(select(api_keys).order_by(api_keys.c.id))]


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    said = row._mapping  # noqa: SLF001 SQLAlchemy's public name for a row as a mapping  # pyright: ignore[reportPrivateUsage]
    return ApiKey(
        **{name: said[name] for name in ApiKey.__dataclass_fields__ if name != "scopes"},
        scopes=frozenset(said["scopes"]),
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
