"""TLS to MariaDB and MySQL: who wishes for it gets it, or no connection at all.

The words are those of MySQL's own client: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html
Its `preferred` is not among them: whoever stands between could take it away unseen.
"""

from __future__ import annotations

import ssl
import struct
from typing import TYPE_CHECKING

from weighbridge.errors import BadArgument, ConnectionFailed

if TYPE_CHECKING:
    import socket

    from weighbridge.connectors.sides import SideSpec

MODES = ("disabled", "required", "verify-ca", "verify-identity")
_PROTOCOL_41, _SSL, _SECURE = 0x200, 0x800, 0x8000
_UTF8MB4 = 45
_MOST = 2**24 - 1


def mode(spec: SideSpec) -> str:
    """Give the wish of a side. Raises BadArgument for a word that is none."""
    word = spec.parameters.get("ssl-mode", "disabled").lower().replace("_", "-")
    if word not in MODES:
        raise BadArgument(
            f"ssl-mode of {spec.label}: {word[:30]!r} is not known.",
            next_step=f"Use one of {', '.join(MODES)}.",
        )
    return word


def context(spec: SideSpec) -> ssl.SSLContext | None:
    """Give what begins TLS as a side wishes; None where it wishes for none.

    Raises BadArgument, ConnectionFailed for root certificates that cannot be read.
    """
    wish = mode(spec)
    if wish == "disabled":
        return None
    checks = wish != "required"
    try:
        roots = spec.parameters.get("ssl-ca")
        made = ssl.create_default_context(cafile=roots) if checks else _unchecked()
    except (OSError, ssl.SSLError):
        raise ConnectionFailed(
            f"The root certificates of {spec.label} cannot be read.",
            next_step="Let ssl-ca name a file of certificates in PEM.",
        ) from None
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = wish == "verify-identity"
    return made


def _unchecked() -> ssl.SSLContext:
    # As PostgreSQL's sslmode=require: encrypted, whoever it is at the other end.
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def begun(spec: SideSpec, link: socket.socket, wish: ssl.SSLContext) -> str:
    """Begin TLS on an open `link` as a login does, and say with what. Raises ConnectionFailed.

    The server counts it as a login that was not finished, until the next one is.
    """
    greeting = _packet(link)
    end = greeting.find(b"\0", 1)
    # Protocol 10: version, NUL, 4 bytes of thread, 8 of salt, a filler, capabilities.
    if greeting[:1] != b"\x0a" or len(greeting) < end + 16:
        raise ConnectionFailed(
            f"{spec.label} does not greet as MariaDB or MySQL does.",
            next_step="Check the host and the port.",
        )
    if not struct.unpack_from("<H", greeting, end + 14)[0] & _SSL:
        raise refused(spec)
    wishes = struct.pack("<IIB23x", _PROTOCOL_41 | _SSL | _SECURE, _MOST, _UTF8MB4)
    link.sendall(len(wishes).to_bytes(3, "little") + b"\x01" + wishes)
    try:
        with wish.wrap_socket(link, server_hostname=spec.host) as safe:
            cipher = safe.cipher()
            return f"{safe.version()}, {cipher[0] if cipher else 'unknown cipher'}"
    except (OSError, ssl.SSLError) as error:
        raise ConnectionFailed(
            f"TLS with {spec.label} failed (ssl-mode is {mode(spec)}):"
            f" {getattr(error, 'verify_message', '') or error}.",
            next_step="Check the server's certificate, ssl-mode and ssl-ca.",
        ) from None


def refused(spec: SideSpec) -> ConnectionFailed:
    """Tell that the server has no TLS; nothing secret was sent."""
    return ConnectionFailed(
        f"{spec.label} does not offer TLS, and without it no connection was made.",
        next_step="Switch TLS on at the server; or allow plain text (ssl-mode=disabled, of a"
        " destination disable_ssl) where the network between the two is your own.",
    )


def _packet(link: socket.socket) -> bytes:
    head = _bytes(link, 4)
    return _bytes(link, min(int.from_bytes(head[:3], "little"), 4096))


def _bytes(link: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = link.recv(count - len(read))
        if not more:
            raise ConnectionFailed(
                "The server hung up before it greeted.", next_step="Look into the server's log."
            )
        read += more
    return read
