"""How values stand in the CSV files that we deliver, and how they are read back.

UTF-8, one line of names, lines that end in LF, fields quoted as in RFC 4180. NULL is an empty
field, the empty text is `""`. Instants are ISO 8601, those in UTC with a Z; binary is hexadecimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.names import quote

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.loading import Field
    from weighbridge.types.columns import ColumnType

# Bytes that are read back at a time, several of them ahead; no row may be longer than the last.
BLOCKS = (2 * 2**20, 64 * 2**20)


def csv_batch(table: pa.Table) -> pa.Table:
    """Give the table with those columns as text whose text pyarrow would write otherwise."""
    import pyarrow as pa  # noqa: PLC0415 heavy

    columns = [
        pa.chunked_array(_texts(column), _text_type(column.type)) for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _text_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa  # noqa: PLC0415 heavy

    if pa.types.is_timestamp(kind):
        return pa.string()
    return pa.large_string() if pa.types.is_binary(kind) else kind


def _texts(column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa  # noqa: PLC0415 heavy
    from pyarrow import compute  # noqa: PLC0415 heavy

    kind = column.type
    if pa.types.is_timestamp(kind):
        # Without its zone an instant of UTC has the same digits, and no table of zones is asked.
        sign = "Z" if kind.tz else ""
        plain = column.cast(pa.timestamp("us"))
        return compute.strftime(plain, f"%Y-%m-%dT%H:%M:%S{sign}").chunks
    if pa.types.is_binary(kind):
        return [_hex(chunk) for chunk in column.chunks]
    return column.chunks


def _hex(array: pa.Array) -> pa.Array:
    """Write bytes as hexadecimal digits, the whole column at once."""
    import numpy as np  # noqa: PLC0415 heavy
    import pyarrow as pa  # noqa: PLC0415 heavy

    size = len(array)
    validity, offsets, values = array.buffers()
    bounds = np.frombuffer(offsets, np.int32)[array.offset : array.offset + size + 1]
    first, last = (int(bounds[0]), int(bounds[-1])) if size else (0, 0)
    digits = memoryview(values)[first:last].hex().encode() if values is not None else b""
    moved = (bounds.astype(np.int64) - first) * 2
    if array.null_count and array.offset:
        validity = pa.array(array.is_valid()).buffers()[1]
    return pa.LargeStringArray.from_buffers(
        size, pa.py_buffer(moved), pa.py_buffer(digits), validity if array.null_count else None
    )


def duckdb_type(kind: ColumnType) -> str:
    """Name the DuckDB type of a delivered column."""
    match kind.family:
        case "bool":
            return "BOOLEAN"
        case "int":
            return {16: "SMALLINT", 32: "INTEGER"}.get(kind.bits or 64, "BIGINT")
        case "float":
            return "DOUBLE"
        case "decimal" if kind.precision is not None and kind.precision <= 38:
            return f"DECIMAL({kind.precision},{kind.scale or 0})"
        case "date":
            return "DATE"
        case "timestamp":
            return "TIMESTAMP"
        case "timestamptz":
            return "TIMESTAMPTZ"
        case "bytes":
            return "BLOB"
        case _:
            return "VARCHAR"


def csv_reader(
    path: str, fields: Sequence[Field], delimiter: str, block: int = BLOCKS[0]
) -> pa.RecordBatchReader:
    """Read such a file in bounded memory, every column as text. Raises ArrowInvalid."""
    import pyarrow as pa  # noqa: PLC0415 heavy
    from pyarrow import csv  # noqa: PLC0415 heavy

    names = [field.name for field in fields]
    return csv.open_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False, block_size=block, encoding="utf8"),
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=names,
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
        ),
    )  # fmt: skip


def typed(fields: Sequence[Field], relation: str) -> str:
    """Write the SELECT by which DuckDB gives each column of such texts its type."""
    return f"SELECT {', '.join(_value(f) for f in fields)} FROM {relation}"


def _value(field: Field) -> str:
    name, kind = quote(field.name, "duckdb"), duckdb_type(field.type)
    if kind == "VARCHAR":
        return name
    if kind == "BLOB":
        return f"unhex({name}) AS {name}"
    return f"CAST({name} AS {kind}) AS {name}"
