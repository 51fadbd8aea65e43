"""Logging in to MariaDB and MySQL, with the driver's errors as ours."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from weighbridge.connectors import mysql_tls
from weighbridge.connectors.mysql_conninfo import keep_alive
from weighbridge.connectors.server_faults import ServerFaults
from weighbridge.connectors.sql import missing_extra
from weighbridge.errors import AuthFailed, ConnectionFailed, WeighbridgeError
from weighbridge.net.hosts import Address
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    import pymysql

    from weighbridge.connectors.sides import SideSpec

PORT = 3306
_AUTH_CODES = {1044, 1045, 1130, 1698}
_NO_DATABASE = 1049
_NO_TLS = 2026
_INTERRUPTED = 1317
_LOST_CODES = {2006, 2013}
# What PyMySQL and connectorx say of a connection that broke.
_LOST = (
    "lost connection", "gone away", "closed", "reset", "broken pipe", "unexpected eof",
    "waiting for connection", "os error", "bytes remaining on stream",
)  # fmt: skip


def faults_of(spec: SideSpec, *, own_sql: bool) -> ServerFaults:
    """Say how this side's errors are told."""
    return ServerFaults(
        label=spec.label,
        user=spec.user,
        secrets=(spec.password,),
        own_sql=own_sql,
        client="the mariadb client",
        permission="the user, the password, the database and its grants",
        time_limit="max_statement_time (MySQL: max_execution_time) for the user",
    )


def login(
    spec: SideSpec,
    place: tuple[str, int],
    faults: ServerFaults,
    *,
    seconds: int = 10,
    link: socket.socket | None = None,
) -> pymysql.Connection[Any]:
    """Connect to an address and a port, or on an open `link`.

    Raises AuthFailed, ConnectionFailed, MissingExtra.
    """
    try:
        import pymysql  # noqa: PLC0415 an extra
    except ImportError:
        raise missing_extra("MariaDB and MySQL", "mysql") from None
    wish = mysql_tls.context(spec)
    if wish is not None and link is None:
        # The driver takes its host for the name on the certificate, and we have an address.
        link = reach(Address(spec.host or "localhost", *place), seconds)
    try:
        connection = pymysql.connect(
            host=place[0] if wish is None else spec.host or "localhost",
            port=place[1],
            user=spec.user,
            password=(spec.password or "").encode(),  # PyMySQL would take Latin-1
            database=spec.database,
            charset="utf8mb4",
            connect_timeout=seconds,
            read_timeout=seconds,  # for the greeting; a query may take its time
            local_infile=False,  # a hostile server may ask for any file of ours
            defer_connect=link is not None,
            ssl=wish,
            ssl_disabled=True if wish is None and "ssl-mode" in spec.parameters else None,
        )
        if link is not None:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect(link)
    except pymysql.MySQLError as error:
        code = error.args[0] if error.args else 0
        if code == _NO_TLS and wish is not None:
            raise mysql_tls.refused(spec) from None
        if code in _AUTH_CODES:
            raise faults.refused(words(error)) from None
        raise faults.unreachable(words(error), no_database=code == _NO_DATABASE) from None
    except Exception as error:  # noqa: BLE001 a server's nonsense can fail the driver anywhere
        raise faults.unreachable(words(error), no_database=False) from None
    if wish is not None and not isinstance(socket_of(connection), ssl.SSLSocket):
        connection.close()
        raise mysql_tls.refused(spec)
    keep_alive(connection)
    return connection


def first_login(
    spec: SideSpec, address: Address, faults: ServerFaults, *, seconds: int = 10
) -> tuple[pymysql.Connection[Any], str]:
    """Connect to the first of a host's addresses that answers; give that address, too.

    A name can have addresses that nobody listens on: localhost is often ::1 first.
    """
    *others, last = (address.ip, *address.alternatives)
    for ip in others:
        try:
            return login(spec, (ip, address.port), faults, seconds=seconds), ip
        except ConnectionFailed as error:
            if isinstance(error, AuthFailed):
                raise
    return login(spec, (last, address.port), faults, seconds=seconds), last


def socket_of(connection: Any) -> socket.socket:
    """Give a connection's socket, for which the driver has no public name."""
    return connection._sock  # noqa: SLF001


def told(error: BaseException, faults: ServerFaults) -> WeighbridgeError:
    """Say what a driver says as an error of ours."""
    if isinstance(error, WeighbridgeError):
        return error
    low = faults.text(words(error)).lower()
    code = error.args[0] if error.args else 0
    timed = "max_statement_time" in low or "maximum statement execution time" in low
    if not timed and ("interrupted" in low or code == _INTERRUPTED):
        return faults.cancelled()
    if code in _LOST_CODES or any(word in low for word in _LOST):
        return faults.lost(words(error))
    if timed:
        return faults.timed_out(words(error))
    return faults.failed(words(error))


def words(error: BaseException) -> object:
    """Take a driver's message out of its error."""
    return error.args[-1] if error.args else error
