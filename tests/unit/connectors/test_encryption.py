"""The TLS step of a PostgreSQL connection, against a listener that speaks TLS or refuses it.

The PostgreSQL that tests start is built without TLS; what follows the handshake is its own affair.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.certificates import write_certificate
from weighbridge.connectors.postgresql_session import PostgresSession
from weighbridge.connectors.sides import SideSpec
from weighbridge.errors import ConnectionFailed

REQUEST = bytes.fromhex("0000000804d2162f")  # SSLRequest


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    """Write a certificate; give its file, which is its own root."""
    write_certificate(tmp_path / "crt", tmp_path / "key")
    return tmp_path / "crt"


@pytest.fixture
def port(roots: Path) -> Iterator[int]:
    """Give the port of a listener that takes the wish for TLS as PostgreSQL does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(roots, roots.with_name("key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client, suppress(OSError):
                assert client.recv(8) == REQUEST
                client.sendall(b"S")
                with context.wrap_socket(client, server_side=True) as safe:
                    safe.recv(1)

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield int(listener.getsockname()[1])
        with suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        serving.join(5)


def side(mode: str, host: str = "localhost", **more: str) -> SideSpec:
    return SideSpec("postgresql", "x", host=host, parameters={"sslmode": mode, **more})


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("prefer", "not checked"),
        ("require", "TLSv1.3"),
        ("verify-ca", "signed as expected"),
        ("verify-full", "the host's own"),
    ],
)
def test_tls_that_is_there(port: int, roots: Path, mode: str, words: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as link:
        found = PostgresSession.encryption(side(mode, sslrootcert=str(roots)), link)
    assert found.on
    assert words in found.words


@pytest.mark.parametrize(
    ("mode", "host", "known"),
    [("verify-full", "db.example", True), ("verify-ca", "localhost", False)],
)
def test_a_certificate_of_another(
    port: int, roots: Path, mode: str, host: str, known: bool
) -> None:
    write_certificate(roots.with_name("other"), roots.with_name("other-key"))
    asked = side(mode, host, sslrootcert=str(roots if known else roots.with_name("other")))
    with (
        socket.create_connection(("127.0.0.1", port), 5) as link,
        pytest.raises(ConnectionFailed, match=f"sslmode is {mode}"),
    ):
        PostgresSession.encryption(asked, link)


def test_roots_that_are_not_there(port: int, roots: Path) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), 5) as link,
        pytest.raises(ConnectionFailed, match=r"root certificates .* cannot be read"),
    ):
        PostgresSession.encryption(side("verify-full", sslrootcert=str(roots) + "x"), link)
