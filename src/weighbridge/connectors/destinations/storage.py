"""Folders of files: object storage, SFTP, spreadsheets."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from weighbridge.connectors.destinations.options import (
    Choice,
    Endpoint,
    Host,
    Needed,
    Options,
    Port,
    Text,
)
from weighbridge.connectors.destinations.parts import (
    AccessKeys,
    AwsAccessKeys,
    AwsIamRole,
    AzureSignature,
    Csv,
    Files,
    GcpServiceAccountRole,
    GcsHmacKeys,
    PublicKeyAuth,
    Tunnelled,
)


class S3Options(Files, Tunnelled):
    """A bucket of S3."""

    choices: ClassVar = (Choice("auth_method", ("aws_iam_role", "aws_access_keys")),)

    bucket_name: Needed
    bucket_region: Needed
    auth_method: Literal["aws_iam_role", "aws_access_keys"] | None = None
    aws_iam_role: AwsIamRole | None = None
    aws_access_keys: AwsAccessKeys | None = None


class S3CompatibleOptions(Files):
    """A bucket of another storage that speaks S3."""

    host: Endpoint
    bucket_name: Needed
    bucket_region: Text = ""
    disable_ssl: bool = False
    auth_method: Literal["access_keys"] = "access_keys"
    access_keys: AccessKeys


class GcsOptions(Files):
    """A bucket of Google Cloud Storage."""

    choices: ClassVar = (Choice("auth_method", ("gcp_service_account_role", "gcs_hmac_keys")),)

    bucket_name: Needed
    auth_method: Literal["gcp_service_account_role", "gcs_hmac_keys"] | None = None
    gcp_service_account_role: GcpServiceAccountRole | None = None
    gcs_hmac_keys: GcsHmacKeys | None = None


class AbsOptions(Files):
    """A container of Azure Blob Storage."""

    container_name: Needed
    storage_account_name: Needed
    auth_method: Literal["azure_service_shared_access_signature"] = (
        "azure_service_shared_access_signature"
    )
    azure_service_shared_access_signature: AzureSignature


class SftpOptions(Options):
    """A folder of an SFTP server."""

    username: Needed
    host: Host
    port: Port = 22
    folder: Text = ""
    file_format: Literal["csv"] = "csv"
    csv: Csv | None = None
    host_key: Text = Field(
        "",
        description="The server's public key, as in known_hosts. Left empty, that of the first test"
        " of the stored destination is kept.",
    )
    auth_method: Literal["public_key_auth"] = "public_key_auth"
    public_key_auth: PublicKeyAuth


class GoogleSheetsOptions(Options):
    """A spreadsheet of Google."""

    host: Needed
