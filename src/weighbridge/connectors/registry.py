"""Which vendor opens which side. A new vendor is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from typing import cast

from weighbridge.connectors.base import Source
from weighbridge.connectors.guard import check_filter
from weighbridge.connectors.names import quote
from weighbridge.connectors.session import Session
from weighbridge.connectors.sides import SideSpec
from weighbridge.connectors.sql import literal
from weighbridge.connectors.writing import Writer
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy

# scheme: (module, class, reached over the network, dialect)
VENDORS: dict[str, tuple[str, str, bool, str]] = {
    "postgresql": ("postgresql", "PostgresSource", True, "postgres"),
    "postgres": ("postgresql", "PostgresSource", True, "postgres"),
    "mysql": ("mysql", "MySQLSource", True, "mysql"),
    "mariadb": ("mysql", "MySQLSource", True, "mysql"),
    "duckdb": ("local", "DuckDBSource", False, "duckdb"),
    "motherduck": ("duckdb_place", "PlacedDuckDB", True, "duckdb"),
    "csv": ("files", "FileSource", False, "duckdb"),
    "parquet": ("files", "FileSource", False, "duckdb"),
    "json": ("files", "FileSource", False, "duckdb"),
    "sqlite": ("sqlite", "SQLiteSource", False, "sqlite"),
}

# scheme: (module, class) of what answers short questions
SESSIONS: dict[str, tuple[str, str]] = {
    "postgresql": ("postgresql_session", "PostgresSession"),
    "postgres": ("postgresql_session", "PostgresSession"),
    "mysql": ("mysql_session", "MySQLSession"),
    "mariadb": ("mysql_session", "MySQLSession"),
}


def session_of(scheme: str) -> type[Session]:
    """Give what logs in to a kind of server for short questions. Raises BadArgument."""
    if scheme not in SESSIONS:
        raise BadArgument(
            f"{scheme!r} is no kind of server that one logs in to.",
            next_step=f"Use one of {', '.join(sorted(SESSIONS))}.",
        )
    module, name = SESSIONS[scheme]
    return cast("type[Session]", getattr(import_module(f"weighbridge.connectors.{module}"), name))


# Schemes whose servers can keep earlier states of a table.
HISTORIES = frozenset({"mysql", "mariadb"})


def open_source(spec: SideSpec, policy: HostPolicy, *, snapshot: bool = True) -> Source:
    """Connect to a side. Raises ConnectionFailed, NoSuchTable, BadQuery, BadArgument."""
    if spec.scheme not in VENDORS:
        raise BadArgument(
            f"No connector is named {spec.scheme!r}.",
            next_step=f"Use one of {', '.join(sorted(VENDORS))}.",
        )
    module, name, networked, dialect = VENDORS[spec.scheme]
    if spec.as_of is not None and spec.scheme not in HISTORIES:
        raise BadArgument(
            f"{spec.label} keeps no earlier states of a table.",
            next_step="Read it as it is now, or keep copies of the states that matter.",
        )
    if spec.where:
        check_filter(spec.where, dialect)
    opener = cast(
        "Callable[..., Source]", getattr(import_module(f"weighbridge.connectors.{module}"), name)
    )
    return opener(spec, policy, snapshot=snapshot) if networked else opener(spec)


# scheme: (module, class) of what writes tables there.
WRITERS: dict[str, tuple[str, str]] = {
    "postgresql": ("postgresql_writer", "PostgresWriter"),
    "mysql": ("mysql_writer", "MySQLWriter"),
}


def open_writer(spec: SideSpec, policy: HostPolicy, schema: str) -> Writer:
    """Connect to a place to write tables into one of its schemas.

    Raises ConnectionFailed, and BadArgument where nothing can be written.
    """
    if spec.scheme not in WRITERS:
        raise BadArgument(
            f"Tables cannot be written into {spec.label}.",
            next_step=f"Choose a connection of one of the kinds {', '.join(sorted(WRITERS))}.",
        )
    module, name = WRITERS[spec.scheme]
    opener = cast(
        "Callable[..., Writer]", getattr(import_module(f"weighbridge.connectors.{module}"), name)
    )
    return opener(spec, policy, schema)


def in_window(spec: SideSpec, column: str, bounds: tuple[str | None, str | None]) -> SideSpec:
    """Keep a side's rows whose `column` lies in [since, until): ISO moments or whole numbers.

    Raises BadArgument for a bound that is neither.
    """
    if spec.scheme not in VENDORS:
        return spec
    name = quote(column, VENDORS[spec.scheme][3])
    parts = [f"({spec.where})"] if spec.where else []
    for bound, sign in zip(bounds, (">=", "<"), strict=True):
        if bound is not None:
            parts.append(f"{name} {sign} {_moment(bound)}")
    return replace(spec, where=" AND ".join(parts) or None)


def _moment(text: str) -> str:
    if text.strip().lstrip("-").isdecimal():
        return text.strip()
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadArgument(
            f"{text!r} is neither a moment nor a whole number.",
            next_step="Write --since and --until as 2024-01-31 or 2024-01-31T12:00:00.",
        ) from None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return literal(moment.isoformat(sep=" "))
