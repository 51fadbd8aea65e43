"""Which hosts may be reached: by every way of writing them, and by what their names resolve to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from weighbridge.errors import BadArgument, ConnectionFailed, HostRefused
from weighbridge.net.hosts import Address, HostPolicy, resolve

OPERATOR = HostPolicy.operator()
RECIPIENT = HostPolicy.recipient()


class Names:
    """A name server that gives one answer after the other, and counts how often it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, **kwargs: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]


def unused(*args: Any, **kwargs: Any) -> list[tuple[Any, ...]]:
    raise AssertionError("the name server was asked about what is no name")


MALFORMED = [
    "",
    " ",
    "a,b",
    "127.0.0.1,example.com",
    "example.com,",
    "/run",
    "/var/run/postgresql",
    "./socket",
    "a/b",
    "@abstract",
    "user@example.com",
    "example.com@127.0.0.1",
    "a b",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\n",
    "127.0.0.1\t",
    "127.0.0.1\x00",
    "example.com\x00.evil",
    "127.0.0.1%00",
    "%31%32%37.0.0.1",
    "fe80::1%eth0",
    "fe80::1%25eth0",
    "2130706433",
    "0x7f000001",
    "0X7F000001",
    "017700000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.01",
    "127.0.0.0x1",
    "00127.0.0.1",
    "127.000.000.001",
    "127.0.0.1.",
    "0",
    "0x0",
    "0x",
    "1",
    "256.0.0.1",
    "1.2.3.4.5",
    "4294967295",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "example.com:5432",
    "127.0.0.1:5432",
    "[127.0.0.1]",
    "[::1",
    "::1]",
    "[[::1]]",
    "[::1]:5432",
    ":::1",
    "::g",
    "\uff11\uff12\uff17.0.0.1",
    "\u2460\u2461\u2466.0.0.1",
    "127\u30020\u30020\u30021",
    "127\uff0e0\uff0e0\uff0e1",
    "l\u043ecalhost",
    "ex\u00e4mple.com",
    "example.com\u200b",
    "a..b",
    ".example.com",
    "-a.com",
    "a-.com",
    "a!.com",
    "$(id)",
    "a'b",
    'a"b',
    "a\\b",
    "a;b",
    "a=b",
    "host=evil",
    "a?b",
    "a#b",
    "a" * 64 + ".com",
    ".".join(["a" * 60] * 5),
]

NEVER = [
    "0.0.0.0",  # noqa: S104 nothing is bound: it must be refused
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "[::]",
    "0:0:0:0:0:0:0:0",
    "fe80::1",
    "FE80::1",
    "febf::1",
    "fd00:ec2::254",
    "fd00:0ec2:0:0:0:0:0:254",
    "fd20:ce::254",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0.0.0.0",
    "0:0:0:0:0:ffff:169.254.169.254",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:0:0:0:0:5601:5601",
]

LOCAL = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "::1",
    "[::1]",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::FFFF:10.0.0.5",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "fd12:3456::1",
    "fc00::1",
    "fec0::1",
    "2001:db8::1",
    "64:ff9b:1::1",
]

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::8.8.8.8"]


def test_the_table_is_as_long_as_promised() -> None:
    assert len(MALFORMED + NEVER + LOCAL) >= 60


@pytest.mark.parametrize("policy", [OPERATOR, RECIPIENT], ids=["operator", "recipient"])
@pytest.mark.parametrize("host", MALFORMED + NEVER)
def test_nobody_reaches_what_is_no_plain_host(host: str, policy: HostPolicy) -> None:
    with pytest.raises(HostRefused):
        resolve(host, 5432, policy, unused)


@pytest.mark.parametrize("host", LOCAL)
def test_an_operator_reaches_local_addresses_and_a_recipient_does_not(host: str) -> None:
    assert resolve(host, 5432, OPERATOR, unused).ip
    with pytest.raises(HostRefused):
        resolve(host, 5432, RECIPIENT, unused)


@pytest.mark.parametrize("host", PUBLIC)
def test_everybody_reaches_public_addresses(host: str) -> None:
    for policy in (OPERATOR, RECIPIENT):
        address = resolve(host, 3306, policy, unused)
        assert (address.host, address.port) == (host, 3306)


def test_a_mapped_address_is_pinned_as_what_it_is() -> None:
    assert resolve("::ffff:127.0.0.1", 1, OPERATOR, unused).ip == "127.0.0.1"
    assert resolve("[::ffff:8.8.8.8]", 1, RECIPIENT, unused).ip == "8.8.8.8"


@pytest.mark.parametrize(
    "host",
    ["db", "db.example.com", "db.example.com.", "DB_1.example.com", "xn--mnchen-3ya.de", "1a"],
)
def test_a_name_is_resolved_once_and_pinned(host: str) -> None:
    names = Names(["8.8.8.8"])
    assert resolve(host, 5432, RECIPIENT, names) == Address(host, "8.8.8.8", 5432)
    assert names.asked == 1


def test_a_name_that_changes_its_answer_stays_where_it_was_checked() -> None:
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    address = resolve("rebind.example", 5432, RECIPIENT, names)
    assert names.asked == 1
    # What a driver connects to is the address, so the second answer is never seen.
    assert address.ip == "8.8.8.8"
    assert address.alternatives == ()


@pytest.mark.parametrize("bad", ["127.0.0.1", "169.254.169.254", "fe80::1%2", "::ffff:10.0.0.1"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_address_of_a_name_is_checked(bad: str, place: int) -> None:
    answer = ["8.8.8.8", "1.1.1.1"]
    answer.insert(place, bad)
    with pytest.raises(HostRefused):
        resolve("many.example", 5432, RECIPIENT, Names(answer))


def test_the_other_addresses_are_given_once_each() -> None:
    names = Names(["::1", "127.0.0.1", "::1", "::ffff:127.0.0.1"])
    address = resolve("localhost", 5432, OPERATOR, names)
    assert (address.ip, address.alternatives) == ("::1", ("127.0.0.1",))


def test_an_allowed_network_opens_local_addresses_and_nothing_else() -> None:
    policy = HostPolicy.recipient(allowed_networks=["10.1.0.0/16", "fd12::/32"])
    assert resolve("10.1.2.3", 5432, policy, unused).ip == "10.1.2.3"
    assert resolve("::ffff:10.1.2.3", 5432, policy, unused).ip == "10.1.2.3"
    assert resolve("fd12::9", 5432, policy, unused).ip == "fd12::9"
    with pytest.raises(HostRefused):
        resolve("10.2.0.1", 5432, policy, unused)


def test_no_allowed_network_opens_metadata() -> None:
    policy = HostPolicy.recipient(allowed_networks=["0.0.0.0/0", "::/0"])
    for host in NEVER:
        with pytest.raises(HostRefused):
            resolve(host, 80, policy, unused)


def test_our_own_services_are_not_reached() -> None:
    policy = HostPolicy.operator(own_endpoints=[("127.0.0.1", 5000)])
    assert resolve("127.0.0.1", 5001, policy, unused)
    for host in ("127.0.0.1", "::ffff:127.0.0.1"):
        with pytest.raises(HostRefused, match="service of this installation"):
            resolve(host, 5000, policy, unused)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(HostRefused, match="from 1 to 65535"):
        resolve("127.0.0.1", port, OPERATOR, unused)


def test_a_name_without_address_is_a_failed_connection() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        resolve("nowhere.example", 5432, OPERATOR, Names([]))
    assert "'nowhere.example'" in caught.value.message
    assert caught.value.exit_code == 3


def test_the_error_says_where_what_and_what_next() -> None:
    with pytest.raises(HostRefused) as caught:
        resolve("0x7f.1", 5432, OPERATOR, unused)
    error = caught.value
    assert "'0x7f.1', port 5432" in error.message
    assert "found a number" in error.message
    assert "expected four decimal numbers" in error.message
    assert error.next_step
    assert error.exit_code == 2


def test_a_password_before_an_at_sign_is_not_repeated() -> None:
    with pytest.raises(HostRefused) as caught:
        resolve("s3cret@example.com", 5432, OPERATOR, unused)
    assert "s3cret" not in str(caught.value)


def test_a_hostile_host_is_shown_as_ascii() -> None:
    with pytest.raises(HostRefused) as caught:
        resolve("\x1b[2J\u202e" * 50, 5432, OPERATOR, unused)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700


def test_a_recipient_learns_nothing_from_the_error() -> None:
    texts = set()
    for host, names in [
        ("127.0.0.1", unused),
        ("169.254.169.254", unused),
        ("0x7f.1", unused),
        ("inside.example", Names(["10.0.0.1"])),
        ("nowhere.example", Names([])),
    ]:
        with pytest.raises(HostRefused) as caught:
            resolve(host, 5432, RECIPIENT, names)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_an_allowed_network_that_is_none_is_refused() -> None:
    with pytest.raises(BadArgument):
        HostPolicy.recipient(allowed_networks=["10.0.0.1/8"])
