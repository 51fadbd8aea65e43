"""Sources, models, recipients and products over HTTP, vendors and forms, tests of connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from tests.api import prequel_ground as ground
from tests.api.prequel_ground import said
from tests.house import House, a_house
from tests.servers.sshd import ssh_server
from tests.unit.connectors.vendor_examples import WHOLE
from weighbridge.catalog import destination_test
from weighbridge.connectors.destinations.registry import VENDORS
from weighbridge.net.host_keys import fingerprint
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def home(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a server that the module's tests share."""
    with a_house(postgres, tmp_path_factory.mktemp("prequel")) as opened:
        yield opened


@pytest.fixture(scope="module")
def api(home: House) -> TestClient:
    """Give a client that may do everything."""
    return home.prequel()


def patched(api: TestClient, path: str, what: str, change: dict[str, Any]) -> dict[str, Any]:
    answer = api.patch(path, json={what: change})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"][what]


def test_sources(api: TestClient, home: House) -> None:
    made = ground.source(api, name="shop")
    assert "canary" not in str(made)
    assert api.get(f"/sources/{made['id']}").json()["data"]["source"] == made
    assert "'shop' is taken" in said(
        api.post("/sources", json={"source": {
            "name": "shop", "vendor": "postgres", "postgres": ground.postgres()}})
    )  # fmt: skip
    changed = patched(api, f"/sources/{made['id']}", "source", {"postgres": {"port": 5433}})
    assert changed["postgres"] == {**made["postgres"], "port": 5433}
    body = {"source": {"name": "x", "vendor": "s3", "s3": WHOLE["s3"]}}
    assert "s3" in said(api.post("/sources", json=body))
    body = {"source": {"name": "x", "vendor": "snowflake"}}
    assert "vendor: 'snowflake' is not" in said(api.post("/sources", json=body))
    used = ground.model(api, made["id"])
    assert "Models use the source" in said(api.delete(f"/sources/{made['id']}"))
    assert api.delete(f"/models/{used['id']}").status_code == 200
    assert api.delete(f"/sources/{made['id']}").status_code == 200
    assert ground.source(api, name="shop")["id"] != made["id"]
    # A model that was deleted still points to its source: both stay as history, without the secret.
    with seen_by(home.database, EVERYTHING) as connection:
        row = connection.execute(
            text("select m.name, s.secret from weighbridge.models m join weighbridge.sources s"
                 " on s.id = m.source_id where s.id = :id"), {"id": made["id"]},
        ).one()  # fmt: skip
    assert tuple(row) == (used["model_name"], None)


def test_a_model_has_another_revision_with_each_change(api: TestClient) -> None:
    source_id = ground.source(api)["id"]
    filters = [
        {"column": "state", "operator": "in", "value": ["paid", "sent"]},
        {"column": "gone_at", "operator": "is null"},
    ]
    made = ground.model(
        api, source_id, source_schema="Odd Name", source_table="orders", filters=filters
    )
    assert (made["source_schema"], made["source_table"]) == ("Odd Name", '"Odd Name".orders')
    assert made["filters"][1] == {**filters[1], "value": None}
    revisions = {made["revision_id"]}
    for change in ({"description": "d"}, {"filters": []}, {"columns": made["columns"][::-1]}, {}):
        changed = patched(api, f"/models/{made['id']}", "model", change)
        assert {**made, **change} == {
            **changed, "revision_id": made["revision_id"], "updated_at": made["updated_at"],
        }  # fmt: skip
        made = changed
        revisions.add(made["revision_id"])
    assert len(revisions) == 5
    assert api.get(f"/models/{made['id']}").json()["data"]["model"] == made
    listed = api.get("/models", params={"model_name": f"x,{made['model_name']}"}).json()["data"]
    assert listed["models"] == [made]


def wrong_models(body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    key, moment = body["columns"]
    yield {"columns": []}, "columns"
    yield {"columns": [moment]}, "expected one or more with is_primary_key"
    yield {"columns": [key]}, "expected exactly one with is_last_modified"
    yield {"columns": [{**key, "is_last_modified": True}, moment]}, "exactly one"
    yield {"columns": [key, moment, {**key, "name_in_destination": "ORDER_ID"}]}, "different names"
    yield {"columns": [{**key, "name_in_destination": "ü" * 40}, moment]}, "63 bytes"
    yield {"columns": [{**key, "data_type": "number"}, moment]}, "columns.0.data_type"
    yield {"columns": [{**key, "kind": 1}, moment]}, "columns.0.kind: there is no such field"
    yield {"model_name": "_transfer_status"}, "a table of ours"
    yield {"model_name": 'a"; drop table x'}, "model_name"
    yield {"model_name": "a" * 64}, "model_name"
    yield {"organization_column": ""}, "organization_column"
    yield {"organization_column": None}, "organization_column"
    yield {"source_table": "a; drop table b"}, "a;"
    yield {"source_table": "a.b.c.d"}, "4 parts"
    yield {"source_id": "x"}, "source_id: expected a uuid"
    yield {"source_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}, "there is no source"
    yield {"source_query": "select 1"}, "source_query: there is no such field"
    yield {"filters": [{"column": "a", "operator": "in", "value": 1}]}, "expected a list with in"
    yield {"filters": [{"column": "a", "operator": "is null", "value": 1}]}, "expected no value"
    yield {"filters": [{"column": "a", "operator": "="}]}, "expected one value with ="
    yield {"filters": [{"column": "a", "operator": "= 1 or 1", "value": 1}]}, "operator"
    yield {"filters": "1=1"}, "filters"


def test_wrong_models(api: TestClient) -> None:
    source_id = ground.source(api)["id"]
    made = ground.model(api, source_id)
    body = ground.model_body(source_id)
    for change, says in wrong_models(body):
        message = said(api.post("/models", json={"model": {**body, **change}}))
        assert says in message, (change, message)
        if "source_query" in change or None in change.values():
            continue
        message = said(api.patch(f"/models/{made['id']}", json={"model": change}))
        assert says in message, (change, message)
    assert api.get(f"/models/{made['id']}").json()["data"]["model"] == made


def test_recipients_and_products(api: TestClient) -> None:
    source_id = ground.source(api)["id"]
    one, two = (ground.model(api, source_id)["model_name"] for _ in range(2))
    body = {"product_name": "sales", "models": [one]}
    product = ground.made(api, "/products", "product", body)
    assert product["models"] == [one]
    wrong = {"product": {"product_name": "x", "models": ["no_such"]}}
    assert "none named 'no_such'" in said(api.post("/products", json=wrong))
    changed = patched(api, f"/products/{product['id']}", "product", {"models": [one, two]})
    assert changed["models"] == [one, two]
    tenant = "O'Brien; \N{SNOWMAN}"
    made = ground.recipient(api, id_in_provider_system=tenant, products=["sales"])
    again = {"recipient": {"name": "x", "id_in_provider_system": tenant}}
    assert "is taken" in said(api.post("/recipients", json=again))
    wrong = {"recipient": {"name": "x", "id_in_provider_system": "t", "products": ["no"]}}
    assert "none named 'no'" in said(api.post("/recipients", json=wrong))
    listed = api.get("/recipients", params={"id_in_provider_system": f"nobody,{tenant}"})
    assert [one["id"] for one in listed.json()["data"]["recipients"]] == [made["id"]]
    assert "subscribe" in said(api.delete(f"/products/{product['id']}"))
    shown = ground.destination(api, made["id"])
    assert (shown["products"], shown["id_in_provider_system"]) == (["sales"], tenant)
    changed = patched(api, f"/recipients/{made['id']}", "recipient", {"products": []})
    assert (changed["products"], changed["id_in_provider_system"]) == ([], tenant)
    # The tenant value is what rows were delivered under.
    body = {"recipient": {"id_in_provider_system": "other"}}
    assert "no such field" in said(api.patch(f"/recipients/{made['id']}", json=body))
    assert api.delete(f"/products/{product['id']}").status_code == 200
    by_tenant = ground.made(api, "/destinations", "destination", {
        "name": "d", "vendor": "postgres", "id_in_provider_system": tenant,
        "postgres": ground.postgres(), "enabled_models": [one, two],
    })  # fmt: skip
    assert by_tenant["recipient_id"] == made["id"]


def test_vendors_and_forms(home: House) -> None:
    anybody = home.prequel(headers={})
    listed = anybody.get("/public/destination-vendors").json()["data"]
    assert {one["key"] for one in listed} == set(VENDORS)
    assert {one["key"] for one in listed if not one["disabled"]} == {
        key for key, vendor in VENDORS.items() if vendor.side
    }
    whole = anybody.get("/public/forms/destination-vendors", params={"org_id": "x"}).json()["data"]
    assert {one["key"] for one in whole["form"]["enum"]} == set(VENDORS)
    some = anybody.get("/public/forms/destination-vendors", params={"vendor": "postgres,s3"})
    form = some.json()["data"]["form"]
    assert [one["key"] for one in form["enum"]] == ["postgres", "s3"]
    names = {child["name"] for child in form["children"] if child["parent"] == "postgres"}
    assert {"name", "host", "port", "auth_method", "use_ssh_tunnel"} <= names
    auth = next(child for child in form["children"] if child["name"] == "auth_method")
    password = next(child for child in auth["children"] if child["name"] == "password")
    assert password["attributes"]["input_type"] == "password"
    assert password["parent"] == "password_auth"


# Connections -----------------------------------------------------------------------------


def reached(url: str, **more: Any) -> dict[str, Any]:
    """Write the options of a server's database."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname, "port": parts.port, "database": parts.path.lstrip("/"),
        "schema": "public", "disable_ssl": True,
        "password_auth": {"username": parts.username, "password": parts.password}, **more,
    }  # fmt: skip


def tried(api: TestClient, options: dict[str, Any], vendor: str = "postgres") -> Any:
    body = {"vendor": vendor, "name": "x", vendor: options}
    return api.post("/test-destination", json={"destination": body})


def test_a_connection_before_and_after_saving(api: TestClient, fresh_postgres: str) -> None:
    options = reached(fresh_postgres)
    answer = tried(api, options)
    assert (answer.status_code, answer.json()["status"]) == (200, "success"), answer.text
    wrong = {**options, "password_auth": {"username": "nobody", "password": "canary-wrong"}}
    assert "refused the user" in said(tried(api, wrong))
    assert "Cannot connect" in said(tried(api, {**options, "port": 1}))
    assert said(tried(api, {**options, "database": "no_such_db"}))
    number = ground.destination(api, ground.recipient(api)["id"], postgres=options)["id"]
    for alias in ("", "/export"):
        path = f"{alias}/destinations/{number}/test-connection"
        for body in (None, {"destination": {}}, {"destination": {"name": "y", "postgres": {}}}):
            answer = api.post(path, json=body)
            assert answer.status_code == 200, answer.text
        change = {"destination": {"postgres": {"port": 1}}}
        assert "Cannot connect" in said(api.post(path, json=change))
    # What was tried was not stored.
    shown = api.get(f"/destinations/{number}").json()["data"]["destination"]
    assert shown["postgres"]["port"] == options["port"]


def test_a_mariadb_too(api: TestClient, fresh_mariadb: str) -> None:
    parts = reached(fresh_mariadb)
    options = {
        **{n: parts[n] for n in ("host", "port", "disable_ssl", "password_auth")},
        "write_database": parts["database"],
    }
    for vendor in ("mysql", "planetscale"):
        assert tried(api, options, vendor).status_code == 200
    assert "not offer TLS" in said(tried(api, {**options, "disable_ssl": False}, "mysql"))


@pytest.mark.parametrize("vendor", sorted(v.key for v in VENDORS.values() if v.not_yet))
def test_not_yet(api: TestClient, vendor: str) -> None:
    options = dict(WHOLE[vendor])
    assert "cannot be reached yet" in said(tried(api, options, vendor))


def test_a_tunnel_whose_key_is_kept_at_the_first_test(api: TestClient, fresh_mariadb: str) -> None:
    parts = reached(fresh_mariadb)
    line = api.post("/actions/generate-ssh-key").json()["data"]["public_key"]
    with ssh_server(client_key=line) as sshd, ssh_server(client_key=line) as other:
        tunnel = {
            "ssh_tunnel_host": sshd.host, "ssh_tunnel_port": sshd.port,
            "ssh_tunnel_username": sshd.user, "ssh_public_key": line,
        }  # fmt: skip
        options = {
            **{n: parts[n] for n in ("host", "port", "disable_ssl", "password_auth")},
            "write_database": parts["database"], "use_ssh_tunnel": True, "ssh_tunnel": tunnel,
        }  # fmt: skip
        owner = ground.recipient(api)["id"]
        # Before it is stored, the key is shown and nothing else.
        body = ground.destination_body(owner, vendor="mysql", mysql=options)
        answer = api.post("/test-destination", json={"destination": body})
        assert fingerprint(sshd.host_key) in answer.json()["message"]
        number = ground.destination(api, owner, vendor="mysql", mysql=options)["id"]
        path = f"/destinations/{number}/test-connection"

        def kept() -> Any:
            shown = api.get(f"/destinations/{number}").json()["data"]["destination"]
            return shown["mysql"]["ssh_tunnel"].get("ssh_host_key")

        assert not kept()
        answer = api.post(path)
        assert answer.status_code == 200, answer.text
        assert fingerprint(sshd.host_key) in answer.json()["message"]
        assert kept() == sshd.host_key
        # The same address with another key behind it.
        change = {"ssh_tunnel": {"ssh_tunnel_port": other.port}}
        assert "is not the server that was tested" in said(
            api.post(path, json={"destination": {"mysql": change}})
        )
        assert "Accepted" not in other.log
        api.patch(f"/destinations/{number}", json={"destination": {"mysql": change}})
        assert "is not the server that was tested" in said(api.post(path))
        assert kept() == sshd.host_key
        # Only who says so aloud gets another one.
        change = {"ssh_tunnel": {"ssh_host_key": ""}}
        api.patch(f"/destinations/{number}", json={"destination": {"mysql": change}})
        assert api.post(path).status_code == 200
        assert kept() == other.host_key


def test_a_tunnel_without_a_key_of_ours(api: TestClient) -> None:
    tunnel = {"ssh_tunnel_host": "b", "ssh_tunnel_username": "u"}
    options = ground.postgres(use_ssh_tunnel=True, ssh_tunnel=tunnel)
    assert "has no ssh_public_key" in said(tried(api, options))


HOSTS = (
    "127.0.0.1", "localhost", "::1", "[::1]", "10.0.0.1", "192.168.1.1", "172.16.0.1",
    "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0",  # noqa: S104 it is refused
     "2130706433", "0x7f.1", "127.1",
    "fd00:ec2::254", "100.64.0.1", "017700000001",
)  # fmt: skip


def test_a_recipient_cannot_reach_into_our_network(home: House, api: TestClient) -> None:
    """A listener on loopback: no connection arrives, and every refusal has one text (T01)."""
    owner = ground.recipient(api)["id"]
    browser = home.prequel(headers=ground.token_headers(api, recipient_id=owner))
    arrived: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    arrived.append(listener.accept())
                except TimeoutError:
                    continue

        watcher = threading.Thread(target=accept)
        watcher.start()
        messages = {said(tried(browser, ground.postgres(host=h, port=port))) for h in HOSTS}
        messages |= {said(tried(browser, ground.postgres(host="127.0.0.1", port=1)))}
        messages |= {said(tried(browser, ground.postgres(host="no-such-host.invalid")))}
        uniform = "The host of the connection cannot be used. Check the host and the port, or ask the operator."
        assert messages == {uniform}
        # Stored by an operator, then moved by a recipient: the address is a recipient's.
        number = ground.destination(api, owner, postgres=ground.postgres(port=port))["id"]
        path = f"/destinations/{number}/test-connection"
        said(browser.post(path, json={"destination": {}}))
        move = {"destination": {"postgres": {"host": "localhost"}}}
        assert browser.patch(f"/destinations/{number}", json=move).status_code == 200
        said(api.post(path, json={"destination": {}}))
        time.sleep(0.3)
        assert arrived == []
        # The watcher would have seen one: an operator's own does arrive.
        mine = ground.destination(api, owner, postgres=ground.postgres(port=port))["id"]
        options = {"destination": {"postgres": {"connection_timeout_in_seconds": 1}}}
        said(api.post(f"/destinations/{mine}/test-connection", json=options))
        stop.set()
        watcher.join()
    assert len(arrived) >= 1
    for link, _ in arrived:
        link.close()


def test_tests_of_connections_do_not_take_every_thread(api: TestClient) -> None:
    places = [destination_test._AT_ONCE.acquire(blocking=False) for _ in range(3)]
    try:
        assert places == [True, True, True]
        assert "Other connections are being tested" in said(tried(api, ground.postgres()))
    finally:
        for _ in places:
            destination_test._AT_ONCE.release()
    assert "Cannot connect" in said(tried(api, ground.postgres()))
