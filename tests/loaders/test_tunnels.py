"""Databases behind a real OpenSSH server: reached through it, and through nothing that only looks like it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncssh
import psycopg
import pytest

from tests.faults.proxy import proxied
from tests.loaders.ground import USUAL, a_load, batches, deliver, loaded, moment
from tests.servers.mariadb import connect
from tests.servers.sftp import sftp_server
from tests.servers.sshd import SshServer, ssh_server
from weighbridge.catalog.destination_test import check_address
from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.registry import open_source
from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    ConnectionFailed,
    ConnectionLost,
    HostKeyChanged,
    HostRefused,
    WeighbridgeError,
)
from weighbridge.net.hosts import HostPolicy
from weighbridge.net.tunnel import Jump, Tunnel

POLICY = HostPolicy.operator()
ROWS = [(n, f"v{n}", moment(2)) for n in range(2000)]


@pytest.fixture(scope="module")
def sshd() -> Iterator[SshServer]:
    """Give an OpenSSH server."""
    with ssh_server() as server:
        yield server


def options(
    vendor: str, url: str, sshd: SshServer, *, known: str | None = None, port: int | None = None,
    disable_ssl: bool = True,
) -> tuple[registry.Vendor, registry.Options]:  # fmt: skip
    """Write options of a server behind sshd; `known`: the host key that is stored."""
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    own: dict[str, Any] = (
        {"database": name, "schema": "public"} if vendor == "postgres" else {"write_database": name}
    )
    found = registry.find_vendor(vendor)
    whole = registry.checked(found, {
        "host": parts.hostname, "port": parts.port, "disable_ssl": disable_ssl, **own,
        "password_auth": {"username": parts.username, "password": parts.password},
        "use_ssh_tunnel": True,
        "ssh_tunnel": {
            "ssh_tunnel_host": sshd.host, "ssh_tunnel_port": port or sshd.port,
            "ssh_tunnel_username": sshd.user, "ssh_public_key": "given below",
            "ssh_host_key": sshd.host_key if known is None else known,
        },
    })  # fmt: skip
    whole.ssh_tunnel.give_private_key(sshd.private_key)  # pyright: ignore[reportAttributeAccessIssue]
    return found, whole


def doors() -> set[int]:
    """List the ports of 127.0.0.1 on which this process listens."""
    inodes = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            inodes.add(str(link.readlink()))
        except OSError:
            continue
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    return {
        int(line.split()[1].partition(":")[2], 16)
        for line in lines
        if line.split()[3] == "0A" and f"socket:[{line.split()[9]}]" in inodes
    }


@pytest.mark.parametrize("vendor", ["postgres", "mysql"])
def test_a_database_behind_a_tunnel(
    vendor: str, sshd: SshServer, fresh_postgres: str, fresh_mariadb: str
) -> None:
    url = fresh_postgres if vendor == "postgres" else fresh_mariadb
    before = doors()
    found, whole = options(vendor, url, sshd)
    assert check_address(found, whole, POLICY, uniform=False) == sshd.host_key
    if vendor == "mysql":
        done = deliver(lambda: registry.open_loader(found, whole, "x", POLICY), a_load(1), ROWS)
        assert done.rows == len(ROWS)
    else:
        with psycopg.connect(fresh_postgres) as connection:
            connection.execute(
                "create table orders as select i as id, 'v' || i as name from generate_series(1, 2000) i"
            )
    with registry.open_side(found, whole, "x", POLICY, "orders", ("id",)) as side:
        assert doors() - before
        with closing(open_source(side, HostPolicy.recipient())) as source:
            outputs = tuple(Output(c.name, c) for c in source.shape().columns)
            assert sum(batch.num_rows for batch in source.read(Reading(outputs))) == 2000
    # The door is open as long as it is used.
    assert doors() == before
    with (
        closing(registry.open_loader(found, whole, "x", POLICY))
        if vendor == "mysql"
        else closing(socket.socket())
    ):
        pass
    assert doors() == before


def test_tls_goes_through_it(sshd: SshServer, mariadb_tls: tuple[str, Path]) -> None:
    url, _ = mariadb_tls
    found, whole = options("mysql", url, sshd, disable_ssl=False)
    with closing(registry.open_loader(found, whole, "x", POLICY)) as loader:
        rows = loader._ask("show status like 'Ssl_cipher'")  # pyright: ignore[reportAttributeAccessIssue]
        assert rows[0][1].startswith("TLS_")


def test_tls_is_not_given_up_for_a_tunnel(sshd: SshServer, mariadb: str) -> None:
    found, whole = options("mysql", mariadb, sshd, disable_ssl=False)
    with pytest.raises(ConnectionFailed, match="does not offer TLS"):
        registry.open_loader(found, whole, "x", POLICY)


def test_a_server_that_nobody_has_confirmed(sshd: SshServer, mariadb: str) -> None:
    before, found = sshd.log, options("mysql", mariadb, sshd, known="")
    with pytest.raises(BadArgument, match="no ssh_host_key yet"):
        registry.open_loader(*found, "x", POLICY)
    with (
        pytest.raises(BadArgument, match="no ssh_host_key yet"),
        registry.open_side(*found, "x", POLICY, "t", ("id",)),
    ):
        pass
    assert sshd.log == before
    # A test is the moment at which somebody looks.
    assert check_address(*found, POLICY, uniform=False) == sshd.host_key


def test_a_server_that_is_another_one_gets_nothing(mariadb: str, tmp_path: Path) -> None:
    """T23: 0 bytes after the exchange of keys; the server is asked for no login."""
    with sftp_server(tmp_path / "files") as thief, ssh_server() as known:
        attempts = (options("mysql", mariadb, known, port=thief.port),)
        for found, whole in attempts:
            with pytest.raises(HostKeyChanged, match="Nothing was sent") as caught:
                registry.open_loader(found, whole, "x", POLICY)
            with pytest.raises(HostKeyChanged):
                check_address(found, whole, POLICY, uniform=True)
        assert thief.logins == []
        assert caught.value.message.count("SHA256:") == 2
        # The fault is one: the same server, known by its own key, is asked.
        with pytest.raises(WeighbridgeError) as refused:
            check_address(*options("mysql", mariadb, known, port=thief.port, known=thief.host_key),
                          POLICY, uniform=False)  # fmt: skip
        assert not isinstance(refused.value, HostKeyChanged)
        assert thief.logins != []


def test_another_kind_of_key_is_another_key(sshd: SshServer, mariadb: str) -> None:
    other = (
        asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode().strip()
    )
    log = sshd.log
    with pytest.raises(HostKeyChanged):
        registry.open_loader(*options("mysql", mariadb, sshd, known=other), "x", POLICY)
    assert "Accepted" not in sshd.log[len(log) :]


def test_the_key_may_stand_as_in_known_hosts(sshd: SshServer, mariadb: str) -> None:
    line = f"[127.0.0.1]:{sshd.port} {sshd.host_key} a comment"
    registry.open_loader(*options("mysql", mariadb, sshd, known=line), "x", POLICY).close()


def test_a_key_that_is_not_let_in(sshd: SshServer, mariadb: str) -> None:
    found, whole = options("mysql", mariadb, sshd)
    other = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    whole.ssh_tunnel.give_private_key(other)  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(AuthFailed, match="with our key"):
        registry.open_loader(found, whole, "x", POLICY)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("PermitOpen none", "does not reach 127.0.0.1"),
        ("KexAlgorithms diffie-hellman-group14-sha1", "good enough"),
        ("Ciphers aes128-cbc", "good enough"),
        ("MACs hmac-sha1\nCiphers aes256-ctr", "good enough"),
    ],
)
def test_servers_that_do_not_serve(mariadb: str, more: str, words: str) -> None:
    with (
        ssh_server(more=more) as weak,
        pytest.raises(ConnectionFailed, match=words) as caught,
    ):
        check_address(*options("mysql", mariadb, weak, known=""), POLICY, uniform=False)
    assert not isinstance(caught.value, HostKeyChanged)


def test_a_database_that_is_not_there(sshd: SshServer) -> None:
    url = "mysql://u:p@127.0.0.1:1/d"
    with pytest.raises(ConnectionFailed, match=r"does not reach 127.0.0.1, port 1"):
        check_address(*options("mysql", url, sshd), POLICY, uniform=False)


def test_recipients_tunnels_do_not_begin_in_our_network(sshd: SshServer, mariadb: str) -> None:
    log = sshd.log
    for attempt in (
        lambda p: registry.open_loader(*options("mysql", mariadb, sshd), "x", p),
        lambda p: check_address(*options("mysql", mariadb, sshd, known=""), p, uniform=True),
    ):
        with pytest.raises(HostRefused, match="cannot be used"):
            attempt(HostPolicy.recipient())
    assert sshd.log == log
    # Beyond the SSH server lies its own network, where a private address is that server's affair.
    networks = HostPolicy.recipient(allowed_networks=["127.0.0.0/8"])
    check_address(*options("mysql", mariadb, sshd), networks, uniform=True)


def test_the_local_end_of_a_tunnel_is_no_address_that_anybody_may_type(
    sshd: SshServer, mariadb: str
) -> None:
    jump = Jump(sshd.host, sshd.port, sshd.user, sshd.private_key, sshd.host_key)
    tunnel = Tunnel(jump, ("127.0.0.1", urlsplit(mariadb).port or 0), POLICY)
    assert sshd.private_key not in repr(jump)
    try:
        whole = {"host": "127.0.0.1", "port": tunnel.port, "write_database": "weigh",
                 "disable_ssl": True, "password_auth": {"username": "u", "password": "p"}}  # fmt: skip
        found = registry.find_vendor("mysql")
        with pytest.raises(HostRefused):
            check_address(
                found, registry.checked(found, whole), HostPolicy.recipient(), uniform=True
            )
    finally:
        tunnel.close()
        tunnel.close()


def test_a_tunnel_that_is_cut_in_the_middle(sshd: SshServer, fresh_mariadb: str) -> None:
    with proxied(f"ssh://x@{sshd.host}:{sshd.port}") as way:
        found, whole = options("mysql", fresh_mariadb, sshd, port=way.port)
        with closing(registry.open_loader(found, whole, "the destination", POLICY)) as loader:
            loader.claim(a_load(1))
            loader.add(batches(USUAL, ROWS))
            way.fire()
            with pytest.raises(ConnectionLost, match="connection to the destination was lost"):
                loader.publish(loaded(a_load(1), ROWS))
        with pytest.raises(ConnectionFailed):
            registry.open_loader(found, whole, "the destination", POLICY)
    with closing(connect(fresh_mariadb)) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from orders")
        assert cursor.fetchone() == (0,)
    done = deliver(
        lambda: registry.open_loader(*options("mysql", fresh_mariadb, sshd), "x", POLICY),
        a_load(2), ROWS,
    )  # fmt: skip
    assert done.changed == len(ROWS)


def test_without_a_public_key(sshd: SshServer, mariadb: str) -> None:
    found, whole = options("mysql", mariadb, sshd)
    plain = registry.changed(
        found, {**whole.model_dump(by_alias=True), "password_auth": {"username": "u", "password": "p"}},
        {"ssh_tunnel": {"ssh_public_key": ""}},
    )  # fmt: skip
    with pytest.raises(BadArgument, match="has no ssh_public_key"):
        registry.open_loader(found, plain, "x", POLICY)
    with pytest.raises(BadArgument, match="behind an SSH tunnel"):
        registry.side(found, plain, "x")
