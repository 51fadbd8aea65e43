"""Two PostgreSQL clusters and a MariaDB of the bench's own, on free ports, in the work folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from server import Server, ServerError

POSTGRES_OPTIONS = {
    # Durability is not what is measured, and the generated tables can be made again.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    # A vacuum that starts in the middle of a measurement would be charged to one contestant.
    "autovacuum": "off",
    "shared_buffers": "2GB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}
MARIADB_OPTIONS = [
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--local-infile=1",
    "--innodb-buffer-pool-size=3G",
    "--innodb-log-file-size=1G",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-stats-persistent=1",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_user(name: str) -> str | None:
    """Database servers refuse to run as root: the user to become, None when that is needless."""
    if os.geteuid() != 0:
        return None
    for candidate in (name, "nobody"):
        try:
            return pwd.getpwnam(candidate).pw_name
        except KeyError:
            continue
    raise ServerError("running as root, and there is no user to start a server as")


def _own(folder: Path, user: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if user:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)


def _run(command: list[str], user: str | None, cwd: Path) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        user=user,
        group=_group(user),
        extra_groups=[] if user else None,
        cwd=cwd,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()[-800:]}")


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user else None


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], object], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            ready()
            return
        except ServerError:
            time.sleep(0.2)
    process.kill()
    raise ServerError(f"a server did not start; the end of its log:\n{log.read_text()[-1500:]}")


@contextmanager
def _process(command: list[str], user: str | None, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            user=user,
            group=_group(user),
            extra_groups=[] if user else None,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # SIGINT is PostgreSQL's fast shutdown (SIGTERM waits for clients); MariaDB takes SIGTERM.
        process.send_signal(2 if Path(command[0]).name == "postgres" else 15)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def postgres(bin_dir: Path, folder: Path) -> Iterator[Server]:
    """A cluster in FOLDER, made when it is not there yet."""
    user, port = server_user("postgres"), free_port()
    _own(folder, user)
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        _run(
            [
                str(bin_dir / "initdb"),
                "-D",
                str(data),
                "-U",
                "bench",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            user,
            folder,
        )
    options = [f"-c{name}={value}" for name, value in {**POSTGRES_OPTIONS, "port": port}.items()]
    log = folder.with_suffix(".log")
    with _process([str(bin_dir / "postgres"), "-D", str(data), *options], user, log) as process:
        client, base = str(bin_dir / "psql"), f"postgresql://bench@127.0.0.1:{port}"
        admin = Server("postgresql", f"{base}/postgres", client)
        _wait(process, lambda: admin.sql("select 1"), log)
        if admin.sql("select count(*) from pg_database where datname = 'bench'") == "0":
            admin.sql("create database bench")
        yield Server("postgresql", f"{base}/bench", client)


@contextmanager
def mariadb(folder: Path) -> Iterator[Server]:
    """A MariaDB in FOLDER; its socket lives in a short temporary path (107 bytes at most)."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    daemon, client = shutil.which("mariadbd", path=path), shutil.which("mariadb")
    install = shutil.which("mariadb-install-db", path=path)
    if not (daemon and client and install):
        raise ServerError("no mariadbd, mariadb and mariadb-install-db here: give --mariadb URL")
    user, port = server_user("mysql"), free_port()
    _own(folder, user)
    data = folder / "data"
    if not (data / "mysql").exists():
        _run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ],
            user,
            folder,
        )
    with tempfile.TemporaryDirectory(prefix="wb-bench-") as sockets:
        _own(Path(sockets), user)
        command = [
            daemon,
            "--no-defaults",
            f"--datadir={data}",
            f"--port={port}",
            f"--socket={sockets}/s",
            *MARIADB_OPTIONS,
        ]
        with _process(command, user, folder.with_suffix(".log")) as process:
            admin = Server("mysql", f"mysql://root@127.0.0.1:{port}/mysql", client)
            _wait(process, lambda: admin.sql("select 1"), folder.with_suffix(".log"))
            admin.sql(
                "create database if not exists bench character set utf8mb4; create user if "
                "not exists bench@'%'; grant all on *.* to bench@'%'"
            )
            yield Server("mysql", f"mysql://bench@127.0.0.1:{port}/bench", client)


def system_postgres() -> Path | None:
    """The newest PostgreSQL that the system has, where Debian puts it or on the PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3])
    )
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def servers(
    work: Path, wanted: set[str], given: dict[str, str | None], bin_dir: Callable[[], Path]
) -> Iterator[dict[str, Server]]:
    """Start (or take as given) the servers that are wanted: `pg1`, `pg2`, `mariadb`."""
    with ExitStack() as stack:
        found: dict[str, Server] = {}
        for name in sorted(wanted):
            url = given.get(name)
            kind = "mysql" if name == "mariadb" else "postgresql"
            if url:
                client = "mariadb" if kind == "mysql" else str(bin_dir() / "psql")
                found[name] = Server(kind, url, client)
            elif name == "mariadb":
                found[name] = stack.enter_context(mariadb(work / name))
            else:
                found[name] = stack.enter_context(postgres(bin_dir(), work / name))
        yield found
