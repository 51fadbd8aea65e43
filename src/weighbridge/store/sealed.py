"""Secrets at rest: AES-GCM, bound to the row and field that they belong to.

A sealed value is: version (1 byte), key number (4 bytes, big-endian), nonce (12 bytes),
ciphertext with its tag. The row and the field are associated data, so that a sealed value that
someone moved to another row does not open. The key ring is a file outside the database.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from weighbridge.errors import StoreFailed

VERSION = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_HEAD = 1 + 4


@dataclass(frozen=True)
class KeyRing:
    """Numbered keys; the highest number seals, every one opens."""

    keys: Mapping[int, bytes] = field(repr=False)

    def seal(
        self, plain: str, place: str, *, entropy: Callable[[int], bytes] = os.urandom
    ) -> bytes:
        """Seal a text for one place, written as `table/row/field`."""
        number = max(self.keys)
        nonce = entropy(_NONCE_BYTES)
        sealed = AESGCM(self.keys[number]).encrypt(nonce, plain.encode(), place.encode())
        return VERSION + number.to_bytes(4, "big") + nonce + sealed

    def unseal(self, sealed: bytes, place: str) -> str:
        """Open what was sealed for this place. Raises StoreFailed."""
        number = int.from_bytes(sealed[1:_HEAD], "big")
        key = self.keys.get(number)
        if sealed[:1] != VERSION or key is None:
            raise StoreFailed(
                f"A secret in the database was sealed with key {number}, which the key ring does"
                " not have.",
                next_step="Put the key ring that was used back in its place.",
            )
        nonce, rest = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, rest, place.encode()).decode()
        except (InvalidTag, ValueError):
            raise StoreFailed(
                f"A secret of {place} does not open: it was changed, moved, or sealed elsewhere.",
                next_step="Give the secret again.",
            ) from None

    def derive(self, number: int, place: str, salt: bytes) -> bytes:
        """Make 32 secret bytes that need not be stored: the same words give the same bytes.

        Raises StoreFailed for a key that the ring does not have.
        """
        key = self.keys.get(number)
        if key is None:
            raise StoreFailed(
                f"The key ring does not have the key {number}.",
                next_step="Put the key ring that was used back in its place.",
            )
        return HKDF(SHA256(), _KEY_BYTES, salt, place.encode()).derive(key)

    def sealed_with_old_key(self, sealed: bytes) -> bool:
        """Tell whether a newer key should seal this value again."""
        return int.from_bytes(sealed[1:_HEAD], "big") != max(self.keys)


def open_ring(path: Path) -> KeyRing:
    """Read a key ring. Raises StoreFailed with what is wrong, without showing a key."""
    try:
        mode = path.stat().st_mode & 0o077
        body = json.loads(path.read_text(encoding="ascii"))
        keys = {int(number): base64.b64decode(key, validate=True) for number, key in body.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or "it is no key ring"
        raise StoreFailed(
            f"The key ring {path} cannot be read: {reason}.",
            next_step="Put it back from your backup: without it no stored secret opens.",
        ) from None
    if mode:
        raise StoreFailed(
            f"The key ring {path} can be read by others.",
            next_step=f"Make it yours alone with `chmod 600 {path}`.",
        )
    if not keys or any(len(key) != _KEY_BYTES for key in keys.values()):
        raise StoreFailed(
            f"The key ring {path} holds no usable key.", next_step="Put it back from your backup."
        )
    return KeyRing(keys)


def make_ring(path: Path, *, entropy: Callable[[int], bytes] = os.urandom) -> KeyRing:
    """Make a key ring that only its owner can read; an existing one is opened, never replaced."""
    text = json.dumps({"1": base64.b64encode(entropy(_KEY_BYTES)).decode()})
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return open_ring(path)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return open_ring(path)


def add_key(path: Path, *, entropy: Callable[[int], bytes] = os.urandom) -> KeyRing:
    """Add a key, which seals from now on; the older ones still open."""
    ring = open_ring(path)
    keys = {**ring.keys, max(ring.keys) + 1: entropy(_KEY_BYTES)}
    text = json.dumps({str(n): base64.b64encode(key).decode() for n, key in keys.items()})
    beside = path.with_suffix(".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return KeyRing(keys)
