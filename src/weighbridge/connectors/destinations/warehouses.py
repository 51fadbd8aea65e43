"""Warehouses: tables that are loaded in bulk, most of them through a bucket."""

from __future__ import annotations

from typing import ClassVar, Literal

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
    AccessTokenAuth,
    AwsAccessKeys,
    AwsIamRole,
    FederatedGcpServiceAccountRole,
    GcpServiceAccountKey,
    GcpServiceAccountRole,
    NamedBucket,
    OAuthClientSecretAuth,
    PasswordAuth,
    PublicKeyAuth,
    S3BucketWithKeys,
    Tunnelled,
)

AwsMethod = Literal["aws_iam_role", "aws_access_keys"]
_AWS = Choice("auth_method", ("aws_iam_role", "aws_access_keys"))


class SnowflakeOptions(Options):
    """A Snowflake account."""

    choices: ClassVar = (
        Choice("auth_method", ("password_auth", "public_key_auth"), optional=True),
    )

    username: Text = ""
    host: Host
    port: Port = 443
    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: Literal["password_auth", "public_key_auth"] | None = None
    password_auth: PasswordAuth | None = None
    public_key_auth: PublicKeyAuth | None = None


class BigQueryOptions(Options):
    """A BigQuery project."""

    choices: ClassVar = (
        Choice(
            "auth_method",
            (
                "gcp_service_account_role",
                "gcp_service_account_key",
                "federated_gcp_service_account_role",
            ),
        ),
    )

    project_id: Needed
    schema_: Needed = Field(alias="schema", title="Dataset")
    auth_method: (
        Literal[
            "gcp_service_account_role",
            "gcp_service_account_key",
            "federated_gcp_service_account_role",
        ]
        | None
    ) = None
    gcp_service_account_role: GcpServiceAccountRole | None = None
    gcp_service_account_key: GcpServiceAccountKey | None = None
    federated_gcp_service_account_role: FederatedGcpServiceAccountRole | None = None
    bucket_gcs: NamedBucket


class RedshiftAccessKeys(AwsAccessKeys):
    """A user's password, and keys to the bucket."""

    password: Password


class RedshiftOptions(Options):
    """A Redshift cluster."""

    choices: ClassVar = (_AWS,)

    host: Host
    port: Port = 5439
    database: Needed
    schema_: Needed = Field(alias="schema")
    cluster: Text = ""
    username: Needed
    auth_method: AwsMethod | None = None
    aws_iam_role: AwsIamRole | None = None
    aws_access_keys: RedshiftAccessKeys | None = None
    bucket_s3: NamedBucket


class RedshiftServerlessOptions(Options):
    """A workgroup of Redshift Serverless."""

    choices: ClassVar = (_AWS,)

    workgroup: Needed
    host: Host
    port: Port = 5439
    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: AwsMethod | None = None
    aws_iam_role: AwsIamRole | None = None
    aws_access_keys: AwsAccessKeys | None = None
    bucket_s3: NamedBucket


class AthenaOptions(Options):
    """A workgroup of Athena."""

    choices: ClassVar = (_AWS,)

    workgroup: Needed
    connection_database: Text = ""
    write_database: Needed
    auth_method: AwsMethod | None = None
    aws_iam_role: AwsIamRole | None = None
    aws_access_keys: AwsAccessKeys | None = None
    bucket_s3: NamedBucket


class HiveOptions(Options):
    """Tables of a Hive metastore: their files lie in a bucket of one's own."""

    choices: ClassVar = (Choice("bucket_vendor", ("bucket_s3",)),)

    bucket_vendor: Literal["bucket_s3"] | None = None
    bucket_s3: S3BucketWithKeys | None = None


class DatabricksOptions(Tunnelled):
    """A Databricks warehouse."""

    choices: ClassVar = (
        Choice("auth_method", ("access_token_auth", "oauth_client_secret_auth")),
        Choice("metastore", ("hive",), bare=("unity_catalog",)),
    )

    host: Host
    port: Port = 443
    schema_: Needed = Field(alias="schema")
    catalog: Text = ""
    http_path: Needed
    auth_method: Literal["access_token_auth", "oauth_client_secret_auth"] | None = None
    access_token_auth: AccessTokenAuth | None = None
    oauth_client_secret_auth: OAuthClientSecretAuth | None = None
    metastore: Literal["hive", "unity_catalog"] | None = None
    hive: HiveOptions | None = None


class MotherDuckOptions(Options):
    """A database of MotherDuck."""

    database: Needed
    schema_: Needed = Field(alias="schema")
    auth_method: Literal["access_token_auth"] = "access_token_auth"
    access_token_auth: AccessTokenAuth
