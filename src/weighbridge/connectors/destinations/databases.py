"""Databases: tables in a schema, rows merged by key."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from weighbridge.connectors.destinations.options import (
    Choice,
    Host,
    Needed,
    Options,
    Password,
    Port,
    Text,
)
from weighbridge.connectors.destinations.parts import (
    AwsIamRole,
    GcsBucketWithKeys,
    PasswordAuth,
    S3BucketWithKeys,
    Tunnelled,
)

PlainText = Annotated[
    bool, Field(description="Rows and the password travel readable for anyone on the way.")
]


class PostgresOptions(Tunnelled):
    """A PostgreSQL server."""

    host: Host
    port: Port = 5432
    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: Literal["password_auth"] = "password_auth"
    password_auth: PasswordAuth
    disable_ssl: PlainText = False
    connection_timeout_in_seconds: int = Field(10, ge=1, le=300)


class MySQLOptions(Tunnelled):
    """A MySQL or MariaDB server, or one that speaks as they do."""

    host: Host
    port: Port = 3306
    connection_database: Text = ""
    write_database: Needed
    auth_method: Literal["password_auth"] = "password_auth"
    password_auth: PasswordAuth
    disable_ssl: PlainText = False


class SqlServerOptions(Tunnelled):
    """A Microsoft SQL Server."""

    host: Host
    port: Port = 1433
    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: Literal["password_auth"] = "password_auth"
    password_auth: PasswordAuth
    disable_ssl: PlainText = False
    primary_key_collation: Text = ""


class OracleSslOptions(Options):
    """How an Oracle server is known."""

    wallet: Password | None = None


class OracleOptions(Tunnelled):
    """An Oracle database."""

    host: Host
    port: Port = 1521
    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: Literal["password_auth"] = "password_auth"
    password_auth: PasswordAuth
    disable_ssl: PlainText = False
    ssl_options: OracleSslOptions | None = None


class MongoDBOptions(Tunnelled):
    """A MongoDB server or cluster."""

    choices: ClassVar = (Choice("auth_method", ("aws_iam_role", "password_auth")),)

    host: Host
    port: Port = 27017
    authentication_database: Text = ""
    write_database: Needed
    auth_method: Literal["aws_iam_role", "password_auth"] | None = None
    aws_iam_role: AwsIamRole | None = None
    password_auth: PasswordAuth | None = None
    disable_ssl: PlainText = False


class ClickHouseOptions(Options):
    """A ClickHouse server or cluster; large loads go through a bucket."""

    choices: ClassVar = (
        Choice("bucket_vendor", ("bucket_s3", "bucket_gcs"), bare=("bucket_implicit",)),
    )

    host: Host
    port: Port = 8443
    cluster: Text = ""
    connection_database: Text = ""
    write_database: Needed
    auth_method: Literal["password_auth"] = "password_auth"
    password_auth: PasswordAuth
    bucket_vendor: Literal["bucket_s3", "bucket_gcs", "bucket_implicit"] | None = None
    bucket_s3: S3BucketWithKeys | None = None
    bucket_gcs: GcsBucketWithKeys | None = None
    disable_ssl: PlainText = False
