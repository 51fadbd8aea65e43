"""PostgreSQL's types: their family, how a value travels without loss, how it is hashed.

Sources: https://www.postgresql.org/docs/current/datatype.html and the hash functions in
src/backend/access/hash/hashfunc.c and src/backend/utils/adt/*.c.
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


def chain(form: str, x: str, state: str, salt: int) -> str:
    """Write the 64-bit state after value `x`, given the state before it.

    Each value is hashed with the state so far as the seed, so that no two rows can trade
    values unseen, as they can under a sum of per-column hashes. A null becomes a salted
    value. The server's own hashes forget some things, which are given back through the
    seed or the value: hashint8 and timestamp_hash fold 64 bits into 32, hash_numeric drops the
    sign, and zero, NaN and infinities come out as the bare seed.
    """
    odd = salt | 1
    match form:
        case "bool":
            return f"hashint4extended(coalesce({x}::int4, 7), {state})"
        case "int":
            value = f"coalesce({x}::int8, {odd})"
            return f"hashint8extended({value}, {state} # {value})"
        case "numeric" | "unbounded":
            flag = f"CASE WHEN {x} IS NULL THEN 2 WHEN {x} < 0 THEN 1 ELSE 0 END::int8"
            # These are hashed to the bare seed, so that the next column could take their place.
            special = f"WHEN 'NaN' THEN {odd}.25"
            if form == "unbounded":
                special += f" WHEN 'Infinity' THEN {odd}.125 WHEN '-Infinity' THEN {odd}.0625"
            value = f"CASE {x}::numeric {special} ELSE coalesce({x}::numeric, {odd}.5) END"
            return f"hash_numeric_extended({value}, {state} # {flag})"
        case "float":
            # Zero, too, is hashed to the bare seed.
            value = (
                f"CASE WHEN {x} = 0 THEN {odd}.25e-40 ELSE coalesce({x}::float8, {odd}.5e-40) END"
            )
            return f"hashfloat8extended({value}, {state})"
        case "date" | "time":
            seconds = f"coalesce(date_part('epoch', {x}) + 0.5, {odd}.25)"
            return f"hashfloat8extended({seconds}, {state})"
        case "timestamp" | "timestamptz":
            # The double tells instants apart to the microsecond until 2242, the folded hash after.
            seconds = f"hashfloat8extended(coalesce(date_part('epoch', {x}), {odd}.5), {state})"
            # timestamptz has a function of its own since version 18 only; the session is in UTC.
            plain = f"{x}::timestamp" if form == "timestamptz" else x
            return f"timestamp_hash_extended(coalesce({plain}, '2000-01-01'), {seconds})"
        case "uuid":
            null = f"'00000000-0000-4000-8000-{odd % 2**48:012x}'"
            return f"uuid_hash_extended(coalesce({x}, {null}::uuid), {state})"
        case "bytes":
            return f"hash_array_extended(ARRAY[coalesce({x}, '\\x{odd:032x}'::bytea)], {state})"
        case _:
            text = f"coalesce({x}::text, 'null:{odd:032x}')"
            return f'hashtextextended({text} COLLATE "C", {state})'
