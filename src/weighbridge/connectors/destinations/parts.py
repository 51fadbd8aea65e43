"""Objects that the options of several vendors share: ways to authenticate, tunnels, buckets."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from weighbridge.connectors.destinations.options import (
    Arn,
    Choice,
    Email,
    Host,
    Needed,
    Options,
    Password,
    Port,
    SecretObject,
    Text,
)
from weighbridge.errors import BadArgument, StoreFailed
from weighbridge.net.hosts import Address


class PasswordAuth(Options):
    """A user and a password."""

    username: Needed
    password: Password


class AccessTokenAuth(Options):
    """A token instead of a user."""

    access_token: Password


class OAuthClientSecretAuth(Options):
    """A client that asks for its own tokens."""

    client_id: Needed
    client_secret: Password


class OAuthBearerTokenAuth(Options):
    """A token that is sent as it is."""

    password: Password = Field(title="Token")


class HoldsKey(Options):
    """Something that logs in with a key of ours.

    The private half is given by the catalog where the options are opened to be used: it is in no
    dump, and never stored.
    """

    _private: SecretStr | None = PrivateAttr(None)

    def give_private_key(self, text: str) -> None:
        """Take the private half, as OpenSSH writes it."""
        self._private = SecretStr(text)

    def private_key(self) -> str:
        """Give the private half. Raises StoreFailed where nobody gave it."""
        if self._private is None:
            raise StoreFailed(
                "The private half of the key was not opened.",
                next_step="This is a fault of weighbridge.",
            )
        return self._private.get_secret_value()


class PublicKeyAuth(HoldsKey):
    """A key pair: the private half stays with us."""

    public_key: Needed = Field(
        description="Made by POST /actions/generate-ssh-key; put it into authorized_keys."
    )


class AwsIamRole(Options):
    """A role of AWS that we may assume."""

    aws_iam_role_arn: Arn


class AwsAccessKeys(Options):
    """A pair of access keys of AWS."""

    access_id: Needed
    secret_key: Password


class AccessKeys(Options):
    """A pair of access keys of a storage that speaks S3."""

    access_id: Needed
    secret_key: Password


class GcpServiceAccountRole(Options):
    """A service account of Google that we may impersonate."""

    service_account_email: Email


class GcpServiceAccountKey(Options):
    """A service account of Google and its key file."""

    service_account_email: Email
    service_account_key: SecretObject


class FederatedGcpServiceAccountRole(Options):
    """A service account of Google that is reached through another identity."""

    service_account_email: Email
    workload_identity_federation_metadata: SecretObject | None = None


class GcsHmacKeys(Options):
    """A pair of HMAC keys of Google Cloud Storage."""

    access_key: Needed
    secret: Password


class AzureSignature(Options):
    """A shared access signature of Azure."""

    shared_access_signature_token: Password


class AzureAccountKey(Options):
    """The access key of a storage account of Azure."""

    storage_account_access_key: Password


class SshTunnel(HoldsKey):
    """The host through which a server is reached."""

    ssh_tunnel_host: Host
    ssh_tunnel_port: Port = 22
    ssh_tunnel_username: Needed
    ssh_public_key: Text = Field(
        "", description="Made by POST /actions/generate-ssh-key; put it into authorized_keys."
    )
    ssh_host_key: Text = Field(
        "",
        description="The SSH server's public key, as in known_hosts. Left empty, that of the first"
        " test of the stored destination is kept.",
    )


class Tunnelled(Options):
    """A server that may be reached through a tunnel."""

    use_ssh_tunnel: bool = False
    ssh_tunnel: SshTunnel | None = None
    # Where an open tunnel ends on this machine: of an opened copy alone.
    _reached: Address | None = PrivateAttr(None)

    def reached_at(self, address: Address) -> Self:
        """Give a copy whose server is reached there."""
        copy = self.model_copy()
        copy._reached = address  # noqa: SLF001 it is one of us
        return copy

    def reached(self) -> Address | None:
        """Say where the tunnel ends; None where none is asked for. Raises BadArgument if it is shut."""
        if self.use_ssh_tunnel and self._reached is None:
            raise BadArgument(
                "What lies behind an SSH tunnel cannot be reached here yet.",
                next_step="Set use_ssh_tunnel to false, if there is another way to it.",
            )
        return self._reached

    @model_validator(mode="after")
    def _tunnel_is_there(self) -> Self:
        if self.use_ssh_tunnel and self.ssh_tunnel is None:
            raise ValueError("expected ssh_tunnel, because use_ssh_tunnel is true")
        return self


class Csv(Options):
    """How CSV files are written."""

    delimiter: str = Field(",", min_length=1, max_length=1, pattern=r"^[^\x00\r\n\"]$")


class Files(Options):
    """Files in a folder."""

    folder: Text = ""
    file_format: Literal["parquet", "csv"] = "parquet"
    csv: Csv | None = None
    disable_manifest: bool = Field(
        False, description="The manifest is written last and says that all files are there."
    )


class NamedBucket(Options):
    """A bucket that is reached with credentials given elsewhere."""

    bucket_name: Needed
    bucket_region: Needed


class S3BucketWithKeys(NamedBucket):
    """A bucket of S3 and the keys to it."""

    aws_access_keys: AwsAccessKeys


class GcsBucketWithKeys(Options):
    """A bucket of Google Cloud Storage and the keys to it."""

    bucket_name: Needed
    gcs_hmac_keys: GcsHmacKeys


class S3Bucket(Options):
    """A bucket of S3 with its own way to authenticate."""

    choices: ClassVar = (Choice("bucket_auth_method", ("aws_iam_role", "aws_access_keys")),)

    bucket_name: Needed
    bucket_region: Needed
    folder: Text = ""
    bucket_auth_method: Literal["aws_iam_role", "aws_access_keys"] | None = None
    aws_iam_role: AwsIamRole | None = None
    aws_access_keys: AwsAccessKeys | None = None


class GcsBucket(Options):
    """A bucket of Google Cloud Storage with its own way to authenticate."""

    choices: ClassVar = (
        Choice("bucket_auth_method", ("gcp_service_account_role", "gcp_service_account_key")),
    )

    bucket_name: Text = ""
    folder: Text = ""
    bucket_auth_method: Literal["gcp_service_account_role", "gcp_service_account_key"] | None = None
    gcp_service_account_role: GcpServiceAccountRole | None = None
    gcp_service_account_key: GcpServiceAccountKey | None = None


class AbsBucket(Options):
    """A container of Azure Blob Storage with its own way to authenticate."""

    choices: ClassVar = (Choice("bucket_auth_method", ("azure_storage_account_access_key",)),)

    storage_account_name: Needed
    container_name: Text = ""
    folder: Text = ""
    bucket_auth_method: Literal["azure_storage_account_access_key"] | None = None
    azure_storage_account_access_key: AzureAccountKey | None = None


class S3CompatibleBucket(Options):
    """A bucket of another storage that speaks S3."""

    choices: ClassVar = (Choice("bucket_auth_method", ("access_keys",)),)

    host: Text = ""
    bucket_name: Text = ""
    bucket_region: Text = ""
    folder: Text = ""
    disable_ssl: bool = False
    bucket_auth_method: Literal["access_keys"] | None = None
    access_keys: AccessKeys | None = None
