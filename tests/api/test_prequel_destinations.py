"""Destinations over HTTP: stored, shown without secrets, changed in part, listed by page, deleted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import text

from tests.api import prequel_ground as ground
from tests.api.prequel_ground import said
from tests.contract import prequel_seed
from tests.house import House, a_house
from tests.unit.connectors.vendor_examples import WHOLE
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

NEVER = "0001-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def home(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a server that the module's tests share."""
    folder: Path = tmp_path_factory.mktemp("prequel")
    with a_house(postgres, folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(home: House) -> TestClient:
    """Give a client that may do everything."""
    return home.prequel()


@pytest.fixture
def owner(api: TestClient) -> str:
    """Give the id of a new recipient."""
    return ground.recipient(api)["id"]


def patched(api: TestClient, number: str, **change: Any) -> dict[str, Any]:
    answer = api.patch(f"/destinations/{number}", json={"destination": change})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["destination"]


def test_the_answer_has_the_published_shape(api: TestClient, owner: str) -> None:
    number = ground.destination(api, owner)["id"]
    answer = api.patch(f"/destinations/{number}", json={"destination": {"is_enabled": False}})
    body = answer.json()
    assert set(body) == set(prequel_seed.ANSWER)
    assert body["status"] == "success"
    published = dict(prequel_seed.ANSWER["data"]["destination"])
    # Absent until there has been one; the vendor's object is that of another vendor.
    del published["last_completed_transfer"], published["abs"]
    shown = body["data"]["destination"]
    assert set(shown) == {*published, "postgres"}
    for name, value in published.items():
        assert type(shown[name]) is type(value), name
    assert shown["last_successful_transfer_ended_at"] == NEVER
    assert shown["created_at"].endswith("Z")
    assert answer.headers["x-prequel-api-version"] == "2023-12-01"


@pytest.mark.parametrize("vendor", sorted(WHOLE))
def test_every_vendor_is_stored_and_shown_without_secrets(
    api: TestClient, home: House, owner: str, vendor: str
) -> None:
    options = json.loads(json.dumps(WHOLE[vendor]))
    if vendor == "sftp":
        options["public_key_auth"]["public_key"] = _public_key(api)
    made = ground.destination(api, owner, vendor=vendor, **{vendor: options})
    again = api.get(f"/destinations/{made['id']}").json()["data"]["destination"]
    assert again == made
    for path in prequel_seed.paths(options):
        secret = str(prequel_seed.at(options, path)).startswith("canary-")
        if not secret and "service_account_key" not in path:
            assert prequel_seed.at(made[vendor], path) == prequel_seed.at(options, path)
    assert "canary" not in json.dumps(made)
    # An empty change: the secrets that lie sealed make the whole again.
    assert patched(api, made["id"], **{vendor: {}})[vendor] == made[vendor]
    schema = api.get("/openapi.json").json()
    published = {
        **schema["components"]["schemas"]["Destination"],
        "components": schema["components"],
    }
    Draft202012Validator(published).validate(made)


def test_no_secret_lies_in_the_database(api: TestClient, home: House, owner: str) -> None:
    for vendor in ("postgres", "clickhouse", "gcs", "iceberg"):
        ground.destination(api, owner, vendor=vendor, **{vendor: WHOLE[vendor]})
    ground.source(api)
    with seen_by(home.database, EVERYTHING) as connection:
        tables = connection.execute(
            text("select tablename from pg_tables where schemaname = 'weighbridge'")
        ).scalars().all()  # fmt: skip
        for table in tables:
            rows = connection.execute(text(f"select t::text from weighbridge.{table} t"))
            assert "canary" not in "".join(rows.scalars()), table
        sealed = connection.execute(
            text("select count(*) from weighbridge.destinations where secret is not null")
        ).scalar_one()
    assert sealed >= 4


def test_a_secret_that_was_moved_does_not_open(api: TestClient, home: House, owner: str) -> None:
    one, other = ground.destination(api, owner), ground.destination(api, owner)
    with seen_by(home.database, EVERYTHING) as connection:
        connection.execute(
            text("update weighbridge.destinations set secret = (select secret from"
                 " weighbridge.destinations where id = :one) where id = :other"),
            {"one": one["id"], "other": other["id"]},
        )  # fmt: skip
    change = {"destination": {"postgres": {"port": 2}}}
    assert "does not open" in said(api.patch(f"/destinations/{other['id']}", json=change), 500)


def test_patch_changes_what_is_sent(api: TestClient, home: House, owner: str) -> None:
    made = ground.destination(api, owner)
    number = made["id"]
    renamed = patched(api, number, name="Other", frequency_minutes=15)
    assert {**renamed, "updated_at": 0} == {
        **made, "name": "Other", "frequency_minutes": 15, "updated_at": 0,
    }  # fmt: skip
    moved = patched(
        api, number, postgres={"host": "db.example.com", "password_auth": {"username": "x"}}
    )
    assert moved["postgres"] == {
        **made["postgres"], "host": "db.example.com", "password_auth": {"username": "x"},
    }  # fmt: skip
    assert opened(home, number)["password_auth"]["password"] == "canary-password-8f2c"
    patched(api, number, postgres={"password_auth": {"password": ""}})
    assert opened(home, number)["password_auth"]["password"] == "canary-password-8f2c"
    patched(api, number, postgres={"password_auth": {"password": "canary-other"}})
    assert opened(home, number)["password_auth"]["password"] == "canary-other"
    # Null takes a field back to its default.
    assert patched(api, number, postgres={"port": None})["postgres"]["port"] == 5432
    # What a client echoes of what cannot change is no change.
    assert patched(api, number, vendor="postgres", recipient_id=owner)["name"] == "Other"


def opened(home: House, number: str) -> dict[str, Any]:
    """Give the whole options as they lie in the database, unsealed."""
    from weighbridge.catalog.sealed_options import opened as unsealed  # noqa: PLC0415
    from weighbridge.store.tables import destinations  # noqa: PLC0415

    with seen_by(home.database, EVERYTHING) as connection:
        row = connection.execute(destinations.select().where(destinations.c.id == number)).one()
    return dict(unsealed(home.ring, "destinations", row))


WRONG_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"vendor": "mysql"}, "vendor: it cannot change"),
    ({"recipient_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}, "recipient_id: it cannot change"),
    ({"mysql": {"port": 3306}}, "mysql: the vendor is postgres"),
    ({"nope": 1}, "destination.nope: there is no such field"),
    ({"id": "x"}, "destination.id: there is no such field"),
    ({"products": ["x"]}, "destination.products: there is no such field"),
    ({"postgres": {"hots": "x"}}, "destination.postgres.hots: there is no such field"),
    ({"postgres": {"port": "a"}}, "destination.postgres.port: expected"),
    ({"postgres": {"port": 0}}, "postgres.port: expected greater than or equal to 1"),
    ({"postgres": {"host": None}}, "postgres.host: expected a value, found none"),
    ({"postgres": {"password_auth": None}}, "postgres.password_auth: expected a value"),
    ({"postgres": {"use_ssh_tunnel": True}}, "expected ssh_tunnel"),
    ({"postgres": {"schema": "a\x00"}}, "schema"),
    ({"postgres": ["canary"]}, "destination.postgres: expected"),
    ({"frequency_minutes": 30}, "destination.frequency_minutes: expected 0, 15, 60"),
    ({"max_concurrent_transfers": 0}, "max_concurrent_transfers: expected greater"),
    ({"machine_type_id": "x"}, "machine_type_id"),
    ({"enabled_models": ["no_such"]}, "no model named 'no_such'"),
    ({"enabled_models": "x"}, "destination.enabled_models: expected"),
    ({"name": ""}, "destination.name: expected to have at least 1 character"),
    ({"name": "a\x00b"}, "destination.name"),
    ({"name": "\ud800"}, "destination.name"),
]


def test_wrong_changes_change_nothing(api: TestClient, owner: str) -> None:
    made = ground.destination(api, owner)
    for change, says in WRONG_CHANGES:
        body = json.dumps({"destination": change})
        assert says in said(api.patch(f"/destinations/{made['id']}", content=body)), change
    assert api.get(f"/destinations/{made['id']}").json()["data"]["destination"] == made


def test_wrong_bodies(api: TestClient, owner: str) -> None:
    for content in ("", "{", "[]", "null", "{}", '{"destination": 1}', '"x"', "[" * 20_000):
        for method, path in (("POST", "/destinations"), ("POST", "/test-destination")):
            said(api.request(method, path, content=content))
    body = ground.destination_body(owner)
    for change, says in (
        ({"vendor": "oracel"}, "Did you mean oracle"),
        ({"vendor": "mysql"}, "postgres: the vendor is mysql"),
        ({"postgres": None}, "postgres.host: expected a value, found none"),
        ({"recipient_id": "x"}, "recipient_id: expected a uuid"),
        ({"recipient_id": None}, "recipient_id: expected a recipient"),
        ({"recipient_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}, "expected a recipient"),
    ):
        answer = api.post("/destinations", json={"destination": {**body, **change}})
        assert says in said(answer), change


def test_paths_methods_and_versions(api: TestClient) -> None:
    assert "no such path" in said(api.get("/nope"), 404)
    assert "no such method" in said(api.put("/destinations"), 404)
    for absent in ("3c90c3cc-0d44-4b50-8888-8dd25736052a", "x", "1", "%00"):
        said(api.get(f"/destinations/{absent}"), 404)
    newer = api.get("/destinations", headers={"X-Prequel-Api-Version": "2022-01-01"})
    assert "expected 2023-12-01" in said(newer)
    assert api.get("/destinations", headers={"X-Prequel-Api-Version": "2023-12-01"}).is_success
    assert "page_sise" in said(api.get("/destinations?page_sise=1"))
    assert "page_size" in said(api.get("/destinations?page_size=101"))
    assert "larger than" in said(api.post("/destinations", content=b" " * 1_000_001))


def test_bodies_are_json_whatever_they_are_called(api: TestClient, owner: str) -> None:
    body = json.dumps({"destination": ground.destination_body(owner)})
    for kind in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "", None):
        headers = {} if kind is None else {"content-type": kind}
        assert api.post("/destinations", content=body, headers=headers).status_code == 200, kind


def test_pages(api: TestClient, home: House) -> None:
    client = home.prequel(environment="staging")
    owner = ground.recipient(client)["id"]
    made = [ground.destination(client, owner)["id"] for _ in range(5)]
    for order, expected in (("asc", made), ("desc", made[::-1])):
        found: list[str] = []
        url: str | None = f"/destinations?page_size=2&order={order}"
        while url:
            answer = client.get(url)
            page = answer.json()
            found += [one["id"] for one in page["data"]["destinations"]]
            assert page["has_next"] is ("next_url" in page)
            url = page.get("next_url", "").removeprefix("/prequel") or None
            if url:
                url = rebuilt(url)
        assert found == expected
    for cursor in ("x", "e30=", base64.b64encode(b'{"id": 1}').decode(), "[" * 900):
        assert "cursor" in said(client.get("/destinations", params={"cursor": cursor}))
    for sort in ("2024-01-01T00:00:00", "0", 5, None, {}):
        text_ = json.dumps({"id": made[0], "last_seen_sort_value": sort}).encode()
        said(client.get("/destinations", params={"cursor": base64.b64encode(text_).decode()}))


def rebuilt(url: str) -> str:
    """Take the cursor apart and put it together again, as the published client does."""
    parts = parse_qs(urlsplit(url).query)
    kept = json.loads(base64.b64decode(parts.pop("cursor")[0]))
    assert set(kept) == {"id", "last_seen_sort_value"}
    cursor = base64.b64encode(json.dumps(kept, separators=(",", ":")).encode()).decode()
    query = "&".join(f"{name}={value[0]}" for name, value in parts.items())
    return f"/destinations?{query}&cursor={cursor.replace('=', '%3D')}"


def test_the_next_address_has_the_host_of_our_settings_alone(home: House, api: TestClient) -> None:
    from starlette.testclient import TestClient as Client  # noqa: PLC0415

    from weighbridge.api.app import make_app  # noqa: PLC0415

    app = make_app(home.database, home.ring, public_url="https://export.example/")
    client = Client(app, headers={"X-API-KEY": home.key(), "Host": "evil.example"})
    recipients = ground.recipient(api), ground.recipient(api)
    assert recipients
    page = client.get("/prequel/recipients?page_size=1").json()
    assert page["next_url"].startswith("https://export.example/prequel/recipients?page_size=1&")


def test_older_addresses_answer_alike(api: TestClient, owner: str) -> None:
    number = ground.destination(api, owner)["id"]
    for path in (f"/destinations/{number}", "/models", "/sources", "/recipients", "/products"):
        assert api.get(f"/export{path}").json()["data"] == api.get(path).json()["data"], path
    change = {"destination": {"name": "By the older one"}}
    assert api.patch(f"/export/destinations/{number}", json=change).status_code == 200
    assert api.get(f"/destinations/{number}").json()["data"]["destination"]["name"] == (
        "By the older one"
    )


def test_deleted(api: TestClient, home: House, owner: str) -> None:
    number = ground.destination(api, owner)["id"]
    assert "has destinations" in said(api.delete(f"/recipients/{owner}"))
    answer = api.delete(f"/destinations/{number}")
    assert (answer.status_code, answer.json()["data"]) == (200, {})
    for method, body in (("GET", None), ("PATCH", {"destination": {}}), ("DELETE", None)):
        said(api.request(method, f"/destinations/{number}", json=body), 404)
    said(api.post(f"/destinations/{number}/test-connection", json={"destination": {}}), 404)
    with seen_by(home.database, EVERYTHING) as connection:
        row = connection.execute(
            text("select secret, deleted_at from weighbridge.destinations where id = :id"),
            {"id": number},
        ).one()
    assert row.secret is None
    assert row.deleted_at is not None
    assert api.delete(f"/recipients/{owner}").status_code == 200


def test_written_once_and_noted(api: TestClient, home: House, owner: str) -> None:
    body = {"destination": ground.destination_body(owner, name="Once")}
    first = api.post("/destinations", json=body, headers={"Idempotency-Key": "k1"})
    again = api.post("/destinations", json=body, headers={"Idempotency-Key": "k1"})
    assert first.json() == again.json()
    other = {"destination": {**body["destination"], "name": "Twice"}}
    said(api.post("/destinations", json=other, headers={"Idempotency-Key": "k1"}))
    number = first.json()["data"]["destination"]["id"]
    patched(api, number, name="Thrice")
    with seen_by(home.database, EVERYTHING) as connection:
        lines = connection.execute(
            text("select action, before->>'name', after->>'name' from weighbridge.audit"
                 " where object = :object order by id"), {"object": f"destinations/{number}"},
        ).all()  # fmt: skip
    assert [tuple(line) for line in lines] == [
        ("destinations.create", None, "Once"), ("destinations.change", "Once", "Thrice"),
    ]  # fmt: skip


def _public_key(api: TestClient) -> str:
    return api.post("/actions/generate-ssh-key").json()["data"]["public_key"]


def test_key_pairs_are_ours_and_nobody_elses(api: TestClient, home: House, owner: str) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    from weighbridge.catalog.ssh_keys import private_key  # noqa: PLC0415

    made = api.post("/actions/generate-ssh-key", headers={"X-API-KEY": "none"}).json()["data"]
    line = made["public_key"]
    public = serialization.load_ssh_public_key(line.encode())
    assert serialization.load_pem_public_key(made["public_key_pkcs8"].encode()) == public
    assert private_key(home.ring, line).public_key() == public
    tunnel = {
        "ssh_tunnel_host": "bastion.example.com", "ssh_tunnel_username": "hop",
        "ssh_public_key": line,
    }  # fmt: skip
    options = ground.postgres(use_ssh_tunnel=True, ssh_tunnel=tunnel)
    number = ground.destination(api, owner, postgres=options)["id"]
    ground.destination(api, owner, postgres=options)
    stranger = ground.recipient(api)["id"]
    body = ground.destination_body(stranger, postgres=options)
    assert "another recipient" in said(api.post("/destinations", json={"destination": body}))
    body = ground.destination_body(stranger, vendor="sftp", sftp={
        "username": "u", "host": "h", "public_key_auth": {"public_key": f" {line} "},
    })  # fmt: skip
    assert "another recipient" in said(api.post("/destinations", json={"destination": body}))
    swapped = line[:-1] + ("0" if line[-1] != "0" else "1")
    for wrong in (swapped, "ssh-ed25519 AAAA", line.replace("-1-", "-9-")):
        change = {"postgres": {"ssh_tunnel": {"ssh_public_key": wrong}}}
        answer = api.patch(f"/destinations/{number}", json={"destination": change})
        assert "postgres.ssh_tunnel.ssh_public_key: expected a key" in said(answer)
