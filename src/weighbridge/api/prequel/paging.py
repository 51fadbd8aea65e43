"""Lists by page: a cursor says after which row to go on.

A cursor is base64 of {"id", "last_seen_sort_value"}; clients take it apart and put it together
again. The order is that of making, so rows that are made meanwhile do not move a page.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request

from weighbridge.catalog.records import Wanted
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from weighbridge.api.auth import House

_FIELDS = {"id", "last_seen_sort_value"}


class Listed(Protocol):
    """What a list holds."""

    @property
    def id(self) -> UUID: ...
    @property
    def created_at(self) -> datetime: ...


def _wanted(
    page_size: Annotated[int, Query(ge=1, le=100, description="How many to a page.")] = 10,
    order: Annotated[Literal["asc", "desc"], Query(description="By the time of making.")] = "asc",
    cursor: Annotated[
        str | None, Query(max_length=1000, description="From `next_url` of the page before.")
    ] = None,
) -> Wanted:
    return Wanted(page_size, None if cursor is None else _after(cursor), order == "desc")


Page = Annotated[Wanted, Depends(_wanted)]
PARAMETERS = ("page_size", "order", "cursor")


def next_page(request: Request, rows: Sequence[Listed], *, more: bool) -> dict[str, Any]:
    """Write whether more follow, and where; the host is the one of our settings, if it is set."""
    if not more:
        return {"has_next": False}
    house: House = request.app.state.house
    last = rows[-1]
    said = {"id": str(last.id), "last_seen_sort_value": last.created_at.isoformat()}
    cursor = base64.b64encode(json.dumps(said).encode()).decode()
    query = urlencode([*_others(request), ("cursor", cursor)])
    return {"has_next": True, "next_url": f"{house.public_url}{request.url.path}?{query}"}


def _others(request: Request) -> list[tuple[str, str]]:
    return [(n, value) for n, value in request.query_params.multi_items() if n != "cursor"]


def _after(cursor: str) -> tuple[datetime, UUID]:
    try:
        # A plus sign that was not escaped arrives as a space; some clients leave the padding out.
        text = cursor.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
        said = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        if not isinstance(said, dict) or set(said) != _FIELDS:
            raise ValueError
        moment = datetime.fromisoformat(said["last_seen_sort_value"])
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(said["id"])
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise BadArgument(
            "cursor: expected the cursor of a next_url, found something else.",
            next_step="Follow next_url, or begin without a cursor.",
        ) from None
