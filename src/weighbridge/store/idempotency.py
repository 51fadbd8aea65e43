"""A request that is sent twice under one Idempotency-Key is carried out once.

The answer is kept in the transaction that does the work: both are there, or neither. A second
request that comes while the first is under way waits for it (the row's lock).
Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from weighbridge.errors import BadArgument
from weighbridge.store.tables import idempotency

KEPT = "interval '24 hours'"


@dataclass(frozen=True)
class Wish:
    """The key that a client gave, and a hash of the request it stands for."""

    given: str
    request_hash: bytes


def once(
    connection: Connection,
    wish: Wish | None,
    work: Callable[[], Any],
    *,
    key_id: int,
    environment: str,
) -> Any:
    """Do the work and keep its answer, or give the answer that is kept. Raises BadArgument."""
    if wish is None:
        return work()
    mine = (idempotency.c.key_id == key_id, idempotency.c.given == wish.given)
    connection.execute(
        delete(idempotency).where(
            *mine, idempotency.c.created_at < func.clock_timestamp() - text(KEPT)
        )
    )
    made = connection.execute(
        insert(idempotency)
        .values(
            key_id=key_id, given=wish.given, environment=environment,
            request_hash=wish.request_hash,
        )
        .on_conflict_do_nothing()
        .returning(idempotency.c.key_id)
    ).one_or_none()  # fmt: skip
    if made is not None:
        answer = work()
        connection.execute(update(idempotency).where(*mine).values(answer=answer))
        return answer
    kept = connection.execute(select(idempotency).where(*mine)).one()
    if bytes(kept.request_hash) != wish.request_hash:
        raise BadArgument(
            "This Idempotency-Key was given before, with another request.",
            next_step="Give a new key with each new request.",
        )
    return kept.answer
