"""Which vendor opens which side. A new vendor is one line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from weighbridge.connectors.base import Source
from weighbridge.connectors.guard import check_filter
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy

# scheme: (module, class, reached over the network, dialect)
VENDORS: dict[str, tuple[str, str, bool, str]] = {
    "postgresql": ("postgresql", "PostgresSource", True, "postgres"),
    "postgres": ("postgresql", "PostgresSource", True, "postgres"),
    "mysql": ("mysql", "MySQLSource", True, "mysql"),
    "mariadb": ("mysql", "MySQLSource", True, "mysql"),
    "duckdb": ("local", "DuckDBSource", False, "duckdb"),
    "csv": ("local", "FileSource", False, "duckdb"),
    "parquet": ("local", "FileSource", False, "duckdb"),
    "json": ("local", "FileSource", False, "duckdb"),
    "sqlite": ("sqlite", "SQLiteSource", False, "sqlite"),
}


def open_source(spec: SideSpec, policy: HostPolicy, *, snapshot: bool = True) -> Source:
    """Connect to a side. Raises ConnectionFailed, NoSuchTable, BadQuery, BadArgument."""
    if spec.scheme not in VENDORS:
        raise BadArgument(
            f"No connector is named {spec.scheme!r}.",
            next_step=f"Use one of {', '.join(sorted(VENDORS))}.",
        )
    module, name, networked, dialect = VENDORS[spec.scheme]
    if spec.where:
        check_filter(spec.where, dialect)
    opener = cast(
        "Callable[..., Source]", getattr(import_module(f"weighbridge.connectors.{module}"), name)
    )
    return opener(spec, policy, snapshot=snapshot) if networked else opener(spec)
