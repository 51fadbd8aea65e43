"""Does a destination answer? One function, which connects, asks for one row, and goes away."""

from __future__ import annotations

import threading
from dataclasses import replace

from weighbridge.connectors.destinations import registry
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.destinations.tunnels import through_tunnel, without_tunnel
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import AuthFailed, ConnectionFailed, HostKeyChanged, NoSuchDatabase, NotNow
from weighbridge.net.hosts import HostPolicy

_PROBE = "SELECT 1 AS one"
# Each waits up to ten seconds for an address that does not answer: not all threads may wait so.
_AT_ONCE = threading.BoundedSemaphore(3)
_LONGEST = 10


def check_address(
    vendor: registry.Vendor, options: Options, policy: HostPolicy, *, uniform: bool
) -> str | None:
    """Connect to a destination and ask for a row, or write and delete a small file.

    Give the key by which the server is known, where it has one.

    Raises what went wrong: BadArgument (not yet), HostRefused, ConnectionFailed, AuthFailed,
    QueryFailed, NotNow. `uniform`: one text for closed, filtered and unknown, so that nobody can
    map a network by asking.
    """
    if not _AT_ONCE.acquire(blocking=False):
        raise NotNow("Other connections are being tested.", next_step="Try again in some seconds.")
    try:
        if vendor.attempt is not None:
            return vendor.attempt(options, vendor.display, policy)
        # Without a connector for it there is nothing that a tunnel could lead to.
        registry.side(vendor, without_tunnel(options), vendor.display)
        with through_tunnel(options, policy, first=True) as reached:
            _ask(registry.side(vendor, reached.options, vendor.display), policy)
            return reached.host_key
    except (AuthFailed, HostKeyChanged):
        raise
    except ConnectionFailed as error:
        # A storage that was logged in to may say that it has no such bucket or folder.
        known = vendor.attempt is not None and isinstance(error, NoSuchDatabase)
        if known or not uniform:
            raise
        raise ConnectionFailed(
            "The host of the connection cannot be used.",
            next_step="Check the host and the port, or ask the operator.",
        ) from None
    finally:
        _AT_ONCE.release()


def _ask(side: SideSpec, policy: HostPolicy) -> None:
    wait = min(int(side.parameters.get("connect_timeout", _LONGEST)), _LONGEST)
    if "connect_timeout" in side.parameters:
        side = replace(side, parameters={**side.parameters, "connect_timeout": str(wait)})
    source = open_source(replace(side, query=_PROBE), policy, snapshot=False)
    try:
        source.shape()
    finally:
        source.close()
