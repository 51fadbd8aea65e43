"""The facade against its own description: whatever is sent, no 500 and no answer that is not declared.

A minute of it. Nothing leaves the machine: hosts that are made up do not resolve here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig

from tests.api import prequel_ground as making
from tests.house import House, a_house
from weighbridge.api.app import make_app

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip


@dataclass
class Seen:
    """What a run met."""

    faults: list[str] = field(default_factory=list[str])
    answers: Counter[int] = field(default_factory=Counter[int])


@pytest.fixture(scope="module")
def home(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(postgres, tmp_path_factory.mktemp("ground")) as house:
        api = house.prequel()
        making.model(api, making.source(api)["id"])
        number = making.destination(api, making.recipient(api)["id"])["id"]
        assert api.post(f"/destinations/{number}/transfer").status_code == 200
        yield house


def run(home: House, headers: dict[str, str], examples: int) -> Seen:
    """Send what schemathesis thinks of; hold every answer."""
    config = SchemathesisConfig.from_dict({
        "headers": headers,
        "generation": {"max-examples": examples, "database": "none"},
        "phases": {"stateful": {"enabled": False}},
        "checks": {
            "enabled": False, **{name: {"enabled": True} for name in CHECKS}
        },
    })  # fmt: skip
    app = make_app(home.database, home.ring)
    schema = schemathesis.openapi.from_asgi("/prequel/openapi.json", app, config=config)
    # Half of the addresses are the older ones of the same routes.
    seen, schema = Seen(), schema.exclude(path_regex="^/prequel/export/")
    # The options of 25 vendors take an hour to make up; test_destination_options.py knows them.
    schema = schema.exclude(operation_id_regex="(create|change|try)(_new)?_(destination|source)_")
    for event in engine.from_schema(schema).execute():
        if isinstance(event, (engine.events.NonFatalError, engine.events.FatalError)):
            seen.faults.append(f"could not be tried: {event}")
        if isinstance(event, engine.events.ScenarioFinished):
            _note(seen, event.recorder)
    return seen


def _note(seen: Seen, recorder: Any) -> None:
    for checks in recorder.checks.values():
        for check in checks:
            # A mount takes no path with a line break: the 404 is that of the whole server.
            if check.failure_info is not None and "%0A" not in check.failure_info.code_sample:
                failure = check.failure_info.failure
                seen.faults.append(
                    f"{recorder.label}: {check.name}: {failure.message[:300]}"
                    f"\n  {check.failure_info.code_sample[:600]}"
                )
    for interaction in recorder.interactions.values():
        if interaction.response is not None:
            seen.answers[interaction.response.status_code] += 1


@pytest.mark.long
@pytest.mark.parametrize("who", ["key", "token", "nobody"])
def test_the_facade_keeps_to_its_description(home: House, who: str) -> None:
    headers = {"X-API-KEY": home.key()}
    if who == "token":
        api = home.prequel()
        headers = making.token_headers(api, recipient_id=making.recipient(api)["id"])
    seen = run(home, {} if who == "nobody" else headers, 8 if who == "key" else 2)
    assert seen.faults == [], f"{len(seen.faults)} faults\n" + "\n".join(seen.faults[:10])
    # TestClient's own 405 is our 404; every answer is one of the contract's.
    assert set(seen.answers) <= {200, 400, 401, 404}, seen.answers
    assert seen.answers.total() > 100
