"""Loads as a transfer makes them, for whatever loader a test has."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from weighbridge.connectors.loading import Field, Load, Loaded
from weighbridge.types.columns import ColumnType
from weighbridge.types.delivered import arrow_type, delivered_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.connectors.loading import Loader

# Not long ago: what is older than three months is forgotten.
BEGAN = datetime.now(UTC).replace(microsecond=123456)


def moment(day: int) -> datetime:
    return datetime(2026, 1, day, 3, 4, 5, 678901, tzinfo=UTC)


def field(name: str, data_type: str, family: str | None = None) -> Field:
    source: dict[str, Any] = {"smallint": "int", "integer": "int", "bigint": "int", "timestamp": "timestamptz", "binary": "bytes", "boolean": "bool"}  # fmt: skip
    word = data_type.partition("(")[0]
    kind = ColumnType(family or source.get(word, word), data_type, scale=6)  # pyright: ignore[reportArgumentType]
    if word == "decimal":
        kind = replace(kind, scale=None)
    return Field(name, delivered_type(data_type, kind, name))


USUAL = (field("id", "bigint"), field("name", "text"), field("at", "timestamp"))
# One column of each kind, and a value of it.
EVERY: tuple[tuple[Field, Any], ...] = (
    (field("id", "bigint"), 7),
    (field("b", "boolean"), True),
    (field("s", "smallint"), -3),
    (field("i", "integer"), 2**31 - 1),
    (field("f", "float"), 0.1),
    (field("d", "decimal(12,3)"), Decimal("-12345.670")),
    (
        field("big", "decimal"),
        "123456789012345678901234567890.000000000000000000000000000000012345",
    ),
    (field("t", "text"), "O'Neil \\ `\"\0 ẞ😀 "),
    (field("day", "date"), date(2024, 2, 29)),
    (field("at", "timestamp"), moment(3)),
    (field("plain", "timestamp", "timestamp"), datetime(1999, 12, 31, 23, 59, 59, 999999)),
    (field("j", "json"), '{"b": 1.0,  "a": [null]}'),
    (field("u", "uuid"), "0b5c1c1e-7f2a-4b43-8f5e-000000000001"),
    (field("raw", "binary"), b"\x00\xff'\\"),
)


def a_load(
    token: int,
    *,
    fields: Sequence[Field] = USUAL,
    key: tuple[str, ...] = ("id",),
    full: bool = False,
    transfer: str | None = None,
    table: str = "orders",
    last_modified: str = "at",
) -> Load:
    name = transfer or f"t-{token}"
    return Load(table, tuple(fields), key, last_modified, full, name, token, BEGAN,
                None if full else moment(1), moment(28))  # fmt: skip


def batches(
    fields: Sequence[Field], rows: Sequence[Sequence[Any]], size: int = 1000
) -> pa.RecordBatchReader:
    schema = pa.schema([pa.field(f.name, arrow_type(f.type)) for f in fields])
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    made = [
        pa.RecordBatch.from_arrays(
            [pa.array([row[n] for row in part], f.type) for n, f in enumerate(schema)],
            schema=schema,
        )
        for part in parts
    ]
    return pa.RecordBatchReader.from_batches(schema, made)


def deliver(open_it: Callable[[], Loader], load: Load, rows: Sequence[Sequence[Any]]) -> Loaded:
    """Take a load through all its steps."""
    with closing(open_it()) as loader:
        found = loader.find(load)
        if found is not None:
            return found
        loader.claim(load)
        loader.add(batches(load.fields, rows))
        return loader.publish(loaded(load, rows))


def loaded(load: Load, rows: Sequence[Sequence[Any]]) -> Loaded:
    at = next((n for n, f in enumerate(load.fields) if f.name == load.last_modified), None)
    moments = [] if at is None else [row[at] for row in rows if row[at] is not None]
    return Loaded(len(rows), latest=max(moments, default=None))
