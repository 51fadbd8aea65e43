"""Where a DuckDB database lies that somebody configured: at MotherDuck, or in a file of this machine.

A file is named by a path below one folder, which whoever runs the server chose. Recipients name no
files, whatever the folder holds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from weighbridge.connectors.local import DuckDBSource
from weighbridge.connectors.names import quote
from weighbridge.connectors.sql import literal, missing_extra, no_such_table, scrub
from weighbridge.connectors.transport import extension_path
from weighbridge.errors import BadArgument, Busy, ConnectionFailed, HostRefused, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

FOLDER = "WEIGHBRIDGE_DUCKDB_FOLDER"
ENDING = ".duckdb"
# A name with ? or / would be more than a name: md:db?motherduck_token=…
_NAME = re.compile(r"[^\W\d][\w-]{0,127}")
_LOCKED = ("could not set lock", "unique file handle conflict", "is already attached")


@dataclass(frozen=True)
class Place:
    """A database: `file` on this machine, else `name` at MotherDuck."""

    label: str
    name: str
    file: Path | None
    token: str | None


def place_of(spec: SideSpec, policy: HostPolicy) -> Place:
    """Say where a side's database lies. Raises BadArgument, HostRefused."""
    said = spec.database or ""
    if said.lower().endswith(ENDING):
        if not policy.local:
            raise HostRefused(
                "The database of the connection cannot be used.",
                next_step="Name a database of MotherDuck, or ask the operator.",
            )
        return Place(spec.label, said, _file(said), None)
    name = said.removeprefix("md:")
    if not _NAME.fullmatch(name):
        raise BadArgument(
            f"The database {said[:60]!a} of {spec.label} is neither the name of one at"
            f" MotherDuck nor a path that ends with {ENDING}.",
            next_step="Name it as md:analytics, or as a file below the server's folder.",
        )
    return Place(spec.label, name, None, spec.password)


def _file(said: str) -> Path:
    folder = os.environ.get(FOLDER)
    if not folder:
        raise BadArgument(
            "Files of DuckDB are not allowed on this server.",
            next_step=f"Whoever runs it sets {FOLDER} to the folder that holds them.",
        )
    root = Path(folder).resolve()
    parts = Path(said).parts
    path = root / said
    plain = "\0" not in said and "\\" not in said and ".." not in parts
    if not plain or Path(said).is_absolute() or not path.resolve().is_relative_to(root):
        raise BadArgument(
            f"The file {said[:60]!a} does not lie below the server's folder.",
            next_step=f"Write its path from {FOLDER} on, such as sub/analytics.duckdb.",
        )
    return path


def prepare(connection: duckdb.DuckDBPyConnection, place: Place) -> None:
    """Make a connection able to attach the place. Raises MissingExtra."""
    if place.file is not None:
        return
    try:
        connection.execute(f"LOAD {literal(str(extension_path('motherduck')))}")
    except (ImportError, duckdb.Error):
        raise missing_extra("MotherDuck", "motherduck") from None
    connection.execute(f"SET motherduck_token = {literal(place.token or '')}")
    # What runs there must not reach files of this machine.
    connection.execute("SET motherduck_saas_mode = true")


def attach(connection: duckdb.DuckDBPyConnection, place: Place, *, read_only: bool) -> str:
    """Attach the place and give its quoted name. Raises Busy, ConnectionFailed."""
    try:
        if place.file is None:
            name = quote(place.name, "duckdb")
            connection.execute(f"ATTACH IF NOT EXISTS {literal(f'md:{place.name}')}")
            return name
        mode = " (READ_ONLY)" if read_only else ""
        connection.execute(f"ATTACH {literal(str(place.file))} AS destination{mode}")
    except duckdb.Error as error:
        raise attach_error(error, place) from None
    return "destination"


def attach_error(error: Exception, place: Place) -> WeighbridgeError:
    """Say why a place cannot be attached."""
    said = scrub(error, place.token)
    if any(word in said.lower() for word in _LOCKED):
        return Busy(
            f"The file of {place.label} is open in another program or for another job; DuckDB lets one"
            " write at a time.",
            next_step="Close it there, or wait: it is tried again.",
        )
    if place.file is not None:
        said = said.replace(str(place.file), place.name)
    return ConnectionFailed(
        f"{place.label} cannot be opened: {said}.",
        next_step="Check the database's name and the token; a file must be of DuckDB 1.5 or older.",
    )


class PlacedDuckDB(DuckDBSource):
    """One table of a DuckDB database that somebody configured."""

    def __init__(self, spec: SideSpec, policy: HostPolicy, *, snapshot: bool = True) -> None:
        _ = snapshot  # a reading of DuckDB is of one moment always
        self._place = place_of(spec, policy)
        if self._place.file is None:
            # It is not read in this process alone: nothing else is attached beside it.
            self.traits = replace(self.traits, local=False, fingerprints=None)
        super().__init__(replace(spec, path=str(self._place.file or "")))

    def paths(self) -> list[str]:
        """List the database file, if it is one."""
        return [str(self._place.file)] if self._place.file else []

    def attach(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Attach the database; a file under a name of its own, as any other."""
        if self._place.file is not None:
            if not self._place.file.is_file():
                raise no_such_table(self.label, self._place.name, [])
            return super().attach(connection)
        prepare(connection, self._place)
        alias = attach(connection, self._place, read_only=True)
        if self.query is not None:
            self._alias = alias
            self.enter(connection)
            return f"(\n{self.query}\n) AS q"
        return self._table(connection, alias, self._place.name)
