"""All row diffs as Parquet (typed) or CSV, batch by batch: memory does not grow with the rows.

CSV is a machine format: cells hold the values as they are, a NULL is an empty cell without
quotes and '' is one with quotes. `spreadsheet=True` makes the file safe to open in a
spreadsheet instead: text that would be run as a formula gets an apostrophe in front (T13),
so text cells no longer round-trip; numbers, dates and NULLs do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from weighbridge.compare.result import Report
from weighbridge.report.as_json import json_text, plain
from weighbridge.report.target import Sink

# At the start of a cell, or after what a spreadsheet of another locale takes for a
# delimiter; the full-width forms are read as the narrow ones by some.
_FORMULA = r"(^|[,;|\t\r\n\"])([=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"
_ROW_GROUP = 50_000


def write_parquet(batches: Iterable[pa.RecordBatch], report: Report, out: Sink) -> None:
    """Write row diffs as Parquet; every column keeps its Arrow type."""
    first, every = _peeked(batches, report)
    with pyarrow.parquet.ParquetWriter(out, first.schema, compression="zstd") as writer:
        for batch in every:
            if batch.num_rows:
                writer.write_batch(batch, row_group_size=_ROW_GROUP)


def write_csv(
    batches: Iterable[pa.RecordBatch], report: Report, out: Sink, *, spreadsheet: bool = False
) -> None:
    """Write row diffs as CSV with a header line."""
    first, every = _peeked(batches, report)
    names = [_inert(name) if spreadsheet else name for name in first.schema.names]
    schema = _as_text(first, names, spreadsheet=spreadsheet).schema
    with pyarrow.csv.CSVWriter(out, schema) as writer:
        for batch in every:
            writer.write_batch(_as_text(batch, names, spreadsheet=spreadsheet))


def _peeked(
    batches: Iterable[pa.RecordBatch], report: Report
) -> tuple[pa.RecordBatch, Iterator[pa.RecordBatch]]:
    """Look at the first batch, whose schema is the file's; without one, make an empty one."""
    source = iter(batches)
    first = next(source, None)
    if first is None:
        return _empty(report), iter(())
    return first, chain([first], source)


def _empty(report: Report) -> pa.RecordBatch:
    names = [f"key_{name}" for name in report.key.left]
    names += [f"{side}_{column.name}" for side in ("left", "right") for column in report.columns]
    fields = [pa.field("kind", pa.string()), pa.field("changed", pa.list_(pa.string()))]
    schema = pa.schema([*fields, *(pa.field(name, pa.null()) for name in names)])
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _as_text(batch: pa.RecordBatch, names: list[str], *, spreadsheet: bool) -> pa.RecordBatch:
    columns = [_cell_texts(column) for column in batch.columns]
    if spreadsheet:
        columns = [
            _without_formulas(column, was)
            for column, was in zip(columns, batch.columns, strict=True)
        ]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _cell_texts(column: pa.Array) -> pa.Array:
    """Give a column in a type that the CSV writer knows."""
    kind = column.type
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return _json_lists(column)
    if pa.types.is_nested(kind) or pa.types.is_dictionary(kind) or _is_binary(kind):
        return pa.array([_nested_text(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        return pa.array(
            [None if value is None else str(value) for value in column.to_pylist()], pa.string()
        )
    return column


def _is_binary(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _nested_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"\\x{value.hex()}" if isinstance(value, bytes) else json_text(plain(value))


def _json_lists(column: pa.Array) -> pa.Array:
    """Write lists of names as JSON arrays. Their names are few, their rows are many."""
    lists = cast("pa.ListArray", column)
    quoted = pc.call_function("dictionary_encode", [lists.flatten()])
    names = pa.array(
        [json.dumps(name, ensure_ascii=False) for name in quoted.dictionary.to_pylist()],
        pa.string(),
    )
    flat = names.take(quoted.indices)
    offsets = pc.call_function("subtract", [lists.offsets, lists.offsets[0]])
    joined = pc.call_function(
        "binary_join", [pa.ListArray.from_arrays(offsets, flat), pa.scalar(", ")]
    )
    return pc.call_function(
        "binary_join_element_wise", [pa.scalar("["), joined, pa.scalar("]"), pa.scalar("")]
    )


def _without_formulas(column: pa.Array, was: pa.Array) -> pa.Array:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    if pa.types.is_decimal(was.type) or pa.types.is_duration(was.type):
        return column
    inert = pc.replace_substring_regex(column, pattern=_FORMULA, replacement=r"\1'\2")
    return pc.replace_substring_regex(inert, pattern=r"^([\t\r])", replacement=r"'\1")


def _inert(name: str) -> str:
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
