"""From the host that a user typed to the one address that is connected to."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from weighbridge.errors import BadArgument, ConnectionFailed, HostRefused, WeighbridgeError
from weighbridge.net.networks import Ip, Network, local, never, plain

Lookup = Callable[..., Iterable[tuple[Any, ...]]]


_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# glibc reads a host that ends in such a label as a number: 0x7f.1 and 2130706433 are 127.0.0.1.
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")
_CANONICAL = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}")
_UNIFORM = "The host of the connection cannot be used."


@dataclass(frozen=True)
class HostPolicy:
    """Whom a connection was made by decides where it may lead.

    `local`: loopback and private addresses may be reached. `allowed_networks`: these too,
    even if not `local`. `own_endpoints`: (address, port) of our own services, never reached.
    `own_databases`: (place, port, name) of what we keep our own state in, never reached; the
    server that it is on may have other databases.
    `uniform`: one text for every refusal, so that nobody can map a network by asking.
    """

    local: bool
    allowed_networks: tuple[Network, ...] = ()
    own_endpoints: frozenset[tuple[str, int]] = frozenset()
    own_databases: frozenset[tuple[str, int, str]] = frozenset()
    uniform: bool = False

    @classmethod
    def operator(
        cls,
        *,
        own_endpoints: Iterable[tuple[str, int]] = (),
        own_databases: Iterable[tuple[str, int, str]] = (),
        lookup: Lookup = socket.getaddrinfo,
    ) -> HostPolicy:
        """For connections that the people who run this installation made.

        `own_databases` are (host, port, name), each host looked up here, once.
        """
        return cls(
            local=True,
            own_endpoints=frozenset(own_endpoints),
            own_databases=frozenset(
                (place, port, name)
                for host, port, name in own_databases
                for place in _places(host, port, lookup)
            ),
        )

    @classmethod
    def recipient(
        cls,
        *,
        allowed_networks: Iterable[str] = (),
        own_endpoints: Iterable[tuple[str, int]] = (),
    ) -> HostPolicy:
        """For connections that customers typed. Raises BadArgument for what is no network."""
        try:
            networks = tuple(ip_network(text) for text in allowed_networks)
        except ValueError as error:
            raise BadArgument(
                f"An allowed network cannot be read: {error}.",
                next_step="Write networks as 10.20.0.0/16 or fd12:3456::/48.",
            ) from None
        return cls(
            local=False,
            allowed_networks=networks,
            own_endpoints=frozenset(own_endpoints),
            uniform=True,
        )


@dataclass(frozen=True)
class Address:
    """Where to connect. `ip` was checked; `host` is only for the name on a certificate.

    `alternatives` are the name's other addresses, all checked too: localhost is often ::1 and
    127.0.0.1 while the server listens on one of them.
    """

    host: str
    ip: str
    port: int
    alternatives: tuple[str, ...] = ()


class _RefusalError(Exception):
    """Found, expected and next step, on the way to the error that the policy allows."""

    def __init__(
        self, found: str, expected: str, next_step: str, *, unreachable: bool = False
    ) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.next_step = next_step
        self.unreachable = unreachable


def check_written(host: str, port: int, policy: HostPolicy) -> None:
    """Refuse what is no plain host, or an address that is denied; a name is not looked up.

    Raises HostRefused.
    """
    try:
        literal = _parse(host)
        if literal is not None:
            _check(literal, port, policy)
    except _RefusalError as refusal:
        raise _error(host, port, policy, refusal) from None


def resolve(
    host: str,
    port: int,
    policy: HostPolicy,
    lookup: Lookup = socket.getaddrinfo,
    *,
    database: str | None = None,
) -> Address:
    """Resolve a host once and check every address that it has.

    Raises HostRefused (not a plain host, or an address that the policy denies) and
    ConnectionFailed (the name has no address). Under a recipient's policy both are the same
    HostRefused.
    """
    try:
        if not 1 <= port <= 65535:
            raise _RefusalError(f"port {port}", "a port from 1 to 65535", "Correct the port.")
        literal = _parse(host)
        found = (literal,) if literal is not None else _look_up(host, port, lookup)
        for ip in found:
            _check(ip, port, policy)
            if policy.own_databases and (_place(ip), port, database) in policy.own_databases:
                raise _RefusalError(
                    "the database of this installation", "another database", "Name your own."
                )
    except _RefusalError as refusal:
        raise _error(host, port, policy, refusal) from None
    first, *rest = dict.fromkeys(str(ip) for ip in found)
    return Address(host, first, port, tuple(rest))


def _parse(host: str) -> Ip | None:
    """Give the address that the text is, or None for a name. Raises _RefusalError for neither."""
    one_host = "one host name or IP address"
    if not host:
        raise _RefusalError("nothing", one_host, "Give the host; this machine is localhost.")
    for char, words in (
        (",", "a list of hosts"),
        ("/", "a path (a unix socket)"),
        ("@", "a user name or password before the host"),
        ("%", "a percent sign (a zone, or an encoded character)"),
    ):
        if char in host:
            raise _RefusalError(words, one_host, "Give the name or the address alone.")
    if not host.isascii() or not host.isprintable() or " " in host:
        raise _RefusalError(
            "a space or a character outside ASCII",
            one_host,
            "Write an international name in its xn-- form, without spaces.",
        )
    if ":" in host or "[" in host:
        return _parse_ipv6(host)
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _parse_ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _RefusalError("text that is no host name", one_host, "Correct the host.")
    return None


def _parse_ipv4(host: str) -> IPv4Address:
    try:
        if _CANONICAL.fullmatch(host):
            return IPv4Address(host)
    except ValueError:
        pass
    raise _RefusalError(
        "a number that can be read in several ways",
        "four decimal numbers from 0 to 255, such as 192.0.2.7",
        "Write the address in full, without leading zeros.",
    )


def _parse_ipv6(host: str) -> Ip:
    text = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return plain(IPv6Address(text))
    except ValueError:
        raise _RefusalError(
            "text with a colon that is no IPv6 address",
            "an address such as 2001:db8::7",
            "Give the port apart from the host.",
        ) from None


def _look_up(host: str, port: int, lookup: Lookup) -> tuple[Ip, ...]:
    try:
        rows = list(lookup(host, port, type=socket.SOCK_STREAM))
        # A link-local address comes with its zone, as fe80::1%eth0.
        found = tuple(plain(ip_address(str(row[4][0]).partition("%")[0])) for row in rows)
    except (OSError, ValueError):
        found = ()
    if not found:
        raise _RefusalError(
            "no address under that name",
            "a name that this machine can resolve",
            "Check the spelling, the network and the DNS server.",
            unreachable=True,
        )
    return found


def _places(host: str, port: int, lookup: Lookup) -> set[str]:
    try:
        literal = _parse(host)
        return {_place(ip) for ip in ([literal] if literal else _look_up(host, port, lookup))}
    except _RefusalError:
        return set()  # a socket in a folder: no host leads there


def _place(ip: Ip) -> str:
    """Name where an address leads: every address of this machine leads to the same services."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(ip), 0))
    except OSError:
        return str(ip)
    return "this machine"


def _check(ip: Ip, port: int, policy: HostPolicy) -> None:
    if (str(ip), port) in policy.own_endpoints:
        raise _RefusalError(
            "a service of this installation", "another system", "Give its own host."
        )
    words = never(ip)
    if words is not None:
        raise _RefusalError(words, "the address of one host", "Give the address of the server.")
    words = None if policy.local or _allowed(ip, policy) else local(ip)
    if words is not None:
        raise _RefusalError(words, "a public address", "Ask an operator to allow this network.")


def _allowed(ip: Ip, policy: HostPolicy) -> bool:
    return any(ip in network for network in policy.allowed_networks)


def _error(host: str, port: int, policy: HostPolicy, refusal: _RefusalError) -> WeighbridgeError:
    if policy.uniform:
        return HostRefused(_UNIFORM, next_step="Check the host and the port, or ask the operator.")
    # What stands before an @ may be a password.
    shown = "…" if "@" in host else ascii(host[:80])
    message = f"Host {shown}, port {port}: found {refusal.found}, expected {refusal.expected}."
    kind = ConnectionFailed if refusal.unreachable else HostRefused
    return kind(message, next_step=refusal.next_step)
