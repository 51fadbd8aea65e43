"""Who changed what, and when: lines that are added and never changed.

Each line carries the hash of the one before it in its environment. The database makes the hashes
and refuses to change a line; `broken_line` finds one that someone changed all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from weighbridge.store.tables import audit

_BROKEN = text("""
SELECT id FROM (
    SELECT *, coalesce(lag(hash) OVER (PARTITION BY environment ORDER BY id), ''::bytea) AS before_it
    FROM weighbridge.audit
) AS a
WHERE previous_hash <> before_it OR hash <> weighbridge.hash_of_audit(
    previous_hash, id, environment, at, actor, action, object, before, after)
ORDER BY id LIMIT 1
""")


def note(
    connection: Connection,
    *,
    environment: str,
    actor: str,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add a line in the transaction of the change itself. `before`, `after` hold no secret."""
    connection.execute(
        audit.insert().values(
            environment=environment, actor=actor, action=action, object=subject,
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
        )
    )  # fmt: skip


def broken_line(connection: Connection) -> int | None:
    """Give the first line that does not fit the chain, None if all do."""
    return connection.execute(_BROKEN).scalar_one_or_none()
