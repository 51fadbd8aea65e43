"""The columns of a table on a stored connection, as its server declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weighbridge.catalog.watch import within
from weighbridge.connectors.registry import open_source

if TYPE_CHECKING:
    from weighbridge.connectors.base import Source
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

SECONDS = 45.0


def describe_table(spec: SideSpec, policy: HostPolicy) -> dict[str, Any]:
    """Give {columns: [{name, type, nullable, key}], primary_key, unique}.

    Raises NoSuchTable, ConnectionFailed.
    """
    opened: list[Source] = []

    def work() -> dict[str, Any]:
        opened.append(open_source(spec, policy, snapshot=False))
        shape = opened[0].shape()
        return {
            "columns": [
                {
                    "name": c.name,
                    "type": c.type.declared,
                    "nullable": c.nullable,
                    "key": c.name in shape.primary_key,
                }
                for c in shape.columns
            ],
            "primary_key": list(shape.primary_key),
            "unique": [list(key) for key in shape.unique],
        }

    def cancel() -> None:
        for source in opened:
            source.cancel()

    try:
        return within(SECONDS, work, cancel)
    finally:
        for source in opened:
            source.close()
