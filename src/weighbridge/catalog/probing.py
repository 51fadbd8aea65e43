"""The test of a connection, step by step, so that the one which fails is seen.

name → tcp → tls → auth → read → write. Each step is really done, on what the one before it made;
after one that failed the others are skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal

from weighbridge.catalog.login import LOGIN_SECONDS, few_words, log_in
from weighbridge.catalog.secrets import scrubbed
from weighbridge.catalog.watch import within
from weighbridge.connectors.names import table_name
from weighbridge.connectors.registry import session_of
from weighbridge.errors import WeighbridgeError
from weighbridge.net.hosts import HostPolicy, resolve
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    import socket

    from weighbridge.connectors.session import Encryption, Session
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address

Code = Literal["ok", "error", "skip", "unknown"]
# The steps in their order, and how long each may take: in all little more than a minute.
SECONDS = {"name": 8.0, "tcp": 8.0, "tls": 8.0, "auth": LOGIN_SECONDS, "read": 8.0, "write": 8.0}
# A step that is cut off says so itself, if it can: it is given up a little later.
GIVE_UP_SECONDS = 4.0
STEPS = tuple(SECONDS)
# For each address of a name; there may be several.
REACH_SECONDS = 4.0


@dataclass(frozen=True)
class Finding:
    """What a step showed. `warnings`: it went well, and someone should look at this all the same."""

    step: str
    code: Code
    message: str
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {**asdict(self), "warnings": list(self.warnings)}


class _Skip(Exception):
    """A step that has nothing to do, and why; and what to look at all the same."""

    def __init__(self, why: str, *warnings: str) -> None:
        super().__init__(why)
        self.warnings = warnings


def exposed(ip: str, found: Encryption) -> list[str]:
    """Say who else could read or change what travels to an address (RELIABILITY T24)."""
    if is_loopback(ip) or found.checked:
        return []
    if not found.on:
        return ["Whoever is on the way can read the password and the rows, and change them."]
    return ["Whoever is on the way can pose as the server: sslmode verify-full checks who it is."]


def is_loopback(ip: str) -> bool:
    """Tell whether an address is this machine's own."""
    return ip_address(ip).is_loopback


def probe(
    spec: SideSpec,
    policy: HostPolicy,
    *,
    temp_schema: str | None,
    tell: Callable[[Sequence[Finding]], None] = lambda _: None,
) -> tuple[Finding, ...]:
    """Take every step; `tell` hears after each one what was found so far.

    What another system says is no error here but a finding; secrets are taken out of it.
    """
    secrets = frozenset({spec.password} if spec.password else ())
    attempt, findings = _Attempt(spec, policy, temp_schema), list[Finding]()
    try:
        for step in STEPS:
            failed = next((f.step for f in findings if f.code == "error"), None)
            if failed is not None:
                findings.append(Finding(step, "skip", f"Not tried: {failed} failed."))
                continue
            found = _taken(step, attempt)
            words = tuple(scrubbed(text, secrets) for text in found.warnings)
            findings.append(Finding(step, found.code, scrubbed(found.message, secrets), words))
            tell(findings)
    finally:
        attempt.close()
    return tuple(findings)


def _taken(step: str, attempt: _Attempt) -> Finding:
    try:
        message, *warnings = within(
            SECONDS[step] + GIVE_UP_SECONDS, getattr(attempt, step), attempt.give_up
        )
    except _Skip as reason:
        return Finding(step, "skip", str(reason), reason.warnings)
    except WeighbridgeError as error:
        return Finding(step, "error", str(error))
    return Finding(step, "ok", message, tuple(warnings))


class _Attempt:
    """What the steps have made so far. Each gives its message, then warnings."""

    def __init__(self, spec: SideSpec, policy: HostPolicy, temp_schema: str | None) -> None:
        self._spec, self._policy, self._temp_schema = spec, policy, temp_schema
        self._kind = session_of(spec.scheme)
        self._address: Address | None = None
        self._link: socket.socket | None = None
        self._session: Session | None = None
        self._given_up = False

    def name(self) -> list[str]:
        """Resolve the host, and hold every address against the policy."""
        port = self._spec.port or self._kind.port
        self._address = resolve(
            self._spec.host or "localhost", port, self._policy, database=self._spec.database
        )
        listed = ", ".join((self._address.ip, *self._address.alternatives))
        return [f"{self._address.host} is {listed}."]

    def tcp(self) -> list[str]:
        """Connect to the address."""
        began = time.monotonic()
        self._link = self._reached()
        took = (time.monotonic() - began) * 1000
        return [f"Port {self._link.getpeername()[1]} answered in {took:.0f} ms."]

    def tls(self) -> list[str]:
        """Begin TLS, or say in plain words that it is off."""
        assert self._address is not None  # noqa: S101 an earlier step made it
        link = self._link or self._reached()
        found = self._kind.encryption(self._spec, link)
        warnings = exposed(self._address.ip, found)
        if not found.on:
            raise _Skip(found.words, *warnings)
        return [found.words, *warnings]

    def auth(self) -> list[str]:
        """Log in."""
        assert self._address is not None  # noqa: S101 an earlier step made it
        began = time.monotonic()
        link, self._link = self._link or self._reached(), None
        session = log_in(self._spec, self._address, link)
        if self._given_up:
            session.close()
        self._session = session
        took = (time.monotonic() - began) * 1000
        return [f"{self._spec.user} logged in to {session.version} in {took:.0f} ms."]

    def read(self) -> list[str]:
        """Read `select 1`; look whether the login may do more than read."""
        session = self._opened()
        with few_words(session, SECONDS["read"]):
            session.one()
            powers = session.powers()
        more = [
            f"{self._spec.user} {power}: give the connection a role that can only read. Queries"
            " of one's own are refused, unless it is stored with allow_powerful_login."
            for power in powers
        ]
        return ["`SELECT 1` was read.", *more]

    def write(self) -> list[str]:
        """Make a table where the user allowed it, and drop it."""
        session = self._opened()
        if not self._temp_schema:
            raise _Skip("The connection is only read from: no temp_schema is set.")
        # Clients write it as database.schema, too.
        schema = table_name(self._temp_schema)[-1]
        with few_words(session, SECONDS["write"]):
            session.make_and_drop(schema)
        return [f"A table was made in {schema} and dropped."]

    def _reached(self) -> socket.socket:
        assert self._address is not None  # noqa: S101 an earlier step made it
        return reach(self._address, REACH_SECONDS)

    def _opened(self) -> Session:
        assert self._session is not None  # noqa: S101 an earlier step made it
        return self._session

    def give_up(self) -> None:
        """End what hangs."""
        self._given_up = True
        self.close()

    def close(self) -> None:
        """Let go of everything."""
        if self._session is not None:
            if self._given_up:
                self._session.cancel()
                self._session.sever()
            self._session.close()
        if self._link is not None:
            with suppress(OSError):
                self._link.close()
