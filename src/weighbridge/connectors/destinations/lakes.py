"""Lakes: tables of files, with a log or a catalog that says which files count."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from weighbridge.connectors.destinations.options import Arn, Choice, Needed, Options, Text
from weighbridge.connectors.destinations.parts import (
    AbsBucket,
    GcpServiceAccountKey,
    GcpServiceAccountRole,
    GcsBucket,
    OAuthBearerTokenAuth,
    OAuthClientSecretAuth,
    S3Bucket,
    S3CompatibleBucket,
)

_DAYS = Field(7, ge=0, le=3650, description="Days for which earlier states can be read.")


class DeltaLakeOptions(Options):
    """Delta tables in a bucket."""

    choices: ClassVar = (
        Choice("bucket_vendor", ("bucket_abs", "bucket_gcs", "bucket_s3", "bucket_s3_compatible")),
    )

    bucket_vendor: (
        Literal["bucket_abs", "bucket_gcs", "bucket_s3", "bucket_s3_compatible"] | None
    ) = None
    bucket_abs: AbsBucket | None = None
    bucket_gcs: GcsBucket | None = None
    bucket_s3: S3Bucket | None = None
    bucket_s3_compatible: S3CompatibleBucket | None = None
    retention_window_days: int = _DAYS
    column_mapping_mode: Literal["none", "name", "id"] = "none"
    deletion_vectors_disabled: bool = False
    change_data_feed_disabled: bool = False


class S3StorageOptions(Options):
    """Where a catalog's files lie: a bucket of S3."""

    bucket_s3: S3Bucket


class RestStorageOptions(Options):
    """Where a catalog's files lie."""

    choices: ClassVar = (Choice("bucket_vendor", ("bucket_gcs", "bucket_s3")),)

    bucket_vendor: Literal["bucket_gcs", "bucket_s3"] | None = None
    bucket_gcs: GcsBucket | None = None
    bucket_s3: S3Bucket | None = None


class IcebergRestCatalog(Options):
    """A catalog that speaks Iceberg's REST."""

    choices: ClassVar = (
        Choice("auth_method", ("oauth_bearer_token_auth", "oauth_client_secret_auth")),
    )

    uri: Text = Field("", description="The address of the catalog.")
    auth_method: Literal["oauth_bearer_token_auth", "oauth_client_secret_auth"] | None = None
    oauth_bearer_token_auth: OAuthBearerTokenAuth | None = None
    oauth_client_secret_auth: OAuthClientSecretAuth | None = None
    storage_options: RestStorageOptions
    namespace: Needed
    warehouse: Needed


class GlueCatalog(Options):
    """A catalog of AWS Glue."""

    storage_options: S3StorageOptions
    database: Needed


class S3TablesCatalog(Options):
    """A table bucket of S3."""

    storage_options: S3StorageOptions
    database: Needed
    table_bucket_arn: Arn


class GoogleLakehouseCatalog(Options):
    """A catalog of Google's lakehouse."""

    choices: ClassVar = (
        Choice("auth_method", ("gcp_service_account_role", "gcp_service_account_key")),
    )

    project_id: Needed
    catalog_name: Needed
    schema_: Needed = Field(alias="schema")
    bucket_name: Needed
    auth_method: Literal["gcp_service_account_role", "gcp_service_account_key"] | None = None
    gcp_service_account_role: GcpServiceAccountRole | None = None
    gcp_service_account_key: GcpServiceAccountKey | None = None


class IcebergOptions(Options):
    """Iceberg tables in a catalog."""

    choices: ClassVar = (
        Choice(
            "catalog_vendor",
            (
                "catalog_iceberg_rest",
                "catalog_glue",
                "catalog_s3_tables",
                "catalog_google_lakehouse",
            ),
        ),
    )

    catalog_vendor: (
        Literal[
            "catalog_iceberg_rest", "catalog_glue", "catalog_s3_tables", "catalog_google_lakehouse"
        ]
        | None
    ) = None
    catalog_iceberg_rest: IcebergRestCatalog | None = None
    catalog_glue: GlueCatalog | None = None
    catalog_s3_tables: S3TablesCatalog | None = None
    catalog_google_lakehouse: GoogleLakehouseCatalog | None = None
    retention_window_days: int = _DAYS
