"""Keys that were found good a moment ago: a client's hundred requests cost one look-up.

A key that is revoked or expires opens nothing after `SECONDS` more, in any process (RELIABILITY T18
allows five). What was refused is not remembered.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from weighbridge.catalog.api_keys import ApiKey

SECONDS = 2.0
_MOST = 10_000


class KnownKeys:
    """Remembers a key for `SECONDS`; the token itself is not kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[bytes, tuple[float, ApiKey]] = {}

    def get(self, token: str) -> ApiKey | None:
        """Give the key of a token that was good a moment ago; None: look it up."""
        until, key = self._found.get(_hash(token), (0.0, None))
        return key if self._clock() < until else None

    def put(self, token: str, key: ApiKey) -> None:
        """Remember a key that was just found good."""
        if len(self._found) >= _MOST:
            self._found.clear()
        self._found[_hash(token)] = (self._clock() + SECONDS, key)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
