"""A throw-away OpenSSH server: the system's, else Debian's package, unpacked and not installed."""

from __future__ import annotations

import fcntl
import shutil
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.servers.mariadb import CACHE, unpack_packages, unpacked
from tests.servers.processes import UNPRIVILEGED, running, server_folder

UNPACKED = CACHE / "openssh"
PACKAGES = ("openssh-server",)


@dataclass(frozen=True)
class SshServer:
    """Where it is, who may log in, and by which public key it is known."""

    port: int
    user: str
    private_key: str
    host_key: str
    folder: Path
    host: str = "127.0.0.1"

    @property
    def log(self) -> str:
        """Read what the server said so far."""
        return (self.folder / "server.log").read_text(errors="replace")


@contextmanager
def ssh_server(
    *, client_key: str | None = None, port: int = 0, more: str = ""
) -> Generator[SshServer]:
    """Yield a server that forwards; `client_key` may log in, else a key is made. `more`: its settings.

    It runs as the user that logs in: nobody else could.
    """
    software, libraries = find_software()
    own, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    with server_folder() as folder:
        (folder / "host").write_bytes(host.export_private_key())
        line = client_key or own.export_public_key().decode()
        (folder / "keys").write_text(line.strip() + "\n")
        (folder / "config").write_text(
            f"HostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'keys'}\n"
            "ListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
            f"AllowTcpForwarding local\n{more}\n"
        )
        user = own_files(folder)
        with running(
            lambda free: [
                str(software), "-D", "-e", "-f", str(folder / "config"), "-p", str(port or free),
            ],
            lambda free: answers(port or free),
            folder=folder,
            end_with=signal.SIGTERM,
            environment={"LD_LIBRARY_PATH": libraries} if libraries else None,
        ) as free:  # fmt: skip
            yield SshServer(
                port or free, user, own.export_private_key().decode(),
                host.export_public_key().decode().strip(), folder,
            )  # fmt: skip


def own_files(folder: Path) -> str:
    """Give the files to the server's user; give its name."""
    import getpass  # noqa: PLC0415 of this function alone
    import os  # noqa: PLC0415

    for file in folder.iterdir():
        if os.geteuid() == 0:
            shutil.chown(file, UNPRIVILEGED)
        file.chmod(0o600)
    return UNPRIVILEGED if os.geteuid() == 0 else getpass.getuser()


def answers(port: int) -> bool:
    """Say whether the server greets."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as link:
            return link.recv(4) == b"SSH-"
    except OSError:
        return False


def find_software() -> tuple[Path, str]:
    """Find the system's server, or unpack one; give it and where its libraries are."""
    found = shutil.which("sshd", path="/usr/local/sbin:/usr/sbin")
    if found is not None:
        return Path(found), ""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not UNPACKED.exists():
            unpack_packages(PACKAGES, UNPACKED)
    return UNPACKED / "usr/sbin/sshd", unpacked(UNPACKED).environment["LD_LIBRARY_PATH"]
