"""How much one key may have waiting: who asks for everything at once must not fill the queue.

It is counted without a lock: requests that come in the same instant may be a few too many.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, func, select

from weighbridge.errors import TooMany


def check_quota(
    connection: Connection, table: Table, under_way: ColumnElement[bool], *, of: int, most: int
) -> None:
    """Refuse a key that has `most` rows under way already. Raises TooMany."""
    mine = select(table.c.id).where(under_way, table.c.created_by == of).limit(most).subquery()
    if connection.execute(select(func.count()).select_from(mine)).scalar_one() >= most:
        raise TooMany(
            f"This key has {most:,} {table.name} waiting or running, and may have no more.",
            next_step="Ask again when some of them have ended.",
        )
