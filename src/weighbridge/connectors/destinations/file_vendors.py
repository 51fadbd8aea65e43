"""Destinations that are files: from a vendor's options to what loads, reads back and tries them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, cast

from weighbridge.connectors.file_store import FileStore, clean_folder
from weighbridge.errors import BadArgument, ConnectionFailed

if TYPE_CHECKING:
    from weighbridge.connectors.bucket import BucketPlace
    from weighbridge.connectors.delta import DeltaLog, DeltaPlace
    from weighbridge.connectors.destinations.lakes import DeltaLakeOptions
    from weighbridge.connectors.destinations.options import Options
    from weighbridge.connectors.destinations.parts import (
        AwsAccessKeys,
        S3Bucket,
        S3CompatibleBucket,
    )
    from weighbridge.connectors.destinations.storage import (
        S3CompatibleOptions,
        S3Options,
        SftpOptions,
    )
    from weighbridge.connectors.file_loader import Layout
    from weighbridge.connectors.loading import Loader
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy

Mirror = Callable[
    ["Options", str, "HostPolicy", str, tuple[str, ...]], AbstractContextManager["SideSpec"]
]

_PROBE = "_weighbridge_test"


def load_s3(options: Options, label: str, policy: HostPolicy) -> Loader:
    """Open what loads into a bucket of S3."""
    from weighbridge.connectors.file_loader import FileLoader  # noqa: PLC0415 an extra

    return FileLoader(_s3(options, label, policy), label, _layout(cast("S3Options", options)))


def load_s3_compatible(options: Options, label: str, policy: HostPolicy) -> Loader:
    """Open what loads into a bucket of another storage."""
    from weighbridge.connectors.file_loader import FileLoader  # noqa: PLC0415 an extra

    said = cast("S3CompatibleOptions", options)
    return FileLoader(_s3_compatible(options, label, policy), label, _layout(said))


def load_sftp(options: Options, label: str, policy: HostPolicy) -> Loader:
    """Open what loads into a folder of an SFTP server."""
    from weighbridge.connectors.file_loader import FileLoader, Layout  # noqa: PLC0415 an extra

    said = cast("SftpOptions", options)
    layout = Layout("csv", said.csv.delimiter if said.csv else ",")
    return FileLoader(_sftp(options, label, policy), label, layout)


def _mirror_of(opened: Callable[[Options, str, HostPolicy], FileStore]) -> Mirror:
    @contextmanager
    def mirror(  # noqa: PLR0917 the words of the place, and then what of it
        options: Options, label: str, policy: HostPolicy, table: str, key: tuple[str, ...]
    ) -> Generator[SideSpec]:
        from weighbridge.connectors.file_mirror import file_mirror  # noqa: PLC0415 heavy

        store = opened(options, label, policy)
        try:
            with file_mirror(store, label, table, key) as side:
                # What was read is here: the place need not be held while rows are compared.
                store.close()
                yield side
        finally:
            store.close()

    return mirror


def load_delta(options: Options, label: str, policy: HostPolicy) -> Loader:
    """Open what loads into Delta tables."""
    from weighbridge.connectors.delta_loader import DeltaLoader  # noqa: PLC0415 an extra

    return DeltaLoader(_delta(options, label, policy))


@contextmanager
def mirror_delta(  # noqa: PLR0917 the words of the place, and then what of it
    options: Options, label: str, policy: HostPolicy, table: str, key: tuple[str, ...]
) -> Generator[SideSpec]:
    """Read a Delta table back."""
    from weighbridge.connectors.delta_loader import delta_mirror  # noqa: PLC0415 an extra

    _ = key  # a Delta table holds each row once
    log = _delta(options, label, policy)
    try:
        with delta_mirror(log, label, table) as side:
            log.close()
            yield side
    finally:
        log.close()


def try_delta(options: Options, label: str, policy: HostPolicy) -> str | None:
    """Try the bucket of Delta tables as any other."""
    from weighbridge.connectors.bucket import BucketStore  # noqa: PLC0415 an extra

    place = delta_place(cast("DeltaLakeOptions", options), label)
    if place.bucket is None:
        return None
    return _tried(BucketStore(place.bucket, place.folder, policy), label)


def try_s3(options: Options, label: str, policy: HostPolicy) -> str | None:
    """Try a bucket of S3: write, list, read, delete."""
    return _tried(_s3(options, label, policy), label)


def try_s3_compatible(options: Options, label: str, policy: HostPolicy) -> str | None:
    """Try a bucket of another storage."""
    return _tried(_s3_compatible(options, label, policy), label)


def try_sftp(options: Options, label: str, policy: HostPolicy) -> str | None:
    """Try a folder of an SFTP server; give its host key, which is kept if there is none yet."""
    from weighbridge.connectors.sftp import SftpStore  # noqa: PLC0415 an extra

    store = cast("SftpStore", _sftp(options, label, policy, first=True))
    _tried(store, label)
    return store.host_key


def _tried(store: FileStore, label: str) -> str | None:
    """Write, list, read and delete a file of ours. Raises what went wrong."""
    name = f"{_PROBE}/{secrets.token_hex(8)}"
    try:
        written = store.create(name, b"weighbridge")
        listed = any(one.name == name for one in store.listed(_PROBE))
        same = store.read(name, 100) == b"weighbridge"
        store.delete(name)
        if not (written and listed and same):
            raise ConnectionFailed(
                f"{label} does not give back what was written.",
                next_step="Ask who runs the storage whether something stands before it.",
            )
    finally:
        store.close()
    return None


# Places --------------------------------------------------------------------------------------


def s3_place(options: S3Options | S3Bucket, label: str) -> BucketPlace:
    """Give the place that options of S3 name. Raises BadArgument."""
    from weighbridge.connectors.bucket import BucketPlace, amazon_host  # noqa: PLC0415 an extra

    chosen = getattr(options, "auth_method", getattr(options, "bucket_auth_method", None))
    keys: AwsAccessKeys | None = options.aws_access_keys
    if keys is None or chosen == "aws_iam_role":
        raise BadArgument("Roles of AWS cannot be assumed yet.", next_step="Use aws_access_keys.")
    return BucketPlace(
        label=label, host=amazon_host(options.bucket_region), port=443,
        bucket=options.bucket_name, region=options.bucket_region, access_id=keys.access_id,
        secret_key=keys.secret_key.get_secret_value(),
    )  # fmt: skip


def compatible_place(options: S3CompatibleOptions | S3CompatibleBucket, label: str) -> BucketPlace:
    """Give the place that options of another storage name. Raises BadArgument."""
    from weighbridge.connectors.bucket import BucketPlace  # noqa: PLC0415 an extra

    keys = options.access_keys
    if keys is None or not options.host or not options.bucket_name:
        raise BadArgument(
            "A bucket needs host, bucket_name and access_keys.", next_step="Give them."
        )
    host, _, port = options.host.partition(":")
    usual = 80 if options.disable_ssl else 443
    return BucketPlace(
        label=label, host=host, port=int(port) if port.isdecimal() else usual,
        bucket=options.bucket_name, region=options.bucket_region, access_id=keys.access_id,
        secret_key=keys.secret_key.get_secret_value(), tls=not options.disable_ssl,
    )  # fmt: skip


def delta_place(options: DeltaLakeOptions, label: str) -> DeltaPlace:
    """Give the place that options of Delta tables name. Raises BadArgument."""
    from weighbridge.connectors.delta import DeltaPlace  # noqa: PLC0415 an extra

    if options.column_mapping_mode != "none":
        raise BadArgument(
            "Delta tables with column mapping cannot be written yet.",
            next_step="Set column_mapping_mode to none.",
        )
    s3, compatible = options.bucket_s3, options.bucket_s3_compatible
    if options.bucket_vendor == "bucket_s3" and s3:
        bucket, folder = s3_place(s3, label), s3.folder
    elif options.bucket_vendor == "bucket_s3_compatible" and compatible:
        bucket, folder = compatible_place(compatible, label), compatible.folder
    else:
        raise BadArgument(
            "Delta tables can be written to buckets that speak S3 alone, so far.",
            next_step="Use bucket_s3 or bucket_s3_compatible.",
        )
    days = options.retention_window_days
    return DeltaPlace(
        label=label, folder=clean_folder(folder), bucket=bucket, retention_hours=days * 24,
        properties={
            "delta.deletedFileRetentionDuration": f"interval {days} days",
            # The ledger of a load lies in the log: it must outlive the next attempt.
            "delta.logRetentionDuration": f"interval {max(days, 7)} days",
            "delta.enableChangeDataFeed": str(not options.change_data_feed_disabled).lower(),
        },
    )  # fmt: skip


def _delta(options: Options, label: str, policy: HostPolicy) -> DeltaLog:
    from weighbridge.connectors.delta import DeltaLog  # noqa: PLC0415 an extra

    return DeltaLog(delta_place(cast("DeltaLakeOptions", options), label), policy)


def _s3(options: Options, label: str, policy: HostPolicy) -> FileStore:
    from weighbridge.connectors.bucket import BucketStore  # noqa: PLC0415 an extra

    said = cast("S3Options", options)
    if said.use_ssh_tunnel:
        raise BadArgument(
            "Buckets are not reached through SSH tunnels yet.",
            next_step="Set use_ssh_tunnel to false.",
        )
    return BucketStore(s3_place(said, label), clean_folder(said.folder), policy)


def _s3_compatible(options: Options, label: str, policy: HostPolicy) -> FileStore:
    from weighbridge.connectors.bucket import BucketStore  # noqa: PLC0415 an extra

    said = cast("S3CompatibleOptions", options)
    return BucketStore(compatible_place(said, label), clean_folder(said.folder), policy)


def _sftp(options: Options, label: str, policy: HostPolicy, *, first: bool = False) -> FileStore:
    from weighbridge.connectors.sftp import SftpPlace, SftpStore  # noqa: PLC0415 an extra

    said = cast("SftpOptions", options)
    place = SftpPlace(
        label=label, host=said.host, port=said.port, user=said.username,
        private_key=said.public_key_auth.private_key(), host_key=said.host_key,
    )  # fmt: skip
    return SftpStore(place, said.folder.rstrip("/"), policy, first=first)


def _layout(said: S3Options | S3CompatibleOptions) -> Layout:
    from weighbridge.connectors.file_loader import Layout  # noqa: PLC0415 an extra

    delimiter = said.csv.delimiter if said.csv else ","
    return Layout(said.file_format, delimiter, manifest=not said.disable_manifest)


S3_MIRROR = _mirror_of(_s3)
S3_COMPATIBLE_MIRROR = _mirror_of(_s3_compatible)
SFTP_MIRROR = _mirror_of(_sftp)
