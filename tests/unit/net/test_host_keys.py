"""The keys by which SSH servers are known again."""

from __future__ import annotations

import asyncssh
import pytest

from weighbridge.errors import BadArgument, HostKeyChanged
from weighbridge.net.host_keys import check_host_key, fingerprint, host_key


def a_key(kind: str = "ssh-ed25519") -> str:
    return asyncssh.generate_private_key(kind).export_public_key().decode().strip()


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_one_form_of_a_key(kind: str) -> None:
    line = a_key(kind)
    assert host_key(f"{line} a comment") == line
    assert host_key(f"example.com,192.0.2.1 {line}") == line
    assert fingerprint(line) == asyncssh.import_public_key(line).get_fingerprint()
    check_host_key("h", f"h {line}", f"{line} other comment")


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa !", "a b c"])
def test_what_is_no_key(line: str) -> None:
    with pytest.raises(BadArgument, match="host key is none"):
        host_key(line)


def test_another_key_stops() -> None:
    one, other = a_key(), a_key()
    with pytest.raises(HostKeyChanged) as caught:
        check_host_key("files.example", one, other)
    said = str(caught.value)
    assert fingerprint(one) in said
    assert fingerprint(other) in said
    assert "Nothing was sent" in said
    assert not caught.value.retry
