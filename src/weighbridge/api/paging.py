"""Lists by page, and how a filter's words become values: the facades share it.

A filter is a comma list. Moments are `D` (that moment; a day without a time is the whole day),
`<D`, `>D`, `D1<<D2` (from D1 on, before D2); without an offset they are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query, Request

from weighbridge.errors import BadArgument

MOST_PAGES, MOST_ROWS, MOST_VALUES = 10**9, 1_000, 1_000
_BIGINT = range(-(2**63), 2**63)
_INSTANT = timedelta(microseconds=1)

PageNumber = Annotated[int, Query(ge=1, le=MOST_PAGES, description="Pages are counted from 1.")]
PageSize = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many to a page.")]


def paged(
    results: Sequence[Any], *, count: int, page: int | None, page_size: int
) -> dict[str, Any]:
    """Write a page with what is known of the others."""
    return {
        "count": count,
        "page": page,
        "page_size": page_size,
        "total_pages": -(-count // page_size),
        "results": list(results),
    }


def only_known(request: Request, known: Iterable[str]) -> None:
    """Refuse a parameter that nobody reads: it would seem to filter. Raises BadArgument."""
    listed = sorted(known)
    for name in request.query_params:
        if name not in listed:
            raise BadArgument(
                f"There is no parameter {name[:40]!r} here.",
                next_step=f"Use some of {', '.join(listed)}.",
            )


def numbers(name: str, text: str) -> list[int]:
    """Read a comma list of whole numbers. Raises BadArgument."""
    found: list[int] = []
    for part in _parts(name, text):
        # The length first: Python refuses to read numbers of thousands of digits.
        if not (part.isascii() and part.removeprefix("-").isdigit() and len(part) <= 20):
            raise _unreadable(name, part, "whole numbers, such as 1,2,3")
        number = int(part)
        if number not in _BIGINT:
            raise _unreadable(name, part, "whole numbers of 64 bits")
        found.append(number)
    return found


def words(name: str, text: str, known: Sequence[str]) -> list[str]:
    """Read a comma list of words out of a few. Raises BadArgument."""
    found = _parts(name, text)
    for part in found:
        if part not in known:
            raise _unreadable(name, part, f"some of {', '.join(known)}")
    return found


def flags(name: str, text: str) -> list[bool]:
    """Read a comma list of true and false. Raises BadArgument."""
    known: Mapping[str, bool] = {"true": True, "false": False}
    found: list[bool] = []
    for part in _parts(name, text):
        if part.lower() not in known:
            raise _unreadable(name, part, "true or false")
        found.append(known[part.lower()])
    return found


def spans(name: str, text: str) -> list[tuple[datetime | None, datetime | None]]:
    """Read a comma list of moments and spans of time, as half-open spans. Raises BadArgument."""
    return [_span(name, part) for part in _parts(name, text)]


def _span(name: str, part: str) -> tuple[datetime | None, datetime | None]:
    try:
        first, between, last = part.partition("<<")
        if between:
            return _moment(first), _moment(last)
        if part.startswith("<"):
            return None, _moment(part[1:])
        if part.startswith(">"):
            return _moment(part[1:]) + _INSTANT, None
        start = _moment(part)
        whole_day = not any(sign in part for sign in "T :")
        return start, start + (timedelta(days=1) if whole_day else _INSTANT)
    except (ValueError, OverflowError):
        raise _unreadable(
            name, part, "2024-01-31, 2024-01-31T12:00:00Z, <D, >D or D1<<D2"
        ) from None


def _moment(text: str) -> datetime:
    # A plus sign that was not escaped arrives as a space.
    head, space, zone = text.strip().rpartition(" ")
    moment = datetime.fromisoformat(f"{head}+{zone}" if space and "T" in head else text.strip())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parts(name: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_VALUES:
        raise BadArgument(
            f"{name} lists {len(parts):,} values, more than {MOST_VALUES:,}.",
            next_step="Ask in several requests.",
        )
    return parts


def _unreadable(name: str, part: str, wanted: str) -> BadArgument:
    return BadArgument(
        f"{name}: {part[:40]!r} cannot be read.", next_step=f"Give {wanted}, joined by commas."
    )
