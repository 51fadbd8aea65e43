"""What a request may bring: so much, and nothing that a database cannot keep (RELIABILITY T28).

Both are looked at before any route is, so that no route has to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from fastapi import Request  # noqa: TC002 FastAPI reads the annotation
from starlette.exceptions import HTTPException

from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000
# What is stored is written again with every answer, by writers that give up far deeper than this.
DEEPEST = 50


class BodyLimit:
    """Refuses a body of more than `MOST_BYTES` with 413, whatever its header says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                raise HTTPException(413, f"The body is larger than {MOST_BYTES:,} bytes.")
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)


async def keepable(request: Request) -> None:
    """Read a body whole and refuse what JSON can say and a database cannot keep.

    Raises BadArgument. A body that is no JSON is left to whoever wants JSON.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return
    for depth, one in _values(body):
        if depth > DEEPEST:
            raise BadArgument(
                f"The request is nested more than {DEEPEST} levels deep.",
                next_step="Leave out what is nested so deeply.",
            )
        if not _can_be_kept(one):
            raise BadArgument(
                "The request holds a character or a number that cannot be kept.",
                next_step="Leave out NUL characters, lone surrogates, NaN and Infinity.",
            )


def _values(body: Any) -> Iterator[tuple[int, Any]]:
    """Give every value and name of a body with its depth: without recursion, for any depth."""
    waiting: list[tuple[int, Any]] = [(0, body)]
    while waiting:
        depth, one = waiting.pop()
        yield depth, one
        if isinstance(one, dict):
            fields = cast("dict[str, Any]", one)
            waiting += ((depth + 1, part) for pair in fields.items() for part in pair)
        elif isinstance(one, list):
            waiting += ((depth + 1, part) for part in cast("list[Any]", one))


def _can_be_kept(one: Any) -> bool:
    if isinstance(one, str):
        return "\0" not in one and not any("\ud800" <= letter <= "\udfff" for letter in one)
    return not isinstance(one, float) or math.isfinite(one)
