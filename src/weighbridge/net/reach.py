"""The first word with a host that a user typed: whether anybody listens there."""

from __future__ import annotations

import socket
import struct

from weighbridge.errors import ConnectionFailed
from weighbridge.net.hosts import Address

# Where Linux keeps the bytes that arrived on a connection, in struct tcp_info (since 4.1).
# https://github.com/torvalds/linux/blob/master/include/uapi/linux/tcp.h
_TCP_INFO, _RECEIVED = 11, 128


def reach(address: Address, seconds: float) -> socket.socket:
    """Connect to the first of a host's addresses that answers. Raises ConnectionFailed.

    `seconds` is for each address. The addresses were checked when the name was resolved.
    """
    reasons: list[str] = []
    for ip in (address.ip, *address.alternatives):
        try:
            return socket.create_connection((ip, address.port), seconds)
        except OSError as error:
            said = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            reasons.append(f"{ip}: {said}")
    raise ConnectionFailed(
        f"Nobody answers at {address.host}, port {address.port} ({'; '.join(reasons)}).",
        next_step="Check the host and the port, the firewall, and that the server runs.",
    )


def received(link: socket.socket) -> int | None:
    """Count the bytes that arrived on a TCP connection; None where the kernel does not say."""
    try:
        said = link.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _RECEIVED + 8)
        return int(struct.unpack_from("=Q", said, _RECEIVED)[0])
    except (OSError, struct.error):
        return None
