"""The way to a server that its options put behind an SSH tunnel."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.destinations.parts import Tunnelled
from weighbridge.errors import BadArgument
from weighbridge.net.hosts import Address
from weighbridge.net.tunnel import LOCAL, Jump, Tunnel

if TYPE_CHECKING:
    from weighbridge.connectors.destinations.options import Options
    from weighbridge.net.hosts import HostPolicy


@dataclass(frozen=True)
class Reached:
    """Options whose server can be reached, and the key that the SSH server showed, if there is one."""

    options: Options
    host_key: str | None = None


@contextmanager
def through_tunnel(
    options: Options, policy: HostPolicy, *, first: bool = False
) -> Generator[Reached]:
    """Open the tunnel that options ask for, as long as the context lasts; without one, do nothing.

    Raises what `Tunnel` does.
    """
    if not isinstance(options, Tunnelled) or not options.use_ssh_tunnel:
        yield Reached(options)
        return
    if not hasattr(options, "host"):
        raise BadArgument(
            "This vendor is not reached through SSH tunnels yet.",
            next_step="Set use_ssh_tunnel to false.",
        )
    said = options.ssh_tunnel
    if said is None or not said.ssh_public_key:
        raise BadArgument(
            "The tunnel has no ssh_public_key.",
            next_step="Ask POST /actions/generate-ssh-key for one, and send its public_key.",
        )
    jump = Jump(
        said.ssh_tunnel_host, said.ssh_tunnel_port, said.ssh_tunnel_username,
        private_key=said.private_key(), host_key=said.ssh_host_key,
    )  # fmt: skip
    far: Any = options
    tunnel = Tunnel(jump, (str(far.host), int(far.port)), policy, first=first)
    try:
        # The host stays the name on the certificate: TLS is of the server, not of the tunnel.
        address = Address(str(far.host), LOCAL, tunnel.port)
        yield Reached(options.reached_at(address), tunnel.host_key)
    finally:
        tunnel.close()


def without_tunnel(options: Options) -> Options:
    """Give options as if their server were near: to ask what a connector would make of them."""
    if isinstance(options, Tunnelled) and options.use_ssh_tunnel:
        return options.reached_at(Address(LOCAL, LOCAL, 1))
    return options
