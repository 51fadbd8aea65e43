"""A throw-away server process: its folder, its user, its port, its end."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_PREFIX = "weighbridge-server-"
START_SECONDS = 60.0
# PostgreSQL and MariaDB both refuse to run as root. Debian's base system always has this user.
UNPRIVILEGED = "nobody"


class ServerError(RuntimeError):
    """A test server could not be had. The message says the next step."""


@contextmanager
def server_folder() -> Generator[Path]:
    """Yield an empty folder that the server's user owns; it goes with the context, or with the next start."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        yield folder
    finally:
        lock.close()
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of owners that were killed: their lock is free, and they are not just being made."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < START_SECONDS:
                continue
            with (folder / "lock").open("r") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def as_server_user(*command: str, end_with: signal.Signals | None = None) -> list[str]:
    """Drop root, and tie the child's life to ours: a killed test run leaves no server behind."""
    prefix = ["setpriv"]
    if end_with is not None:
        prefix += ["--pdeathsig", end_with.name]
    if os.geteuid() == 0:
        user = pwd.getpwnam(UNPRIVILEGED)
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [*prefix, *command] if len(prefix) > 1 else list(command)


def run_to_end(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a set-up command as the server's user; its words are the error when it fails."""
    done = subprocess.run(
        as_server_user(*command),
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(
            f"{command[0]} ended with status {done.returncode}:\n{done.stdout[-2000:]}"
        )


@contextmanager
def running(
    command: Callable[[int], Sequence[str]],
    is_ready: Callable[[int], bool],
    *,
    folder: Path,
    end_with: signal.Signals,
    environment: Mapping[str, str] | None = None,
) -> Generator[int]:
    """Run `command(port)` until the context ends; yield the port once `is_ready(port)`."""
    log = folder / "server.log"
    for _ in range(3):  # another process may take the free port before the server does
        port = free_port()
        with log.open("w") as output:
            process = subprocess.Popen(
                as_server_user(*command(port), end_with=end_with),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            if wait_until(
                lambda port=port: is_ready(port),
                alive=lambda process=process: process.poll() is None,
            ):
                yield port
                return
        finally:
            process.send_signal(end_with)
            process.wait(timeout=START_SECONDS)
    raise ServerError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def wait_until(is_ready: Callable[[], bool], *, alive: Callable[[], bool]) -> bool:
    """Poll until ready; False when the process died or the time ran out."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and alive():
        if is_ready():
            return True
        time.sleep(0.05)
    return False


def free_port() -> int:
    """Ask the kernel for a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
