"""Files and globs of CSV, Parquet and JSON, read by DuckDB in this process."""

from __future__ import annotations

import glob
import threading
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from weighbridge.connectors import duckdb_types as types
from weighbridge.connectors.base import Estimate, Reading
from weighbridge.connectors.local import LocalSource, lock
from weighbridge.connectors.names import quote
from weighbridge.connectors.scratch import private_duckdb
from weighbridge.connectors.sql import literal
from weighbridge.errors import NoSuchTable, QueryFailed, Unreadable, WeighbridgeError
from weighbridge.types.columns import Column, ColumnType

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec

# Bytes of a CSV that are held at once; DuckDB would take 32 MB for each reading.
CSV_BUFFER = 4 * 2**20
# With more columns, what a reader holds for one group of rows is most of the memory of a diff.
NARROW = 16
# How many keys are looked at together.
LOOK_ROWS = 100_000


class FileSource(LocalSource):
    """One file or a glob of files of one format."""

    def __init__(self, spec: SideSpec) -> None:
        super().__init__(spec)
        # Instance data, not a subclass for each format: only the cost of parsing differs.
        self.traits = replace(
            self.traits, vendor=spec.scheme, cheap_rescan=spec.scheme == "parquet"
        )
        # Who reads a file says nothing about it.
        self.version = None
        self._sorted: dict[str, bool] = {}
        self._without_null: set[str] = set()
        self._looking, self._opening = threading.Lock(), threading.Lock()
        self._line: duckdb.DuckDBPyConnection | None = None

    def paths(self) -> list[str]:
        """List the files that the path or glob names, in order."""
        path = self._spec.path or ""
        if Path(path).is_file():
            return [path]
        found = sorted(
            p
            for p in glob.glob(path, recursive=True)  # noqa: PTH207 an absolute glob is no Path.glob
            if Path(p).is_file()
        )
        if not found:
            raise NoSuchTable(
                f"There is no file {path}.",
                next_step="Check the path; a glob needs quotes in a shell.",
            )
        return found

    def attach(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Make the files a view, so that a user's SQL names no path."""
        if not any(Path(p).stat().st_size for p in self.paths()):
            raise Unreadable(
                f"{self.label} is empty: it does not even tell its columns.",
                next_step="Check what should have written it.",
            )
        listed = "[" + ", ".join(literal(p) for p in self.paths()) + "]"
        reader = {
            "csv": f"read_csv({listed}, all_varchar = true, allow_quoted_nulls = false,"
            f" sample_size = 20480, buffer_size = {CSV_BUFFER})",
            "parquet": f"read_parquet({listed})",
            "json": f"read_json_auto({listed}, maximum_object_size = 16777216)",
        }[self._spec.scheme]
        # The other side may have allowed its own before.
        connection.execute(
            f"SET allowed_paths = list_concat(current_setting('allowed_paths'), {listed})"
        )
        if self.query is None:
            return reader
        try:
            connection.execute(f"CREATE VIEW data AS SELECT * FROM {reader}")
        except duckdb.Error as error:
            raise self.error(error) from None
        return f"(\n{self.query}\n) AS q"

    def column_type(self, declared: str) -> ColumnType:
        """Give the type; text in a CSV was never declared, so it is `loose`."""
        if self._spec.scheme == "csv":
            return ColumnType("text", "CSV text", loose=True)
        return types.column_type(declared)

    def owns(self, error: Exception) -> bool:
        """Tell whether an error is about these files; of a Parquet page DuckDB does not say."""
        page = self._spec.scheme == "parquet" and "TProtocolException" in str(error)
        return page or super().owns(error)

    def error(self, error: Exception) -> WeighbridgeError:
        """Translate DuckDB's error; a file that cannot be read is the data's fault."""
        translated = super().error(error)
        if isinstance(translated, QueryFailed):
            return Unreadable(translated.message, next_step=translated.next_step)
        return translated

    def estimate(self) -> Estimate:
        """Give bytes, and for Parquet the rows that the footers count."""
        size = super().estimate().bytes
        if self._spec.scheme != "parquet" or self.query is not None or self.where:
            return Estimate(None, size)
        row = self._one(f"SELECT count(*) FROM {self.relation}")
        return Estimate(int(row[0]) if row else None, size)

    # Order ---------------------------------------------------------------------------------

    def in_order(self, column: Column) -> bool:
        """Tell whether the rows lie in the order of a column of whole numbers.

        Of Parquet the statistics are asked: groups of rows whose ranges follow each other are a
        good sign; one group alone is none. Text is read: every value must be a whole number as
        a program writes it, so that equal texts are equal numbers.
        """
        if self.query is not None or self._spec.scheme == "json":
            return False
        if self._spec.scheme == "csv":
            return self._lies_in_order(column)
        groups = self._ranges(column.name)
        if groups is None or any(a > b for a, b in pairwise(chain.from_iterable(groups))):
            return False
        return len(groups) > len(self.paths()) or self._lies_in_order(column)

    def _ranges(self, name: str) -> list[tuple[int, int]] | None:
        """List the lowest and highest value of each group of rows, None if one is not told."""
        try:
            rows = self._private.execute(
                "SELECT stats_min_value, stats_max_value FROM parquet_metadata(?)"
                " WHERE path_in_schema = ? ORDER BY list_position(?, file_name), row_group_id",
                [self.paths(), name, self.paths()],
            ).fetchall()
            return [(int(low), int(high)) for low, high in rows] or None
        except (duckdb.Error, TypeError, ValueError):
            return None

    def _lies_in_order(self, column: Column | None) -> bool:
        """Read the column alone and see; what it says holds for every later reading."""
        if column is None or self.query is not None or self._spec.scheme == "json":
            return False
        with self._looking:
            if column.name not in self._sorted:
                self._sorted[column.name] = self._ascends(column.name)
        return self._sorted[column.name]

    def _ascends(self, name: str) -> bool:
        import numpy as np  # noqa: PLC0415 heavy

        column = quote(name, "duckdb")
        number = f"try_cast({column} AS BIGINT)"
        if self._spec.scheme == "csv":
            number = f"CASE WHEN CAST({number} AS VARCHAR) = {column} THEN {number} END"
        cursor = self._in_line().cursor()
        # A long file is looked at for long: whoever cancels must reach this too.
        self._connections.append(cursor)
        try:
            reader = cursor.execute(
                f"SELECT {number}, {column} IS NULL FROM {self.relation}"
            ).to_arrow_reader(LOOK_ROWS)
            last, nulls = -(2**63), 0
            for batch in reader:
                numbers, missing = batch.columns
                nulls += missing.true_count
                # What is no number, though it is there.
                if numbers.null_count != missing.true_count:
                    return False
                keys = numbers.drop_null().to_numpy()
                if len(keys) and (keys[0] < last or not np.all(keys[1:] >= keys[:-1])):
                    return False
                last = int(keys[-1]) if len(keys) else last
        except duckdb.Error as error:
            raise self.error(error) from None
        finally:
            self._connections.remove(cursor)
            cursor.close()
        if not nulls:
            self._without_null.add(name)
        return True

    def _holds_no_null(self, column: Column) -> bool:
        return column.name in self._without_null

    def _database(self, reading: Reading) -> duckdb.DuckDBPyConnection:
        if reading.ordered and self._lies_in_order(reading.key):
            return self._in_line()
        return self._private

    def _in_line(self) -> duckdb.DuckDBPyConnection:
        """Give a database of one thread: several deliver a file's parts in any order."""
        with self._opening:
            if self._line is None:
                sparing = self._spec.scheme == "csv" or len(self._shape.columns) > NARROW
                line = private_duckdb(threads=1, megabytes=128, sparing=sparing)
                self._connections.append(line)
                self.attach(line)
                lock(line)
                self._line = line
            return self._line
