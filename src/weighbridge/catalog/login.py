"""Logging in to a stored connection's server, which may mean harm: it has little time and says little.

Source of the threat: a server may answer the plainest question with a row that never ends.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator
from typing import TYPE_CHECKING

from weighbridge.catalog.watch import Watch
from weighbridge.connectors.registry import session_of
from weighbridge.connectors.session import Meter, Session
from weighbridge.errors import ConnectionFailed, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address

LOGIN_SECONDS = 12.0
# No greeting, version or list of grants is longer.
MOST_BYTES = 1_000_000


def log_in(spec: SideSpec, address: Address, link: socket.socket) -> Session:
    """Log in over an open `link`. Raises AuthFailed, ConnectionFailed, MissingExtra."""
    meter = Meter(link.fileno())
    watch = Watch(
        lambda: None, seconds=LOGIN_SECONDS, sever=meter.sever,
        too_much=lambda: (meter.received() or 0) > MOST_BYTES,
    )  # fmt: skip
    try:
        with watch:
            return session_of(spec.scheme)(spec, address, link)
    except WeighbridgeError as error:
        raise _told(watch, error) from error
    finally:
        meter.close()
        # A login that failed may have left it open; one that went well has taken it over.
        if watch.reason is not None:
            with contextlib.suppress(OSError):
                link.close()


@contextlib.contextmanager
def few_words(session: Session, seconds: float) -> Generator[None]:
    """Ask a session questions whose answers are short. Raises ConnectionFailed if they are not."""
    before = session.received() or 0
    watch = Watch(
        session.cancel, seconds=seconds, sever=session.sever,
        too_much=lambda: (session.received() or 0) - before > MOST_BYTES,
    )  # fmt: skip
    try:
        with watch:
            yield
    except WeighbridgeError as error:
        raise _told(watch, error) from error


def _told(watch: Watch, error: WeighbridgeError) -> WeighbridgeError:
    if watch.reason is None:
        return error
    what = "took too long" if watch.reason == "time" else "answered without an end"
    return ConnectionFailed(
        f"The server {what} and was cut off.", next_step="Ask who runs it what it is busy with."
    )
