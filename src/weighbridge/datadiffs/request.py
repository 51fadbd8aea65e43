"""What is asked of a stored diff, as values, and how that becomes two sides and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from weighbridge.compare.request import Options, SampleWish, Tolerance
from weighbridge.connectors.registry import in_window
from weighbridge.connectors.sides import SideSpec
from weighbridge.datadiffs.sampling import confidence_of, tolerance_of
from weighbridge.errors import BadArgument

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class DiffRequest:
    """A diff of two stored connections. Everything that has two sides is a pair (left, right).

    `tolerances` are (column, value, mode) with mode absolute or relative; `sampling` is
    (tolerance, confidence, threshold): percent, percent, rows. `destination` is the connection
    that results are written into, of every row if `whole_results`; `copies` tells which sides are
    copied first if they are views.
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
    time_aggregate: str | None = None
    sampling: tuple[float | None, float | None, int | None] = (None, None, None)
    destination: int | None = None
    whole_results: bool = False
    copies: tuple[bool, bool] = (False, False)

    def copied(self) -> tuple[bool, bool]:
        """Tell which sides are copied if they are views: a query never is."""
        left, right = (
            copy and bool(table) for copy, table in zip(self.copies, self.tables, strict=True)
        )
        return left, right

    def written_into(self) -> list[tuple[str, int]]:
        """List the connections that tables are written into, with the field that asks for it."""
        wanted = [
            (f"materialize_dataset{side}", number)
            for side, number, copy in zip((1, 2), self.data_sources, self.copied(), strict=True)
            if copy
        ]
        if self.destination is not None:
            wanted.append(("materialization_destination_id", self.destination))
        return wanted

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
    _check_window(request)
    for column, value, mode in request.tolerances:
        if mode not in {"absolute", "relative"} or value < 0:
            raise BadArgument(
                f"The tolerance of {column} cannot be used: {mode} {value:g}.",
                next_step="Use absolute or relative, and a value of at least 0.",
            )


def _check_window(request: DiffRequest) -> None:
    if request.time_aggregate is not None and request.time_column is None:
        raise BadArgument(
            "time_aggregate needs a time_column.",
            next_step="Name the column by whose moments rows are counted, or leave it out.",
        )
    if not any(request.time_interval):
        return
    if request.time_column is None:
        raise BadArgument(
            "time_interval_start and time_interval_end need a time_column.",
            next_step="Name the column whose moments they bound, or leave them out.",
        )
    try:
        in_window(SideSpec("postgresql", ""), request.time_column, request.time_interval)
    except BadArgument as error:
        raise BadArgument(
            error.message,
            next_step="Write time_interval_start and time_interval_end as 2024-01-31 or"
            " 2024-01-31T12:00:00.",
        ) from None


def windowed(request: DiffRequest, sides: tuple[SideSpec, SideSpec]) -> tuple[SideSpec, SideSpec]:
    """Keep the rows of both sides whose time column lies in the interval, if there is one."""
    column = request.time_column
    if column is None or not any(request.time_interval):
        return sides
    names = (column, dict(request.rename).get(column, column))
    left, right = (
        in_window(side, name, request.time_interval)
        for side, name in zip(sides, names, strict=True)
    )
    return left, right


def options_of(request: DiffRequest, *, sampled: bool) -> Options:
    """Say to the engine what a request means."""
    wish = SampleWish(
        # A tolerance of everything would ask for a sample of nothing.
        tolerance=min(tolerance_of(request.sampling), 0.999),
        confidence=confidence_of(request.sampling),
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
