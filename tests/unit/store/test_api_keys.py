"""API keys: the database cannot open a door, and neither can anything but a whole key (T18)."""

from __future__ import annotations

import hashlib
import zlib
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import update

from tests.house import House
from weighbridge.catalog.api_keys import ApiKey, NewKey, check_key, make_key, note_use, revoke_key
from weighbridge.errors import BadArgument
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.tables import api_keys as table


def made(
    ground: House, environment: str = "production", expires_at: datetime | None = None
) -> NewKey:
    with seen_by(ground.database, EVERYTHING) as connection:
        return make_key(
            connection,
            name="n",
            environment=environment,
            scopes=["diffs:read"],
            expires_at=expires_at,
        )


def checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def checked(ground: House, token: str) -> ApiKey | None:
    with seen_by(ground.database, EVERYTHING) as connection:
        return check_key(connection, token)


def test_it_opens(ground: House) -> None:
    new = made(ground)
    found = checked(ground, new.token)
    assert found is not None
    assert found == new.key
    assert (found.environment, found.scopes) == ("production", {"diffs:read"})


def test_the_database_has_no_secret(ground: House) -> None:
    token = made(ground).token
    secret = token.split("_")[3]
    with psycopg.connect(ground.database.url) as connection:
        rows = (
            connection.execute(
                "select set_config('weighbridge.environment', '*', false)"
            ).fetchall()
            and connection.execute("select k::text from weighbridge.api_keys k").fetchall()
        )
    dump = "".join(row[0] for row in rows)
    assert hashlib.sha256(secret.encode()).hexdigest() in dump  # it was looked at
    for shown in (token, secret, secret.encode().hex(), token.split("_")[4]):
        assert shown not in dump
    assert secret not in repr(made(ground))


@pytest.mark.parametrize("place", range(1, 5))
def test_another_word_in_it(ground: House, place: int) -> None:
    """One letter changed, the checksum made right again for all but the checksum itself."""
    words = made(ground).token.split("_")
    if place == 1:
        words[1] = "staging"
    else:
        letter = "b" if words[place][0] != "b" else "c"
        words[place] = letter + words[place][1:]
    if place != 4:
        words[4] = checksum("_".join(words[:4]))
    assert checked(ground, "_".join(words)) is None


def test_a_secret_of_another_key(ground: House) -> None:
    one, two = made(ground).token.split("_"), made(ground).token.split("_")
    one[3] = two[3]
    one[4] = checksum("_".join(one[:4]))
    assert checked(ground, "_".join(one)) is None


def test_noise(ground: House) -> None:
    token = made(ground).token
    for noise in (
        "", "wbk_", "x" * 10_000, token[:-1], token + "0", token.upper(), f" {token}",
        f"{token}\n", token.replace("_", "-"), "\x00", "wbk_ä", "' or true --",
    ):  # fmt: skip
        assert checked(ground, noise) is None, noise


def test_revoked_and_expired(ground: House) -> None:
    now = datetime.now(UTC)
    assert checked(ground, made(ground, expires_at=now + timedelta(hours=1)).token)
    assert checked(ground, made(ground, expires_at=now - timedelta(seconds=1)).token) is None
    new = made(ground)
    for _ in range(2):
        with seen_by(ground.database, EVERYTHING) as connection:
            gone = revoke_key(connection, new.key.public_id)
        assert gone is not None
        assert gone.revoked_at is not None
        assert checked(ground, new.token) is None


def test_revoking_twice_keeps_the_first_moment(ground: House) -> None:
    new = made(ground)
    with seen_by(ground.database, EVERYTHING) as connection:
        first = revoke_key(connection, new.key.public_id)
        assert first == revoke_key(connection, new.key.public_id)
        assert revoke_key(connection, "nobody") is None


def test_use_is_noted_once_a_minute(ground: House) -> None:
    new = made(ground)
    moments: list[datetime | None] = []
    for _ in range(2):
        with seen_by(ground.database, EVERYTHING) as connection:
            note_use(connection, new.key)
        found = checked(ground, new.token)
        assert found is not None
        moments.append(found.last_used_at)
    assert moments[0] is not None
    assert moments[0] == moments[1]
    with seen_by(ground.database, EVERYTHING) as connection:
        old = moments[0] - timedelta(minutes=2)
        connection.execute(update(table).where(table.c.id == new.key.id).values(last_used_at=old))
        note_use(connection, new.key)
        found = check_key(connection, new.token)
    assert found is not None
    assert found.last_used_at is not None
    assert found.last_used_at > old


@pytest.mark.parametrize(
    ("environment", "scopes"),
    [("production", []), ("production", ["everything"]), ("nowhere", ["diffs:read"])],
)
def test_no_such_key_is_made(ground: House, environment: str, scopes: list[str]) -> None:
    with seen_by(ground.database, EVERYTHING) as connection, pytest.raises(BadArgument):
        make_key(connection, name="n", environment=environment, scopes=scopes)
