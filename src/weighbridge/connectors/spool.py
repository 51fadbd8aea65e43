"""A queue of Arrow batches between a driver that cannot be slowed down and its reader.

connectorx has no back-pressure: it keeps reading whether or not anyone takes the rows, and
would hold a whole table in memory while the other side is slower. What runs ahead of the
reader goes to a temporary file instead, in the order in which it came.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from weighbridge.errors import SpillFull

if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes that may wait in memory before the file is used.
IN_MEMORY = 12 * 2**20


class Spool:
    """Drains `source` in a thread of its own; iterate it to get the batches back in order.

    `error` is what the source raised; it is raised again when the batches before it are read.
    """

    def __init__(self, source: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self._source = source
        self._schema = schema
        self._held: deque[pa.RecordBatch] = deque()
        self._held_bytes = 0
        self._file = tempfile.TemporaryFile(  # noqa: SIM115 closed by `close`
            prefix="weighbridge-", dir=os.environ.get("WEIGHBRIDGE_TMPDIR") or None
        )
        self._filed: deque[tuple[int, int]] = deque()
        self._end = 0
        self._done = False
        self._closed = False
        self.error: BaseException | None = None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._drain, name="spool", daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        try:
            for batch in self._source:
                if not self._add(batch):
                    break
        except BaseException as error:  # noqa: BLE001 handed over to the reader
            self.error = error
        with self._news:
            self._done = True
            self._news.notify()

    def _add(self, batch: pa.RecordBatch) -> bool:
        with self._news:
            if self._closed:
                return False
            # Once the file is in use it stays in use until it is read out: order is kept.
            if not self._filed and self._held_bytes < IN_MEMORY:
                # A copy in Arrow's own memory: the driver's, when another thread frees it, is
                # not given back before the last row has come.
                batch = pa.ipc.read_record_batch(batch.serialize(), self._schema)
                self._held.append(batch)
                self._held_bytes += batch.nbytes
            else:
                self._write(batch)
            self._news.notify()
            return True

    def _write(self, batch: pa.RecordBatch) -> None:
        body = batch.serialize()
        try:
            written = 0
            while written < body.size:  # one call writes at most 2 GiB, and may write less
                written += os.pwrite(
                    self._file.fileno(), memoryview(body)[written:], self._end + written
                )
        except OSError as error:
            raise SpillFull(
                f"There is no room for rows that arrived early: {error.strerror}.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            ) from None
        self._filed.append((self._end, body.size))
        self._end += body.size

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._news:
                while not (self._held or self._filed or self._done):
                    self._news.wait(timeout=1)
                if self._held:
                    batch = self._held.popleft()
                    self._held_bytes -= batch.nbytes
                elif self._filed:
                    batch = self._read()
                else:
                    break
            yield batch
        self.close()
        if isinstance(self.error, Exception):
            raise self.error
        if self.error is not None:
            # A panic of connectorx is no Exception: left as it is, it would pass every handler.
            raise RuntimeError(str(self.error)) from None

    def _read(self) -> pa.RecordBatch:
        start, size = self._filed.popleft()
        body = pa.allocate_buffer(size)
        seen = 0
        while seen < size:
            seen += os.preadv(self._file.fileno(), [memoryview(body)[seen:]], start + seen)
        if not self._filed:
            self._end = 0
            os.ftruncate(self._file.fileno(), 0)
        return pa.ipc.read_record_batch(body, self._schema)

    def close(self) -> None:
        """Stop taking batches and remove the file."""
        with self._news:
            self._closed = True
            self._held.clear()
            self._filed.clear()
            self._news.notify()
        self._file.close()
