"""Loading models into PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.loading import Load, Loaded
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy


class PostgresLoader:
    """Loads into one schema of a PostgreSQL server."""

    def __init__(self, spec: SideSpec, policy: HostPolicy, schema: str) -> None:
        raise NotImplementedError

    def find(self, load: Load) -> Loaded | None: ...
    def claim(self, load: Load) -> None: ...
    def add(self, rows: pa.RecordBatchReader) -> None: ...
    def publish(self, loaded: Loaded) -> Loaded: ...
    def cancel(self) -> None: ...
    def close(self) -> None: ...
