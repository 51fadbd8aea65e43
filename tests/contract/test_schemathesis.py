"""The server against its description: whatever is sent, no 5xx and no answer that is not declared.

Schemathesis makes the requests: the description's examples, the edges of every field, random
ones, and chains of them. A minute of it; more with HYPOTHESIS_PROFILE=full.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import psycopg
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from starlette.routing import Mount

from tests.api.conftest import TABLES, diff_body, source_body
from tests.contract.test_openapi import FACADES
from tests.house import House, a_house
from tests.servers import fresh_postgres
from weighbridge.api.app import make_app
from weighbridge.catalog import errands
from weighbridge.datadiffs import store

# How many examples for an operation, all facades together.
MANY = hypothesis.settings.default.max_examples

# What no answer tells: where it happened, in whose words, in which file, in which statement (T37).
_TELLING = re.compile(
    r"Traceback|File \"|, line \d|site-packages|\.py\b|/(?:usr|home|root|tmp|opt|work)/"
    r"|psycopg|sqlalchemy|sqlstate|pydantic|starlette|fastapi|procrastinate|asyncio"
    r"|\bweighbridge\.(?:\w+)|\b(?:SELECT|INSERT|UPDATE|DELETE)\b.+\b(?:FROM|INTO|SET|VALUES)\b",
    re.IGNORECASE | re.DOTALL,
)


def told_too_much(text: str) -> str | None:
    """Give what a problem tells that it should not. What it quotes of the request is no news."""
    found = _TELLING.search(re.sub(r"'[^']*'|\"[^\"]*\"(?=[^:])", "''", text.replace('\\"', "'")))
    return found[0] if found else None


@schemathesis.check
def tells_nothing(_context: Any, response: Any, _case: Any) -> None:
    """Hold every problem against the words that none may have."""
    if response.status_code >= 400:
        detail = response.json()["detail"]
        told = told_too_much(detail)
        assert told is None, f"{told!r} in {detail}"


@dataclass(frozen=True)
class Ground:
    """A server with one data source and one finished diff, and three who ask."""

    house: House
    app: FastAPI
    tokens: dict[str, str | None]


@pytest.fixture(scope="module")
def ground(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with (
        a_house(postgres, tmp_path_factory.mktemp("ground")) as house,
        fresh_postgres(postgres) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Nobody works here: what is asked for waits, and is not to be refused for that.
        patch.setattr(store, "MOST_UNDER_WAY", 10**9)
        patch.setattr(errands, "MOST_UNDER_WAY", 10**9)
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in TABLES:
                connection.execute(statement.encode())
        client = house.client()
        source = client.post("/data_sources", json=source_body(url, "shop")).json()["id"]
        number = client.post("/datadiffs", json=diff_body(source)).json()["id"]
        house.run_diff(number)
        assert client.get(f"/datadiffs/{number}").json()["status"] == "done"
        tokens = {"all": house.key(), "none": None, "poor": house.key(["keys"])}
        yield Ground(house, make_app(house.database, house.ring), tokens)


@dataclass
class Seen:
    """What a run met."""

    faults: list[str] = field(default_factory=list[str])
    answers: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    operations: set[str] = field(default_factory=set[str])
    checks: set[str] = field(default_factory=set[str])


def run(ground: Ground, prefix: str, who: str, examples: int) -> Seen:
    """Send what schemathesis thinks of, as one of the three; hold every answer."""
    token = ground.tokens[who]
    config = SchemathesisConfig.from_dict({
        "headers": {"Authorization": f"Key {token}"} if token else {},
        "generation": {"max-examples": examples, "database": "none"},
        "phases": {"stateful": {"generation": {"max-examples": max(1, examples // 4)}}},
        # A request of a valid shape may still be refused for what it means.
        "checks": {"positive_data_acceptance": {
            "expected-statuses": ["2xx", "401", "403", "404", "409", "422"],
        }},
    })  # fmt: skip
    schema = schemathesis.openapi.from_asgi(f"{prefix}/openapi.json", ground.app, config=config)
    seen = Seen()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, (engine.events.NonFatalError, engine.events.FatalError)):
            seen.faults.append(f"could not be tried: {event}")
        if isinstance(event, engine.events.ScenarioFinished):
            _note(seen, event.recorder)
    return seen


def _note(seen: Seen, recorder: Any) -> None:
    for checks in recorder.checks.values():
        for check in checks:
            seen.checks.add(check.name)
            if check.failure_info is not None:
                failure = check.failure_info.failure
                seen.faults.append(
                    f"{recorder.label}: {check.name}: {failure.title}: {failure.message[:500]}"
                    f"\n  {check.failure_info.code_sample[:1000]}"
                )
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            status = interaction.response.status_code
            seen.answers[interaction.request.method, status] += 1
            seen.operations.add(recorder.label)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("prefix", FACADES)
@pytest.mark.parametrize(
    ("who", "part", "statuses"),
    [
        ("all", 1.0, {200, 404, 405, 422}),
        ("poor", 0.2, {403, 405}),
        ("none", 0.2, {401, 405}),
    ],
)  # fmt: skip
def test_no_breach(ground: Ground, prefix: str, who: str, part: float, statuses: set[int]) -> None:
    seen = run(ground, prefix, who, int(MANY * part / len(FACADES)))
    assert not seen.faults, "\n".join(dict.fromkeys(seen.faults))
    found = {status for _, status in seen.answers}
    assert statuses <= found
    assert max(found) < 500
    # Without the scope nobody is served, whatever they send.
    assert who == "all" or not any(200 <= status < 300 for status in found)
    assert {"tells_nothing", "unsupported_method", "response_headers_conformance"} <= seen.checks
    assert seen.operations >= {
        f"{method.upper()} {path}"
        for path, methods in facade(ground.app, prefix).openapi()["paths"].items()
        for method in methods
    }


def facade(app: FastAPI, prefix: str) -> FastAPI:
    """Take one facade out of the application."""
    (found,) = (r.app for r in app.routes if isinstance(r, Mount) and r.path == prefix)
    assert isinstance(found, FastAPI)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last)", 'File "/srv/x.py", line 3', "at /usr/lib/python3",
        "psycopg.errors.UndefinedTable", "(sqlalchemy.exc) gone", "SELECT a FROM b",
        "relation weighbridge.datadiffs", "INSERT INTO x", "in auth.py",
    ],
)  # fmt: skip
def test_what_is_told_too_much(text: str) -> None:
    assert told_too_much(f"Something went wrong: {text}.")
    assert told_too_much("There is no parameter 'psycopg' here.") is None
