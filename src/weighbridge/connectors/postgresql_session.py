"""PostgreSQL: one login for short questions, and how its TLS is tried."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from weighbridge.connectors import postgresql_catalog as catalog
from weighbridge.connectors.guard import check_query
from weighbridge.connectors.names import quote
from weighbridge.connectors.postgresql_conninfo import PORT, parameters
from weighbridge.connectors.postgresql_login import faults_of, login, run
from weighbridge.connectors.session import (
    Caps,
    Encryption,
    Found,
    Meter,
    collected,
    own_names,
)
from weighbridge.errors import ConnectionFailed, ConnectionLost, QueryFailed

if TYPE_CHECKING:
    import psycopg

    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address

# Someone waits for the end: a server that does not answer by then is cut off.
CANCEL_SECONDS = 3
# The server ends a query by itself, if we could not: so much later than we would.
GRACE_SECONDS = 5
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
_WISH_FOR_TLS = b"\0\0\0\x08\x04\xd2\x16\x2f"
_INSISTS = {"require", "verify-ca", "verify-full"}
# Roles of the server that give more than any reader needs.
_POWERS = {
    "pg_read_server_files": "may read files of the server",
    "pg_write_server_files": "may write files on the server",
    "pg_execute_server_program": "may run programs on the server",
    "pg_write_all_data": "may write to every table",
}
_BOOL, _INTS, _FLOATS = 16, {20, 21, 23, 26}, {700, 701}


class PostgresSession:
    """A login on a PostgreSQL server, outside of any snapshot."""

    port: ClassVar[int] = PORT

    def __init__(self, spec: SideSpec, address: Address, link: socket.socket) -> None:
        link.close()  # libpq makes its own
        self._spec = spec
        self._faults = faults_of(spec, own_sql=False)
        self._connection = login(parameters(spec, address), self._faults)
        self._meter = Meter(self._connection.fileno())
        self.version = f"PostgreSQL {self._connection.info.parameter_status('server_version')}"

    @staticmethod
    def encryption(spec: SideSpec, link: socket.socket) -> Encryption:
        """Begin TLS as libpq will: what it may do without, it does without."""
        mode = spec.parameters.get("sslmode", "prefer")
        if mode in {"disable", "allow"}:
            return Encryption(False, f"TLS is off: sslmode is {mode}.")
        try:
            link.sendall(_WISH_FOR_TLS)
            if link.recv(1) != b"S":
                return _without(mode, "the server offers none")
            with _context(spec, mode).wrap_socket(link, server_hostname=spec.host) as safe:
                kind, cipher = safe.version(), (safe.cipher() or ("",))[0]
        except (OSError, ssl.SSLError, ValueError) as error:
            reason = getattr(error, "verify_message", None) or getattr(error, "reason", None)
            return _without(mode, f"it could not be begun: {reason or error}")
        checked = {"verify-ca": "signed as expected", "verify-full": "the host's own"}.get(mode)
        known = f"the certificate is {checked}" if checked else "the certificate is not checked"
        words = f"{kind}, {cipher}; {known} (sslmode is {mode})."
        return Encryption(True, words, checked is not None)

    def one(self) -> None:
        """Read `select 1`, read-only."""
        self._rows("SELECT 1")
        self._connection.rollback()

    def powers(self) -> tuple[str, ...]:
        """List what the role may do that nobody needs who only reads."""
        if self._rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]:
            return ("is a superuser",)
        held = self._rows(
            "SELECT rolname::text FROM pg_roles WHERE rolname = ANY(%s)"
            " AND pg_has_role(oid, 'MEMBER')",
            list(_POWERS),
        )
        self._connection.rollback()
        return tuple(words for role, words in _POWERS.items() if (role,) in held)

    def make_and_drop(self, schema: str) -> None:
        """Make an empty table and drop it, in one transaction that leaves nothing."""
        name = f"{quote(schema, 'postgres')}.{_own_name()}"
        self._connection.rollback()
        if self._rows("SELECT pg_is_in_recovery()") == [(True,)]:
            raise QueryFailed(
                f"{self._spec.label} is a standby: it can only be read.",
                next_step="Name the primary server, or leave temp_schema empty.",
            )
        self._connection.rollback()
        # Sessions are read-only unless they say otherwise before they read.
        run(self._connection, self._faults, "SET TRANSACTION READ WRITE")
        run(self._connection, self._faults, f"CREATE TABLE {name} (a integer)")
        run(self._connection, self._faults, f"DROP TABLE {name}")
        self._connection.commit()

    def ask(self, sql: str, caps: Caps) -> Found:
        """Run one query of a user in a transaction that cannot write any more."""
        text = check_query(sql, "postgres")
        faults = faults_of(self._spec, own_sql=True)
        milliseconds = round((caps.seconds + GRACE_SECONDS) * 1000)
        run(self._connection, self._faults, f"SET statement_timeout = {milliseconds}")
        self._connection.commit()
        run(
            self._connection, self._faults,
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        )  # fmt: skip
        # From its first reading on, nothing can let the transaction write.
        run(self._connection, self._faults, "SELECT 1")
        # A cursor computes and sends what is fetched, and no more.
        run(self._connection, faults, f"DECLARE answer NO SCROLL CURSOR FOR {text}")
        described = run(self._connection, faults, "FETCH FORWARD 0 FROM answer").pgresult
        if described is None:
            raise ConnectionLost("No answer came.", next_step="Ask again.")
        kinds = [(described.ftype(n), described.fmod(n)) for n in range(described.nfields)]

        def fetch(count: int) -> list[tuple[Any, ...]]:
            got = run(self._connection, faults, f"FETCH FORWARD {count} FROM answer").pgresult
            return [] if got is None else [_row(got, n, kinds) for n in range(got.ntuples)]

        rows, capped = collected(fetch, caps)
        names = [(described.fname(n) or b"").decode() for n in range(described.nfields)]
        types = [str(self._rows(catalog.TYPES, k, m, k)[0][2]) for k, m in kinds]
        return Found(tuple(zip(own_names(names), types, strict=True)), rows, capped)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return run(self._connection, self._faults, sql, values).fetchall()

    def received(self) -> int | None:
        """Count the bytes that arrived so far."""
        return self._meter.received()

    def cancel(self) -> None:
        """End the running query on the server."""
        with contextlib.suppress(Exception):  # a server that is gone has nothing to end
            self._connection.cancel_safe(timeout=CANCEL_SECONDS)

    def sever(self) -> None:
        """Cut the connection."""
        self._meter.sever()

    def close(self) -> None:
        """Let go of the connection."""
        self._meter.close()
        with contextlib.suppress(Exception):  # closing must not hide the error that came first
            self._connection.close()


def _without(mode: str, reason: str) -> Encryption:
    if mode in _INSISTS:
        raise ConnectionFailed(
            f"TLS is off: {reason}, and sslmode is {mode}.",
            next_step="Correct the server's TLS or its certificate, or choose another sslmode.",
        )
    return Encryption(False, f"TLS is off: {reason}.")


def _context(spec: SideSpec, mode: str) -> ssl.SSLContext:
    """Check certificates as libpq does: against a file of roots, by default in the user's home."""
    context = ssl.create_default_context()
    context.check_hostname = mode == "verify-full"
    if mode not in {"verify-ca", "verify-full"}:
        context.verify_mode = ssl.CERT_NONE
        return context
    roots = spec.parameters.get("sslrootcert", "~/.postgresql/root.crt")
    if roots != "system":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = mode == "verify-full"
        try:
            context.load_verify_locations(Path(roots).expanduser())
        except OSError as error:
            # An SSLError is one, too.
            raise ValueError(f"the root certificates {roots} cannot be read") from error
    return context


def _own_name() -> str:
    return quote(f"weighbridge_test_{uuid.uuid4().hex[:12]}", "postgres")


def _row(result: psycopg.pq.abc.PGresult, n: int, kinds: list[tuple[int, int]]) -> tuple[Any, ...]:
    """Take the server's own text: what Python cannot hold (infinity, year 0) is not lost."""
    return tuple(_value(result.get_value(n, at), kind) for at, (kind, _) in enumerate(kinds))


def _value(raw: bytes | None, kind: int) -> Any:
    if raw is None:
        return None
    text = raw.decode(errors="replace")
    if kind == _BOOL:
        return text == "t"
    if kind in _INTS:
        return int(text)
    if kind in _FLOATS and math.isfinite(float(text)):
        return float(text)
    return text
