"""MariaDB's and MySQL's types: their family, and how a value travels without loss.

Everything leaves as an integer, a double or text: the drivers map the rest with loss
(zero dates, tinyint(1), times beyond 24 h). Source: https://mariadb.com/kb/en/data-types/.
"""

from __future__ import annotations

import re
from typing import Any

from weighbridge.types.columns import NO_DATE, ColumnType, Family

_FAMILIES: dict[str, Family] = {
    "tinyint": "int",
    "smallint": "int",
    "mediumint": "int",
    "int": "int",
    "bigint": "int",
    "year": "int",
    "decimal": "decimal",
    "float": "float",
    "double": "float",
    "char": "text",
    "varchar": "text",
    "tinytext": "text",
    "text": "text",
    "mediumtext": "text",
    "longtext": "text",
    "enum": "text",
    "set": "text",
    "binary": "bytes",
    "varbinary": "bytes",
    "tinyblob": "bytes",
    "blob": "bytes",
    "mediumblob": "bytes",
    "longblob": "bytes",
    "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamptz",
    "time": "time",
    "json": "json",
    "bit": "bit",
    "uuid": "uuid",
    "inet4": "inet",
    "inet6": "inet",
    "geometry": "geometry",
    "point": "geometry",
    "polygon": "geometry",
    "linestring": "geometry",
}
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
# A zero date is not NULL: it leaves as a number that no date has.
INVALID_DATE = -9_000_000_000_000_000_000


def column_type(name: str, declared: str, *, is_json: bool) -> ColumnType:
    """Give the type of a column from DATA_TYPE and COLUMN_TYPE."""
    family: Family = "json" if is_json else _FAMILIES.get(name, "other")
    numbers = [int(n) for n in re.findall(r"\d+", declared.partition("(")[2])]
    first = numbers[0] if numbers else None
    unsigned = "unsigned" in declared
    match family:
        case "decimal":
            return ColumnType(family, declared, precision=first or 10, scale=[*numbers, 0, 0][1])
        case "float":
            return ColumnType(family, declared, bits=32 if name == "float" else 64)
        case "timestamp" | "timestamptz" | "time":
            return ColumnType(family, declared, scale=first or 0)
        case "bit":
            return ColumnType(family, declared, bits=first or 1)
        case "int":
            return ColumnType(family, declared, bits=_BITS.get(name, 16), unsigned=unsigned)
        case _:
            return ColumnType(family, declared, padded=name == "char")


def travels_as(kind: ColumnType) -> str:
    """Name the DuckDB type that a column's values arrive in, after `finish`."""
    match kind.family:
        case "int":
            return "DECIMAL(20,0)" if kind.unsigned and kind.bits == 64 else "BIGINT"
        case "decimal" if (kind.precision or 0) <= 38:
            return f"DECIMAL({kind.precision},{kind.scale})"
        case "float":
            return "DOUBLE"
        case "bytes":
            return "BLOB"
        case "date" | "timestamp" | "timestamptz":
            return "TIMESTAMP"
        case "uuid":
            return "UUID"
        case _:
            return "VARCHAR"


def wire(kind: ColumnType, name: str) -> str:
    """Write the expression that the server runs: an integer, a double or text comes out."""
    match kind.family:
        case "int" if kind.declared.startswith(("tinyint", "year")):
            # The driver makes tinyint(1) a boolean, where 2 is true.
            return f"CAST({name} AS SIGNED)"
        case "int" | "float":
            return name
        case "date" | "timestamp" | "timestamptz":
            # Microseconds since 1970: a fifth of the cost of text. An invalid date has none; it
            # travels as a number that no date has, with the date's digits in it.
            micros = f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {name})"
            days = f"(YEAR({name}) * 16 + MONTH({name})) * 32 + DAY({name})"
            seconds = f"(HOUR({name}) * 60 + MINUTE({name})) * 60 + SECOND({name})"
            invalid = (
                f"{INVALID_DATE} + (({days}) * 86400 + {seconds}) * 1000000 + MICROSECOND({name})"
            )
            return f"IF({name} IS NULL, NULL, COALESCE({micros}, {invalid}))"
        case "bytes":
            return f"HEX({name})"
        case "bit":
            return f"LPAD(BIN({name} + 0), {kind.bits}, '0')"
        case "geometry":
            # An SRID of 0 says nothing; any other tells two points apart.
            srid = f"IF(ST_SRID({name}) = 0, '', CONCAT('SRID=', ST_SRID({name}), ';'))"
            return f"CONCAT({srid}, HEX(ST_AsWKB({name})))"
        case "text" if kind.declared.startswith(("char", "varchar", "text", "longtext")):
            return name
        case "text" | "json":
            return f"CONVERT({name} USING utf8mb4)"
        case _:
            return f"CAST({name} AS CHAR)"


def finish(kind: ColumnType) -> str:
    """Write the DuckDB expression over `{x}` that gives the value its own type back."""
    match kind.family:
        case "int" if kind.unsigned and kind.bits == 64:
            return "CAST({x} AS DECIMAL(20,0))"
        case "int":
            return "CAST({x} AS BIGINT)"
        case "decimal" if (kind.precision or 0) <= 38:
            return f"CAST({{x}} AS {travels_as(kind)})"
        case "float":
            return "CAST({x} AS DOUBLE)"
        case "bytes":
            return "unhex({x})"
        case "date" | "timestamp" | "timestamptz":
            invalid = f"{NO_DATE} + to_microseconds({{x}} - {INVALID_DATE})"
            return (
                f"CASE WHEN {{x}} < {INVALID_DATE // 2} THEN {invalid}"
                " ELSE make_timestamp(CAST({x} AS BIGINT)) END"
            )
        case "uuid":
            return "CAST({x} AS UUID)"
        case _:
            return "{x}"


def as_text(value: object) -> str:
    """Decode what the catalog gives as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


# What the protocol says of bytes that are no text.
_BINARY_CHARSET = 63


def from_field(name: str, field: Any) -> ColumnType:
    """Translate a result's field (protocol type, charset, length, decimals) into a type."""
    unsigned = " unsigned" if field.flags & 32 else ""
    binary = field.charsetnr == _BINARY_CHARSET
    match name:
        case "tiny" | "short" | "int24" | "long" | "longlong" | "year":
            kind = {"tiny": "tinyint", "short": "smallint", "int24": "mediumint", "long": "int",
                    "longlong": "bigint", "year": "year"}[name]  # fmt: skip
            return column_type(kind, kind + unsigned, is_json=False)
        case "newdecimal" | "decimal":
            precision = field.length - (0 if unsigned else 1) - (1 if field.scale else 0)
            return column_type("decimal", f"decimal({precision},{field.scale})", is_json=False)
        case "float" | "double" | "date" | "json" | "geometry":
            return column_type(name, name, is_json=False)
        case "newdate":
            return column_type("date", "date", is_json=False)
        case "datetime" | "timestamp" | "time":
            return column_type(name, f"{name}({field.scale})", is_json=False)
        case "bit":
            return column_type("bit", f"bit({field.length})", is_json=False)
        case _ if binary:
            return column_type("varbinary", "varbinary", is_json=False)
        case _:
            return column_type("varchar", "varchar", is_json=False)
