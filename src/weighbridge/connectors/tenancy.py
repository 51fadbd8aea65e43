"""Whose rows are read of a source: one tenant's, and nobody else's (RELIABILITY T03).

`rows_of` is the only way to make a side of a model's table, and it wants a `TenantScope`: there is
no query on a customer's behalf that has no tenant in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.connectors.names import quote
from weighbridge.connectors.registry import VENDORS
from weighbridge.connectors.sql import among, literal
from weighbridge.errors import BadArgument, NoSuchColumn

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.types.columns import Column, Shape

Value = str | int | float | bool


@dataclass(frozen=True)
class TenantScope:
    """The rows in which `column` holds exactly `value`. Null belongs to nobody."""

    column: str
    value: str


@dataclass(frozen=True)
class Condition:
    """One more condition that a row must meet: a model's filter."""

    column: str
    operator: str
    value: Value | Sequence[Value] | None = None


@dataclass(frozen=True)
class Window:
    """Which rows by the moment of their last change: [since, until), each side open if None.

    `timeless`: rows without such a moment belong to it, too.
    """

    column: str
    since: datetime | None = None
    until: datetime | None = None
    timeless: bool = False


def rows_of(
    spec: SideSpec,
    shape: Shape,
    scope: TenantScope,
    *,
    filters: Sequence[Condition] = (),
    window: Window | None = None,
    keys: tuple[tuple[str, ...], Sequence[tuple[str, ...]]] | None = None,
) -> SideSpec:
    """Give the side of one tenant's rows of a table; `shape` is the table's.

    `keys`: (key columns, wanted values as text), of these rows only. Raises NoSuchColumn,
    BadArgument for a value that is none of its column's.
    """
    dialect = VENDORS[spec.scheme][3]
    parts = [_tenant(shape, scope, dialect)]
    parts += [_condition(shape, one, dialect) for one in filters]
    parts += _narrowing(shape, window, keys, dialect)
    return replace(spec, where=" AND ".join(f"({part})" for part in parts))


Keys = tuple[tuple[str, ...], Sequence[tuple[str, ...]]]


def part_of(
    spec: SideSpec, shape: Shape, *, window: Window | None = None, keys: Keys | None = None
) -> SideSpec:
    """Give the side of some rows of a destination's table, in which one tenant's rows lie alone."""
    parts = _narrowing(shape, window, keys, VENDORS[spec.scheme][3])
    return replace(spec, where=" AND ".join(f"({part})" for part in parts) or None)


def _narrowing(shape: Shape, window: Window | None, keys: Keys | None, dialect: str) -> list[str]:
    parts = [] if window is None else _window(shape, window, dialect)
    if keys is not None:
        columns = [_column(shape, name) for name in keys[0]]
        names = [quote(c.name, dialect) for c in columns]
        parts.append(among(names, keys[1], *(_writer(c, dialect) for c in columns)))
    return parts


def _tenant(shape: Shape, scope: TenantScope, dialect: str) -> str:
    """Write the condition: of the column's own type, so that an index serves, and exact as text."""
    column = _column(shape, scope.column)
    name = quote(column.name, dialect)
    family = column.type.family
    if "\0" in scope.value:
        return "1 = 0"
    if family == "int":
        # '01' and '1' are different tenants; of a whole number only one of them can be the name.
        exact = scope.value.removeprefix("-").isdecimal() and str(int(scope.value)) == scope.value
        fits = exact and -(2**63) <= int(scope.value) < 2**63
        return f"{name} = {scope.value}" if fits else "1 = 0"
    if family not in {"text", "uuid"}:
        raise BadArgument(
            f"The organization_column {column.name} is {column.type.declared}: no name of a tenant.",
            next_step="Choose a column of text, uuid or whole numbers.",
        )
    said = _text(scope.value, dialect)
    if dialect == "mysql":
        # Its collations fold letters and ignore spaces at the end; bytes do neither.
        exactly = f"HEX(CONVERT({name} USING utf8mb4)) = '{scope.value.encode().hex().upper()}'"
        return exactly if family == "uuid" else f"{name} = {said} AND {exactly}"
    kind = "text" if dialect == "postgres" else "VARCHAR"
    collation = ' COLLATE "C"' if dialect == "postgres" else ""
    exactly = f"CAST({name} AS {kind}) = {said}{collation}"
    # An index on text serves the first; a uuid in another spelling would be an error there.
    return exactly if family == "uuid" else f"{name} = {said} AND {exactly}"


def _condition(shape: Shape, one: Condition, dialect: str) -> str:
    column = _column(shape, one.column)
    name = quote(column.name, dialect)
    if one.operator in {"is null", "is not null"}:
        return f"{name} {one.operator.upper()}"
    if one.operator in {"in", "not in"}:
        listed = (
            one.value if isinstance(one.value, Sequence) and not isinstance(one.value, str) else ()
        )
        if not listed:
            return "1 = 0" if one.operator == "in" else "1 = 1"
        values = ", ".join(_value(each, dialect) for each in listed)
        return f"{name} {one.operator.upper()} ({values})"
    if isinstance(one.value, str | int | float):
        sign = "<>" if one.operator == "!=" else one.operator
        return f"{name} {sign} {_value(one.value, dialect)}"
    raise BadArgument(
        f"The filter on {one.column} has no value.", next_step="Correct the model's filters."
    )


def _window(shape: Shape, window: Window, dialect: str) -> list[str]:
    column = _column(shape, window.column)
    name = quote(column.name, dialect)
    bounds = [
        f"{name} {sign} {moment_literal(column, bound, dialect)}"
        for sign, bound in ((">=", window.since), ("<", window.until))
        if bound is not None
    ]
    if not bounds:
        return [] if window.timeless else [f"{name} IS NOT NULL"]
    within = " AND ".join(bounds)
    return [f"({within}) OR {name} IS NULL" if window.timeless else within]


def moment_literal(column: Column, bound: datetime, dialect: str) -> str:
    """Write a moment as a column of moments is compared with it."""
    text = bound.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    # MySQL's session stands at UTC and knows no offset in a literal; a column without a zone has none.
    if column.type.family == "timestamptz" and dialect != "mysql":
        text += "+00"
    return literal(text)


def _writer(column: Column, dialect: str) -> Callable[[str], str]:
    """Say how values of a key column are written; a text that is no value of it matches nothing."""
    if column.type.family == "int":
        return lambda text: text if text.removeprefix("-").isdecimal() else "NULL"
    return lambda text: _text(text, dialect)


def _value(value: Value, dialect: str) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return _text(value, dialect) if isinstance(value, str) else repr(value)


def _text(text: str, dialect: str) -> str:
    """Write a text without a backslash, which may be an escape and may be none."""
    if dialect == "mysql":
        return f"CONVERT(X'{text.encode().hex().upper()}' USING utf8mb4)"
    if "\\" in text:
        return f"({' || chr(92) || '.join(map(literal, text.split(chr(92))))})"
    return literal(text)


def _column(shape: Shape, name: str) -> Column:
    column = shape.column(name)
    if column is None:
        known = ", ".join(c.name for c in shape.columns[:20])
        raise NoSuchColumn(
            f"The source's table has no column {name}.",
            next_step=f"It has {known}. Correct the model.",
        )
    return column
