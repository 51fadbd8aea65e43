"""Key pairs with which we open tunnels and folders: derived, so that none need be stored.

Anybody may ask for one, before there is a destination: a private key is made from our key ring and
a random word, and the public key carries that word as its comment. Whoever sends the public key
back names thereby the private one, which never left.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from weighbridge.connectors.destinations.parts import PublicKeyAuth, SshTunnel
from weighbridge.errors import BadArgument, StoreFailed

if TYPE_CHECKING:
    from weighbridge.connectors.destinations.options import Options
    from weighbridge.store.sealed import KeyRing

_PLACE = "ssh_keys"
_LINE = re.compile(r"(ssh-ed25519 [A-Za-z0-9+/=]+) weighbridge-([0-9]{1,9})-([0-9a-f]{32})")


@dataclass(frozen=True)
class PublicKey:
    """A public key as a line of authorized_keys, and as PEM."""

    line: str
    pem: str


def make_public_key(ring: KeyRing, *, entropy: Callable[[int], bytes] = os.urandom) -> PublicKey:
    """Make a new pair; give its public half."""
    number, word = max(ring.keys), entropy(16)
    public = _private(ring, number, word).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return PublicKey(f"{line} weighbridge-{number}-{word.hex()}", pem)


def private_key(ring: KeyRing, line: str) -> Ed25519PrivateKey:
    """Give the private half of a public key that we made. Raises BadArgument for any other."""
    found = _LINE.fullmatch(line.strip())
    if found is not None:
        try:
            key = _private(ring, int(found[2]), bytes.fromhex(found[3]))
        except StoreFailed:
            key = None
        if key is not None:
            ours = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            if ours.decode() == found[1]:
                return key
    raise BadArgument(
        "The public key is none that was made here.",
        next_step="Ask POST /actions/generate-ssh-key for one, and send its public_key.",
    )


def give_private_keys(ring: KeyRing, options: Options) -> None:
    """Give to options that log in with a key of ours its private half. Raises BadArgument."""
    auth, tunnel = (getattr(options, n, None) for n in ("public_key_auth", "ssh_tunnel"))
    if isinstance(auth, PublicKeyAuth):
        auth.give_private_key(_text(private_key(ring, auth.public_key)))
    if isinstance(tunnel, SshTunnel) and tunnel.ssh_public_key:
        tunnel.give_private_key(_text(private_key(ring, tunnel.ssh_public_key)))


def _text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _private(ring: KeyRing, number: int, word: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(ring.derive(number, _PLACE, word))
