"""Differing rows as NDJSON, CSV or Parquet, batch by batch: memory does not grow with the rows.

CSV and Parquet name their columns kind, changed, key_…, left_…, right_…, as the command's do.
CSV is a machine format: no cell is altered, a NULL is an empty cell without quotes and '' is one
with quotes. Values are those that were kept, that is JSON: decimals and moments are text.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet

from weighbridge.errors import SpillFull
from weighbridge.report.as_json import json_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

Batches = Iterable[Sequence["Row[Any]"]]
_CHUNK = 256 * 1024
_GROUP = 5_000
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})
_INT64 = range(-(2**63), 2**63)
_MOST_FLOAT = 2**1023


@dataclass(frozen=True)
class Columns:
    """The names of a diff's columns: those of the key, and those that were compared."""

    keys: Sequence[str]
    values: Sequence[str]

    @property
    def header(self) -> list[str]:
        """Name the columns of a file."""
        return [
            "kind", "changed", *(f"key_{n}" for n in self.keys),
            *(f"left_{n}" for n in self.values), *(f"right_{n}" for n in self.values),
        ]  # fmt: skip

    def cells(self, row: Mapping[str, Any]) -> list[Any]:
        """Give a row's key, left and right values in the order of the header."""
        sides = (row["left"] or {}, row["right"] or {})
        return [
            *(row["key"].get(n) for n in self.keys),
            *(side.get(n) for side in sides for n in self.values),
        ]


def row_dict(row: Row[Any]) -> dict[str, Any]:
    """Give a stored row as it is told."""
    return {
        "kind": row.kind, "key": row.key, "left": row.left, "right": row.right,
        "changed": row.changed,
    }  # fmt: skip


def ndjson(batches: Batches) -> Iterator[bytes]:
    """Write one JSON object to a line."""
    for rows in batches:
        yield b"".join(json_text(row_dict(row)).encode("ascii") + b"\n" for row in rows)


def csv(columns: Columns, batches: Batches) -> Iterator[bytes]:
    """Write a header and one line for each row; text is always quoted."""
    yield _line(columns.header)
    for rows in batches:
        yield b"".join(
            _line([row.kind, json.dumps(row.changed, ensure_ascii=False), *columns.cells(said)])
            for row in rows
            for said in (row_dict(row),)
        )


def _line(cells: Sequence[Any]) -> bytes:
    return (",".join(map(_cell, cells)) + "\n").encode("utf-8", "replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    text = _text(value) or ""
    return '"' + text.replace('"', '""') + '"'


# Parquet -------------------------------------------------------------------------------------


def parquet(columns: Columns, batches: Batches) -> Iterator[bytes]:
    """Write Parquet to a temporary file without a name, and give its bytes.

    The file is whole before this returns, so that a failure is told as one. A column has the
    type that all its values have; where they have none in common, it is text. Raises SpillFull.
    """
    try:
        with tempfile.TemporaryFile() as spool:
            seen = _spooled(columns, batches, spool)
            spool.seek(0)
            out = _written(columns, seen, spool)
    except OSError as error:
        raise SpillFull(
            "There is no room for the Parquet file.",
            next_step="Ask for ndjson or csv, which need no temporary file.",
        ) from error
    return _bytes_of(out)


@dataclass
class _Seen:
    """Which values a column has had. `complex` stands for a number that JSON writes as text."""

    kinds: set[type] = field(default_factory=set[type])
    whole: bool = True
    exact: bool = True

    def note(self, value: Any) -> None:
        if value is None:
            return
        odd = isinstance(value, str) and value in _NOT_FINITE
        self.kinds.add(complex if odd else type(value))
        if type(value) is int:
            self.whole = self.whole and value in _INT64
            self.exact = self.exact and _is_float(value)

    def type(self) -> pa.DataType:
        """Choose the Arrow type in which nothing is rounded."""
        if self.kinds == {bool}:
            return pa.bool_()
        if self.kinds == {int} and self.whole:
            return pa.int64()
        if float in self.kinds and self.kinds <= {int, float, complex} and self.exact:
            return pa.float64()
        return pa.string()


def _is_float(value: int) -> bool:
    """Tell whether a whole number is what a float is written as; PostgreSQL writes 1e22 out."""
    return abs(value) < _MOST_FLOAT and Decimal(repr(float(value))) == value


def _spooled(columns: Columns, batches: Batches, spool: IO[bytes]) -> list[_Seen]:
    """Put the rows aside as lines of JSON, and learn what the columns hold."""
    seen = [_Seen() for _ in columns.header[2:]]
    for rows in batches:
        for row in rows:
            cells = columns.cells(row_dict(row))
            for column, value in zip(seen, cells, strict=True):
                column.note(value)
            spool.write(json_text([row.kind, row.changed, *cells]).encode("ascii") + b"\n")
    return seen


def _written(columns: Columns, seen: list[_Seen], spool: IO[bytes]) -> IO[bytes]:
    types = [pa.string(), pa.list_(pa.string()), *(column.type() for column in seen)]
    schema = pa.schema(list(zip(columns.header, types, strict=True)))
    out = tempfile.TemporaryFile()  # noqa: SIM115 whoever reads its bytes closes it
    try:
        with pyarrow.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
            while lines := list(islice(spool, _GROUP)):
                cells = zip(*map(json.loads, lines), strict=True)
                arrays = [_array(c, kind) for c, kind in zip(cells, types, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return out


def _array(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_floating(kind):
        return pa.array([None if c is None else float(c) for c in cells], kind)
    if pa.types.is_string(kind):
        return pa.array([_text(c) for c in cells], kind)
    return pa.array(cells, kind)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _bytes_of(out: IO[bytes]) -> Iterator[bytes]:
    with out:
        while chunk := out.read(_CHUNK):
            yield chunk
