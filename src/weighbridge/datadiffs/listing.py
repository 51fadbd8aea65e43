"""By what stored diffs can be listed: fields as SQL, and the conditions on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, or_, true

from weighbridge.store.tables import datadiffs

# From the first moment on, before the second; None: without a bound.
Span = tuple[datetime | None, datetime | None]


def _data_source(side: int) -> ColumnElement[Any]:
    return datadiffs.c.request[("wanted", "data_sources", str(side))].astext.cast(BigInteger)


FIELDS: dict[str, ColumnElement[Any]] = {
    "id": datadiffs.c.id,
    "status": datadiffs.c.status,
    "archived": datadiffs.c.archived,
    "data_source1_id": _data_source(0),
    "data_source2_id": _data_source(1),
    "user_id": datadiffs.c.created_by,
    "created_at": datadiffs.c.created_at,
    "updated_at": datadiffs.c.updated_at,
    "finished_at": datadiffs.c.finished_at,
}


def among(field: str, values: Sequence[int | str | bool]) -> ColumnElement[bool]:
    """Keep the diffs whose field has one of some values."""
    return FIELDS[field].in_(values)


def within(field: str, spans: Sequence[Span]) -> ColumnElement[bool]:
    """Keep the diffs whose moment lies in one of some spans."""
    column = FIELDS[field]
    return or_(
        *(
            and_(
                column.is_not(None),
                true() if since is None else column >= since,
                true() if until is None else column < until,
            )
            for since, until in spans
        )
    )


def ordered(field: str, *, descending: bool) -> ColumnElement[Any]:
    """Order by a field; what has none comes last both ways."""
    column = FIELDS[field]
    return (column.desc() if descending else column.asc()).nulls_last()
