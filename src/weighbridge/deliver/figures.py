"""What transfers add up to, for each destination. A billing period is a calendar month, in UTC."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from weighbridge.deliver import store
from weighbridge.deliver.store import Transfer
from weighbridge.store.tables import transfers

if TYPE_CHECKING:
    from sqlalchemy import Connection

_LAST = text("""
SELECT DISTINCT ON (destination_id) id FROM weighbridge.transfers
WHERE destination_id = ANY (:ids) AND status IN ('SUCCESS', 'PARTIAL_FAILURE', 'ERROR')
ORDER BY destination_id, ended_at DESC, id
""").bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))))
_MONTH = "date_trunc('month', clock_timestamp(), 'UTC')"
_SUMS = text(f"""
SELECT t.destination_id,
    max(t.ended_at) FILTER (WHERE t.status = 'SUCCESS') AS last_successful,
    coalesce(sum(m.rows) FILTER (WHERE t.ended_at >= {_MONTH}), 0)::int8 AS rows_now,
    coalesce(sum(m.rows) FILTER (WHERE t.ended_at < {_MONTH}
        AND t.ended_at >= {_MONTH} - interval '1 month'), 0)::int8 AS rows_before,
    coalesce(sum(m.delta) FILTER (WHERE t.ended_at < {_MONTH}
        AND t.ended_at >= {_MONTH} - interval '1 month'), 0)::int8 AS delta_before
FROM weighbridge.transfers AS t
LEFT JOIN (
    SELECT transfer_id, sum(rows_transferred) AS rows, sum(delta_rows_transferred) AS delta
    FROM weighbridge.transfer_models GROUP BY transfer_id) AS m ON m.transfer_id = t.id
WHERE t.destination_id = ANY (:ids) AND t.ended_at IS NOT NULL
GROUP BY t.destination_id
""").bindparams(bindparam("ids", type_=ARRAY(PG_UUID(as_uuid=True))))  # noqa: S608 our own words


@dataclass(frozen=True)
class Figures:
    """A destination's figures. Rows are counted in the month in which their transfer ended."""

    last_completed: Transfer | None = None
    last_successful_at: datetime | None = None
    rows_now: int = 0
    rows_before: int = 0
    delta_before: int = 0


NONE = Figures()


def figures_of(connection: Connection, destinations: Collection[UUID]) -> dict[UUID, Figures]:
    """Give the figures of some destinations; those without transfers are left out."""
    ids = {"ids": list(destinations)}
    numbers = connection.execute(_LAST, ids).scalars().all()
    last = connection.execute(select(transfers).where(transfers.c.id.in_(numbers))).all()
    completed = {t.destination_id: t for t in store.with_runs(connection, last)}
    sums: list[Any] = list(connection.execute(_SUMS, ids))
    return {
        row.destination_id: Figures(
            last_completed=completed.get(row.destination_id),
            last_successful_at=row.last_successful,
            rows_now=row.rows_now,
            rows_before=row.rows_before,
            delta_before=row.delta_before,
        )
        for row in sums
    }
