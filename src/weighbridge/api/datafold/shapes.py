"""The two shapes in which Datafold's API is spoken, and the one route that they differ in.

Older clients read `dependencies` as an object by kind, the newer documents give a list: no answer
suits both. So the same rooms are mounted twice. What is built from a table is not known here: both
forms are empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter

from weighbridge import datadiffs
from weighbridge.api.auth import ReadsDiffs
from weighbridge.api.datafold import answers, diffs, sources, wire
from weighbridge.api.datafold.answers import problems
from weighbridge.api.datafold.diffs import Number


@dataclass(frozen=True)
class Shape:
    """How one mount of the facade answers: where, and what a finished diff's figures look like."""

    path: str
    title: str
    description: str
    figures: Any
    dependencies: Callable[[], Any]

    def rooms(self) -> list[APIRouter]:
        """Give every route of this shape."""
        return [diffs.router, _figures(self), sources.router]


PLAIN = Shape(
    "/datafold",
    "Weighbridge: Datafold's API",
    "Datafold's words for comparing two tables.",
    answers.SummaryResults,
    lambda: {"deps": {}},
)
LATEST = Shape(
    "/datafold/latest",
    "Weighbridge: Datafold's API, newer shape",
    "Datafold's words for comparing two tables, for clients of its newer documents: a diff's"
    " dependencies are a list.",
    answers.LatestSummaryResults,
    list,
)
# A path before the ones that it begins with.
SHAPES = (LATEST, PLAIN)


def _figures(shape: Shape) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["datadiffs"])

    @router.get(
        "/datadiffs/{number}/summary_results",
        summary="Read the figures",
        response_model=shape.figures,
        responses=problems(404),
    )
    def summary_results(caller: ReadsDiffs, number: Number) -> Any:
        """Give the figures of a finished diff; until then, where it stands."""
        with caller.sees() as connection:
            diff = datadiffs.get(connection, number)
        return wire.summary_results(diff, dependencies=shape.dependencies())

    return router
