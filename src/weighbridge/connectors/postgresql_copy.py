"""Rows of PostgreSQL as COPY gives them in binary: one server's bytes for another.

Source: https://www.postgresql.org/docs/current/sql-copy.html. The form is the same on every
machine and in every version since 7.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.names import quote
from weighbridge.connectors.sql import select

if TYPE_CHECKING:
    import psycopg

    from weighbridge.connectors.server_faults import ServerFaults
    from weighbridge.types.columns import Column, ColumnType

COPIES = "postgresql binary"
_CHUNK = 256 * 1024
# What a family becomes where it goes, cast for its bytes to be of exactly that type.
_SAME = {
    "bool": "boolean", "float": "float8", "text": "text", "date": "date", "json": "json",
    "uuid": "uuid", "bytes": "bytea", "timestamp": "timestamp", "timestamptz": "timestamptz",
}  # fmt: skip
_INTS = {16: "int2", 32: "int4", 64: "int8"}


def copy_sql(
    columns: Sequence[tuple[Column, ColumnType]],
    tenant: Column,
    *,
    relation: str,
    where: str | None,
) -> str | None:
    """Write the COPY; None where a cast could fail or lose something."""
    outputs: list[tuple[str, str]] = []
    for n, (column, wanted) in enumerate(columns):
        said = _exactly(column.type, wanted, quote(column.name, "postgres"))
        if said is None:
            return None
        outputs.append((said, f"c{n}"))
    outputs.append((f"CAST({quote(tenant.name, 'postgres')} AS text)", "tenant"))
    conditions = [where] if where else []
    query = select(outputs, relation, where=conditions, dialect="postgres")
    return f"COPY ({query}) TO STDOUT (FORMAT binary)"


def _exactly(kind: ColumnType, wanted: ColumnType, name: str) -> str | None:
    if kind.family == "int" and wanted.family == "int":
        fits = kind.declared != "oid" and (kind.bits or 64) <= (wanted.bits or 64)
        return f"{name}::{_INTS[wanted.bits or 64]}" if fits else None
    if kind.family == "decimal" and wanted.family == "decimal":
        return _decimal(kind, wanted, name)
    if kind.family != wanted.family or wanted.family not in _SAME or kind.declared == "hstore":
        return None
    if kind.family == "json":
        return f"{name}::text::json"
    return f"{name}::{_SAME[wanted.family]}"


def _decimal(kind: ColumnType, wanted: ColumnType, name: str) -> str | None:
    if kind.money:
        return None
    if wanted.precision is None:
        return f"{name}::numeric"
    if kind.precision is None or kind.scale is None:
        return None
    scale = wanted.scale or 0
    if scale < kind.scale or wanted.precision - scale < kind.precision - kind.scale:
        return None
    return f"{name}::numeric({wanted.precision},{scale})"


def copied(
    connection: psycopg.Connection[Any], faults: ServerFaults, sql: str
) -> Iterator[bytearray]:
    """Run the COPY and give its bytes in large parts. Raises ConnectionLost, QueryFailed."""
    import psycopg  # noqa: PLC0415 an extra

    try:
        with connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
            chunk = bytearray()
            for row in copy:
                chunk += row
                if len(chunk) >= _CHUNK:
                    yield chunk
                    chunk = bytearray()
            yield chunk
    except psycopg.errors.QueryCanceled as error:
        if "statement timeout" in str(error):
            raise faults.timed_out("statement timeout") from None
        raise faults.cancelled() from None
    except psycopg.OperationalError as error:
        raise faults.lost(error) from None
    except psycopg.Error as error:
        raise faults.failed(error) from None
