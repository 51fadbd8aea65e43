"""Loading models into folders of files: what counts is what a manifest names, written last.

An attempt at a load leaves a mark before anything else, and publishes by making its manifest, whose
name nobody else may make. A later attempt looks for the marks of earlier ones, and makes an empty
manifest under the name of each that has not published: from then on it cannot. So a frozen worker
that wakes is told `overtaken`, and the files of the dead can be deleted without a doubt.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from weighbridge.connectors import manifests
from weighbridge.connectors.file_store import FileStore
from weighbridge.connectors.file_writer import FILE_BYTES, FileWriter
from weighbridge.connectors.loading import LEDGER, Load, Loaded
from weighbridge.connectors.manifests import Manifest, Window
from weighbridge.errors import (
    BadArgument,
    Cancelled,
    ConnectionFailed,
    NotNow,
    Overtaken,
    RunFailed,
    WeighbridgeError,
)

if TYPE_CHECKING:
    import pyarrow as pa

_MARK_BYTES = 4096


@dataclass(frozen=True)
class Layout:
    """How files are written. `manifest`: false leaves our ledger alone to say what counts."""

    file_format: Literal["parquet", "csv"] = "parquet"
    delimiter: str = ","
    manifest: bool = True
    file_bytes: int = FILE_BYTES

    def __post_init__(self) -> None:
        # What may stand in a number or a moment would cut it in two.
        if not self.delimiter.isascii() or self.delimiter.isalnum() or self.delimiter in "+-.:":
            raise BadArgument(
                "csv.delimiter is a sign that numbers and moments are written with.",
                next_step="Use a comma, a semicolon, a tab or a bar.",
            )


def manifest_folders(table: str) -> tuple[str, str]:
    """Give where a model's manifests lie: for everybody to see, and where they are not wished."""
    return f"{manifests.FOLDER}/{table}", f"{LEDGER}/{table}/manifests"


class Ledger:
    """The manifests of one model, read as needed."""

    def __init__(self, store: FileStore, table: str) -> None:
        self._store = store
        self._names: list[tuple[int, str, str]] = []
        for folder in manifest_folders(table):
            for one in store.listed(folder):
                found = manifests.number_of(one.name)
                if found is not None and one.name.endswith(".json"):
                    self._names.append((*found, one.name))
        self._names.sort(reverse=True)

    @property
    def greatest(self) -> int:
        """Give the greatest token that has a manifest; 0 where there is none."""
        return self._names[0][0] if self._names else 0

    def newest_first(self, *, transfer: str | None = None) -> Iterator[Manifest]:
        """Read the manifests, the latest first, or those of one transfer."""
        for _, named, name in self._names:
            if transfer is None or named == transfer:
                yield read_manifest(self._store, name)


def read_manifest(store: FileStore, name: str) -> Manifest:
    """Read one manifest. Raises Unreadable where it is gone or is none of ours."""
    body = store.read(name, manifests.MOST_BYTES)
    return manifests.parse(body if body is not None else b"", name)


class FileLoader:
    """Loads into one folder of one store."""

    def __init__(self, store: FileStore, label: str, layout: Layout) -> None:
        self._store = store
        self._label = label
        self._layout = layout
        self._load: Load | None = None
        self._columns: tuple[manifests.ColumnEntry, ...] = ()
        self._writer: FileWriter | None = None
        self._stop = threading.Event()
        # Whether others could be kept from a name; and whether our manifest may be there.
        self._exclusive = True
        self._may_be_there = False

    def find(self, load: Load) -> Loaded | None:
        """Look for a manifest of the transfer."""
        found = self._published(load)
        return found.loaded() if found else None

    def claim(self, load: Load) -> None:
        """Leave our mark, end the attempts before us, and make the spool."""
        self._drop_writer()
        self._may_be_there = False
        mark = manifests.file_name(load.token, load.transfer)
        body = json.dumps({"manifest": self._manifest_name(load)}).encode()
        self._store.create(f"{LEDGER}/{load.table}/{mark}", body)
        # A store that does not know the condition makes the same name a second time.
        self._exclusive = not self._store.create(f"{LEDGER}/{load.table}/{mark}", body)
        self._load = load
        earlier = self._earlier(load)
        ledger = Ledger(self._store, load.table)
        # Files of this very attempt may be named already: they are not written again.
        if ledger.greatest >= load.token:
            raise self._overtaken()
        if self._exclusive:
            for name in earlier:
                self._end_attempt(load, name)
            ledger = Ledger(self._store, load.table)
        last = next((m for m in ledger.newest_first() if m.counts), None)
        self._columns = manifests.evolved(
            load, last.table_columns if last else (), file_format=self._layout.file_format
        )
        self._writer = FileWriter(
            load, self._layout.file_format, self._layout.delimiter,
            send=self._store.put, file_bytes=self._layout.file_bytes,
        )  # fmt: skip

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Write rows into files and send those that are full."""
        self._claimed()[1].add(self._until_cancelled(rows))

    def publish(self, loaded: Loaded) -> Loaded:
        """Send what is left, and make the manifest: from then on all of it counts."""
        load, writer = self._claimed()
        files = writer.finish()
        if writer.rows_written != loaded.rows:
            raise RunFailed(
                f"{writer.rows_written} rows were written and {loaded.rows} were read.",
                next_step="This is a fault of weighbridge; nothing was published.",
            )
        manifest = self._manifest(load, loaded, files)
        self._earlier(load)
        found = self._published(load)
        if found is not None:
            return self._settled(load, found)
        if not self._make(self._manifest_name(load), manifest):
            there = read_manifest(self._store, self._manifest_name(load))
            if there.files != manifest.files or not there.counts:
                self._may_be_there = False
                raise self._overtaken()
        self._drop_writer()
        return replace(loaded, bytes=manifest.bytes)

    def cancel(self) -> None:
        """Stop between two batches, and break the connection."""
        self._stop.set()
        self._store.cancel()

    def close(self) -> None:
        """Let go; files that no manifest can name any more are deleted where that is possible."""
        self._drop_writer()
        self._store.close()

    # The steps -----------------------------------------------------------------------------

    def _claimed(self) -> tuple[Load, FileWriter]:
        if self._load is None or self._writer is None:
            raise NotNow("Nothing was claimed.", next_step="This is a fault of weighbridge.")
        return self._load, self._writer

    def _until_cancelled(self, rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
        import pyarrow as pa  # noqa: PLC0415 heavy

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                if self._stop.is_set():
                    raise Cancelled(
                        "The load was cancelled.", next_step="Start it again when you like."
                    )
                yield batch

        return pa.RecordBatchReader.from_batches(rows.schema, batches())

    def _manifest_name(self, load: Load) -> str:
        folder = manifest_folders(load.table)[0 if self._layout.manifest else 1]
        return f"{folder}/{manifests.file_name(load.token, load.transfer)}.json"

    def _earlier(self, load: Load) -> list[str]:
        """List the marks of earlier attempts. Raises Overtaken where there is a later one."""
        earlier: list[str] = []
        seen = False
        for one in self._store.listed(f"{LEDGER}/{load.table}"):
            found = manifests.number_of(one.name)
            if found is None or one.name.endswith(".json"):
                continue
            if found[0] > load.token:
                raise self._overtaken()
            seen = seen or found[0] == load.token
            if found[0] < load.token:
                earlier.append(one.name)
        if not seen:  # whoever comes later ends us, and takes our mark away
            raise self._overtaken()
        return earlier

    def _end_attempt(self, load: Load, mark: str) -> None:
        """Keep an earlier attempt from publishing, unless it has; delete what it left."""
        token, transfer = manifests.number_of(mark) or (0, "")
        name = self._said_in(mark) or next(
            f"{folder}/{manifests.file_name(token, transfer)}.json"
            for folder in manifest_folders(load.table)
        )
        dead = manifests.abandoned(token, transfer, load.table)
        if self._store.create(name, dead.body()) or not read_manifest(self._store, name).counts:
            self._reap(load.table, transfer, token)
        self._store.delete(mark)

    def _said_in(self, mark: str) -> str | None:
        """Read where an attempt would publish; it is where a manifest may lie, or is not believed."""
        body = self._store.read(mark, _MARK_BYTES)
        try:
            said = json.loads(body or b"{}").get("manifest")
        except (ValueError, AttributeError):
            return None
        table, own = mark.split("/")[-2], mark.rpartition("/")[2]
        names = [f"{folder}/{own}.json" for folder in manifest_folders(table)]
        return said if said in names else None

    def _reap(self, table: str, transfer: str, token: int) -> None:
        start = f"{transfer}_{token}_"
        left = [
            one.name
            for one in self._store.listed(table)
            if one.name.rpartition("/")[2].startswith(start)
        ]
        for name in left:
            self._store.delete(name)

    def _published(self, load: Load) -> Manifest | None:
        ledger = Ledger(self._store, load.table)
        return next((m for m in ledger.newest_first(transfer=load.transfer) if m.counts), None)

    def _settled(self, load: Load, found: Manifest) -> Loaded:
        """Take it that an earlier attempt at the load has published it."""
        if found.token > load.token:
            raise self._overtaken()
        self._drop_writer()
        return found.loaded()

    def _manifest(
        self, load: Load, loaded: Loaded, files: tuple[manifests.FileEntry, ...]
    ) -> Manifest:
        csv = self._layout.file_format == "csv"
        return Manifest(
            model=load.table, transfer=load.transfer, token=load.token, is_full_refresh=load.full,
            window=Window(since=load.since, until=load.until), watermark=loaded.latest,
            began=load.began, file_format=self._layout.file_format,
            csv_delimiter=self._layout.delimiter if csv else None, key=load.key,
            last_modified=load.last_modified, rows=loaded.rows, bytes=sum(f.bytes for f in files),
            columns=tuple(manifests.ColumnEntry.of(field) for field in load.fields),
            table_columns=self._columns, files=files,
        )  # fmt: skip

    def _make(self, name: str, manifest: Manifest) -> bool:
        self._may_be_there = True
        try:
            return self._store.create(name, manifest.body())
        except ConnectionFailed:
            # The answer was lost; perhaps the manifest was not.
            if self._store.read(name, manifests.MOST_BYTES) is not None:
                return False
            raise

    def _drop_writer(self) -> None:
        """Let go of the spool, and of files that were sent and are named nowhere."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        if not self._may_be_there and not self._stop.is_set():
            with suppress(WeighbridgeError):  # a later claim deletes them
                for name in writer.names:
                    self._store.delete(name)

    def _overtaken(self) -> Overtaken:
        return Overtaken(
            f"A later attempt has begun to deliver to {self._label}.",
            next_step="Nothing need be done: the later one delivers.",
        )
