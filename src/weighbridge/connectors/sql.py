"""How a SELECT is put together for every vendor that speaks SQL. Values are ints or quoted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from weighbridge.connectors.names import quote
from weighbridge.errors import MissingExtra, NoSuchTable, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.connectors.base import Source
    from weighbridge.types.columns import Column


def literal(text: str) -> str:
    """Write a text as a standard SQL literal (engines with backslash escapes: see mysql.py)."""
    return "'" + text.replace("'", "''") + "'"


def select(
    columns: Iterable[tuple[str, str]],
    relation: str,
    *,
    where: Sequence[str] = (),
    order_by: str | None = None,
    dialect: str,
) -> str:
    """Write a SELECT of (expression, name) pairs; `where` parts are joined by AND.

    `order_by` is a quoted column of the relation, even where an output has the same name.
    """
    named = [(expression, quote(name, dialect)) for expression, name in columns]
    listed = ", ".join(f"{expression} AS {name}" for expression, name in named) or "1"
    rows = relation
    if where:
        rows += " WHERE " + " AND ".join(f"({part})" for part in where)
    if order_by is None:
        return f"SELECT {listed} FROM {rows}"
    if any(name.lower() == order_by.lower() for _, name in named):
        # Servers take a bare name for the output; a qualified one is the relation's.
        return f"SELECT {listed} FROM (SELECT * FROM {rows}) AS o ORDER BY o.{order_by}"
    return f"SELECT {listed} FROM {rows} ORDER BY {order_by}"


def in_ranges(column: str, ranges: Sequence[tuple[int, int]]) -> str:
    """Write the condition that an integer expression lies in one of some half-open ranges."""
    if len(ranges) > 1 and all(high - low == 1 for low, high in ranges):
        return f"{column} IN ({', '.join(str(low) for low, _ in ranges)})"
    return " OR ".join(f"({column} >= {low} AND {column} < {high})" for low, high in ranges)


def nulls(columns: Sequence[str], *, wanted: bool) -> str:
    """Write the condition that some (wanted) or none of the columns is null."""
    if wanted:
        return " OR ".join(f"{c} IS NULL" for c in columns)
    return " AND ".join(f"{c} IS NOT NULL" for c in columns)


def among(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *literals: Callable[[str], str],
) -> str:
    """Write the condition that columns have one of some values, given as text.

    `literals`: how each column's values are written, or one for all.
    """
    ways = literals * (1 if len(literals) > 1 else len(names))
    listed = ", ".join(
        "(" + ", ".join(way(v) for way, v in zip(ways, row, strict=True)) + ")" for row in rows
    )
    return f"({', '.join(names)}) IN ({listed})" if rows else "1 = 0"


def uniqueness(source: Source, columns: Sequence[Column], dialect: str) -> str:
    """Write the question whether columns are unique and never null; one boolean comes back."""
    names = [quote(c.name, dialect) for c in columns]
    where = f" WHERE {source.where}" if source.where else ""
    whole = nulls(names, wanted=False)
    return (
        f"SELECT count(*) = sum(CASE WHEN {whole} AND n = 1 THEN 1 ELSE 0 END) FROM"
        f" (SELECT {', '.join(names)}, count(*) AS n FROM {source.relation}{where}"
        f" GROUP BY {', '.join(names)}) AS g"
    )


def no_such_table(label: str, name: str, known: Sequence[str]) -> NoSuchTable:
    """Make the error for a missing table, with the names that come near it."""
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    short = [
        k for k in known if k.split(".")[-1].lower() == name.rsplit(".", maxsplit=1)[-1].lower()
    ]
    hints = list(dict.fromkeys([*short[:3], *near]))
    step = f"Did you mean {' or '.join(hints)}?" if hints else "Check the schema and the spelling."
    return NoSuchTable(f"There is no table or view {name} in {label}.", next_step=step)


def moment(seconds: float) -> str:
    """Write a file's time of change, given in seconds since 1970, as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds")


def scrub(text: object, *secrets: str | None) -> str:
    """Take secrets out of a driver's message and keep its first line."""
    line = next((part for part in str(text).strip().splitlines() if part.strip()), "no message")
    for secret in secrets:
        if secret:
            line = line.replace(secret, "****")
    return line.rstrip(" .")


def missing_extra(vendor: str, extra: str) -> WeighbridgeError:
    """Make the error for a driver that is not installed."""
    return MissingExtra(
        f"The driver for {vendor} is not installed.",
        next_step=f"Install it with: pip install 'weighbridge[{extra}]'.",
    )
