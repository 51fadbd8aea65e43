"""Keys of the API, as whoever runs the server makes, lists and ends them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.house import House
from tests.unit.cli.conftest import Command
from weighbridge.catalog.api_keys import SCOPES, check_key
from weighbridge.store.audit import broken_line
from weighbridge.store.database import EVERYTHING, seen_by

MODEST = ["connections:read", "diffs:read", "diffs:write"]


@pytest.fixture
def keys(
    command: Command, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command on a server of ours."""
    monkeypatch.setenv("DATABASE_URL", house.database.url)
    monkeypatch.setenv("WEIGHBRIDGE_KEY_RING", str(tmp_path / "keys.json"))
    return command


def opens(house: House, token: str) -> bool:
    with seen_by(house.database, EVERYTHING) as connection:
        return check_key(connection, token.strip()) is not None


def ask(house: House, query: str) -> list[tuple[Any, ...]]:
    with seen_by(house.database, EVERYTHING) as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def listed(keys: Command) -> list[dict[str, Any]]:
    return list(json.loads(keys("keys", "list", "--output", "json").out))


def test_made_shown_once_and_ended(keys: Command, house: House) -> None:
    made = keys("keys", "create", "nightly")
    assert made.code == 0, made.err
    token = made.out.strip()
    assert opens(house, token)
    (key,) = listed(keys)
    assert (key["name"], key["environment"], key["scopes"]) == ("nightly", "production", MODEST)
    assert (key["state"], key["expires_at"]) == ("in use", None)
    secret = token.split("_")[3]
    for said in (keys("keys", "list").out, json.dumps(listed(keys)), str(ask(
        house, "select k::text, a::text from weighbridge.api_keys k, weighbridge.audit a"
    ))):  # fmt: skip
        assert key["id"] in said
        assert secret not in said
    ended = keys("keys", "revoke", key["id"])
    assert ended.code == 0, ended.err
    assert not opens(house, token)
    assert [one["state"] for one in listed(keys)] == ["revoked"]


def test_scopes_and_environment(keys: Command, house: House) -> None:
    made = keys("keys", "create", "all", "--environment", "staging", "--output", "json",
                *(word for scope in SCOPES for word in ("--scope", scope)))  # fmt: skip
    told = json.loads(made.out)
    assert (told["environment"], told["scopes"]) == ("staging", sorted(SCOPES))
    assert told["key"].startswith("wbk_staging_")
    assert opens(house, told["key"])


def test_a_key_that_expires(keys: Command, house: House) -> None:
    token = keys("keys", "create", "short", "--expires", "1h").out
    assert opens(house, token)
    [(hours,)] = ask(house, "select extract(epoch from expires_at - now()) / 3600 from"
                     " weighbridge.api_keys")  # fmt: skip
    assert 0.9 < hours <= 1
    with seen_by(house.database, EVERYTHING) as connection:
        connection.execute(text("update weighbridge.api_keys set expires_at = now()"))
    assert not opens(house, token)
    assert [one["state"] for one in listed(keys)] == ["expired"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--scope", "everything"), "everything"),
        (("--environment", "test"), "no environment"),
        (("--expires", "soon"), "length of time"),
        (("--expires", "0"), "cannot be 0"),
        (("--expires", "1000y"), "hundred years"),
    ],
)
def test_wrong_words(keys: Command, words: tuple[str, ...], says: str) -> None:
    refused = keys("keys", "create", "x", *words)
    assert refused.code == 2
    assert says in refused.err
    assert listed(keys) == []


def test_no_such_key(keys: Command) -> None:
    refused = keys("keys", "revoke", "nobody")
    assert (refused.code, "no key 'nobody'" in refused.err) == (2, True)


def test_the_audit_has_each_change(keys: Command, house: House) -> None:
    token = keys("keys", "create", "a").out
    keys("keys", "revoke", token.split("_")[2])
    lines = ask(house, "select actor, action, after ->> 'state' from weighbridge.audit order by id")
    assert lines == [
        ("operator", "keys.create", "in use"), ("operator", "keys.revoke", "revoked"),
    ]  # fmt: skip
    with seen_by(house.database, EVERYTHING) as connection:
        assert broken_line(connection) is None
