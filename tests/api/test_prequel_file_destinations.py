"""Connection tests of destinations that are files, over HTTP; the key of an SFTP server is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.api import prequel_ground as ground
from tests.api.prequel_ground import said
from tests.house import House, a_house
from tests.servers.sftp import USER, sftp_server

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from tests.servers.seaweed import Bucket


@pytest.fixture(scope="module")
def home(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("prequel")
    with a_house(postgres, folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(home: House) -> TestClient:
    return home.prequel()


def a_key(api: TestClient) -> str:
    return api.post("/actions/generate-ssh-key").json()["data"]["public_key"]


def tried(api: TestClient, vendor: str, options: dict[str, Any], **more: Any) -> Any:
    body = {"vendor": vendor, "name": "x", vendor: options, **more}
    return api.post("/test-destination", json={"destination": body})


def test_a_bucket(api: TestClient, bucket: Bucket) -> None:
    options = {
        "host": f"{bucket.host}:{bucket.port}", "bucket_name": bucket.name, "disable_ssl": True,
        "folder": "/in/", "access_keys": {"access_id": bucket.access_id, "secret_key": bucket.secret_key},
    }  # fmt: skip
    assert tried(api, "s3_compatible", options).status_code == 200
    assert tried(api, "delta_lake", {"bucket_s3_compatible": options}).status_code == 200
    wrong = {**options, "access_keys": {"access_id": "x", "secret_key": "canary-wrong"}}
    answer = tried(api, "s3_compatible", wrong)
    assert "refuses the access key" in said(answer)
    assert "canary" not in answer.text
    assert "no bucket other" in said(
        tried(api, "s3_compatible", {**options, "bucket_name": "other"})
    )
    owner = ground.recipient(api)["id"]
    number = ground.destination(api, owner, vendor="s3_compatible", s3_compatible=options)["id"]
    assert api.post(f"/destinations/{number}/test-connection").status_code == 200


def test_the_first_test_keeps_the_key_of_a_server(api: TestClient, tmp_path: Path) -> None:
    """T23: stored at the first explicit test; another key later is an error, and nothing is sent."""
    line, owner = a_key(api), ground.recipient(api)["id"]
    with sftp_server(tmp_path / "one", client_key=line) as server:
        options = {
            "username": USER, "host": server.host, "port": server.port, "folder": "in",
            "public_key_auth": {"public_key": line},
        }  # fmt: skip
        # Before it is stored there is nothing to keep the key with.
        assert tried(api, "sftp", options, recipient_id=owner).status_code == 200
        number = ground.destination(api, owner, vendor="sftp", sftp=options)["id"]
        path = f"/destinations/{number}/test-connection"
        # A change that is tried is not stored, and neither is what was seen with it.
        answer = api.post(path, json={"destination": {"sftp": {"folder": "other"}}})
        assert answer.status_code == 200, answer.text
        assert (
            api.get(f"/destinations/{number}")
            .json()["data"]["destination"]["sftp"]
            .get("host_key", "")
            == ""
        )
        shown = api.post(path).json()["data"]["destination"]
        assert shown["sftp"]["host_key"] == server.host_key
        port = server.port
        assert "refuses the user stranger" in said(
            api.post(path, json={"destination": {"sftp": {"username": "stranger"}}})
        )
    with sftp_server(tmp_path / "two", client_key=line, port=port) as thief:
        assert "is not the server that was tested" in said(api.post(path))
        assert thief.logins == []
        change = {"destination": {"sftp": {"host_key": ""}}}
        assert api.patch(f"/destinations/{number}", json=change).status_code == 200
        shown = api.post(path).json()["data"]["destination"]
        assert shown["sftp"]["host_key"] == thief.host_key


def test_nobody_travels_with_the_key_of_another(api: TestClient, tmp_path: Path) -> None:
    line = a_key(api)
    with sftp_server(tmp_path / "s", client_key=line) as server:
        options = {
            "username": USER, "host": server.host, "port": server.port,
            "public_key_auth": {"public_key": line},
        }  # fmt: skip
        ground.destination(api, ground.recipient(api)["id"], vendor="sftp", sftp=options)
        stranger = ground.recipient(api)["id"]
        answer = tried(api, "sftp", options, recipient_id=stranger)
        assert "belongs to another recipient" in said(answer)
        assert "belongs to another recipient" in said(tried(api, "sftp", options))
        own = {**options, "public_key_auth": {"public_key": a_key(api)}}
        assert "refuses the user" in said(tried(api, "sftp", own, recipient_id=stranger))
        assert server.logins == [USER]
