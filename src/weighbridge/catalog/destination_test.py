"""Does a destination answer? One function, which connects, asks for one row, and goes away."""

from __future__ import annotations

import threading
from dataclasses import replace

from weighbridge.connectors.destinations import registry
from weighbridge.connectors.destinations.options import Options
from weighbridge.connectors.registry import open_source
from weighbridge.errors import AuthFailed, ConnectionFailed, NotNow
from weighbridge.net.hosts import HostPolicy

_PROBE = "SELECT 1 AS one"
# Each waits up to ten seconds for an address that does not answer: not all threads may wait so.
_AT_ONCE = threading.BoundedSemaphore(3)
_LONGEST = 10


def check_address(
    vendor: registry.Vendor, options: Options, policy: HostPolicy, *, uniform: bool
) -> None:
    """Connect to a destination and ask for a row.

    Raises what went wrong: BadArgument (not yet), HostRefused, ConnectionFailed, AuthFailed,
    QueryFailed, NotNow. `uniform`: one text for closed, filtered and unknown, so that nobody can
    map a network by asking.
    """
    side = registry.side(vendor, options, vendor.display)
    wait = min(int(side.parameters.get("connect_timeout", _LONGEST)), _LONGEST)
    if "connect_timeout" in side.parameters:
        side = replace(side, parameters={**side.parameters, "connect_timeout": str(wait)})
    if not _AT_ONCE.acquire(blocking=False):
        raise NotNow("Other connections are being tested.", next_step="Try again in some seconds.")
    try:
        source = open_source(replace(side, query=_PROBE), policy, snapshot=False)
        try:
            source.shape()
        finally:
            source.close()
    except AuthFailed:
        raise
    except ConnectionFailed:
        if not uniform:
            raise
        raise ConnectionFailed(
            "The host of the connection cannot be used.",
            next_step="Check the host and the port, or ask the operator.",
        ) from None
    finally:
        _AT_ONCE.release()
