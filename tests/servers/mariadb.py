"""A throw-away MariaDB: the system's, else Debian's packages (root: installed, others: unpacked)."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import signal
import subprocess
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pymysql

from tests.servers.processes import ServerError, run_to_end, running, server_folder

USER = "weigh"
# Like no other word, so that it shows wherever it is not masked, and masks nothing else.
PASSWORD = "not-a-secret-7391"
DATABASE = "weigh"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers"
UNPACKED = CACHE / "mariadb"
INSTALL = "mariadb-install-db"
# Server and client without the service around them: nothing is started, no system user is made.
PACKAGES = ("mariadb-server-core", "mariadb-client-core")
# The data is thrown away: nothing has to survive a crash.
FAST = {
    "innodb-buffer-pool-size": "256M",
    "innodb-log-file-size": "256M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-doublewrite": "0",
    "performance-schema": "0",
    "max-allowed-packet": "64M",
    "character-set-server": "utf8mb4",
    "local-infile": "1",
}
NEXT_STEP = "next: install it (`apt-get install mariadb-server`) and try again"


@dataclass(frozen=True)
class Software:
    """Where the server lies; `root` is None for one that the system installed."""

    server: Path
    install: Path
    root: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def places(self) -> list[str]:
        """Tell an unpacked server where its own files are."""
        return [] if self.root is None else [f"--basedir={self.root / 'usr'}"]


@contextmanager
def mariadb_server(
    *, settings: Mapping[str, str] | None = None, certificate: tuple[Path, Path] | None = None
) -> Generator[str]:
    """Yield the URL of an all-powerful user's database on a new server; `settings` are its options.

    `certificate`: (certificate, key) files, copied to where the server may read them.
    """
    software = find_software() or get_software()
    with server_folder() as folder:
        # A server that starts clears its temporary tables out of a shared folder: others' too.
        environment = {**os.environ, **software.environment, "TMPDIR": str(folder)}
        data = folder / "data"
        run_to_end(
            str(software.install),
            *("--no-defaults", f"--datadir={data}", *software.places),
            *("--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"),
            *(
                "--innodb-log-file-size=8M",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=0",
            ),
            cwd=folder,
            environment=environment,
        )
        first_words = folder / "first.sql"
        first_words.write_text(
            f"CREATE DATABASE {DATABASE};\n"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        first_words.chmod(0o644)
        if certificate is not None:
            settings = {**(settings or {}), **tls_settings(certificate, folder)}
        options = [f"--{name}={value}" for name, value in {**FAST, **(settings or {})}.items()]
        with running(
            lambda port: [
                str(software.server),
                *("--no-defaults", f"--datadir={data}", *software.places, f"--port={port}"),
                *("--bind-address=127.0.0.1", "--skip-name-resolve", f"--socket={folder / 's'}"),
                *(f"--pid-file={folder / 'pid'}", f"--init-file={first_words}", *options),
            ],
            lambda port: answers(url_of(port)),
            folder=folder,
            end_with=signal.SIGKILL,  # an orderly end takes a second, for data that nobody will read
            environment=environment,
        ) as port:
            yield url_of(port)


def tls_settings(certificate: tuple[Path, Path], folder: Path) -> dict[str, str]:
    """Give the options of a server that offers TLS."""
    copies = [folder / file.name for file in certificate]
    for file, copy in zip(certificate, copies, strict=True):
        shutil.copy(file, copy)
        copy.chmod(0o644)
    return {"ssl-cert": str(copies[0]), "ssl-key": str(copies[1])}


@contextmanager
def fresh_mariadb(server: str) -> Generator[str]:
    """Yield the URL of an empty database on `server`, dropped afterwards."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with connect(server) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def connect(url: str) -> pymysql.Connection:
    """Open a connection of the driver to a URL of ours."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path.lstrip("/"),
        charset="utf8mb4",
        autocommit=True,
        local_infile=True,
    )


def url_of(port: int) -> str:
    """Spell the user's URL."""
    return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"


def answers(url: str) -> bool:
    """Say whether the server takes a log-in."""
    try:
        connect(url).close()
    except pymysql.OperationalError:
        return False
    return True


def find_software() -> Software | None:
    """Find the system's MariaDB, also where a plain user's PATH does not look, or an unpacked one."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    server, install = shutil.which("mariadbd", path=path), shutil.which(INSTALL, path=path)
    if server is not None and install is not None:
        return Software(Path(server), Path(install))
    return unpacked(UNPACKED) if UNPACKED.exists() else None


def get_software() -> Software:
    """Fetch Debian's packages; a second process at the same time waits and finds them there."""
    if shutil.which("apt-get") is None:
        raise ServerError(f"MariaDB is not installed and apt-get is not there; {NEXT_STEP}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if find_software() is None:
            install_packages() if os.geteuid() == 0 else unpack_packages()
    software = find_software()
    if software is None:
        raise ServerError(f"Debian's packages hold no mariadbd; {NEXT_STEP}")
    return software


def install_packages() -> None:
    """Install as root."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt("update", environment=environment)
    apt("install", "--yes", "--no-install-recommends", *PACKAGES, environment=environment)


def unpack_packages(packages: Sequence[str] = PACKAGES, into: Path = UNPACKED) -> None:
    """Download what root would install, with lists of our own, and unpack it beside the project."""
    lists, archives = CACHE / "apt-lists", CACHE / "apt-archives"
    for needed in (lists / "partial", archives / "partial"):
        needed.mkdir(parents=True, exist_ok=True)
    options = (
        f"-oDir::State::lists={lists}",
        f"-oDir::Cache::archives={archives}",
        f"-oDir::Cache::pkgcache={CACHE / 'pkgcache.bin'}",
        "-oDir::Cache::srcpkgcache=",
        "-oDebug::NoLocking=true",
        "-oAPT::Sandbox::User=",
    )
    apt(*options, "update")
    apt(*options, "install", "--download-only", "--yes", "--no-install-recommends", *packages)
    half = into.with_suffix(".part")
    for package in archives.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(half)], check=True)
    half.rename(into)


def unpacked(root: Path) -> Software:
    """Describe a server that lies below `root` as Debian would lay it below /."""
    triplet = f"{platform.machine()}-linux-gnu"
    libraries = f"{root / 'usr/lib' / triplet}:{root / 'lib' / triplet}"
    path = f"{root / 'usr/bin'}:{root / 'usr/sbin'}:{os.environ['PATH']}"
    return Software(
        root / "usr/sbin/mariadbd",
        root / "usr/bin" / INSTALL,
        root,
        {"LD_LIBRARY_PATH": libraries, "PATH": path},
    )


def apt(*words: str, environment: Mapping[str, str] | None = None) -> None:
    """Run apt-get; its words are the error when it fails."""
    done = subprocess.run(
        ["apt-get", "-qq", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(
            f"MariaDB could not be fetched: apt-get said\n{done.stdout[-2000:]}\n{NEXT_STEP}"
        )
