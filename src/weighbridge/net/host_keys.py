"""The keys by which SSH servers are known again: kept at the first test, held to ever after."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from itertools import pairwise

from weighbridge.errors import BadArgument, HostKeyChanged


def host_key(line: str) -> str:
    """Give the one form of a public host key, `type base64`. Raises BadArgument for none.

    A comment after it, or the host before it as in known_hosts, falls away.
    """
    words = line.split()
    for kind, body in pairwise(words):
        if _holds(kind, body):
            return f"{kind} {body}"
    raise BadArgument(
        "The host key is none: expected a line such as `ssh-ed25519 AAAA…`.",
        next_step="Leave it empty to keep the key that the server shows at the next test.",
    )


def fingerprint(key: str) -> str:
    """Name a host key as `ssh-keygen -l` does."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def check_host_key(host: str, known: str, shown: str) -> None:
    """Hold a server to the key that is known of it. Raises HostKeyChanged."""
    if not hmac.compare_digest(host_key(known), host_key(shown)):
        raise host_key_changed(host, known, shown)


def host_key_changed(host: str, known: str, shown: str | None) -> HostKeyChanged:
    """Say that a server is not known by its key; nothing may be sent to it."""
    other = f"shows {fingerprint(host_key(shown))}" if shown else "does not show it any more"
    return HostKeyChanged(
        f"{host} is not the server that was tested: it was known by"
        f" {fingerprint(host_key(known))} and {other}. Nothing was sent.",
        next_step="Ask its owner. If the key was replaced on purpose, empty host_key and test again.",
    )


def _holds(kind: str, body: str) -> bool:
    try:
        blob = base64.b64decode(body, validate=True)
        (size,) = struct.unpack_from(">I", blob)
    except (binascii.Error, struct.error, ValueError):
        return False
    return blob[4 : 4 + size] == kind.encode() and len(blob) > 4 + size
