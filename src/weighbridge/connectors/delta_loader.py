"""Loading models into Delta tables: each load is one commit, which carries its line of the ledger.

Every commit of ours names our token as the version of one application. Delta's own rule then keeps
attempts apart: a commit that was prepared before another of the same application fails.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.delta import (
    APPLICATION,
    LATEST,
    ROWS,
    TOKEN,
    TRANSFER,
    DeltaLog,
    commit_properties,
)
from weighbridge.connectors.file_mirror import (
    mirror_database,
    mirror_folder,
    mirror_side,
    nothing_delivered,
)
from weighbridge.connectors.file_writer import FileWriter, arrow_schema
from weighbridge.connectors.loading import Load, Loaded
from weighbridge.connectors.names import quote
from weighbridge.errors import (
    BadArgument,
    Cancelled,
    ConnectionFailed,
    NotComparable,
    NotNow,
    RunFailed,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable, WriterProperties

    from weighbridge.connectors.sides import SideSpec

# Readers of tables without column mapping refuse such names.
_NO_NAME = re.compile(r"[ ,;{}()\n\t=\"]")
_SPILL = 96 * 2**20
# deltalake holds a row group of each file that it writes.
_GROUP_ROWS = 65_536
_FILE_BYTES = 64 * 2**20
_BATCH_ROWS = 32_768


class DeltaLoader:
    """Loads into the tables of one place."""

    def __init__(self, log: DeltaLog) -> None:
        self._log = log
        self._load: Load | None = None
        self._writer: FileWriter | None = None
        self._staged: list[Path] = []
        self._stopped = False

    def find(self, load: Load) -> Loaded | None:
        """Look for the commit of the transfer."""
        found = self._log.published(load.table, load.transfer)
        return _loaded(found) if found else None

    def claim(self, load: Load) -> None:
        """Commit our token, so that attempts with a smaller one can commit nothing more."""
        self._let_go()
        for field in load.fields:
            if _NO_NAME.search(field.name):
                raise BadArgument(
                    f"The column {field.name!r} cannot be in a Delta table without column mapping.",
                    next_step="Change its name_in_destination in the model.",
                )
        schema = arrow_schema(load)
        table = self._log.make(load.table, schema)
        with self._log.said(load.table):
            self._fence(table, load)
            table.create_write_transaction(
                [], "append", schema, commit_properties=commit_properties(load.token)
            )
            table = self._again(load)
            new = [] if load.full else _new_columns(table, load)
            if new:
                table.alter.add_columns(new, commit_properties=commit_properties(load.token))
            # What dead attempts have left, and states that nobody keeps any longer.
            table = self._again(load)
            table.vacuum(
                max(self._log.place.retention_hours, 24), dry_run=False,
                enforce_retention_duration=False, commit_properties=commit_properties(load.token),
            )  # fmt: skip
        self._load = load
        self._writer = FileWriter(load, "parquet", ",", send=self._keep)

    def add(self, rows: pa.RecordBatchReader) -> None:
        """Stage rows on our own disk."""
        import pyarrow as pa  # noqa: PLC0415 heavy

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows:
                if self._stopped:
                    raise Cancelled(
                        "The load was cancelled.", next_step="Start it again when you like."
                    )
                yield batch

        self._claimed()[1].add(pa.RecordBatchReader.from_batches(rows.schema, batches()))

    def publish(self, loaded: Loaded) -> Loaded:
        """Commit the staged rows and the line of the ledger at once."""
        load, writer = self._claimed()
        size = sum(entry.bytes for entry in writer.finish())
        if writer.rows_written != loaded.rows:
            raise RunFailed(
                f"{writer.rows_written} rows were written and {loaded.rows} were read.",
                next_step="This is a fault of weighbridge; nothing was published.",
            )
        before = self._log.published(load.table, load.transfer)
        if before is not None:
            return _loaded(before)
        table = self._again(load)
        self._fence(table, load)
        done = replace(loaded, bytes=size)
        try:
            with self._log.said(load.table):
                changed = self._commit(table, load, done)
        except ConnectionFailed:
            # The answer was lost; perhaps the commit was not.
            found = self._log.published(load.table, load.transfer)
            if found is None:
                raise
            return _loaded(found)
        self._let_go()
        return replace(done, changed=changed)

    def cancel(self) -> None:
        """Stop between two batches, and break the connection."""
        self._stopped = True
        self._log.cancel()

    def close(self) -> None:
        """Let go of what was staged."""
        self._let_go()
        self._log.close()

    # The steps -----------------------------------------------------------------------------

    def _claimed(self) -> tuple[Load, FileWriter]:
        if self._load is None or self._writer is None:
            raise NotNow("Nothing was claimed.", next_step="This is a fault of weighbridge.")
        return self._load, self._writer

    def _keep(self, name: str, path: Path) -> None:
        """Move a full file aside: it is read again when all rows are there."""
        kept = path.with_name(f"{name.rpartition('/')[2]}.staged")
        path.rename(kept)
        self._staged.append(kept)

    def _again(self, load: Load) -> DeltaTable:
        table = self._log.table(load.table)
        if table is None:
            raise RunFailed(
                f"The table {load.table} has gone while it was delivered to.",
                next_step="Start the transfer again.",
            )
        return table

    def _fence(self, table: DeltaTable, load: Load) -> None:
        if (table.transaction_version(APPLICATION) or 0) > load.token:
            raise self._log.overtaken()

    def _rows(self, schema: pa.Schema) -> pa.RecordBatchReader:
        """Read the staged rows back, with nulls where the table has a column that the load has not."""
        import pyarrow as pa  # noqa: PLC0415 heavy
        from pyarrow import parquet  # noqa: PLC0415 heavy

        def batches() -> Iterator[pa.RecordBatch]:
            for path in self._staged:
                with parquet.ParquetFile(path) as file:
                    for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                        have = set(batch.schema.names)
                        columns = [
                            batch.column(f.name).cast(f.type)
                            if f.name in have
                            else pa.nulls(batch.num_rows, f.type)
                            for f in schema
                        ]
                        yield pa.RecordBatch.from_arrays(columns, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _commit(self, table: DeltaTable, load: Load, done: Loaded) -> int | None:
        said = {
            TRANSFER: load.transfer, TOKEN: load.token, ROWS: done.rows,
            LATEST: done.latest.isoformat() if done.latest else None, "weighbridge.bytes": done.bytes,
        }  # fmt: skip
        properties = commit_properties(load.token, **said)
        if load.full:
            return self._overwrite(table, load, properties)
        names = [field.name for field in load.fields]
        same = " AND ".join(f"t.{_q(k)} = s.{_q(k)}" for k in load.key)
        moment = _q(load.last_modified)
        merged = (
            table.merge(
                self._rows(arrow_schema(load)), same, source_alias="s", target_alias="t",
                streamed_exec=True, max_spill_size=_SPILL, commit_properties=properties,
                writer_properties=_written(),
            )
            .when_matched_update(
                {_q(n): f"s.{_q(n)}" for n in names},
                f"s.{moment} IS NULL OR t.{moment} IS NULL OR s.{moment} >= t.{moment}",
            )
            .when_not_matched_insert({_q(n): f"s.{_q(n)}" for n in names})
            .execute()
        )  # fmt: skip
        return int(merged["num_target_rows_inserted"]) + int(merged["num_target_rows_updated"])

    def _overwrite(self, table: DeltaTable, load: Load, properties: Any) -> None:
        import pyarrow as pa  # noqa: PLC0415 heavy
        from deltalake import write_deltalake  # noqa: PLC0415 an extra

        own = arrow_schema(load)
        others = [f for f in _schema_of(table) if f.name not in own.names]
        write_deltalake(
            table, self._rows(pa.schema([*own, *others])), mode="overwrite",
            schema_mode="overwrite", commit_properties=properties, writer_properties=_written(),
            target_file_size=_FILE_BYTES,
        )  # fmt: skip

    def _let_go(self) -> None:
        writer, self._writer, self._staged = self._writer, None, []
        if writer is not None:
            writer.close()


def _written() -> WriterProperties:
    from deltalake import WriterProperties  # noqa: PLC0415 an extra

    return WriterProperties(compression="ZSTD", max_row_group_size=_GROUP_ROWS)


def _q(name: str) -> str:
    return f"`{name}`"


def _schema_of(table: DeltaTable) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 heavy

    return pa.schema(table.schema().to_arrow())


def _new_columns(table: DeltaTable, load: Load) -> list[Any]:
    """List columns that the table has not. Raises NotComparable for one whose type changed."""
    from deltalake import Schema  # noqa: PLC0415 an extra

    had = {field.name: field.type for field in table.schema().fields}
    new: list[Any] = []
    for field in Schema.from_arrow(arrow_schema(load)).fields:
        if field.name not in had:
            new.append(field)
        elif had[field.name] != field.type:
            raise NotComparable(
                f"The column {field.name} of {load.table} has another type at the destination.",
                next_step="Run a full refresh, or take the model's data_type back.",
            )
    return new


def _loaded(commit: Any) -> Loaded:
    latest = commit.get(LATEST)
    return Loaded(
        int(commit.get(ROWS) or 0),
        int(commit.get("weighbridge.bytes") or 0),
        datetime.fromisoformat(latest) if latest else None,
    )


@contextmanager
def delta_mirror(log: DeltaLog, label: str, table: str) -> Generator[SideSpec]:
    """Give a side of a table's current rows. Raises NoSuchTable, and names a file that is gone."""
    with mirror_folder() as folder:
        found = log.table(table)
        if found is None:
            raise nothing_delivered(label, table)
        path = folder / "mirror.duckdb"
        with mirror_database(path) as connection, log.said(table):
            connection.register("delivered", found.scan())
            connection.execute(f"CREATE TABLE {quote(table, 'duckdb')} AS FROM delivered")
        yield mirror_side(path, label, table)
