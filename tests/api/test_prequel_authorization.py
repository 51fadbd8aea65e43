"""Who may do what at the other facade: every route × who asks × whose object (T05, T29).

A route without a row fails, and so does a row without a route.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import text
from starlette.routing import Mount

from tests.api import prequel_ground as making
from tests.house import House, a_house
from weighbridge.api.app import make_app
from weighbridge.api.prequel.actions import PUBLIC
from weighbridge.api.prequel.auth import Needs
from weighbridge.catalog.api_keys import SCOPES, revoke_key
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from starlette.testclient import TestClient

ABSENT = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
KINDS = ("recipient", "source", "model", "product", "destination")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Example:
    """A request that is carried out. `{destination}` in path or body is an id, `{n}` a number.

    `own` answers for an object of one's own, `absent` for one that is not there or not to be seen:
    these two must not be told apart; 0: it names none. `recipients`: a scoped token may ask too.
    """

    scope: str
    body: Mapping[str, Any] | None = None
    own: int = 200
    absent: int = 404
    recipients: bool = False
    query: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _new(path: str, what: str, scope: str, body: Mapping[str, Any], absent: int) -> Any:
    return (("POST", path), Example(scope, {what: body}, absent=absent))


_R, _W = "destinations:read", "destinations:write"
_MODEL = {**making.model_body("{source}"), "model_name": "model_{n}"}
_DESTINATION = making.destination_body("{recipient}")
ROUTES: dict[tuple[str, str], Example] = {
    ("GET", "/destinations"): Example(_R, absent=0, recipients=True),
    ("POST", "/destinations"): Example(
        _W, {"destination": _DESTINATION}, absent=400, recipients=True
    ),
    # With a key it says that it is for tokens.
    ("GET", "/destinations-for-recipient"): Example(_R, own=400, absent=0, recipients=True),
    ("GET", "/destinations/{destination}"): Example(_R, recipients=True),
    ("PATCH", "/destinations/{destination}"): Example(
        _W, {"destination": {"name": "n{n}"}}, recipients=True
    ),
    ("DELETE", "/destinations/{destination}"): Example(_W, recipients=True),
    # Nobody listens at the port: the request was let through, the connection fails.
    ("POST", "/test-destination"): Example(
        _W, {"destination": _DESTINATION}, own=400, absent=400, recipients=True
    ),
    ("POST", "/destinations/{destination}/test-connection"): Example(
        _W, {"destination": {}}, own=400, recipients=True
    ),
    ("GET", "/destinations/{destination}/data-integrity"): Example(_R, recipients=True),
    ("POST", "/destinations/{destination}/data-integrity"): Example(_W, {}, recipients=True),
    ("GET", "/destinations/{destination}/data-integrity/history"): Example(_R, recipients=True),
    ("GET", "/destinations/{destination}/data-integrity/{job}"): Example(_R, recipients=True),
    ("POST", "/destinations/{destination}/data-integrity/{job}/cancel"): Example(
        _W, recipients=True
    ),
    ("GET", "/destinations/{destination}/data-integrity/{job}/rows"): Example(_R, recipients=True),
    # The job has not run: there is nothing to repair yet.
    ("POST", "/destinations/{destination}/data-integrity/{job}/repair"): Example(_W, {}, own=400),
    ("GET", "/destinations/{destination}/data-integrity/{job}/repair/{repair}"): Example(_R),
    ("GET", "/sources"): Example("models:read", absent=0),
    ("POST", "/sources"): Example(
        "models:write",
        {"source": {"name": "s{n}", "vendor": "postgres", "postgres": making.postgres()}},
        absent=0,
    ),
    ("GET", "/sources/{source}"): Example("models:read"),
    ("PATCH", "/sources/{source}"): Example("models:write", {"source": {"name": "s{n}"}}),
    ("DELETE", "/sources/{source}"): Example("models:write", own=400),  # a model uses it
    ("GET", "/models"): Example("models:read", absent=0, recipients=True),
    ("POST", "/models"): Example("models:write", {"model": _MODEL}, absent=400),
    ("GET", "/models-for-recipient"): Example("models:read", own=400, absent=0, recipients=True),
    ("GET", "/models/{model}"): Example("models:read", recipients=True),
    ("PATCH", "/models/{model}"): Example("models:write", {"model": {"description": "d{n}"}}),
    ("DELETE", "/models/{model}"): Example("models:write"),
    ("GET", "/recipients"): Example(_R, absent=0),
    ("POST", "/recipients"): Example(
        _W, {"recipient": {"name": "r", "id_in_provider_system": "t{n}"}}, absent=0
    ),
    ("GET", "/recipients/{recipient}"): Example(_R),
    ("PATCH", "/recipients/{recipient}"): Example(_W, {"recipient": {"name": "r{n}"}}),
    ("DELETE", "/recipients/{recipient}"): Example(_W, own=400),  # it has a destination
    ("GET", "/products"): Example("models:read", absent=0, recipients=True),
    ("POST", "/products"): Example(
        "models:write", {"product": {"product_name": "p{n}", "models": []}}, absent=0
    ),
    ("PATCH", "/products/{product}"): Example("models:write", {"product": {"models": []}}),
    ("DELETE", "/products/{product}"): Example("models:write"),
    ("POST", "/actions/generate-scoped-auth-token"): Example(
        "tokens",
        {"application_origin": making.ORIGIN, "recipient_id": "{recipient}"},
        absent=400,
    ),
    ("POST", "/actions/revoke-scoped-auth-token"): Example(
        "tokens", {"scoped_token": "{token}"}, absent=404
    ),
}
ROUTES |= {
    ("POST", "/destinations/{destination}/transfer"): Example(
        _W, {"models": ["{model_name}"], "tags": {"n": "{n}"}}, recipients=True
    ),
    ("GET", "/destinations/{destination}/transfers"): Example(_R, recipients=True),
    ("GET", "/transfers"): Example(_R, absent=0, recipients=True),
    ("GET", "/transfers/{transfer}"): Example(_R, recipients=True),
    ("POST", "/transfers/{transfer}/cancel"): Example(_W, recipients=True),
}
CASES = sorted(ROUTES)
PER_OBJECT = [case for case in CASES if ROUTES[case].absent]
Ids = dict[str, str]


@dataclass(frozen=True)
class Ground:
    """A server with a catalog in each environment, made anew for whoever breaks it."""

    house: House
    app: FastAPI
    clients: Mapping[str, TestClient]
    revoked: str

    def new(self, environment: str) -> Ids:
        """Make one object of each kind; give their ids, and a token to revoke."""
        client = self.clients[environment]
        ids = {"recipient": making.recipient(client)["id"], "source": making.source(client)["id"]}
        model = making.model(client, ids["source"])
        ids |= {"model": model["id"], "model_name": model["model_name"]}
        body = {"product_name": f"product {next(_numbers)}", "models": []}
        ids["product"] = making.made(client, "/products", "product", body)["id"]
        ids["destination"] = making.destination(client, ids["recipient"])["id"]
        answer = client.post(f"/destinations/{ids['destination']}/transfer")
        ids["transfer"] = answer.json()["data"]["transfer_id"]
        ids["job"] = making.integrity_job(client, ids["destination"])
        ids["repair"] = making.a_repair(self.house, ids["job"])
        headers = making.token_headers(client, recipient_id=ids["recipient"])
        return {**ids, "token": headers["Authorization"].removeprefix("Bearer ")}

    def ask(
        self, case: tuple[str, str], headers: Mapping[str, str], ids: Ids, *, older: bool = False
    ) -> Any:
        """Send a route's example about some objects."""
        client = self.clients["production"]
        kept = client.headers.pop("x-api-key")
        try:
            path = ("/export" if older else "") + case[1].format(**ids)
            return client.request(
                case[0], path, json=filled(ROUTES[case].body, ids), headers=headers
            )
        finally:
            client.headers["x-api-key"] = kept


def filled(value: Any, ids: Ids) -> Any:
    """Put ids and numbers in."""
    if isinstance(value, dict):
        return {name: filled(one, ids) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, ids) for one in value]
    if isinstance(value, str):
        known = {f"{{{name}}}": number for name, number in ids.items()}
        return known.get(value, value.replace("{n}", str(next(_numbers))))
    return value


@pytest.fixture(scope="module")
def ground(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with a_house(postgres, tmp_path_factory.mktemp("ground")) as house:
        clients = {e: house.prequel(environment=e) for e in ("production", "staging")}
        revoked = house.key()
        with seen_by(house.database, EVERYTHING) as connection:
            assert revoke_key(connection, revoked.split("_")[2]) is not None
        yield Ground(house, make_app(house.database, house.ring), clients, revoked)


def facade(app: FastAPI) -> FastAPI:
    mounts = [r for r in app.routes if isinstance(r, Mount) and r.path == "/prequel"]
    assert len(mounts) == 1
    assert isinstance(mounts[0].app, FastAPI)
    return mounts[0].app


def routes(app: FastAPI) -> list[tuple[str, APIRoute]]:
    """Take the facade's routes out of the application: (method, route)."""
    return [
        (method, route)
        for route in _flat(facade(app).routes)
        for method in sorted(route.methods or ())
    ]


def _flat(of: Iterable[Any]) -> Iterator[APIRoute]:
    for route in of:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _flat(router.routes)


def plain(path: str) -> str:
    """Write a path as the table does."""
    return path.removeprefix("/export").replace("_id}", "}")


def nothing_of(ids: Ids) -> Ids:
    return dict.fromkeys(ids, ABSENT)


def alike(answer: Any) -> tuple[int, str]:
    """Give an answer without the id that was asked for."""
    return answer.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", answer.text)


def test_every_route_has_a_row_and_every_row_a_route(ground: Ground) -> None:
    there = {(m, plain(r.path)) for m, r in routes(ground.app) if r.path not in PUBLIC}
    assert there == set(ROUTES)
    listed = facade(ground.app).openapi()["paths"]
    said = {(m.upper(), plain(p)) for p, found in listed.items() for m in found if p not in PUBLIC}
    assert said == set(ROUTES)


def test_every_route_needs_the_scope_of_its_row(ground: Ground) -> None:
    for method, route in routes(ground.app):
        needs = [d.call for d in route.dependant.dependencies if isinstance(d.call, Needs)]
        if route.path in PUBLIC:
            assert not needs
            continue
        assert len(needs) == 1
        row = ROUTES[method, plain(route.path)]
        assert (needs[0].scope, needs[0].recipients) == (row.scope, row.recipients), route.path


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_who_is_nobody(ground: Ground, case: tuple[str, str]) -> None:
    ids = ground.new("production")
    good = ground.house.key()
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    token = {"Authorization": f"Bearer {ids['token']}"}
    for headers in (
        {}, {"X-API-KEY": ""}, {"X-API-KEY": "garbage"}, {"X-API-KEY": wrong},
        {"X-API-KEY": ground.revoked}, {"X-API-KEY": ids["token"]},
        # A key is no token, and a token without its origin is none.
        {"Authorization": f"Bearer {good}", "X-APP-ID": making.ORIGIN},
        {"Authorization": f"Key {good}"},
        token, {**token, "X-APP-ID": "https://other.example"},
        {**token, "X-APP-ID": making.ORIGIN + "/"},
    ):  # fmt: skip
        for whose in (ids, nothing_of(ids)):
            making.said(ground.ask(case, headers, whose), 401)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_every_scope_but_the_needed_one(ground: Ground, case: tuple[str, str]) -> None:
    ids = ground.new("production")
    key = ground.house.key(set(SCOPES) - {ROUTES[case].scope})
    for whose in (ids, nothing_of(ids)):
        message = making.said(ground.ask(case, {"X-API-KEY": key}, whose), 401)
        assert ROUTES[case].scope in message


@pytest.mark.parametrize("case", CASES, ids=" ".join)
@pytest.mark.parametrize("older", [False, True], ids=["", "export"])
def test_the_needed_scope_alone(ground: Ground, case: tuple[str, str], older: bool) -> None:
    if older and case[1].startswith("/actions"):
        return
    key = ground.house.key([ROUTES[case].scope])
    answer = ground.ask(case, {"X-API-KEY": key}, ground.new("production"), older=older)
    assert answer.status_code == ROUTES[case].own, answer.text
    assert "canary" not in answer.text


@pytest.mark.parametrize("case", PER_OBJECT, ids=" ".join)
def test_what_is_not_ones_own_is_not_there(ground: Ground, case: tuple[str, str]) -> None:
    """With every scope: the other environment's, a deleted one's and none give one answer."""
    for environment, other in (("production", "staging"), ("staging", "production")):
        key = {"X-API-KEY": ground.house.key(environment=environment)}
        foreign = ground.new(other)
        absent = ground.ask(case, key, nothing_of(foreign))
        assert absent.status_code == ROUTES[case].absent, absent.text
        answer = ground.ask(case, key, foreign)
        assert alike(answer) == alike(absent)
        gone = ground.new(environment)
        with seen_by(ground.house.database, EVERYTHING) as connection:
            for kind in KINDS:
                connection.execute(
                    text(f"update weighbridge.{kind}s set deleted_at = now() where id = :id"),
                    {"id": gone[kind]},
                )
        if "token" not in str(ROUTES[case].body):
            assert alike(ground.ask(case, key, gone)) == alike(absent)


TOKENS = [case for case in CASES if ROUTES[case].recipients]
# What a token gets that differs from what a key gets.
BY_TOKEN = {
    ("GET", "/destinations-for-recipient"): 200, ("GET", "/models-for-recipient"): 200,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_recipients_own_token(ground: Ground, case: tuple[str, str]) -> None:
    ids = ground.new("production")
    headers = {"Authorization": f"Bearer {ids['token']}", "X-APP-ID": making.ORIGIN}
    answer = ground.ask(case, headers, ids)
    if case not in TOKENS:
        making.said(answer, 401)
    else:
        assert answer.status_code == BY_TOKEN.get(case, ROUTES[case].own), answer.text
        assert "canary" not in answer.text


@pytest.mark.parametrize("case", [c for c in TOKENS if "{model}" not in c[1]], ids=" ".join)
def test_another_recipients_token(ground: Ground, case: tuple[str, str]) -> None:
    ids, others = ground.new("production"), ground.new("production")
    headers = {"Authorization": f"Bearer {others['token']}", "X-APP-ID": making.ORIGIN}
    answer = ground.ask(case, headers, ids)
    if ROUTES[case].absent:
        assert answer.status_code == ROUTES[case].absent, answer.text
        assert alike(answer) == alike(ground.ask(case, headers, nothing_of(ids)))
    else:
        assert answer.status_code == 200
        assert ids["destination"] not in answer.text
        assert ids["recipient"] not in answer.text
        assert ids["transfer"] not in answer.text


@pytest.mark.parametrize("case", TOKENS, ids=" ".join)
def test_tokens_that_open_nothing_any_more(ground: Ground, case: tuple[str, str]) -> None:
    def dead(change: str) -> None:
        ids = ground.new("production")
        headers = {"Authorization": f"Bearer {ids['token']}", "X-APP-ID": making.ORIGIN}
        assert ground.ask(("GET", "/products"), headers, ids).status_code == 200
        with seen_by(ground.house.database, EVERYTHING) as connection:
            touched = connection.execute(
                text(change), {"id": ids["recipient"], "public": ids["token"].split("_")[2]}
            ).rowcount
        assert touched == 1
        making.said(ground.ask(case, headers, ids), 401)

    mine = "where public_id = :public"
    dead(f"update weighbridge.scoped_tokens set expires_at = clock_timestamp() {mine}")
    dead(f"update weighbridge.scoped_tokens set revoked_at = clock_timestamp() {mine}")
    dead("update weighbridge.recipients set deleted_at = clock_timestamp() where id = :id")
    dead(f"update weighbridge.scoped_tokens set secret_hash = 'x' {mine}")
    # The last one: it takes the key away that makes tokens; another one is made for it.
    key = ground.house.key()
    maker = ground.house.prequel(key=key)
    ids = ground.new("production")
    headers = making.token_headers(maker, recipient_id=ids["recipient"])
    with seen_by(ground.house.database, EVERYTHING) as connection:
        revoke_key(connection, key.split("_")[2])
    making.said(ground.ask(case, headers, ids), 401)


def test_an_hour_by_the_databases_clock(ground: Ground) -> None:
    ids = ground.new("production")
    with seen_by(ground.house.database, EVERYTHING) as connection:
        seconds = connection.execute(
            text("select extract(epoch from expires_at - created_at) from weighbridge.scoped_tokens"
                 " where public_id = :public"), {"public": ids["token"].split("_")[2]},
        ).scalar_one()  # fmt: skip
    assert abs(float(seconds) - 3600) < 1


def test_a_token_of_one_destination(ground: Ground) -> None:
    client = ground.clients["production"]
    ids = ground.new("production")
    other = making.destination(client, ids["recipient"])["id"]
    headers = making.token_headers(
        client, destination={"id": ids["destination"], "name": "whatever a client sends"}
    )
    found = ground.ask(("GET", "/destinations-for-recipient"), headers, ids).json()
    assert [d["id"] for d in found["data"]["destinations"]] == [ids["destination"]]
    assert ground.ask(("GET", "/destinations/{destination}"), headers, ids).is_success
    elsewhere = {**ids, "destination": other}
    making.said(ground.ask(("GET", "/destinations/{destination}"), headers, elsewhere), 404)
    making.said(ground.ask(("DELETE", "/destinations/{destination}"), headers, elsewhere), 404)
    assert "for one destination" in making.said(ground.ask(("POST", "/destinations"), headers, ids))


def test_a_token_sees_the_models_of_its_products(ground: Ground) -> None:
    client = ground.clients["staging"]
    source_id = making.source(client)["id"]
    names = [making.model(client, source_id)["model_name"] for _ in range(3)]
    body = {"product_name": f"product {next(_numbers)}", "models": names[:1]}
    product = making.made(client, "/products", "product", body)["product_name"]
    owner = making.recipient(client, products=[product])["id"]
    headers = making.token_headers(client, recipient_id=owner)
    ids = {"model": ABSENT}
    for path in ("/models", "/models-for-recipient"):
        found = ground.ask(("GET", path), headers, ids).json()["data"]["models"]
        assert [m["model_name"] for m in found] == names[:1]
        # Where it comes from is none of a recipient's business.
        assert "orders_" in json.dumps(found)
        for word in ("customer_id", "public", source_id):
            assert word not in json.dumps(found)
    answer = client.post("/destinations", json={"destination": making.destination_body(
        owner, enabled_models=names[1:2])})  # fmt: skip
    assert "has no model named" in making.said(answer)


def test_promises_of_one_recipient_are_not_anothers(ground: Ground) -> None:
    """The same Idempotency-Key and the same body from two recipients: two destinations."""
    made: set[str] = set()
    for _ in range(2):
        ids = ground.new("production")
        headers = {
            "Authorization": f"Bearer {ids['token']}", "X-APP-ID": making.ORIGIN,
            "Idempotency-Key": "the same",
        }  # fmt: skip
        body = making.destination_body("")
        del body["recipient_id"]
        client = ground.house.prequel(headers=headers)
        first = client.post("/destinations", json={"destination": body})
        assert first.json() == client.post("/destinations", json={"destination": body}).json()
        shown = first.json()["data"]["destination"]
        assert shown["recipient_id"] == ids["recipient"]
        made.add(shown["id"])
    assert len(made) == 2


def test_the_audit_names_the_token_and_tokens_are_kept_nowhere(ground: Ground) -> None:
    ids = ground.new("production")
    headers = {"Authorization": f"Bearer {ids['token']}", "X-APP-ID": making.ORIGIN}
    assert ground.ask(("PATCH", "/destinations/{destination}"), headers, ids).is_success
    with seen_by(ground.house.database, EVERYTHING) as connection:
        actor = connection.execute(
            text("select actor from weighbridge.audit where object = :object order by id desc"),
            {"object": f"destinations/{ids['destination']}"},
        ).scalars().first()  # fmt: skip
        secret = ids["token"].split("_")[3]
        kept = [
            table
            for table in ("scoped_tokens", "audit", "idempotency")
            for row in connection.execute(text(f"select t::text from weighbridge.{table} t"))
            if secret in row[0]
        ]
    assert actor == f"scoped token {ids['token'].split('_')[2]}"
    assert kept == []


def test_revoked_by_hand(ground: Ground) -> None:
    ids = ground.new("production")
    headers = {"Authorization": f"Bearer {ids['token']}", "X-APP-ID": making.ORIGIN}
    client = ground.clients["production"]
    body = {"scoped_token": ids["token"]}
    assert client.post("/actions/revoke-scoped-auth-token", json=body).status_code == 200
    making.said(ground.ask(("GET", "/destinations"), headers, ids), 401)
    assert client.post("/actions/revoke-scoped-auth-token", json=body).status_code == 200
