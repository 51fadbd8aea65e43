"""Every vendor to which can be delivered, and what can be done with it so far."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from weighbridge.connectors.destinations import databases, lakes, shapes, storage, warehouses
from weighbridge.connectors.destinations.databases import MySQLOptions, PostgresOptions
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy

# Options, label, policy, table, key: a local copy of a delivered table, as long as it is needed.
Mirror = Callable[
    [Options, str, HostPolicy, str, tuple[str, ...]], AbstractContextManager[SideSpec]
]


@dataclass(frozen=True)
class Vendor:
    """A vendor: its name on the wire, for people, and the shape of its options.

    `side` makes of options what a connector of ours opens; without one, `not_yet` says why the
    vendor cannot be reached; with one, `limits` says what of it does not work. `delivers`: transfers run to it. `source`: may be delivered from.
    `mirror`: where the engine cannot read a delivered table where it lies.
    """

    key: str
    display: str
    options: type[Options]
    side: Callable[[Options, str], SideSpec] | None = None
    limits: str = ""
    not_yet: str = ""
    delivers: bool = False
    source: bool = False
    mirror: Mirror | None = None


def _postgresql(options: Options, label: str) -> SideSpec:
    said = cast("PostgresOptions", options)
    _no_tunnel(said.use_ssh_tunnel)
    return SideSpec(
        scheme="postgresql",
        label=label,
        host=said.host,
        port=said.port,
        user=said.password_auth.username,
        password=said.password_auth.password.get_secret_value(),
        database=said.database,
        parameters={
            "sslmode": "disable" if said.disable_ssl else "require",
            "connect_timeout": str(said.connection_timeout_in_seconds),
        },
    )


def _mysql(options: Options, label: str) -> SideSpec:
    said = cast("MySQLOptions", options)
    _no_tunnel(said.use_ssh_tunnel)
    if not said.disable_ssl:
        raise BadArgument(
            "This vendor cannot be reached with TLS yet.",
            next_step="Set disable_ssl where the network between the two is your own.",
        )
    return SideSpec(
        scheme="mysql",
        label=label,
        host=said.host,
        port=said.port,
        user=said.password_auth.username,
        password=said.password_auth.password.get_secret_value(),
        database=said.connection_database or said.write_database,
    )


def _no_tunnel(wanted: bool) -> None:
    if wanted:
        raise BadArgument(
            "SSH tunnels cannot be opened yet.", next_step="Set use_ssh_tunnel to false."
        )


def _listed(*vendors: Vendor) -> Mapping[str, Vendor]:
    return {vendor.key: vendor for vendor in vendors}


_NO_TUNNEL = "no tunnels"
_NO_TLS = "no tunnels, no TLS"
_WAREHOUSE = "it has no connector"
_BUCKET = "no connector writes to buckets"
VENDORS = _listed(
    Vendor("postgres", "PostgreSQL", PostgresOptions, _postgresql, _NO_TUNNEL, source=True),
    Vendor("aurora_postgres", "Aurora PostgreSQL", PostgresOptions, _postgresql, _NO_TUNNEL, source=True),
    Vendor("mysql", "MySQL", MySQLOptions, _mysql, _NO_TLS, source=True),
    Vendor("aurora_mysql", "Aurora MySQL", MySQLOptions, _mysql, _NO_TLS, source=True),
    Vendor("planetscale", "PlanetScale", MySQLOptions, _mysql, _NO_TLS, source=True),
    Vendor("singlestore", "SingleStore", MySQLOptions, _mysql, _NO_TLS, source=True),
    Vendor("sql_server", "SQL Server", databases.SqlServerOptions, not_yet=_WAREHOUSE),
    Vendor("oracle", "Oracle", databases.OracleOptions, not_yet=_WAREHOUSE),
    Vendor("mongodb", "MongoDB", databases.MongoDBOptions, not_yet=_WAREHOUSE),
    Vendor("clickhouse", "ClickHouse", databases.ClickHouseOptions, not_yet=_WAREHOUSE),
    Vendor("snowflake", "Snowflake", warehouses.SnowflakeOptions, not_yet=_WAREHOUSE),
    Vendor("bigquery", "BigQuery", warehouses.BigQueryOptions, not_yet=_WAREHOUSE),
    Vendor("redshift", "Redshift", warehouses.RedshiftOptions, not_yet=_WAREHOUSE),
    Vendor(
        "redshift_serverless", "Redshift Serverless", warehouses.RedshiftServerlessOptions,
        not_yet=_WAREHOUSE,
    ),
    Vendor("athena", "Athena", warehouses.AthenaOptions, not_yet=_WAREHOUSE),
    Vendor("databricks", "Databricks", warehouses.DatabricksOptions, not_yet=_WAREHOUSE),
    Vendor("motherduck", "MotherDuck", warehouses.MotherDuckOptions, not_yet=_WAREHOUSE, source=True),
    Vendor("s3", "S3", storage.S3Options, not_yet=_BUCKET),
    Vendor("s3_compatible", "S3-compatible storage", storage.S3CompatibleOptions, not_yet=_BUCKET),
    Vendor("gcs", "Google Cloud Storage", storage.GcsOptions, not_yet=_BUCKET),
    Vendor("abs", "Azure Blob Storage", storage.AbsOptions, not_yet=_BUCKET),
    Vendor("sftp", "SFTP", storage.SftpOptions, not_yet="no connector writes files over SSH"),
    Vendor("google_sheets", "Google Sheets", storage.GoogleSheetsOptions, not_yet=_WAREHOUSE),
    Vendor("delta_lake", "Delta Lake", lakes.DeltaLakeOptions, not_yet=_BUCKET),
    Vendor("iceberg", "Iceberg", lakes.IcebergOptions, not_yet=_BUCKET),
)  # fmt: skip


def find_vendor(key: str, *, source: bool = False) -> Vendor:
    """Give a vendor. Raises BadArgument with near names."""
    vendor = VENDORS.get(key)
    if vendor is None or (source and not vendor.source):
        known = [v.key for v in VENDORS.values() if v.source or not source]
        near = difflib.get_close_matches(key, known, 3, 0.6)
        raise BadArgument(
            f"vendor: {key[:40]!r} is not one of those that are known here.",
            next_step=f"Did you mean {' or '.join(near)}?" if near else f"Use {', '.join(known)}.",
        )
    return vendor


def checked(vendor: Vendor, whole: Mapping[str, Any]) -> Options:
    """Check a vendor's whole options. Raises BadArgument, which names the field."""
    try:
        return vendor.options.model_validate(dict(whole))
    except ValidationError as error:
        raise BadArgument(
            f"{complaint(error, vendor.key)}.", next_step="Correct the field."
        ) from None


def changed(vendor: Vendor, whole: Mapping[str, Any], change: Mapping[str, Any]) -> Options:
    """Apply a change to whole options, and check the whole again. Raises BadArgument."""
    said = shapes.without_empty_secrets(vendor.options, change)
    return checked(vendor, shapes.merged(whole, said))


def side(vendor: Vendor, options: Options, label: str) -> SideSpec:
    """Make of options what a connector opens. Raises BadArgument where there is none yet."""
    if vendor.side is None:
        raise BadArgument(
            f"{vendor.display} cannot be reached yet: {vendor.not_yet}.",
            next_step="Its options were checked and can be stored.",
        )
    return vendor.side(options, label)


@contextmanager
def open_side(  # noqa: PLR0917 what `Vendor.mirror` takes, too
    vendor: Vendor,
    options: Options,
    label: str,
    policy: HostPolicy,
    table: str | tuple[str, ...],
    key: tuple[str, ...],
) -> Generator[SideSpec]:
    """Give a side of one table that the engine can open, as long as the context lasts.

    A `table` that is a text is one that was delivered; parts are the name of a source's table.
    Raises BadArgument where nothing can be read yet.
    """
    if vendor.mirror is not None and isinstance(table, str):
        with vendor.mirror(options, label, policy, table, key) as spec:
            yield spec
        return
    parts = (table,) if isinstance(table, str) else table
    named = (*schema_of(options), *parts) if len(parts) == 1 else parts
    yield replace(side(vendor, options, label), table=named)


def schema_of(options: Options) -> tuple[str, ...]:
    """Say in which schema or database tables are delivered."""
    named = getattr(options, "schema_", None) or getattr(options, "write_database", None)
    return (named,) if named else ()


def complaint(error: ValidationError, at: str) -> str:
    """Say the first thing that is wrong: the field and what was expected, never its value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part)[:80] for part in (at, *first["loc"]))
    return f"{where}: {expected(first['type'], first['msg'])}"


def expected(kind: str, message: str) -> str:
    """Say in our words what pydantic says in its own."""
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind == "missing":
        return "expected a value, found none"
    said = message.removeprefix("Value error, ")
    for theirs in ("Input should be", "String should", "Value should", "List should"):
        said = said.replace(theirs, "expected" if theirs == "Input should be" else "expected to", 1)
    return said


def schema(kind: type[BaseModel]) -> dict[str, Any]:
    """Write the JSON schema of options."""
    return kind.model_json_schema(by_alias=True)
