"""Destinations that are files, through the registry alone: tried, loaded, compared with their source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.file_ground import FIELDS, a_load, at, deliver
from weighbridge import library
from weighbridge.catalog.destination_test import check_address
from weighbridge.compare.request import Options as Wishes
from weighbridge.compare.request import Stop
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.destinations.parts import PublicKeyAuth
from weighbridge.connectors.sides import parse_side
from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    ConnectionFailed,
    HostRefused,
    NoSuchDatabase,
)
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    from tests.servers.seaweed import Bucket
    from tests.servers.sftp import SftpServer
    from weighbridge.connectors.destinations.options import Options

OPERATOR = HostPolicy.operator()
VENDORS = ["s3_compatible", "delta_lake", "sftp"]


def keys(bucket: Bucket, **changes: Any) -> dict[str, Any]:
    return {
        "host": f"{bucket.host}:{bucket.port}", "bucket_name": bucket.name, "disable_ssl": True,
        "access_keys": {"access_id": bucket.access_id, "secret_key": bucket.secret_key}, **changes,
    }  # fmt: skip


def options_of(vendor: str, request: pytest.FixtureRequest, folder: str, **changes: Any) -> Options:
    """Give the options of a real place, as the catalog would open them."""
    if vendor == "sftp":
        server: SftpServer = request.getfixturevalue("sftp")
        said: dict[str, Any] = {
            "username": server.user, "host": server.host, "port": server.port, "folder": folder,
            "host_key": server.host_key, "public_key_auth": {"public_key": "ours"}, **changes,
        }  # fmt: skip
        found = registry.checked(registry.VENDORS[vendor], said)
        auth = getattr(found, "public_key_auth")  # noqa: B009 not in the type of all options
        assert isinstance(auth, PublicKeyAuth)
        auth.give_private_key(server.private_key)
        return found
    bucket = keys(request.getfixturevalue("bucket"), folder=folder, **changes)
    said = {"bucket_s3_compatible": bucket} if vendor == "delta_lake" else bucket
    return registry.checked(registry.VENDORS[vendor], said)


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_was_delivered_is_compared_with_its_source(
    vendor: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found, options = registry.VENDORS[vendor], options_of(vendor, request, f"sides/{tmp_path.name}")
    assert found.delivers
    rows = [(n, None if n % 7 == 0 else f"name {n}" if n % 5 else "", at(n)) for n in range(1, 300)]
    loader = registry.open_loader(found, options, "x", OPERATOR)
    deliver(loader, a_load("t1", 1, full=True), rows[:200])
    loader = registry.open_loader(found, options, "x", OPERATOR)
    deliver(loader, a_load("t2", 2), rows[100:])
    with duckdb.connect(str(tmp_path / "source.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (id BIGINT, name VARCHAR, changed_at TIMESTAMP)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
    source = parse_side(f"duckdb:///{tmp_path}/source.duckdb#orders")

    def differing() -> int:
        with registry.open_side(found, options, "x", OPERATOR, "orders", ("id",)) as side:
            assert side.path is not None
            folder = Path(side.path).parent
            wishes = Wishes(key=("id",))
            with library.compare_sides(
                (source, side), wishes, progress=lambda _: None, stop=Stop(), policy=OPERATOR
            ) as done:
                count = sum(1 for _ in done)
        assert not folder.exists()
        return count

    assert differing() == 0
    deliver(registry.open_loader(found, options, "x", OPERATOR), a_load("t3", 3),
            [(1, "changed", at(1000)), (999, "more", at(5))])  # fmt: skip
    assert differing() == 2


@pytest.mark.parametrize("vendor", VENDORS)
def test_it_is_tried_and_nothing_is_left(
    vendor: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found, folder = registry.VENDORS[vendor], f"tried/{tmp_path.name}"
    options = options_of(vendor, request, folder)
    key = check_address(found, options, OPERATOR, uniform=False)
    if vendor == "sftp":
        server: SftpServer = request.getfixturevalue("sftp")
        assert key == server.host_key
        assert [p for p in server.folder.rglob("*") if p.is_file()] == []
    else:
        assert key is None
    with pytest.raises(HostRefused, match="cannot be used"):
        check_address(found, options, HostPolicy.recipient(), uniform=True)


@pytest.mark.parametrize("vendor", ["s3_compatible", "delta_lake"])
def test_wrong_keys_and_buckets_are_told(vendor: str, request: pytest.FixtureRequest) -> None:
    found, bucket = registry.VENDORS[vendor], request.getfixturevalue("bucket")
    wrong = {"access_id": bucket.access_id, "secret_key": "wrong"}
    with pytest.raises(AuthFailed, match="refuses the access key"):
        check_address(
            found, options_of(vendor, request, "f", access_keys=wrong), OPERATOR, uniform=True
        )
    options = options_of(vendor, request, "f", bucket_name="nobody-made-it")
    with pytest.raises(NoSuchDatabase, match="no bucket nobody-made-it"):
        check_address(found, options, OPERATOR, uniform=True)
    options = options_of(vendor, request, "f", host="127.0.0.1:1")
    with pytest.raises(ConnectionFailed, match="Nobody answers"):
        check_address(found, options, OPERATOR, uniform=False)


S3: dict[str, Any] = {
    "bucket_name": "b", "bucket_region": "eu-central-1",
    "aws_access_keys": {"access_id": "i", "secret_key": "s"},
}  # fmt: skip
ROLE = {"aws_iam_role": {"aws_iam_role_arn": "arn:aws:iam::1:role/x"}, "aws_access_keys": None}


@pytest.mark.parametrize(
    ("vendor", "said", "words"),
    [
        ("s3", S3 | ROLE, "Roles of AWS"),
        ("s3", S3 | {"bucket_region": "x.evil.example/"}, "no region of Amazon"),
        ("s3", S3 | {"use_ssh_tunnel": True, "ssh_tunnel": {
            "ssh_tunnel_host": "h", "ssh_tunnel_username": "u"}}, "SSH tunnels"),
        ("delta_lake", {"bucket_s3": S3, "column_mapping_mode": "name"}, "column mapping"),
        ("delta_lake", {"bucket_gcs": {"bucket_name": "b", "gcp_service_account_role":
            {"service_account_email": "a@b"}}}, "speak S3 alone"),
        ("gcs", {"bucket_name": "b", "gcs_hmac_keys": {"access_key": "a", "secret": "s"}}, "yet"),
    ],
)  # fmt: skip
def test_what_does_not_work_yet_says_so(vendor: str, said: dict[str, Any], words: str) -> None:
    found = registry.VENDORS[vendor]
    options = registry.checked(found, said)
    with pytest.raises(BadArgument, match=words):
        registry.open_loader(found, options, "x", OPERATOR)


def test_amazon_is_reached_by_its_regions_name() -> None:
    from weighbridge.connectors.destinations import file_vendors  # noqa: PLC0415 what is tried

    options: Any = registry.checked(registry.VENDORS["s3"], S3)
    place = file_vendors.s3_place(options, "x")
    assert (place.endpoint, place.bucket) == ("https://s3.eu-central-1.amazonaws.com", "b")
    assert "secret" not in repr(place).replace("secret_key", "")
    assert FIELDS
