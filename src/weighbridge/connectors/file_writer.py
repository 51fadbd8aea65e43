"""Rows of a load as files of bounded size: written into a private spool, sent as each is full."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from weighbridge.connectors.csv_cells import csv_batch
from weighbridge.connectors.manifests import FileEntry
from weighbridge.errors import SpillFull
from weighbridge.types.delivered import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.loading import Load

FILE_BYTES = 128 * 2**20
# A row group is read whole: so many rows, or so many bytes of wide ones.
_GROUP_ROWS, _GROUP_BYTES = 122_880, 32 * 2**20
# Files that are full and wait to be sent: the disk holds these and the one that is written.
_WAITING = 2

Format = Literal["parquet", "csv"]


def arrow_schema(load: Load) -> pa.Schema:
    """Give the Arrow schema in which a load's rows travel."""
    import pyarrow as pa  # noqa: PLC0415 heavy

    return pa.schema([pa.field(f.name, arrow_type(f.type)) for f in load.fields])


class FileWriter:
    """Writes one load. `send(name, path)` may be called from another thread, one file at a time."""

    def __init__(
        self,
        load: Load,
        file_format: Format,
        delimiter: str,
        *,
        send: Callable[[str, Path], None],
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._load = load
        self._format: Format = file_format
        self._delimiter = delimiter
        self._send = send
        self._most = file_bytes
        self._schema = arrow_schema(load)
        self.rows_written = 0
        self.sent: list[FileEntry] = []
        self._begun = 0
        self._file_rows = 0
        self._path: Path | None = None
        self._sink: Any = None
        self._writer: Any = None
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0
        self._sending: list[Future[FileEntry]] = []
        self._sender = ThreadPoolExecutor(1, "send")
        self.folder = Path(
            tempfile.mkdtemp(
                prefix="weighbridge-load-", dir=os.environ.get("WEIGHBRIDGE_TMPDIR") or None
            )
        )

    @property
    def names(self) -> list[str]:
        """List the files that may be there by now."""
        return [self._name(n) for n in range(self._begun)]

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Take rows. Raises SpillFull, and what `send` raises."""
        for batch in rows:
            self._group.append(batch)
            self._group_rows += batch.num_rows
            self._group_bytes += batch.nbytes
            if self._group_rows >= _GROUP_ROWS or self._group_bytes >= _GROUP_BYTES:
                self._write_group()

    def finish(self) -> tuple[FileEntry, ...]:
        """Send what is left and wait until all is there."""
        self._write_group()
        self._end_file()
        while self._sending:
            self.sent.append(self._sending.pop(0).result())
        return tuple(self.sent)

    def close(self) -> None:
        """Let go of the spool; what is being sent ends first."""
        self._sender.shutdown(cancel_futures=True)
        with suppress(Exception):
            self._close_file()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _name(self, number: int) -> str:
        load = self._load
        day = f"{load.began:%Y-%m-%d}"
        attempt = f"{load.transfer}_{load.token}_{number}"
        return f"{load.table}/dt={day}/{attempt}.{self._format}"

    def _write_group(self) -> None:
        if not self._group_rows:
            self._group = []
            return
        import pyarrow as pa  # noqa: PLC0415 heavy

        batches, self._group = self._group, []
        table = pa.Table.from_batches(batches).rename_columns(self._schema.names)
        del batches
        with _room():
            writer = self._writer or self._begin_file()
            if self._format == "csv":
                table = csv_batch(table)
                writer.write_table(table)
            else:
                writer.write_table(table.cast(self._schema), row_group_size=_GROUP_ROWS)
            self._file_rows += self._group_rows
            self.rows_written += self._group_rows
            self._group_rows = self._group_bytes = 0
            if self._sink.tell() >= self._most:
                self._end_file()

    def _begin_file(self) -> Any:
        import pyarrow as pa  # noqa: PLC0415 heavy

        self._path = self.folder / f"{self._begun}.{self._format}"
        self._begun += 1
        self._sink = pa.OSFile(str(self._path), "wb")
        if self._format == "csv":
            from pyarrow import csv  # noqa: PLC0415 heavy

            options = csv.WriteOptions(delimiter=self._delimiter, quoting_style="needed")
            schema = csv_batch(self._schema.empty_table()).schema
            self._writer = csv.CSVWriter(self._sink, schema, write_options=options)
        else:
            from pyarrow import parquet  # noqa: PLC0415 heavy

            self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        return self._writer

    def _end_file(self) -> None:
        if self._writer is None or self._path is None:
            return
        with _room():
            self._close_file()
        name, path, rows = self._name(self._begun - 1), self._path, self._file_rows
        self._path, self._file_rows = None, 0
        while len(self._sending) >= _WAITING:
            self.sent.append(self._sending.pop(0).result())
        self._sending.append(self._sender.submit(self._deliver, name, path, rows))

    def _close_file(self) -> None:
        writer, sink, self._writer, self._sink = self._writer, self._sink, None, None
        if writer is not None:
            writer.close()
        if sink is not None:
            sink.close()

    def _deliver(self, name: str, path: Path, rows: int) -> FileEntry:
        size = path.stat().st_size
        digest = digest_of(path)
        self._send(name, path)
        path.unlink(missing_ok=True)  # whoever keeps it has moved it
        return FileEntry(name=name, rows=rows, bytes=size, sha256=digest)


def digest_of(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _room() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise SpillFull(
            f"There is no room for rows that are on their way: {error.strerror or 'disk full'}.",
            next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
        ) from None
