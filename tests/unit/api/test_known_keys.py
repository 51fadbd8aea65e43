"""A key that was good a moment ago is not looked up again, and not for long (T18)."""

from __future__ import annotations

from datetime import UTC, datetime

from weighbridge.api.known_keys import SECONDS, KnownKeys
from weighbridge.catalog.api_keys import ApiKey

KEY = ApiKey(
    id=1, public_id="p", name="n", environment="production", scopes=frozenset({"diffs:read"}),
    created_at=datetime(2026, 1, 1, tzinfo=UTC), expires_at=None, last_used_at=None,
    revoked_at=None,
)  # fmt: skip


def test_a_key_is_known_for_a_moment_only() -> None:
    now = 100.0
    known = KnownKeys(clock=lambda: now)
    known.put("token", KEY)
    now += SECONDS - 0.01
    assert known.get("token") is KEY
    now += 0.01
    assert known.get("token") is None


def test_another_token_is_another_key() -> None:
    known = KnownKeys(clock=lambda: 0.0)
    known.put("wbk_secret", KEY)
    assert known.get("wbk_secret2") is None
    assert "wbk_secret" not in repr(vars(known))


def test_it_does_not_grow_without_end() -> None:
    known = KnownKeys(clock=lambda: 0.0)
    for number in range(10_001):
        known.put(str(number), KEY)
    assert known.get("10000") is KEY
    assert known.get("0") is None
