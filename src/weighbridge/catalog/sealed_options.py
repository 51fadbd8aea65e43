"""A vendor's options as they lie in our database: what may be shown, and the rest sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.destinations import shapes

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.engine import Row

    from weighbridge.connectors.destinations.options import Options
    from weighbridge.store.sealed import KeyRing


def sealed(ring: KeyRing, table: str, number: UUID, options: Options) -> dict[str, Any]:
    """Give the two columns of a row: `options` and `secret`."""
    shown, hidden = shapes.split(options)
    secret = ring.seal(json.dumps(hidden), _place(table, number)) if hidden else None
    return {"options": shown, "secret": secret}


def opened(ring: KeyRing, table: str, row: Row[Any]) -> Mapping[str, Any]:
    """Give the whole options of a row, secrets too. Raises StoreFailed."""
    if row.secret is None:
        return row.options
    hidden = json.loads(ring.unseal(bytes(row.secret), _place(table, row.id)))
    return shapes.merged(row.options, hidden)


def _place(table: str, number: UUID) -> str:
    return f"{table}/{number}/secret"
