"""DuckDB's types, which files have too: their family, and how a value travels without loss."""

from __future__ import annotations

import re

from weighbridge.types.columns import ColumnType, Family

_INTS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
_UNSIGNED = {"UTINYINT": 8, "USMALLINT": 16, "UINTEGER": 32, "UBIGINT": 64}
_FAMILIES: dict[str, Family] = {
    "BOOLEAN": "bool",
    "VARCHAR": "text",
    "BLOB": "bytes",
    "DATE": "date",
    "TIME": "time",
    "TIME WITH TIME ZONE": "timetz",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "JSON": "json",
    "BIT": "bit",
    "GEOMETRY": "geometry",
}
_FRACTIONS = {"TIMESTAMP": 6, "TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}


def column_type(declared: str) -> ColumnType:
    """Give the type of a column from the text that DESCRIBE prints."""
    if declared in _INTS:
        return ColumnType("int", declared, bits=_INTS[declared])
    if declared in _UNSIGNED:
        return ColumnType("int", declared, bits=_UNSIGNED[declared], unsigned=True)
    if declared in {"HUGEINT", "UHUGEINT", "BIGNUM"}:
        return ColumnType("decimal", declared)
    if declared in {"FLOAT", "DOUBLE"}:
        return ColumnType("float", declared, bits=32 if declared == "FLOAT" else 64)
    if declared.startswith("DECIMAL"):
        precision, scale = (int(n) for n in re.findall(r"\d+", declared))
        return ColumnType("decimal", declared, precision=precision, scale=scale)
    if declared in _FRACTIONS:
        return ColumnType("timestamp", declared, scale=_FRACTIONS[declared])
    if declared == "TIMESTAMP WITH TIME ZONE":
        return ColumnType("timestamptz", declared, scale=6)
    if declared.endswith("]"):
        return ColumnType("array", declared)
    if declared.startswith(("STRUCT", "MAP", "UNION")):
        return ColumnType("json", declared)
    if declared.startswith("ENUM"):
        return ColumnType("text", declared)
    return ColumnType(_FAMILIES.get(declared, "other"), declared)


def travels_as(kind: ColumnType) -> str:
    """Name the DuckDB type that a column's values have after `wire`."""
    match kind.family:
        case "int":
            return "DECIMAL(20,0)" if kind.unsigned and kind.bits == 64 else "BIGINT"
        case "decimal" if kind.precision is not None:
            return kind.declared
        case "float":
            return "DOUBLE"
        case "timestamp" if kind.scale == 9:
            return "TIMESTAMP_NS"
        case "timestamp" | "timestamptz":
            return "TIMESTAMP"
        case "bool" | "bytes" | "date" | "uuid":
            return {"bool": "BOOLEAN", "bytes": "BLOB", "date": "DATE", "uuid": "UUID"}[kind.family]
        case _:
            return "VARCHAR"


def wire(kind: ColumnType, name: str) -> str:
    """Write the expression that gives a value in the type of `travels_as`."""
    native = travels_as(kind)
    match kind.family:
        case "timestamptz":
            return f"({name} AT TIME ZONE 'UTC')"
        case "array" | "json" if kind.declared != "JSON":
            return f"CAST(to_json({name}) AS VARCHAR)"
        case "interval":
            return (
                f"(datepart('year', {name}) * 12 + datepart('month', {name})) || ' mon '"
                f" || datepart('day', {name}) || ' day '"
                f" || (datepart('hour', {name}) * 3600000000 + datepart('minute', {name}) * 60000000"
                f" + datepart('microsecond', {name})) || ' us'"
            )
        case _ if native == kind.declared:
            return name
        case _:
            return f"CAST({name} AS {native})"
