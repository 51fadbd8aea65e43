"""What a model's `data_type` holds, and how such values travel to a destination as Arrow.

The words are those of the catalog: boolean, smallint, integer, bigint, float, decimal or
decimal(p,s), text, date, timestamp, json, uuid, binary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.errors import NotComparable
from weighbridge.types.columns import ColumnType, Family

if TYPE_CHECKING:
    import pyarrow as pa

_INTS = {"smallint": 16, "integer": 32, "bigint": 64}
_PLAIN: dict[str, Family] = {
    "boolean": "bool", "float": "float", "text": "text", "date": "date", "json": "json",
    "uuid": "uuid", "binary": "bytes", "timestamp": "timestamp", "decimal": "decimal",
}  # fmt: skip
# Which families of a source a kind of column takes. Text takes every one, in its canonical form.
_TAKES: dict[Family, frozenset[Family]] = {
    "bool": frozenset({"bool", "int", "bit"}),
    "int": frozenset({"int", "bool", "decimal"}),
    "float": frozenset({"float", "int", "decimal"}),
    "decimal": frozenset({"decimal", "int"}),
    "date": frozenset({"date"}),
    "timestamp": frozenset({"timestamp", "timestamptz", "date"}),
    "json": frozenset({"json", "array", "text"}),
    "uuid": frozenset({"uuid", "text"}),
    "bytes": frozenset({"bytes"}),
}


def family_of(data_type: str) -> Family:
    """Give the family of a model's word for a type."""
    word = re.findall(r"[a-z]+", data_type)[0]
    return "int" if word in _INTS else _PLAIN[word]


def delivered_type(data_type: str, source: ColumnType, column: str) -> ColumnType:
    """Say what a column of a model holds at the destination.

    An instant of the source stays an instant: `timestamp` of a timestamptz is a timestamptz.
    Raises NotComparable where values of the source's type cannot become `data_type` without loss.
    """
    word, *digits = re.findall(r"[a-z]+|\d+", data_type)
    family: Family = "int" if word in _INTS else _PLAIN[word]
    if family != "text" and source.family not in _TAKES[family]:
        raise NotComparable(
            f"The column {column} is {source.declared} in the source and {data_type} in the model.",
            next_step="Change its data_type in the model; `text` takes every value.",
        )
    if family == "int":
        return ColumnType("int", data_type, bits=_INTS[word])
    if family == "float":
        return ColumnType("float", data_type, bits=64)
    if family == "decimal":
        precision, scale = (int(d) for d in digits) if digits else (source.precision, source.scale)
        return ColumnType("decimal", data_type, precision=precision, scale=scale)
    if family == "timestamp":
        kept: Family = "timestamptz" if source.family == "timestamptz" else "timestamp"
        return ColumnType(kept, data_type, scale=6)
    return ColumnType(family, data_type)


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Name the Arrow type in which a delivered column travels.

    Decimals of more than 38 digits or of none that are declared travel as text, as do json and
    uuid. Instants are microseconds in UTC.
    """
    import pyarrow as pa  # noqa: PLC0415 heavy

    match kind.family:
        case "bool":
            return pa.bool_()
        case "int":
            return {16: pa.int16(), 32: pa.int32()}.get(kind.bits or 64, pa.int64())
        case "float":
            return pa.float64()
        case "decimal" if kind.precision is not None and kind.precision <= 38:
            return pa.decimal128(kind.precision, kind.scale or 0)
        case "date":
            return pa.date32()
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", tz="UTC")
        case "bytes":
            return pa.binary()
        case _:
            return pa.string()
