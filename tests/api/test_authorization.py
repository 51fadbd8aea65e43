"""Who may do what: every route × who asks × whose object (T05, T29). A missing row fails."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from tests.api.conftest import TABLES, diff_body, source_body
from tests.house import House, a_house
from tests.servers import fresh_postgres
from weighbridge.api.app import make_app
from weighbridge.api.auth import Needs, check_declared
from weighbridge.catalog.api_keys import SCOPES, check_key, revoke_key
from weighbridge.store.database import EVERYTHING, seen_by

ABSENT = 987_654_321
PREFIX = "/api/v1"


@dataclass(frozen=True)
class Example:
    """A request that works. `{diff}`, `{source}` in the path are numbers, and so in the body.

    `own` is the answer for an object of one's own, `absent` for one that is not there or not to
    be seen: the two must not be told apart.
    """

    scope: str
    body: Mapping[str, Any] | None = None
    own: int = 200
    absent: int = 404
    query: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


NEW_SOURCE = {**source_body("postgresql://u:p@127.0.0.1:1/d", "new-{n}")}
NEW_DIFF = {
    "data_source1_id": "{source}", "data_source2_id": "{source}",
    "table1": ["public", "a"], "table2": ["public", "b"], "pk_columns": ["id"],
}  # fmt: skip
TABLE_A = {"table": ["public", "a"]}
# One line for each route. `absent=0`: it names no object.
ROUTES: dict[tuple[str, str], Example] = {
    ("GET", "/organization/meta"): Example("diffs:read", absent=0),
    ("GET", "/datadiffs"): Example("diffs:read", absent=0),
    ("POST", "/datadiffs"): Example("diffs:write", NEW_DIFF, absent=422),
    ("GET", "/datadiffs/{diff}"): Example("diffs:read"),
    ("PATCH", "/datadiffs/{diff}"): Example("diffs:write", {"archived": False}),
    ("GET", "/datadiffs/{diff}/summary"): Example("diffs:read"),
    ("GET", "/datadiffs/{diff}/summary_results"): Example("diffs:read"),
    ("GET", "/datadiffs/{diff}/results"): Example("diffs:read"),
    ("POST", "/datadiffs/{diff}/cancel"): Example("diffs:write"),
    ("GET", "/data_sources"): Example("connections:read", absent=0),
    ("POST", "/data_sources"): Example("connections:write", NEW_SOURCE, absent=0),
    ("GET", "/data_sources/types"): Example("connections:read", absent=0),
    ("POST", "/data_sources/{source}/test"): Example("connections:write", {}),
    ("GET", "/data_sources/test/{test}"): Example("connections:read"),
    ("POST", "/data_sources/{source}/query"): Example("run_sql", {"query": "select 1 as one"}),
    ("POST", "/data_sources/{source}/dataset_schema"): Example("connections:read", TABLE_A),
    ("GET", "/data_sources/{source}/dataset_schema/{columns}"): Example("connections:read"),
    ("POST", "/data_sources/{source}/guess_pk"): Example("connections:read", TABLE_A),
}
CASES = sorted(ROUTES)
PER_OBJECT = [case for case in CASES if ROUTES[case].absent]


@dataclass(frozen=True)
class Ground:
    """A server with one object of each kind in each environment: kind → environment → number."""

    house: House
    app: FastAPI
    objects: dict[str, dict[str, int]]
    revoked: str


@pytest.fixture(scope="module")
def ground(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with (
        a_house(postgres, tmp_path_factory.mktemp("ground")) as house,
        fresh_postgres(postgres) as url,
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in TABLES:
                connection.execute(statement.encode())
        objects: dict[str, dict[str, int]] = {
            kind: {} for kind in ("source", "diff", "test", "columns")
        }
        # The foreign objects first: their numbers are others than one's own.
        for environment in ("staging", "production"):
            client = house.client(environment=environment)
            source = client.post(
                "/data_sources", json=source_body(url, "s") | {"allow_powerful_login": True}
            ).json()["id"]
            diff = client.post("/datadiffs", json=diff_body(source)).json()["id"]
            house.run_diff(diff)
            path = f"/data_sources/{source}"
            test = client.post(f"{path}/test", json={}).json()["job_id"]
            columns = client.post(f"{path}/dataset_schema", json=TABLE_A).json()["task_id"]
            numbers = {"source": source, "diff": diff, "test": test, "columns": columns}
            for kind, number in numbers.items():
                objects[kind][environment] = number
        revoked = house.key()
        with seen_by(house.database, EVERYTHING) as connection:
            assert revoke_key(connection, revoked.split("_")[2]) is not None
            assert check_key(connection, revoked) is None
        yield Ground(house, make_app(house.database, house.ring), objects, revoked)


def facade(app: FastAPI, path: str = "/datafold") -> FastAPI:
    mounts = [r for r in app.routes if isinstance(r, Mount) and r.path == path]
    assert len(mounts) == 1
    assert isinstance(mounts[0].app, FastAPI)
    return mounts[0].app


def routes(app: FastAPI, path: str = "/datafold") -> list[tuple[str, APIRoute]]:
    """Take a facade's routes out of the application: (method, route)."""
    found = [
        (method, route)
        for route in _flat(facade(app, path).routes)
        for method in sorted(route.methods or ())
    ]
    assert found
    return found


def _flat(of: Iterable[Any]) -> Iterator[APIRoute]:
    """List routes, also those of routers that were included: FastAPI keeps these whole."""
    for route in of:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _flat(router.routes)


def plain(path: str) -> str:
    """Write a path as the table does, whatever its parameters are called."""
    parts = path.removeprefix(PREFIX).split("/")
    names = {
        "datadiffs": "{diff}", "data_sources": "{source}", "test": "{test}",
        "dataset_schema": "{columns}",
    }  # fmt: skip
    return "/".join(
        names.get(parts[at - 1], part) if part.startswith("{") else part
        for at, part in enumerate(parts)
    )


_numbers = iter(range(10**6))


def filled(value: Any, numbers: Mapping[str, int]) -> Any:
    """Put the numbers in."""
    if isinstance(value, dict):
        return {name: filled(one, numbers) for name, one in value.items()}
    if isinstance(value, str):
        known = {f"{{{name}}}": number for name, number in numbers.items()}
        return known.get(value, value.replace("{n}", str(next(_numbers))))
    return value


def ask(
    ground: Ground, case: tuple[str, str], token: str | None, *, whose: str = "production"
) -> tuple[int, str]:
    """Send a route's example; `whose` objects: an environment's, or those that nobody has."""
    numbers = {kind: known.get(whose, ABSENT) for kind, known in ground.objects.items()}
    example = ROUTES[case]
    client = ground.house.client(token=token or "none")
    if token is None:
        del client.headers["authorization"]
    answer = client.request(
        case[0], case[1].format(**numbers) + example.query, json=filled(example.body, numbers)
    )
    # "There is no diff 12.": the number that was asked for is all that may differ.
    asked = "|".join(str(number) for number in numbers.values())
    said = re.sub(rf"(?<=[a-z] )({asked})\b", "N", answer.text)
    return answer.status_code, said


def test_every_route_has_a_row_and_every_row_a_route(ground: Ground) -> None:
    there = {(method, plain(route.path)) for method, route in routes(ground.app)}
    assert there == set(ROUTES)
    paths: dict[str, dict[str, Any]] = facade(ground.app).openapi()["paths"]
    assert there == {(m.upper(), plain(path)) for path, said in paths.items() for m in said}


def test_the_other_mount_asks_for_the_same_scopes(ground: Ground) -> None:
    """Datafold's newer shape is the same rooms: what is held of one mount holds of both."""

    def scopes(path: str) -> set[tuple[str, str, str]]:
        return {
            (method, route.path, needs.call.scope)
            for method, route in routes(ground.app, path)
            for needs in route.dependant.dependencies
            if isinstance(needs.call, Needs)
        }

    assert len(scopes("/datafold")) == len(ROUTES)
    assert scopes("/datafold/latest") == scopes("/datafold")


def test_a_route_without_a_scope_stops_the_start() -> None:
    router = APIRouter()
    router.add_api_route("/open", lambda: None)
    app = FastAPI()
    app.include_router(router)
    with pytest.raises(RuntimeError, match="/open declares no scope"):
        check_declared(app, public=frozenset())


def test_every_route_needs_the_scope_of_its_row(ground: Ground) -> None:
    for method, route in routes(ground.app):
        scopes = {d.call.scope for d in route.dependant.dependencies if isinstance(d.call, Needs)}
        assert scopes == {ROUTES[method, plain(route.path)].scope}, (method, route.path)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_who_is_nobody(ground: Ground, case: tuple[str, str]) -> None:
    good = ground.house.key()
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    for token in (None, "garbage", "wbk_production_x", wrong, ground.revoked):
        for whose in ("production", "staging", "nobody"):
            status, body = ask(ground, case, token, whose=whose)
            assert status == 401, (token, whose, body)
            assert "password" not in body


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_every_scope_but_the_needed_one(ground: Ground, case: tuple[str, str]) -> None:
    token = ground.house.key(set(SCOPES) - {ROUTES[case].scope})
    answers = {ask(ground, case, token, whose=w)[0] for w in ("production", "staging", "nobody")}
    assert answers == {403}


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_needed_scope_alone(ground: Ground, case: tuple[str, str]) -> None:
    status, body = ask(ground, case, ground.house.key([ROUTES[case].scope]))
    assert status == ROUTES[case].own, body
    assert "not-a-secret" not in body


def test_sql_of_ones_own_in_a_diff_needs_a_scope_more(ground: Ground) -> None:
    """Like the route that runs a query: whoever may ask for diffs may not write SQL by that (T06)."""
    source = ground.objects["source"]["production"]
    for side in ("1", "2"):
        body = {**diff_body(source), f"table{side}": None, f"query{side}": "select * from a"}
        for scopes, status in (
            (["diffs:write"], 403),
            (sorted(set(SCOPES) - {"run_sql"}), 403),
            (["diffs:write", "run_sql"], 200),
        ):
            answer = ground.house.client(*scopes).post("/datadiffs", json=body)
            assert answer.status_code == status, (scopes, answer.text)
            assert status == 200 or "run_sql" in answer.json()["detail"]


@pytest.mark.parametrize("case", PER_OBJECT, ids=" ".join)
def test_objects_of_the_other_environment_are_not_there(
    ground: Ground, case: tuple[str, str]
) -> None:
    """With every scope, the other's object and none at all give the same answer."""
    example = ROUTES[case]
    for environment, other in (("production", "staging"), ("staging", "production")):
        token = ground.house.key(environment=environment)
        foreign = ask(ground, case, token, whose=other)
        absent = ask(ground, case, token, whose="nobody")
        assert foreign[0] == absent[0] == example.absent, (foreign, absent)
        assert _told(foreign[1]) == _told(absent[1])


@pytest.mark.parametrize(("path", "own"), [("/data_sources", "source"), ("/datadiffs", "diff")])
def test_lists_hold_what_is_ones_own(ground: Ground, path: str, own: str) -> None:
    numbers = ground.objects[own]
    for environment, other in (("production", "staging"), ("staging", "production")):
        body = ground.house.client(environment=environment).get(path).json()
        rows = body if isinstance(body, list) else body["results"]
        found = {row["id"] for row in rows}
        assert numbers[environment] in found
        assert numbers[other] not in found


def _told(body: str) -> str:
    """Leave out of a problem what names this occurrence."""
    before, _, rest = body.partition('"instance":"')
    return before + rest.partition('"')[2]
