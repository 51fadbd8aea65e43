"""Whether a login may be given SQL of a user: not one that may do more than read (RELIABILITY T06).

A transaction that only reads, and a list of functions, stand in the way of such SQL anyhow; with a
login that has no powers there is nothing to reach behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.catalog.login import few_words, log_in
from weighbridge.connectors.registry import session_of
from weighbridge.errors import LoginTooPowerful
from weighbridge.net.hosts import HostPolicy, resolve
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from weighbridge.connectors.session import Session
    from weighbridge.connectors.sides import SideSpec

# The setting of a stored connection by which its owner accepts what its login may do.
ACCEPTED = "allow_powerful_login"
REACH_SECONDS, ASK_SECONDS = 5.0, 10.0


def accepts(settings: Mapping[str, Any]) -> bool:
    """Tell whether who stored a connection accepted what its login may do."""
    return settings.get(ACCEPTED) is True


def open_session(spec: SideSpec, policy: HostPolicy) -> Session:
    """Log in to a side's server. Raises HostRefused, ConnectionFailed, AuthFailed."""
    kind = session_of(spec.scheme)
    address = resolve(
        spec.host or "localhost", spec.port or kind.port, policy, database=spec.database
    )
    return log_in(spec, address, reach(address, REACH_SECONDS))


def check_powers(session: Session, spec: SideSpec) -> None:
    """Refuse a login that may do more than read. Raises LoginTooPowerful."""
    with few_words(session, ASK_SECONDS):
        powers = session.powers()
    if powers:
        raise LoginTooPowerful(
            f"SQL of one's own does not run here: the login {spec.user} {powers[0]}.",
            next_step=f"Store the connection with a user that can only read, or with {ACCEPTED}.",
        )


def check_login(spec: SideSpec, policy: HostPolicy) -> None:
    """Log in to see what the login may do. Raises LoginTooPowerful, ConnectionFailed."""
    session = open_session(spec, policy)
    try:
        check_powers(session, spec)
    finally:
        session.close()
