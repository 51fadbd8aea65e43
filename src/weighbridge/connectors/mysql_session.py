"""MariaDB and MySQL: one login for short questions."""

from __future__ import annotations

import contextlib
import math
import re
import socket
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from weighbridge.connectors import mysql_tls
from weighbridge.connectors import mysql_types as my
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.mysql_conninfo import SESSION
from weighbridge.connectors.mysql_login import PORT, faults_of, login, socket_of, told
from weighbridge.connectors.names import quote
from weighbridge.connectors.session import Caps, Encryption, Found, Meter, collected, own_names
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from weighbridge.connectors.server_faults import ServerFaults
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address

CANCEL_SECONDS = 3
# The server ends a query by itself, if we could not: so much later than we would.
GRACE_SECONDS = 5
# A grant on everything: GRANT SELECT, FILE ON *.* TO …
_GRANT = re.compile(r"GRANT (.+?) ON \*\.\* TO ", re.IGNORECASE)
_POWERS = {
    "ALL PRIVILEGES": "is a superuser",
    "SUPER": "is a superuser",
    "FILE": "may read and write files of the server",
}


class MySQLSession:
    """A login on a MariaDB or MySQL server, outside of any snapshot."""

    port: ClassVar[int] = PORT

    def __init__(self, spec: SideSpec, address: Address, link: socket.socket) -> None:
        if not spec.database:
            raise BadArgument(
                f"The side {spec.label} names no database.", next_step="Name its database."
            )
        self._spec = spec
        self._faults = faults_of(spec, own_sql=False)
        # A server that is left after its greeting counts that, and shuts the door after a hundred:
        # so it is one connection that is tried, from its first byte to its last.
        self._place = (str(link.getpeername()[0]), address.port)
        self._connection = login(spec, self._place, self._faults, link=link)
        self._meter = Meter(socket_of(self._connection).fileno())
        # MariaDB greets old clients as a version that they know how to speak with.
        said = str(self._connection.get_server_info()).removeprefix("5.5.5-")
        self.version = said if "MariaDB" in said else f"MySQL {said}"

    @staticmethod
    def encryption(spec: SideSpec, link: socket.socket) -> Encryption:
        """Begin TLS on an open `link` as a login would."""
        wish = mysql_tls.context(spec)
        if wish is None:
            return Encryption(
                False, "TLS is off (ssl-mode is disabled): rows travel readable on their way."
            )
        known = {
            "required": "the certificate is not checked",
            "verify-ca": "the certificate is signed as expected",
            "verify-identity": "the certificate is the host's own",
        }[mysql_tls.mode(spec)]
        return Encryption(True, f"{mysql_tls.begun(spec, link, wish)}; {known}.")

    def one(self) -> None:
        """Read `select 1`, read-only."""
        self._rows("START TRANSACTION READ ONLY")
        self._rows("SELECT 1")
        self._rows("ROLLBACK")

    def powers(self) -> tuple[str, ...]:
        """List what the user may do that nobody needs who only reads."""
        held: set[str] = set()
        for (grant,) in self._rows("SHOW GRANTS"):
            if found := _GRANT.match(str(grant)):
                held.update(part.strip().upper() for part in found[1].split(","))
        return tuple(dict.fromkeys(words for name, words in _POWERS.items() if name in held))

    def make_and_drop(self, schema: str) -> None:
        """Make an empty table and drop it; there is no transaction that could undo the first."""
        name = f"{quote(schema, 'mysql')}.`weighbridge_test_{uuid.uuid4().hex[:12]}`"
        self._rows(f"CREATE TABLE {name} (a INT)")
        self._rows(f"DROP TABLE {name}")

    def ask(self, sql: str, caps: Caps) -> Found:
        """Run one query of a user in a read-only transaction, row by row as it comes."""
        from pymysql.cursors import SSCursor  # noqa: PLC0415 an extra

        text = check_query(sql, "mysql")
        seconds = math.ceil(caps.seconds + GRACE_SECONDS)
        limit = f"max_statement_time = {seconds}"
        if "MariaDB" not in self.version:
            limit = f"max_execution_time = {seconds * 1000}"
        for statement in (f"SET SESSION {limit}", *SESSION):
            self._rows(statement)
        faults = faults_of(self._spec, own_sql=True)
        # Each value as the text that the server writes.
        self._connection.decoders = {}
        cursor: Any = SSCursor(self._connection)
        try:
            self._try(lambda: cursor.execute(text), faults)
            result: Any = cursor._result  # noqa: SLF001 flags and charset are not public
            # A server that means harm may say that a SELECT has no columns.
            fields = getattr(result, "fields", ())
            kinds = [my.from_field(_names().get(f.type_code, ""), f) for f in fields]

            def fetch(count: int) -> list[tuple[Any, ...]]:
                rows = self._try(lambda: cursor.fetchmany(count), faults)
                return [tuple(map(_value, row, (k.family for k in kinds))) for row in rows]

            rows, capped = collected(fetch, caps)
            names = own_names([str(f.name) for f in fields])
        finally:
            self._leave(cursor)
        return Found(tuple(zip(names, (k.declared for k in kinds), strict=True)), rows, capped)

    def _leave(self, cursor: Any) -> None:
        """Go without reading the rest, which the driver would do at the end of a cursor."""
        result = cursor._result  # noqa: SLF001 there is no public way
        if result is not None and result.unbuffered_active:
            result.unbuffered_active = False
            self.cancel()
            self.close()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        def ask() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        return self._try(ask, self._faults)

    def _try(self, ask: Callable[[], Any], faults: ServerFaults) -> Any:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 a server's nonsense can fail the driver anywhere
            raise told(error, faults) from None

    def received(self) -> int | None:
        """Count the bytes that arrived so far."""
        return self._meter.received()

    def cancel(self) -> None:
        """End the running query on the server."""
        with contextlib.suppress(Exception):  # a server that is gone has nothing to end
            number = self._connection.thread_id()
            other = login(self._spec, self._place, self._faults, seconds=CANCEL_SECONDS)
            with other, other.cursor() as cursor:
                cursor.execute("KILL QUERY %s", (number,))

    def sever(self) -> None:
        """Cut the connection."""
        self._meter.sever()

    def close(self) -> None:
        """Let go of the connection."""
        self._meter.close()
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()


def _names() -> dict[int, str]:
    from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 an extra

    return {v: k.lower() for k, v in vars(FIELD_TYPE).items() if isinstance(v, int)}


def _value(raw: str | bytes | None, family: str) -> Any:
    if raw is None:
        return None
    if isinstance(raw, bytes):
        return f"0x{raw.hex()}"
    if family == "int":
        return int(raw)
    if family == "float" and math.isfinite(float(raw)):
        return float(raw)
    return raw
