"""TLS to a real MariaDB: what is wished for is there, for each of our connections, or there is none."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.loaders.ground import a_load, deliver, moment
from tests.servers.certificates import write_certificate
from tests.servers.mariadb import connect
from weighbridge.catalog.destination_test import check_address
from weighbridge.connectors.base import Output, Reading
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.mysql_session import MySQLSession
from weighbridge.connectors.registry import open_source, open_writer
from weighbridge.connectors.sides import SideSpec, parse_side
from weighbridge.errors import AuthFailed, BadArgument, ConnectionFailed
from weighbridge.net.hosts import HostPolicy
from weighbridge.net.reach import reach

POLICY = HostPolicy.operator()
CIPHER = (
    "select variable_value as cipher from information_schema.session_status"
    " where variable_name = 'Ssl_cipher'"
)


def side(url: str, wish: str, query: str | None = CIPHER) -> SideSpec:
    return parse_side(f"{url}?{wish}", query=query)


def read(spec: SideSpec) -> list[str]:
    with closing(open_source(spec, POLICY)) as source:
        outputs = tuple(Output(c.name, c) for c in source.shape().columns)
        return [
            str(value)
            for batch in source.read(Reading(outputs))
            for value in batch.column(0).to_pylist()
        ]


def options(url: str, *, disable_ssl: bool = False) -> tuple[registry.Vendor, registry.Options]:
    parts = urlsplit(url)
    vendor = registry.find_vendor("mysql")
    whole = {
        "host": parts.hostname, "port": parts.port, "write_database": parts.path.lstrip("/"),
        "password_auth": {"username": parts.username, "password": parts.password},
        "disable_ssl": disable_ssl,
    }  # fmt: skip
    return vendor, registry.checked(vendor, whole)


@pytest.mark.parametrize("wish", ["required", "verify-ca", "verify-identity"])
def test_rows_are_read_encrypted(mariadb_tls: tuple[str, Path], wish: str) -> None:
    url, roots = mariadb_tls
    assert read(side(url, f"ssl-mode={wish}&ssl-ca={roots}"))[0].startswith("TLS_")


def test_plain_text_is_plain_text(mariadb_tls: tuple[str, Path]) -> None:
    assert read(side(mariadb_tls[0], "ssl-mode=disabled")) == [""]


def test_many_rows_pass_the_relay(mariadb_tls: tuple[str, Path]) -> None:
    url, _ = mariadb_tls
    query = "select concat(seq, repeat('é', seq mod 50)) as v from seq_1_to_200000"
    rows = read(side(url, "ssl-mode=required", query))
    assert len(rows) == len(set(rows)) == 200_000
    assert rows[0] == "1é"
    # Several readings of one source, one of them left in its middle.
    with closing(open_source(side(url, "ssl-mode=required", query), POLICY)) as source:
        outputs = tuple(Output(c.name, c) for c in source.shape().columns)
        half = source.read(Reading(outputs))
        half.read_next_batch()
        again = source.read(Reading(outputs))
        assert sum(batch.num_rows for batch in again) == 200_000


def test_a_certificate_of_another(mariadb_tls: tuple[str, Path], tmp_path: Path) -> None:
    url, roots = mariadb_tls
    write_certificate(tmp_path / "other", tmp_path / "key")
    for spec in (
        side(url, f"ssl-mode=verify-ca&ssl-ca={tmp_path / 'other'}"),
        replace(side(url, f"ssl-mode=verify-identity&ssl-ca={roots}"), host="127.0.0.2"),
        side(url, f"ssl-mode=verify-ca&ssl-ca={tmp_path / 'none'}"),
    ):
        with pytest.raises(ConnectionFailed, match=r"certificate|Mismatch|Nobody answers"):
            read(spec)


@pytest.mark.parametrize("wish", ["required", "verify-identity"])
def test_without_tls_at_the_server_nothing_is_sent(mariadb: str, wish: str) -> None:
    with pytest.raises(ConnectionFailed, match="does not offer TLS") as caught:
        read(side(mariadb, f"ssl-mode={wish}"))
    assert not isinstance(caught.value, AuthFailed)
    assert "disable_ssl" in caught.value.next_step


def test_a_word_that_is_no_mode(mariadb: str) -> None:
    with pytest.raises(BadArgument, match="'preferred' is not known"):
        read(side(mariadb, "ssl-mode=preferred"))
    with pytest.raises(BadArgument, match="sslmode"):
        side(mariadb, "sslmode=require")


def test_the_step_of_a_connection_test(mariadb_tls: tuple[str, Path], mariadb: str) -> None:
    port = urlsplit(mariadb_tls[0]).port or 0
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        found = MySQLSession.encryption(side(mariadb_tls[0], "ssl-mode=required"), link)
    assert found.on
    assert found.words.startswith("TLSv1.3, TLS_")
    with (
        socket.create_connection(("127.0.0.1", urlsplit(mariadb).port or 0), 5) as link,
        pytest.raises(ConnectionFailed, match="does not offer TLS"),
    ):
        MySQLSession.encryption(side(mariadb, "ssl-mode=required"), link)


def test_a_session_is_encrypted(mariadb_tls: tuple[str, Path]) -> None:
    from weighbridge.connectors.session import Caps  # noqa: PLC0415 of this test alone
    from weighbridge.net.hosts import resolve  # noqa: PLC0415

    spec = side(mariadb_tls[0], "ssl-mode=required")
    address = resolve("127.0.0.1", spec.port or 0, POLICY)
    with closing(MySQLSession(spec, address, reach(address, 5))) as session:
        session.one()
        assert str(session.ask(CIPHER, Caps(10, 1000, 5)).rows[0][0]).startswith("TLS_")
        assert (session.received() or 0) > 100


def test_the_writer_is_encrypted(mariadb_tls: tuple[str, Path]) -> None:
    spec = side(mariadb_tls[0], "ssl-mode=required")
    with closing(open_writer(spec, POLICY, "weigh")) as writer:
        assert str(writer._rows(CIPHER)[0][0]).startswith("TLS_")  # pyright: ignore[reportAttributeAccessIssue]


def test_a_destination_is_encrypted_unless_it_says_otherwise(
    mariadb_tls: tuple[str, Path], mariadb: str
) -> None:
    url = mariadb_tls[0]
    # A user who may only come encrypted shows what came.
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("create database if not exists tls_only")
    url = urlsplit(url)._replace(path="/tls_only").geturl()
    check_address(*options(url), POLICY, uniform=False)
    with pytest.raises(ConnectionFailed, match="does not offer TLS"):
        check_address(*options(mariadb), POLICY, uniform=False)
    check_address(*options(mariadb, disable_ssl=True), POLICY, uniform=False)

    rows = [(n, f"v{n}", moment(2)) for n in range(5000)]
    done = deliver(lambda: registry.open_loader(*options(url), "x", POLICY), a_load(1), rows)
    assert done.rows == 5000
    with closing(registry.open_loader(*options(url), "x", POLICY)) as loader:
        assert str(loader._ask(CIPHER)[0][0]).startswith("TLS_")  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ConnectionFailed, match="does not offer TLS"):
        registry.open_loader(*options(mariadb), "x", POLICY)
