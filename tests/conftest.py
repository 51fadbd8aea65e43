"""Servers as fixtures. Each is started by the first test of a process that asks, on a free port.

| fixture | scope | gives |
|---|---|---|
| `postgres` | session | URL of PostgreSQL 18 |
| `postgres2` | session | URL of a second server: another major version where Debian has one, other session defaults always |
| `mariadb` | session | URL of MariaDB |
| `mariadb_tls` | session | URL of a MariaDB that offers TLS with a certificate of its own, and that file |
| `bucket` | session | a bucket of a SeaweedFS |
| `sftp` | function | an SFTP server on an empty folder |
| `fresh_postgres`, `fresh_postgres2`, `fresh_mariadb` | function | URL of an empty database on that server |
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import servers
from tests.servers.certificates import write_certificate
from tests.servers.seaweed import Bucket, seaweed_server
from tests.servers.sftp import SftpServer, sftp_server

if TYPE_CHECKING:
    from tests.house import House

SERVERS = {"postgres", "postgres2", "mariadb", "mariadb_tls", "bucket", "sftp"}
# Session settings decide text forms. A comparison that leans on the usual ones fails here.
UNUSUAL = {
    "timezone": "Asia/Kathmandu",
    "datestyle": "SQL, DMY",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "0",
    "bytea_output": "escape",
}

# Two busy cores make single examples slow now and then: that says nothing about the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.register_profile("full", deadline=None, print_blob=True, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


# A run in a shell's background is deaf to Ctrl-C, one under nohup to the end of its terminal: and so
# would be every command that it starts. What has a handler here, a command starts with anew.
for heard in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(heard) is signal.SIG_IGN:
        with suppress(ValueError):  # not the main thread
            signal.signal(heard, lambda *_: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, so that `-m 'not server'` runs anywhere."""
    for item in items:
        # Thousands of examples take more minutes than any one test otherwise may.
        if os.environ.get("HYPOTHESIS_PROFILE") == "full":
            item.add_marker(pytest.mark.timeout(0))
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("server")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL 18 of our own."""
    with servers.postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres2() -> Iterator[str]:
    """Give the URL of a second PostgreSQL, unlike the first in all that a session may set."""
    with servers.postgres_server(prefer_system=True, settings=UNUSUAL) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """Give the URL of a MariaDB of our own."""
    with servers.mariadb_server() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Give the URL of a MariaDB that offers TLS, and the certificate that it shows."""
    folder = tmp_path_factory.mktemp("certificate")
    files = (folder / "crt", folder / "key")
    write_certificate(*files)
    with servers.mariadb_server(certificate=files) as url:
        yield url, files[0]


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    """Give a bucket of a SeaweedFS of our own."""
    with seaweed_server() as found:
        yield found


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpServer]:
    """Give an SFTP server whose folder is empty."""
    with sftp_server(tmp_path / "sftp") as found:
        yield found


@pytest.fixture
def fresh_postgres(postgres: str) -> Iterator[str]:
    """Give the URL of an empty database, dropped after the test."""
    with servers.fresh_postgres(postgres) as url:
        yield url


@pytest.fixture
def fresh_postgres2(postgres2: str) -> Iterator[str]:
    """Give the URL of an empty database on the second server, dropped after the test."""
    with servers.fresh_postgres(postgres2) as url:
        yield url


@pytest.fixture
def fresh_mariadb(mariadb: str) -> Iterator[str]:
    """Give the URL of an empty database, dropped after the test."""
    with servers.fresh_mariadb(mariadb) as url:
        yield url


@pytest.fixture
def house(postgres: str, tmp_path: Path) -> Iterator[House]:
    """Give a server of ours on an empty database of its own."""
    from tests.house import a_house  # noqa: PLC0415 the web's libraries are for these tests alone

    with a_house(postgres, tmp_path) as opened:
        yield opened
