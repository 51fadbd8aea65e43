"""What is asked of a stored diff, as values, and how that becomes two sides and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from weighbridge.compare.request import Options, SampleWish, Tolerance
from weighbridge.errors import BadArgument

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class DiffRequest:
    """A diff of two stored connections. Everything that has two sides is a pair (left, right).

    `tolerances` are (column, value, mode) with mode absolute or relative; `sampling` is
    (tolerance, confidence, threshold): percent, percent, rows.
    """

    data_sources: tuple[int, int]
    tables: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    queries: tuple[str | None, str | None] = (None, None)
    filters: tuple[str | None, str | None] = (None, None)
    key: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    tolerances: tuple[tuple[str, float, str], ...] = ()
    time_column: str | None = None
    time_interval: tuple[str | None, str | None] = (None, None)
    sampling: tuple[float | None, float | None, int | None] = (None, None, None)

    def as_dict(self) -> dict[str, Any]:
        """Give plain containers, for the database."""
        return asdict(self)


def from_dict(body: Mapping[str, Any]) -> DiffRequest:
    """Take a request out of the database again."""
    names = {f.name for f in fields(DiffRequest)}
    return DiffRequest(**{name: _frozen(value) for name, value in body.items() if name in names})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def check(request: DiffRequest) -> None:
    """Refuse what can be seen to be wrong without asking a server. Raises BadArgument."""
    for side, table, query in zip((1, 2), request.tables, request.queries, strict=True):
        if bool(table) == bool(query):
            raise BadArgument(
                f"Side {side} needs table{side} or query{side}: found"
                f" {'both' if table else 'neither'}.",
                next_step="Give exactly one of them for each side.",
            )
        if table and not 1 <= len(table) <= 3:
            raise BadArgument(
                f"table{side} has {len(table)} parts.",
                next_step="Give table, schema and table, or database, schema and table.",
            )
    for column, value, mode in request.tolerances:
        if mode not in {"absolute", "relative"} or value < 0:
            raise BadArgument(
                f"The tolerance of {column} cannot be used: {mode} {value:g}.",
                next_step="Use absolute or relative, and a value of at least 0.",
            )


def options_of(request: DiffRequest, *, sampled: bool) -> Options:
    """Say to the engine what a request means."""
    tolerance, confidence, _ = request.sampling
    wish = SampleWish(
        tolerance=(0.1 if tolerance is None else tolerance) / 100,
        confidence=(99.0 if confidence is None else confidence) / 100,
    )
    return Options(
        key=request.key or None,
        columns=request.include or None,
        # What is to be compared is said already.
        exclude=() if request.include else request.exclude,
        rename=dict(request.rename),
        where=request.filters,
        updated_column=request.time_column if any(request.time_interval) else None,
        since=request.time_interval[0],
        until=request.time_interval[1],
        tolerances={
            column: Tolerance("relative" if mode == "relative" else "absolute", value)
            for column, value, mode in request.tolerances
        },
        sample=wish if sampled else None,
    )
