"""Two relations of one PostgreSQL database joined there: only what differs is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weighbridge.connectors import postgresql_types as pg
from weighbridge.connectors.base import Joined, Output
from weighbridge.connectors.names import quote
from weighbridge.types.columns import Column

if TYPE_CHECKING:
    from weighbridge.connectors.base import Source

_HERE = Column("here", pg.column_type("bool", "boolean", "b"))

# What values are compared as; a form that is not here is compared as text, byte by byte.
_CASTS = {
    "int": "int8",
    "numeric": "numeric",
    "unbounded": "numeric",
    "float": "float8",
    "bool": "bool",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "uuid": "uuid",
    "bytes": "bytea",
}


def join_sql(left: Source, right: Source, columns: Sequence[Joined]) -> str:
    """Write the SELECT of the rows that are alone or differ: l_here, l_…, r_here, r_….

    A side that has no such row has nulls, in `here` too. What leaves is each value as
    `postgresql_types.wire` carries it.
    """
    sides = [_side(s, [c.columns[n] for c in columns]) for n, s in enumerate((left, right))]
    pairs = [
        (c.left.name[0], _compared(c, n, "l"), _compared(c, n, "r")) for n, c in enumerate(columns)
    ]
    same = [f"{ours} = {theirs}" for kind, ours, theirs in pairs if kind == "k"]
    differs = ["l.here IS NULL", "r.here IS NULL"]
    differs += [f"{ours} IS DISTINCT FROM {theirs}" for kind, ours, theirs in pairs if kind == "c"]
    listed = ", ".join(
        f'{expression} AS "{name}"'
        for side, prefix in enumerate("lr")
        for expression, name in _carried(columns, side, prefix)
    )
    return (
        f"SELECT {listed} FROM {sides[0]} AS l FULL JOIN {sides[1]} AS r ON {' AND '.join(same)}"
        f" WHERE {' OR '.join(differs)}"
    )


def join_outputs(columns: Sequence[Joined]) -> tuple[Output, ...]:
    """List what `join_sql` gives, with what is done to each value on arrival."""
    listed: list[Output] = []
    for prefix, outputs in (("l", [c.left for c in columns]), ("r", [c.right for c in columns])):
        listed.append(Output(f"{prefix}_here", _HERE))
        listed += [Output(f"{prefix}_{o.name}", o.column, o.expression) for o in outputs]
    return tuple(listed)


def _carried(columns: Sequence[Joined], side: int, prefix: str) -> list[tuple[str, str]]:
    values = [
        (pg.wire(c.columns[side].type, f"{prefix}.x{n}"), f"{prefix}_{c.left.name}")
        for n, c in enumerate(columns)
    ]
    return [(f"{prefix}.here", f"{prefix}_here"), *values]


def _side(source: Source, columns: Sequence[Column]) -> str:
    listed = ", ".join(f"{quote(c.name, 'postgres')} AS x{n}" for n, c in enumerate(columns))
    condition = f" WHERE ({source.where})" if source.where else ""
    return f"(SELECT true AS here, {listed} FROM {source.relation}{condition})"


def _compared(column: Joined, place: int, prefix: str) -> str:
    kind = _CASTS.get(column.form)
    if kind is None:
        return f'{prefix}.x{place}::text COLLATE "C"'
    own = {c.type.declared for c in column.columns}
    # Uncast where it changes nothing: an index of the key can then be used.
    return f"{prefix}.x{place}" if len(own) == 1 else f"{prefix}.x{place}::{kind}"
