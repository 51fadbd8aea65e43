"""PostgreSQL's types: their family, how a value travels without loss.

Source: https://www.postgresql.org/docs/current/datatype.html.
"""

from __future__ import annotations

import re

from weighbridge.types.columns import ColumnType, Family

_FAMILIES: dict[str, Family] = {
    "bool": "bool",
    "int2": "int",
    "int4": "int",
    "int8": "int",
    "oid": "int",
    "numeric": "decimal",
    "money": "decimal",
    "float4": "float",
    "float8": "float",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "char": "text",
    "name": "text",
    "citext": "text",
    "bytea": "bytes",
    "date": "date",
    "time": "time",
    "timetz": "timetz",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "interval": "interval",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "hstore": "json",
    "xml": "xml",
    "inet": "inet",
    "cidr": "inet",
    "macaddr": "inet",
    "macaddr8": "inet",
    "bit": "bit",
    "varbit": "bit",
    "geometry": "geometry",
    "geography": "geometry",
}
_BITS = {"int2": 16, "int4": 32, "int8": 64, "oid": 32, "float4": 32, "float8": 64}
# DuckDB holds 38 digits; one is kept free for the value that stands for NaN.
WIDEST_DECIMAL = 37


def column_type(typname: str, declared: str, kind: str) -> ColumnType:
    """Give the type of a column from pg_type's name and kind and format_type's text."""
    if typname.startswith("_"):
        return ColumnType("array", declared)
    if kind == "e":
        return ColumnType("text", declared)
    family = _FAMILIES.get(typname, "other")
    numbers = [int(n) for n in re.findall(r"\d+", declared.partition("(")[2])]
    if typname == "numeric" and numbers:
        return ColumnType(family, declared, precision=numbers[0], scale=[*numbers, 0][1])
    if typname == "money":
        return ColumnType(family, declared, precision=19, scale=2, money=True)
    if family in {"time", "timetz", "timestamp", "timestamptz"}:
        return ColumnType(family, declared, scale=numbers[0] if numbers else 6)
    if family == "bit":
        return ColumnType(family, declared, bits=numbers[0] if numbers else None)
    return ColumnType(
        family,
        declared,
        bits=_BITS.get(typname),
        padded=typname == "bpchar",
        caseless=typname == "citext",
    )


def travels_as(kind: ColumnType) -> str:
    """Name the DuckDB type that a column's values arrive in."""
    match kind.family:
        case "bool":
            return "BOOLEAN"
        case "int":
            return "BIGINT"
        case "float":
            return "DOUBLE"
        case "decimal" if fits_decimal(kind):
            return f"DECIMAL({(kind.precision or 0) + 1},{kind.scale})"
        case "bytes":
            return "BLOB"
        case "date":
            return "DATE"
        case "timestamp" | "timestamptz":
            return "TIMESTAMP"
        case "uuid":
            return "UUID"
        case _:
            return "VARCHAR"


def fits_decimal(kind: ColumnType) -> bool:
    """Tell whether every value of a numeric fits DuckDB's DECIMAL with its own scale."""
    precision, scale = kind.precision, kind.scale
    return (
        precision is not None
        and scale is not None
        and precision <= WIDEST_DECIMAL
        and (0 <= scale <= precision)
    )


def wire(kind: ColumnType, name: str) -> str:
    """Write the expression that carries a column's value out of the server without loss."""
    match kind.family:
        case "int":
            return f"{name}::int8"
        case "float":
            return f"{name}::float8"
        case "decimal" if kind.declared == "money":
            return f"{name}::numeric(20,2)"
        case "decimal" if fits_decimal(kind):
            # The scanner turns a NaN into 0.00: the first number that the column cannot hold
            # stands for it.
            digits = (kind.precision or 0) - (kind.scale or 0)
            text = f"CASE WHEN {name} = 'NaN' THEN 1e{digits} ELSE {name} END"
            return f"({text})::numeric({(kind.precision or 0) + 1},{kind.scale})"
        case "timestamptz":
            return f"({name} AT TIME ZONE 'UTC')"
        case "interval":
            months = f"(extract(year from {name}) * 12 + extract(month from {name}))::int8"
            micros = (
                f"(extract(hour from {name}) * 3600000000 + extract(minute from {name}) * 60000000"
                f" + extract(second from {name}) * 1000000)::int8"
            )
            days = f"extract(day from {name})::int8"
            return f"{months} || ' mon ' || {days} || ' day ' || {micros} || ' us'"
        case "array":
            # JSON forgets where an array begins; only one that begins elsewhere says so in text.
            begins = f"coalesce(substring({name}::text from '^[[][^{{]*='), '')"
            return f"{begins} || to_json({name})::text"
        case "json" if kind.declared == "hstore":
            return f"to_json({name})::text"
        case "bool" | "bytes" | "date" | "timestamp" | "uuid":
            return name
        case "geometry":
            return f"encode(ST_AsEWKB({name}), 'hex')"
        case _:
            return f"{name}::text"
