"""Every vendor to which can be delivered, and what can be done with it so far."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from weighbridge.connectors.destinations import (
    databases,
    file_vendors,
    lakes,
    shapes,
    storage,
    warehouses,
)
from weighbridge.connectors.destinations.databases import MySQLOptions, PostgresOptions
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.destinations.tunnels import through_tunnel
from weighbridge.connectors.destinations.warehouses import MotherDuckOptions
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    from weighbridge.connectors.loading import Loader

# Options, label, policy, table, key: a local copy of a delivered table, as long as it is needed.
Mirror = Callable[
    [Options, str, HostPolicy, str, tuple[str, ...]], AbstractContextManager[SideSpec]
]


@dataclass(frozen=True)
class Vendor:
    """A vendor: its name on the wire, for people, and the shape of its options.

    `side` makes of options what a connector of ours opens; without one, `not_yet` says why the
    vendor cannot be reached; with one, `limits` says what of it does not work. `loader` opens
    what transfers are loaded with. `source`: may be delivered from.
    `mirror`: where the engine cannot read a delivered table where it lies. `attempt`: how such a
    place is tried; it gives the key by which the server is known, if it has one.
    """

    key: str
    display: str
    options: type[Options]
    side: Callable[[Options, str], SideSpec] | None = None
    limits: str = ""
    not_yet: str = ""
    source: bool = False
    loader: Callable[[Options, str, HostPolicy], Loader] | None = None
    mirror: Mirror | None = None
    attempt: Callable[[Options, str, HostPolicy], str | None] | None = None

    @property
    def delivers(self) -> bool:
        """Tell whether transfers run to it."""
        return self.loader is not None


def _postgresql(options: Options, label: str) -> SideSpec:
    said = cast("PostgresOptions", options)
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
        reached=said.reached(),
    )


def _load_postgresql(options: Options, label: str, policy: HostPolicy) -> Loader:
    from weighbridge.connectors.postgresql_loader import PostgresLoader  # noqa: PLC0415 an extra

    said = cast("PostgresOptions", options)
    return PostgresLoader(_postgresql(options, label), policy, said.schema_)


def _mysql(options: Options, label: str) -> SideSpec:
    said = cast("MySQLOptions", options)
    return SideSpec(
        scheme="mysql",
        label=label,
        host=said.host,
        port=said.port,
        user=said.password_auth.username,
        password=said.password_auth.password.get_secret_value(),
        database=said.connection_database or said.write_database,
        parameters={} if said.disable_ssl else {"ssl-mode": "required"},
        reached=said.reached(),
    )


def _load_mysql(options: Options, label: str, policy: HostPolicy) -> Loader:
    from weighbridge.connectors.mysql_loader import MySQLLoader  # noqa: PLC0415 an extra

    return MySQLLoader(_mysql(options, label), policy, cast("MySQLOptions", options).write_database)


def _motherduck(options: Options, label: str) -> SideSpec:
    said = cast("MotherDuckOptions", options)
    token = said.access_token_auth.access_token.get_secret_value()
    return SideSpec(scheme="motherduck", label=label, database=said.database, password=token)


def _load_duckdb(options: Options, label: str, policy: HostPolicy) -> Loader:
    from weighbridge.connectors.duckdb_loader import DuckDBLoader  # noqa: PLC0415 heavy

    said = cast("MotherDuckOptions", options)
    return DuckDBLoader(_motherduck(options, label), policy, said.schema_)


def _listed(*vendors: Vendor) -> Mapping[str, Vendor]:
    return {vendor.key: vendor for vendor in vendors}


_UNTRIED = "not tried against {} itself"
_WAREHOUSE = "it has no connector"
_BUCKET = "no connector writes to buckets"
VENDORS = _listed(
    Vendor("postgres", "PostgreSQL", PostgresOptions, _postgresql, source=True, loader=_load_postgresql),
    Vendor("aurora_postgres", "Aurora PostgreSQL", PostgresOptions, _postgresql, _UNTRIED.format("Aurora"), source=True, loader=_load_postgresql),
    Vendor("mysql", "MySQL", MySQLOptions, _mysql, _UNTRIED.format("MySQL"), source=True, loader=_load_mysql),
    Vendor("aurora_mysql", "Aurora MySQL", MySQLOptions, _mysql, _UNTRIED.format("Aurora"), source=True, loader=_load_mysql),
    Vendor("planetscale", "PlanetScale", MySQLOptions, _mysql, _UNTRIED.format("PlanetScale"), source=True, loader=_load_mysql),
    Vendor("singlestore", "SingleStore", MySQLOptions, _mysql, _UNTRIED.format("SingleStore"), source=True, loader=_load_mysql),
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
    Vendor("motherduck", "MotherDuck", MotherDuckOptions, _motherduck, _UNTRIED.format("MotherDuck"), source=True, loader=_load_duckdb),
    Vendor(
        "s3", "S3", storage.S3Options, limits="no roles, no tunnels", loader=file_vendors.load_s3,
        mirror=file_vendors.S3_MIRROR, attempt=file_vendors.try_s3,
    ),
    Vendor(
        "s3_compatible", "S3-compatible storage", storage.S3CompatibleOptions,
        loader=file_vendors.load_s3_compatible, mirror=file_vendors.S3_COMPATIBLE_MIRROR,
        attempt=file_vendors.try_s3_compatible,
    ),
    Vendor("gcs", "Google Cloud Storage", storage.GcsOptions, not_yet=_BUCKET),
    Vendor("abs", "Azure Blob Storage", storage.AbsOptions, not_yet=_BUCKET),
    Vendor(
        "sftp", "SFTP", storage.SftpOptions, loader=file_vendors.load_sftp,
        mirror=file_vendors.SFTP_MIRROR, attempt=file_vendors.try_sftp,
    ),
    Vendor("google_sheets", "Google Sheets", storage.GoogleSheetsOptions, not_yet=_WAREHOUSE),
    Vendor(
        "delta_lake", "Delta Lake", lakes.DeltaLakeOptions,
        limits="no roles, no buckets of Azure and Google, no column mapping",
        loader=file_vendors.load_delta, mirror=file_vendors.mirror_delta,
        attempt=file_vendors.try_delta,
    ),
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
        why = vendor.not_yet or "it holds files, which are read through a copy"
        raise BadArgument(
            f"{vendor.display} cannot be reached yet: {why}.",
            next_step="Its options were checked and can be stored.",
        )
    return vendor.side(options, label)


@contextmanager
def open_side(  # noqa: PLR0917 the words of the place, and then what of it
    vendor: Vendor,
    options: Options,
    label: str,
    policy: HostPolicy,
    table: str | tuple[str, ...],
    key: tuple[str, ...],
) -> Generator[SideSpec]:
    """Give a side of one table that the engine can open, as long as the context lasts.

    A `table` of one name is one that was delivered; of parts, one of a source, as it is named.
    Raises BadArgument where nothing can be read yet.
    """
    if vendor.mirror is not None and isinstance(table, str):
        with vendor.mirror(options, label, policy, table, key) as spec:
            yield spec
        return
    parts = (table,) if isinstance(table, str) else table
    named = (*schema_of(options), *parts) if len(parts) == 1 else parts
    with through_tunnel(options, policy) as reached:
        yield replace(side(vendor, reached.options, label), table=named)


def schema_of(options: Options) -> tuple[str, ...]:
    """Say in which schema or database tables are delivered."""
    named = getattr(options, "schema_", None) or getattr(options, "write_database", None)
    return (named,) if named else ()


def open_loader(vendor: Vendor, options: Options, label: str, policy: HostPolicy) -> Loader:
    """Connect to a destination to load into it. Raises BadArgument where nothing can be yet.

    Raises ConnectionFailed, AuthFailed, HostRefused, MissingExtra.
    """
    if vendor.loader is None:
        raise BadArgument(
            f"Nothing can be delivered to {vendor.display} yet"
            f"{f': {vendor.not_yet}' if vendor.not_yet else ''}.",
            next_step="Its options were checked and can be stored.",
        )
    way = ExitStack()
    with way:
        reached = way.enter_context(through_tunnel(options, policy))
        loader = vendor.loader(reached.options, label, policy)
        if reached.host_key is not None:
            # The tunnel is open as long as the loader is.
            way.callback(loader.close)
            setattr(loader, "close", way.pop_all().close)  # noqa: B010 of this one loader
    return loader


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
