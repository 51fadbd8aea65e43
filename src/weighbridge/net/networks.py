"""What an IP address is, beyond its number: whose, and how far it reaches."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*rows: tuple[str, str]) -> tuple[tuple[Network, str], ...]:
    return tuple((ip_network(text), words) for text, words in rows)


# Our own table: what ipaddress calls private or global has changed between Python releases.
# https://www.iana.org/assignments/iana-ipv4-special-registry/ and the same for IPv6
_NEVER = _networks(
    ("0.0.0.0/8", "an unspecified address"),
    ("169.254.0.0/16", "a link-local address, where clouds serve their metadata"),
    ("168.63.129.16/32", "a cloud's metadata address"),
    ("100.100.100.200/32", "a cloud's metadata address"),
    ("192.0.0.192/32", "a cloud's metadata address"),
    ("224.0.0.0/4", "a multicast address"),
    ("240.0.0.0/4", "a reserved or broadcast address"),
    ("::/128", "an unspecified address"),
    ("fe80::/10", "a link-local address"),
    ("fd00:ec2::/32", "a cloud's metadata address"),
    ("fd20:ce::/32", "a cloud's metadata address"),
    ("ff00::/8", "a multicast address"),
    ("100::/64", "a discard address"),
)
_LOCAL = _networks(
    ("127.0.0.0/8", "a loopback address"),
    ("::1/128", "a loopback address"),
    ("10.0.0.0/8", "a private address"),
    ("172.16.0.0/12", "a private address"),
    ("192.168.0.0/16", "a private address"),
    ("100.64.0.0/10", "a carrier's private address"),
    ("192.0.0.0/24", "an address for protocols"),
    ("192.0.2.0/24", "an address for documentation"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("64:ff9b:1::/48", "a private translation address"),
    ("2001:db8::/32", "an address for documentation"),
    ("fc00::/7", "a private address"),
    ("fec0::/10", "a private address"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_PUBLIC_IPV6 = IPv6Network("2000::/3")


def plain(ip: Ip) -> Ip:
    """Give the IPv4 address that a mapped one is for the kernel: ::ffff:127.0.0.1."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip


def never(ip: Ip) -> str | None:
    """Say why nobody may connect to the address; None where somebody may."""
    return _words(ip, _NEVER)


def local(ip: Ip) -> str | None:
    """Say why the address is not on the public internet; None where it is."""
    words = _words(ip, _LOCAL)
    if words is None and isinstance(ip, IPv6Address) and ip not in _PUBLIC_IPV6:
        return None if ip in _NAT64 else "an address outside the public range"
    return words


def _words(ip: Ip, table: tuple[tuple[Network, str], ...]) -> str | None:
    seen = (ip, *_embedded(ip))
    return next((words for network, words in table for one in seen if one in network), None)


def _embedded(ip: Ip) -> tuple[IPv4Address, ...]:
    """Give the IPv4 addresses to which translators on the way would send this."""
    if isinstance(ip, IPv4Address):
        return ()
    inner = [ip.sixtofour, *(ip.teredo or ())]
    # ::1 is not the IPv4 address 0.0.0.1.
    if ip in _NAT64 or (ip in _COMPATIBLE and int(ip) > 0xFFFF):
        inner.append(IPv4Address(int(ip) & 0xFFFFFFFF))
    return tuple(address for address in inner if address is not None)
