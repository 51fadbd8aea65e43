"""A model's rows on their way out of a source: as Arrow, each column in its delivered type.

What a column cannot hold is an error that names the column, never a null and never another value.
Whose each row is, is looked at once more here, after the source has answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.conversions import UNHELD, as_text, converted
from weighbridge.connectors.loading import Field
from weighbridge.errors import NoSuchColumn, NotComparable, TenantMixed, Unreadable
from weighbridge.types.delivered import arrow_type, delivered_type

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.base import Source
    from weighbridge.connectors.tenancy import TenantScope
    from weighbridge.errors import WeighbridgeError
    from weighbridge.types.columns import Column, Shape

_MOMENTS = {"timestamp", "timestamptz", "date"}


@dataclass(frozen=True)
class Chosen:
    """A column of the source, and what it is at the destination."""

    column: Column
    field: Field


@dataclass(frozen=True)
class Delivery:
    """What of a table is delivered: its columns in order, the key, the moment of change, the tenant."""

    columns: tuple[Chosen, ...]
    key: tuple[str, ...]
    last_modified: str
    tenant: Column

    @property
    def fields(self) -> tuple[Field, ...]:
        """Give the columns at the destination."""
        return tuple(chosen.field for chosen in self.columns)

    @property
    def moment(self) -> Column:
        """Give the source's column of the moment of change."""
        return next(c.column for c in self.columns if c.field.name == self.last_modified)


def delivery_of(
    columns: Sequence[Mapping[str, Any]], organization_column: str, shape: Shape
) -> Delivery:
    """Match a model's columns, as the catalog keeps them, with the source's table.

    Raises NoSuchColumn, and NotComparable for a type that cannot become the wished one.
    """
    chosen: list[Chosen] = []
    for said in columns:
        column = _find(shape, said["name_in_source"])
        kind = delivered_type(said["data_type"], column.type, column.name)
        chosen.append(Chosen(column, Field(said["name_in_destination"], kind)))
    key = tuple(c["name_in_destination"] for c in columns if c.get("is_primary_key"))
    changed = next(c["name_in_destination"] for c in columns if c.get("is_last_modified"))
    found = Delivery(tuple(chosen), key, changed, _find(shape, organization_column))
    moment = next(c for c in chosen if c.field.name == changed)
    if moment.field.type.family not in _MOMENTS or moment.column.type.family not in _MOMENTS:
        raise NotComparable(
            f"The column {moment.column.name} is {moment.column.type.declared}: no moment of change.",
            next_step="Mark a column of dates or timestamps as is_last_modified.",
        )
    return found


def _find(shape: Shape, name: str) -> Column:
    column = shape.column(name)
    if column is None:
        known = ", ".join(c.name for c in shape.columns[:20])
        raise NoSuchColumn(
            f"The source's table has no column {name}.",
            next_step=f"It has {known}. Correct the model.",
        )
    return column


class Rows:
    """A source's rows as they pass: `count`, `bytes` and `latest` grow while they are read."""

    def __init__(self, source: Source, delivery: Delivery, scope: TenantScope) -> None:
        self._source, self._delivery, self._scope = source, delivery, scope
        self.count, self.bytes = 0, 0
        self.latest: datetime | None = None

    def reader(self) -> pa.RecordBatchReader:
        """Read them, in bounded memory.

        Raises Unreadable for a value that cannot be held, TenantMixed, and what the source raises.
        """
        import pyarrow as pa  # noqa: PLC0415 heavy

        schema = pa.schema([(f.name, arrow_type(f.type)) for f in self._delivery.fields])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa  # noqa: PLC0415 heavy

        try:
            for batch in self._source.read(self._reading()):
                self._check_tenant(batch.column(len(schema)))
                arrays = [
                    self._cast(batch.column(n), field.type, n) for n, field in enumerate(schema)
                ]
                made = pa.RecordBatch.from_arrays(arrays, schema=schema)
                self._count(made)
                yield made
        except Exception as error:
            told = self._unheld(error)
            if told is None:
                raise
            raise told from None

    def _reading(self) -> Reading:
        outputs = [
            Output(
                f"c{n}",
                chosen.column,
                converted(
                    chosen.column.type,
                    self._source.native(chosen.column),
                    chosen.field.type,
                    mark=n,
                ),
            )
            for n, chosen in enumerate(self._delivery.columns)
        ]
        tenant = self._delivery.tenant
        outputs.append(Output("tenant", tenant, as_text(tenant.type, self._source.native(tenant))))
        return Reading(tuple(outputs))

    def _check_tenant(self, tenants: pa.Array) -> None:
        import pyarrow as pa  # noqa: PLC0415 heavy
        import pyarrow.compute as pc  # noqa: PLC0415 heavy

        own = pc.fill_null(pc.equal(tenants, pa.scalar(self._scope.value, tenants.type)), False)
        if not pc.all(own, min_count=0).as_py():
            raise TenantMixed(
                "The source gave rows of another tenant.",
                next_step="Nothing was delivered. This is a fault of weighbridge: report it.",
            )

    def _cast(self, column: pa.Array, kind: pa.DataType, n: int) -> pa.Array:
        import pyarrow as pa  # noqa: PLC0415 heavy

        try:
            return column if column.type == kind else column.cast(kind)
        except pa.ArrowInvalid:
            raise self._cannot_hold(n) from None

    def _count(self, batch: pa.RecordBatch) -> None:
        import pyarrow.compute as pc  # noqa: PLC0415 heavy

        self.count += batch.num_rows
        self.bytes += batch.nbytes
        changed = batch.column(self._delivery.last_modified)
        latest = pc.max(changed).as_py()
        if latest is not None:
            latest = instant(latest)
            self.latest = latest if self.latest is None else max(self.latest, latest)

    def _unheld(self, error: Exception) -> WeighbridgeError | None:
        found = re.search(rf"{UNHELD}(\d+)\b", str(error))
        return self._cannot_hold(int(found[1])) if found else None

    def _cannot_hold(self, n: int) -> WeighbridgeError:
        chosen = self._delivery.columns[n]
        return Unreadable(
            f"The column {chosen.column.name} has a value that {chosen.field.type.declared} cannot"
            " hold without loss.",
            next_step="Correct the value in the source, or change the column's data_type in the"
            " model; `text` takes every value.",
        )


def instant(value: Any) -> datetime:
    """Give a moment of change as an instant: what has no zone is in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
