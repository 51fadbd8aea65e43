"""Whatever a request brings: too much, too deep, what nobody can keep, what is not its to set.

RELIABILITY T14 (what the server owns cannot be set), T28 (how much), T37 (what answers tell).
Every route of the authorization table is tried, also those that will come.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, or_, select
from starlette.testclient import TestClient

from tests.api import test_authorization as authorization
from tests.api.test_authorization import ROUTES, Ground, filled
from tests.contract.test_schemathesis import told_too_much
from weighbridge.api.limits import DEEPEST, MOST_BYTES
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.tables import metadata

ground = authorization.ground
WRITES = sorted(case for case in ROUTES if case[0] != "GET")
WITH_BODY = [case for case in WRITES if ROUTES[case].body]
JSON = {"Content-Type": "application/json"}
PLANTED = 424_242
PLANTED_TEXT = "planted-by-the-caller"
# What the server alone decides, of any table, with a value that nothing else here has.
OWNED: dict[str, Any] = {
    "id": PLANTED, "user_id": PLANTED, "created_by": PLANTED, "attempt": PLANTED,
    "outcome_attempt": PLANTED, "status": "done", "done": True, "environment": "staging",
    "created_at": "1999-01-01T00:00:00Z", "updated_at": "1999-01-01T00:00:00Z",
    "finished_at": "1999-01-01T00:00:00Z", "started_at": "1999-01-01T00:00:00Z",
    "deleted_at": "1999-01-01T00:00:00Z", "cancel_wished_at": "1999-01-01T00:00:00Z",
    "report": {"planted": PLANTED_TEXT}, "error": {"code": PLANTED_TEXT},
    "result": "identical", "result_statuses": {"a": PLANTED_TEXT}, "source": "schedule",
    "kind": "planted", "runtime": PLANTED, "diff_stats": {"diff_pks": PLANTED},
    "diff_progress": {"completed_steps": PLANTED}, "has_secret": True, "secret": PLANTED_TEXT,
    "is_paused": True, "hidden": True, "scopes": ["keys"], "secret_hash": PLANTED_TEXT,
}  # fmt: skip
# Not the caller's when something is made; its own route changes it.
AT_CREATION = {"archived": True, "purged": True}


def path_of(ground: Ground, case: tuple[str, str]) -> str:
    """Write a route's path with the numbers of one's own objects."""
    return case[1].format(**own(ground))


def body_of(ground: Ground, case: tuple[str, str]) -> dict[str, Any]:
    """Give the body that a route takes."""
    return filled(dict(ROUTES[case].body or {}), own(ground))


def own(ground: Ground) -> dict[str, int]:
    """Give the numbers of one's own objects."""
    return {kind: numbers["production"] for kind, numbers in ground.objects.items()}


@pytest.fixture(scope="module")
def client(ground: Ground) -> Iterator[TestClient]:
    with ground.house.client() as opened:
        yield opened


def is_a_problem(answer: Any, status: int) -> dict[str, Any]:
    """Hold an answer to be a problem that tells no more than it should."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert told_too_much(body["detail"]) is None, body
    return body


# What the server owns --------------------------------------------------------------------------


def stored(ground: Ground) -> list[str]:
    """Name every table and column that holds what only the caller's words could have put there."""
    found: list[str] = []
    with seen_by(ground.house.database, EVERYTHING) as connection:
        for table in metadata.sorted_tables:
            for column in table.c:
                if column.name not in OWNED or column.name in {"status", "environment", "kind"}:
                    continue
                kind = column.type.python_type
                value = OWNED[column.name]
                if kind in {int, str, bytes} and isinstance(value, kind):
                    condition = column == value
                elif kind.__name__ == "datetime":
                    condition = func.date_part("year", column) == 1999
                else:
                    continue
                if connection.execute(select(func.count()).where(condition)).scalar_one():
                    found.append(f"{table.name}.{column.name}")
    return found


def counts(ground: Ground) -> dict[str, int]:
    """Count what lies in the other environment, and what is done or put away."""
    with seen_by(ground.house.database, EVERYTHING) as connection:
        diffs, sources = (
            metadata.tables["weighbridge.datadiffs"],
            metadata.tables["weighbridge.connections"],
        )
        asked = {
            "diffs": select(func.count()).where(diffs.c.environment == "staging"),
            "sources": select(func.count()).where(sources.c.environment == "staging"),
            "ended": select(func.count()).where(
                or_(diffs.c.status != "waiting", diffs.c.archived, diffs.c.report.is_not(None))
            ),
        }  # fmt: skip
        return {name: connection.execute(query).scalar_one() for name, query in asked.items()}


@pytest.mark.parametrize("case", WRITES, ids=" ".join)
def test_what_the_server_owns_cannot_be_set(
    ground: Ground, client: TestClient, case: tuple[str, str]
) -> None:
    """Each owned field alone: refused, or without any effect. Then all at once."""
    makes = case[0] == "POST" and "{" not in case[1]
    owned = OWNED | (AT_CREATION if makes else {})
    own = answer_fields(ground, case)
    before = counts(ground)
    for name, value in [*owned.items(), ("", None)]:
        planted = {name: value} if name else owned
        answer = client.request(
            case[0], path_of(ground, case), json={**body_of(ground, case), **planted}
        )
        assert answer.status_code in {ROUTES[case].own, 422}, (name, answer.text)
        if answer.status_code == 422:
            assert name in answer.text
            continue
        said = answer.json()
        for field in planted if isinstance(said, dict) else ():
            # A field that the answer does not have otherwise may come back as an echo: no effect.
            if field in own:
                assert said.get(field) != owned[field], (field, said[field])
        assert stored(ground) == []
    assert counts(ground) == before


def answer_fields(ground: Ground, case: tuple[str, str]) -> frozenset[str]:
    """Name what a route answers of its own, whatever was sent."""
    plain = ground.house.client().request(
        case[0], path_of(ground, case), json=body_of(ground, case)
    )
    said: Mapping[str, Any] = plain.json()
    # What is so anyway (a diff that is done) tells nothing.
    return frozenset(name for name, value in said.items() if OWNED.get(name) != value)


# How much, how deep ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", WRITES, ids=" ".join)
def test_a_body_that_is_too_large(
    client: TestClient, ground: Ground, case: tuple[str, str]
) -> None:
    large = json.dumps({**body_of(ground, case), "x": "y" * MOST_BYTES}).encode()

    def chunks() -> Iterator[bytes]:
        for at in range(0, len(large), 50_000):
            yield large[at : at + 50_000]

    path = path_of(ground, case)
    plain = client.request(case[0], path, content=large, headers=JSON)
    assert "content-length" in plain.request.headers
    is_a_problem(plain, 413)
    # Without Content-Length nobody knows before it is read.
    chunked = client.request(case[0], path, content=chunks(), headers=JSON)
    assert "content-length" not in chunked.request.headers
    is_a_problem(chunked, 413)
    lying = client.request(case[0], path, content=chunks(), headers={**JSON, "Content-Length": "2"})
    is_a_problem(lying, 413)


DEEP = [DEEPEST + 1, 2 * DEEPEST, 300, 600, 950, 2_000, 100_000]


@pytest.mark.parametrize("case", WITH_BODY, ids=" ".join)
def test_a_body_that_is_too_deep(client: TestClient, ground: Ground, case: tuple[str, str]) -> None:
    body = body_of(ground, case)
    for depth in DEEP:
        for deep in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            for name in ("note", *body):
                others = json.dumps({n: v for n, v in body.items() if n != name})[1:-1]
                text = f'{{"{name}": {deep}{", " if others else ""}{others}}}'
                answer = client.request(case[0], path_of(ground, case), content=text, headers=JSON)
                is_a_problem(answer, 422)
            answer = client.request(case[0], path_of(ground, case), content=deep, headers=JSON)
            is_a_problem(answer, 422)


def test_as_deep_as_it_may_be_is_given_back(client: TestClient, ground: Ground) -> None:
    note: Any = "here"
    for _ in range(DEEPEST - 1):
        note = [note]
    body = {**body_of(ground, ("POST", "/datadiffs")), "note": note}
    made = client.post("/datadiffs", json=body)
    assert made.status_code == 200, made.text
    assert client.get(f"/datadiffs/{made.json()['id']}").json()["note"] == note
    assert client.get("/datadiffs").status_code == 200


LIMITS = (10**9, 2**31, 2**63, 2**64, 10**30, "9" * 5_000, -1, 0, "1e9", "٣", "\x00", "")


@pytest.mark.parametrize("name", ["page", "page_size", "after"])
@pytest.mark.parametrize("case", [c for c in sorted(ROUTES) if c[0] == "GET"], ids=" ".join)
def test_huge_limits(client: TestClient, ground: Ground, case: tuple[str, str], name: str) -> None:
    """They are refused, or there is nothing so far on; a route that does not know one, ignores it."""
    for value in LIMITS:
        answer = client.get(path_of(ground, case), params={name: str(value)})
        if answer.status_code == 200:
            assert len(answer.content) < 100_000
        else:
            is_a_problem(answer, 422)


# What cannot be kept ----------------------------------------------------------------------------

ODD = ('"\\u0000"', '"\\ud800"', '"\\udfff\\ud800"', "NaN", "-Infinity", "1e999", '{"\\u0000": 1}')


@pytest.mark.parametrize("case", WITH_BODY, ids=" ".join)
def test_what_cannot_be_kept(client: TestClient, ground: Ground, case: tuple[str, str]) -> None:
    body = body_of(ground, case)
    inner = {name: list(value) for name, value in body.items() if isinstance(value, dict)}
    for odd in ODD:
        for name in ("note", *body):
            text = json.dumps({**body, name: "HERE"}).replace('"HERE"', odd)
            answer = client.request(case[0], path_of(ground, case), content=text, headers=JSON)
            is_a_problem(answer, 422)
        for outer, names in inner.items():
            for name in (*names, "note"):
                changed = {**body, outer: {**body[outer], name: "HERE"}}
                text = json.dumps(changed).replace('"HERE"', odd)
                answer = client.request(case[0], path_of(ground, case), content=text, headers=JSON)
                is_a_problem(answer, 422)
    for encoded in (
        b"\xff\xfe",
        b'{"a": "\xff"}',
        "{}".encode("utf-32"),
        b"",
        b"null",
        b"[]",
        b"7",
    ):
        answer = client.request(case[0], path_of(ground, case), content=encoded, headers=JSON)
        assert answer.status_code in {200, 422}
        assert answer.status_code == 422 or encoded == "{}".encode("utf-32")


@pytest.mark.parametrize("case", WITH_BODY, ids=" ".join)
def test_numbers_of_any_size(client: TestClient, ground: Ground, case: tuple[str, str]) -> None:
    body = body_of(ground, case)
    for number in ("9" * 30, "9" * 400, "9" * 4_000, "9" * 5_000, "-1", "1e308", "1e-400", "0.1"):
        for name in body:
            text = json.dumps({**body, name: "HERE"}).replace('"HERE"', number)
            answer = client.request(case[0], path_of(ground, case), content=text, headers=JSON)
            is_a_problem(answer, 422)


# Anything ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(ROUTES), ids=" ".join)
def test_any_bytes(client: TestClient, ground: Ground, case: tuple[str, str]) -> None:
    """Bodies, parameters and paths of any bytes: an answer of the server's own, and no 5xx."""
    quoted = st.binary(max_size=20).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))

    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(
        body=st.binary(max_size=200), name=quoted, value=quoted, part=quoted,
        kind=st.sampled_from(["application/json", "text/plain", "", "multipart/form-data", "a/b;c"]),
    )  # fmt: skip
    def send(body: bytes, name: str, value: str, part: str, kind: str) -> None:
        path = path_of(ground, case)
        for address in (f"{path}?{name}={value}", f"{path}/{part}"):
            answer = client.request(case[0], address, content=body, headers={"Content-Type": kind})
            assert answer.status_code < 500, answer.text
            if answer.status_code >= 400:
                is_a_problem(answer, answer.status_code)

    send()


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "TRACE", "PROPFIND", "X"])
def test_methods_that_are_not_there(client: TestClient, ground: Ground, method: str) -> None:
    """405, and Allow names every method of the path, whichever route comes first."""
    methods: dict[str, set[str]] = {}
    for known, path in ROUTES:
        methods.setdefault(path_of(ground, (known, path)), set()).add(known)
    for path, known in methods.items():
        answer = client.request(method, path)
        is_a_problem(answer, 405)
        assert answer.headers["allow"] == ", ".join(sorted(known))
