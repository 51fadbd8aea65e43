"""What tests of destinations that are files share: a load, its rows, and what a reader sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from weighbridge.connectors.bucket import BucketPlace, BucketStore
from weighbridge.connectors.file_loader import FileLoader, Layout
from weighbridge.connectors.file_mirror import file_mirror
from weighbridge.connectors.file_writer import arrow_schema
from weighbridge.connectors.loading import Field, Load, Loaded
from weighbridge.connectors.sftp import SftpPlace, SftpStore
from weighbridge.net.hosts import HostPolicy
from weighbridge.types.columns import ColumnType

if TYPE_CHECKING:
    from tests.servers.seaweed import Bucket
    from tests.servers.sftp import SftpServer
    from weighbridge.connectors.file_store import FileStore
    from weighbridge.connectors.loading import Loader

POLICY = HostPolicy.operator()
FIELDS = (
    Field("id", ColumnType("int", "bigint", bits=64)),
    Field("name", ColumnType("text", "text")),
    Field("changed_at", ColumnType("timestamp", "timestamp", scale=6)),
)
Row = tuple[Any, ...]


def at(minute: int) -> datetime:
    """Give a moment without a zone."""
    return datetime(2026, 1, 1, minute // 60, minute % 60)


def a_load(
    transfer: str,
    token: int,
    *,
    full: bool = False,
    fields: Sequence[Field] = FIELDS,
    table: str = "orders",
) -> Load:
    return Load(
        table, tuple(fields), ("id",), "changed_at", full, transfer, token,
        datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )  # fmt: skip


def reader(load: Load, rows: Iterable[Row], batch: int = 1000) -> pa.RecordBatchReader:
    """Give rows as they travel."""
    schema, listed = arrow_schema(load), list(rows)
    batches = [
        pa.RecordBatch.from_arrays(
            [
                pa.array([row[n] for row in listed[start : start + batch]], kind)
                for n, kind in enumerate(schema.types)
            ],
            schema=schema,
        )
        for start in range(0, len(listed), batch)
    ]
    return pa.RecordBatchReader.from_batches(schema, batches)


def deliver(loader: Loader, load: Load, rows: Sequence[Row]) -> Loaded:
    """Run a load as a transfer does, and let go of the loader."""
    try:
        found = loader.find(load)
        if found is not None:
            return found
        loader.claim(load)
        loader.add(reader(load, rows))
        return loader.publish(Loaded(len(rows)))
    finally:
        loader.close()


def place_of(server: Bucket, **changes: Any) -> BucketPlace:
    said: dict[str, Any] = {
        "label": "the bucket", "host": server.host, "port": server.port, "bucket": server.name,
        "region": "", "access_id": server.access_id, "secret_key": server.secret_key, "tls": False,
    }  # fmt: skip
    return BucketPlace(**{**said, **changes})


def bucket_store(server: Bucket, folder: str, **changes: Any) -> BucketStore:
    return BucketStore(place_of(server, **changes), folder, POLICY)


def sftp_store(server: SftpServer, folder: str = "", **changes: Any) -> SftpStore:
    said: dict[str, Any] = {
        "label": "the server", "host": server.host, "port": server.port, "user": server.user,
        "private_key": server.private_key, "host_key": server.host_key,
    }  # fmt: skip
    first = changes.pop("first", False)
    return SftpStore(SftpPlace(**{**said, **changes}), folder, POLICY, first=first)


def loader_of(store: FileStore, **layout: Any) -> FileLoader:
    return FileLoader(store, "the place", Layout(**layout))


def rows_seen(store: FileStore, table: str = "orders", key: tuple[str, ...] = ("id",)) -> list[Row]:
    """Read the current rows through the mirror, in the order of their keys."""
    try:
        with file_mirror(store, "the place", table, key) as side:
            assert side.path is not None
            with duckdb.connect(side.path, read_only=True) as connection:
                return connection.execute(f'SELECT * FROM "{table}" ORDER BY ALL').fetchall()
    finally:
        store.close()


def manifests_of(store: FileStore, table: str = "orders") -> list[dict[str, Any]]:
    """Read the manifests as a customer would, in the order of their names."""
    names = sorted(one.name for one in store.listed(f"_manifests/{table}"))
    return [json.loads(store.read(name, 10**7) or b"") for name in names]


def data_files(store: FileStore, table: str = "orders") -> set[str]:
    return {one.name for one in store.listed(table)}


Opened = Callable[[], "FileStore"]
