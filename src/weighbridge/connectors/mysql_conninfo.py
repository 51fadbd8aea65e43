"""How a MariaDB or MySQL server is connected to: session settings, time limits, the address."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote as percent

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec

SESSION = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION sql_mode = ''",
    "SET SESSION lock_wait_timeout = 30",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
# A server that has gone without a word is noticed within 30 s: idle, between probes, give up.
_KEEPALIVE = (
    ("TCP_KEEPIDLE", 10),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 20_000),
)


def url(spec: SideSpec, host: str, port: int) -> str:
    """Write the address as connectorx takes it."""
    secret = f":{percent(spec.password, safe='')}" if spec.password else ""
    user = percent(spec.user or "", safe="")
    host = f"[{host}]" if ":" in host else host
    database = percent(spec.database or "", safe="")
    alive = (
        # Told of a socket by the server, the driver would go there instead.
        "prefer_socket=false&tcp_connect_timeout_ms=10000&tcp_keepalive_time_ms=10000"
        "&tcp_keepalive_probe_interval_secs=5&tcp_keepalive_probe_count=3"
        "&tcp_user_timeout_ms=20000"
    )
    return f"mysql://{user}{secret}@{host}:{port}/{database}?{alive}"


def url_of_socket(spec: SideSpec, path: str) -> str:
    """Write the address of a socket on this machine, behind which nobody asks for a password."""
    database = percent(spec.database or "", safe="")
    return f"mysql://relay@localhost/{database}?prefer_socket=false&socket={percent(path, safe='')}"


def keep_alive(connection: Any) -> None:
    """Let the kernel watch the connection; PyMySQL has no option for it."""
    connection._read_timeout = None  # noqa: SLF001
    link = connection._sock  # noqa: SLF001
    link.settimeout(None)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # Linux has them all
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
