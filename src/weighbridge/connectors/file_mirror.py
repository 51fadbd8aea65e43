"""A destination of files read back: the current rows of one model in a local DuckDB database.

What counts is what manifests name, and each file is held to its checksum. The database lies in a
private folder and goes with the context.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from weighbridge.connectors.csv_cells import BLOCKS, csv_reader, duckdb_type, typed
from weighbridge.connectors.file_loader import Ledger
from weighbridge.connectors.file_store import FileStore
from weighbridge.connectors.file_writer import digest_of
from weighbridge.connectors.loading import Field
from weighbridge.connectors.manifests import FileEntry, Manifest, live
from weighbridge.connectors.names import quote
from weighbridge.connectors.sides import SideSpec
from weighbridge.connectors.sql import literal
from weighbridge.errors import NoSuchTable, SpillFull, Unreadable

_MEMORY = "128MB"
_ROWS = "_weighbridge_rows"
# What DuckDB says of a file that does not hold what it should.
_NOT_SO = (duckdb.InvalidInputException, duckdb.BinderException, duckdb.ConversionException)


@contextmanager
def file_mirror(
    store: FileStore, label: str, table: str, key: Sequence[str]
) -> Generator[SideSpec]:
    """Give a side of the current rows: of each key the newest version, by moment and then by load.

    Raises NoSuchTable where nothing was delivered, Unreadable with the file's name where one is
    missing or is not what was delivered.
    """
    with mirror_folder() as folder:
        counting = live(Ledger(store, table).newest_first())
        if not counting:
            raise nothing_delivered(label, table)
        path = folder / "mirror.duckdb"
        with mirror_database(path) as connection:
            _fill(connection, store, counting, folder)
            _settle(
                connection, counting[-1], table,
                key=key or counting[-1].key, several=len(counting) > 1,
            )  # fmt: skip
        yield mirror_side(path, label, table)


def mirror_side(path: Path, label: str, table: str) -> SideSpec:
    """Give the side of a table of a mirror's database."""
    return SideSpec(scheme="duckdb", label=label, path=str(path), table=(table,))


def nothing_delivered(label: str, table: str) -> NoSuchTable:
    """Say that there is no such model at a destination."""
    return NoSuchTable(
        f"Nothing of {table} was delivered to {label} yet.", next_step="Run a transfer first."
    )


@contextmanager
def mirror_folder() -> Generator[Path]:
    """Make a private folder, and remove it."""
    parent = os.environ.get("WEIGHBRIDGE_TMPDIR") or None
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-mirror-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mirror_database(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """Open the database of a mirror to fill it; errors of DuckDB become ours."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 2, "memory_limit": _MEMORY, "temp_directory": str(path.parent / "spill"),
        "preserve_insertion_order": False,
    }  # fmt: skip
    connection = duckdb.connect(str(path), config=config)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except duckdb.Error as error:
        full = "No space left" in str(error) or "max_temp_directory_size" in str(error)
        if full or isinstance(error, duckdb.OutOfMemoryException):
            raise SpillFull(
                "There is no room to read the destination back.",
                next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
            ) from None
        raise
    finally:
        connection.close()


def create_rows(connection: duckdb.DuckDBPyConnection, fields: Sequence[Field]) -> None:
    """Make the table that takes every version of every row, with the token of its load."""
    columns = [f"{quote(f.name, 'duckdb')} {duckdb_type(f.type)}" for f in fields]
    columns.append(f"{_token(fields)} BIGINT")
    connection.execute(f"CREATE TABLE {_ROWS} ({', '.join(columns)})")


def _token(fields: Sequence[Field]) -> str:
    name, names = "_token", {f.name.lower() for f in fields}
    while name in names:
        name = f"_{name}"
    return quote(name, "duckdb")


def _fill(
    connection: duckdb.DuckDBPyConnection,
    store: FileStore,
    counting: Sequence[Manifest],
    folder: Path,
) -> None:
    fields = [column.field() for column in counting[-1].table_columns]
    known = {field.name: field.type for field in fields}
    create_rows(connection, fields)
    for manifest in counting:
        own = [column.field() for column in manifest.columns]
        if any(known.get(f.name) != f.type for f in own):
            raise Unreadable(
                f"The manifest of the load {manifest.transfer} has other columns than later ones.",
                next_step="Run a full refresh.",
            )
        for entry in manifest.files:
            _take(connection, store, manifest, entry, path=folder / "file")


def _take(
    connection: duckdb.DuckDBPyConnection,
    store: FileStore,
    manifest: Manifest,
    entry: FileEntry,
    *,
    path: Path,
) -> None:
    if not store.fetch(entry.name, path):
        raise _altered(entry, "is missing")
    if path.stat().st_size != entry.bytes or digest_of(path) != entry.sha256:
        raise _altered(entry, "is not what was delivered: its checksum differs")
    fields = [column.field() for column in manifest.columns]
    names = ", ".join(quote(f.name, "duckdb") for f in fields)
    token = _token([column.field() for column in manifest.table_columns])
    into = f"INSERT INTO {_ROWS} ({names}, {token}) SELECT *, {manifest.token} FROM"
    try:
        if manifest.file_format == "csv":
            done = _take_csv(connection, manifest, path, into)
        else:
            rows = f"SELECT {names} FROM read_parquet({literal(str(path))})"
            done = connection.execute(f"{into} ({rows})").fetchone()
    except (*_NOT_SO, pa.ArrowInvalid):
        raise _altered(entry, "cannot be read as what its manifest says") from None
    path.unlink()
    if done is None or done[0] != entry.rows:
        raise _altered(entry, "holds another number of rows than its manifest says")


def _take_csv(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, path: Path, into: str
) -> tuple[int, ...] | None:
    """Read in small blocks, and in large ones where a row does not fit into a small one."""
    fields = [column.field() for column in manifest.columns]
    for block in BLOCKS:
        reader = csv_reader(str(path), fields, manifest.csv_delimiter or ",", block)
        connection.register("delivered", reader)
        try:
            return connection.execute(f"{into} ({typed(fields, 'delivered')})").fetchone()
        except (duckdb.Error, pa.ArrowInvalid) as error:
            if "straddl" not in str(error) or block == BLOCKS[-1]:
                raise
    return None


def _altered(entry: FileEntry, words: str) -> Unreadable:
    return Unreadable(
        f"The delivered file {entry.name} {words}.",
        next_step="Put it back as it was, or run a full refresh.",
    )


def _settle(
    connection: duckdb.DuckDBPyConnection,
    newest: Manifest,
    table: str,
    *,
    key: Sequence[str],
    several: bool,
) -> None:
    """Keep of each key the newest version; one load alone holds each key once."""
    fields = [column.field() for column in newest.table_columns]
    columns = ", ".join(quote(f.name, "duckdb") for f in fields)
    token = _token(fields)
    winners = ""
    if several and key:
        connection.execute(
            f"CREATE TABLE winners AS {_newest(connection, newest.last_modified, token, key)}"
        )
        winners = " WHERE rowid IN (SELECT n FROM winners)"
    name = quote(table, "duckdb")
    connection.execute(
        f"CREATE TABLE {quote('_' + table, 'duckdb')} AS SELECT {columns} FROM {_ROWS}{winners}"
    )
    connection.execute(f"DROP TABLE IF EXISTS winners; DROP TABLE {_ROWS}")
    connection.execute(f"ALTER TABLE {quote('_' + table, 'duckdb')} RENAME TO {name}")


def _newest(
    connection: duckdb.DuckDBPyConnection, last_modified: str, token: str, key: Sequence[str]
) -> str:
    """Write the SELECT of the row numbers that stay.

    A load replaces a row unless that is strictly newer. So one without a moment replaces whatever
    was before its load, and is replaced by whatever comes after.
    """
    keys = ", ".join(quote(name, "duckdb") for name in key)
    moment = quote(last_modified, "duckdb")
    found = connection.execute(f"SELECT 1 FROM {_ROWS} WHERE {moment} IS NULL LIMIT 1").fetchone()
    since = f"max(CASE WHEN {moment} IS NULL THEN {token} END) OVER (PARTITION BY {keys})"
    rows = f"SELECT rowid AS n, {keys}, {moment}, {token} FROM {_ROWS}"
    if found:
        rows = (
            f"SELECT n, {keys}, {moment}, {token} FROM"
            f" (SELECT rowid AS n, *, {since} AS t0 FROM {_ROWS}) WHERE t0 IS NULL OR {token} >= t0"
        )
    order = f"{moment} DESC NULLS LAST, {token} DESC, n DESC"
    return (
        f"SELECT n FROM (SELECT n, row_number() OVER (PARTITION BY {keys} ORDER BY {order})"
        f" AS place FROM ({rows})) WHERE place = 1"
    )
