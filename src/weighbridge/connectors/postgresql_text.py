"""Arrow batches as the CSV that COPY reads: made column by column, never row by row.

Source: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS. A null is
nothing, an empty text is "": pyarrow writes both so.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from weighbridge.connectors.loading import Field
from weighbridge.errors import Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 16_384


def csv_bytes(batch: pa.RecordBatch, fields: Sequence[Field]) -> Iterator[bytes]:
    """Write a batch in parts of bounded size. Raises Unreadable for a NUL, which no text can hold."""
    import pyarrow as pa  # noqa: PLC0415 heavy
    import pyarrow.csv as pc  # noqa: PLC0415 heavy

    options = pc.WriteOptions(include_header=False, batch_size=_ROWS)
    for start in range(0, batch.num_rows, _ROWS):
        part = batch.slice(start, _ROWS)
        arrays = [
            _written(column, field) for column, field in zip(part.columns, fields, strict=True)
        ]
        names = [str(n) for n in range(len(arrays))]
        out = io.BytesIO()
        pc.write_csv(pa.RecordBatch.from_arrays(arrays, names=names), out, options)
        yield out.getvalue()


def _written(column: pa.Array, field: Field) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 heavy
    import pyarrow.compute as pc  # noqa: PLC0415 heavy

    if pa.types.is_binary(column.type):
        return _hex(column)
    if not pa.types.is_string(column.type):
        return column
    if pc.any(pc.match_substring(column, "\0")).as_py():
        raise Unreadable(
            f"A text in the column {field.name} holds NUL, which no text of PostgreSQL can hold.",
            next_step="Take the character out in the source, or deliver the column as binary.",
        )
    return column


def _hex(column: pa.Array) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 heavy

    from weighbridge.connectors.scratch import private_duckdb  # noqa: PLC0415 seldom needed

    with private_duckdb(threads=1, megabytes=128) as local:
        local.register("arriving", pa.table({"x": column}))
        made = local.execute(r"SELECT '\x' || hex(x) AS x FROM arriving").to_arrow_table()
    return made.column("x").combine_chunks()
