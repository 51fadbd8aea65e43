"""Lists by page: a cursor says after which row to go on.

A cursor is base64 of {"id", "last_seen_sort_value"}; clients take it apart and put it together
again. The order is that of making, so rows that are made meanwhile do not move a page.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request

from weighbridge.catalog.records import Wanted
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from weighbridge.api.auth import House

T = TypeVar("T")
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


@dataclass(frozen=True)
class Part:
    """A page of a list that has one order: of so many, those after one."""

    size: int
    after: tuple[Any, ...] | None = None


_Size = Annotated[int, Query(ge=1, le=100, description="How many to a page.")]
_Cursor = Annotated[
    str | None, Query(max_length=1000, description="From `next_url` of the page before.")
]


def _newest_first(page_size: _Size = 10, cursor: _Cursor = None) -> Part:
    def read(value: str, number: str) -> tuple[Any, ...]:
        job, _, model = number.partition("/")
        return _instant(value), UUID(job), UUID(model)

    return Part(page_size, None if cursor is None else _taken_apart(cursor, read))


def _by_number(page_size: _Size = 10, cursor: _Cursor = None) -> Part:
    def read(value: str, number: str) -> tuple[Any, ...]:
        if not 0 < int(value) < 2**63:
            raise ValueError
        return UUID(number), int(value)

    return Part(page_size, None if cursor is None else _taken_apart(cursor, read))


NewestFirst = Annotated[Part, Depends(_newest_first)]
RowsPage = Annotated[Part, Depends(_by_number)]


def next_after(request: Request, last: tuple[Any, ...], *, more: bool) -> dict[str, Any]:
    """Write whether more follow the row of this place (value, id, …), and where."""
    if not more:
        return {"has_next": False}
    value = last[0].isoformat() if isinstance(last[0], datetime) else str(last[0])
    return _followed(request, value, "/".join(map(str, last[1:])))


def next_page(request: Request, rows: Sequence[Listed], *, more: bool) -> dict[str, Any]:
    """Write whether more follow, and where; the host is the one of our settings, if it is set."""
    if not more:
        return {"has_next": False}
    last = rows[-1]
    return _followed(request, last.created_at.isoformat(), str(last.id))


def _followed(request: Request, value: str, number: str) -> dict[str, Any]:
    house: House = request.app.state.house
    said = {"id": number, "last_seen_sort_value": value}
    cursor = base64.b64encode(json.dumps(said).encode()).decode()
    query = urlencode([*_others(request), ("cursor", cursor)])
    return {"has_next": True, "next_url": f"{house.public_url}{request.url.path}?{query}"}


def _others(request: Request) -> list[tuple[str, str]]:
    return [(n, value) for n, value in request.query_params.multi_items() if n != "cursor"]


def _after(cursor: str) -> tuple[datetime, UUID]:
    return _taken_apart(cursor, lambda value, number: (_instant(value), UUID(number)))


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


def _taken_apart(cursor: str, read: Callable[[str, str], T]) -> T:
    try:
        # A plus sign that was not escaped arrives as a space; some clients leave the padding out.
        text = cursor.replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
        said = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
        if not isinstance(said, dict) or set(said) != _FIELDS:
            raise ValueError
        return read(said["last_seen_sort_value"], said["id"])
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise BadArgument(
            "cursor: expected the cursor of a next_url, found something else.",
            next_step="Follow next_url, or begin without a cursor.",
        ) from None
