"""How many rows of a side lie in each of some ranges of a column of moments: one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.names import quote
from weighbridge.connectors.registry import VENDORS
from weighbridge.connectors.tenancy import moment_literal

if TYPE_CHECKING:
    from weighbridge.connectors.base import Source
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.types.columns import Column

Span = tuple[datetime, datetime]


def counting(spec: SideSpec, column: Column, spans: Sequence[Span]) -> SideSpec:
    """Give the side whose one row counts a side's rows in each half-open range."""
    dialect = VENDORS[spec.scheme][3]
    name = quote(column.name, dialect)
    conditions = [
        f"{name} >= {moment_literal(column, since, dialect)}"
        f" AND {name} < {moment_literal(column, until, dialect)}"
        for since, until in spans
    ]
    counts = ", ".join(
        f"COUNT(CASE WHEN {condition} THEN 1 END) AS n{i}" for i, condition in enumerate(conditions)
    )
    # Only what lies in one of them is read.
    rows = " OR ".join(f"({condition})" for condition in conditions)
    kept = f"({spec.where}) AND ({rows})" if spec.where else rows
    return _query(spec, f"SELECT {counts} FROM {_table(spec, dialect)} WHERE {kept}")


def counting_all(spec: SideSpec, later: tuple[Column, datetime] | None) -> SideSpec:
    """Give the side whose one row counts all rows of a side, and those that changed `later`."""
    dialect = VENDORS[spec.scheme][3]
    condition = "1 = 0"
    if later is not None:
        name = quote(later[0].name, dialect)
        condition = f"{name} > {moment_literal(later[0], later[1], dialect)}"
    where = f" WHERE {spec.where}" if spec.where else ""
    return _query(
        spec,
        f"SELECT COUNT(*) AS n0, COUNT(CASE WHEN {condition} THEN 1 END) AS n1"
        f" FROM {_table(spec, dialect)}{where}",
    )


def counts(source: Source) -> list[int]:
    """Read the one row of counts."""
    columns = source.shape().columns
    outputs = tuple(Output(column.name, column) for column in columns)
    (row,) = source.read(Reading(outputs)).read_all().to_pylist()
    return [int(row[column.name]) for column in columns]


def _query(spec: SideSpec, sql: str) -> SideSpec:
    return replace(spec, query=sql, where=None, table=())


def _table(spec: SideSpec, dialect: str) -> str:
    return ".".join(quote(part, dialect) for part in spec.table[-2:])
