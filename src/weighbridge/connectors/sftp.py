"""Folders of SFTP servers, through asyncssh; the server is known by its key before anything is sent."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from weighbridge.connectors.file_store import Stored, cancelled
from weighbridge.connectors.sql import missing_extra
from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    Cancelled,
    ConnectionFailed,
    ConnectionLost,
    HostKeyChanged,
    NoSuchDatabase,
    SpillFull,
    Unreadable,
    WeighbridgeError,
)
from weighbridge.net.host_keys import check_host_key, host_key, host_key_changed
from weighbridge.net.hosts import HostPolicy, resolve
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    import asyncssh

T = TypeVar("T")

_REACH_SECONDS = 10.0
_LOGIN_SECONDS = 20
# A server that says nothing for so long is gone.
_KEEPALIVE = {"keepalive_interval": 10, "keepalive_count_max": 3}
_BLOCK = 32 * 2**10
_BLOCKS_AT_ONCE = 64


@dataclass(frozen=True)
class SftpPlace:
    """An SFTP server and who logs in. `private_key` is OpenSSH's text, in no label or message.

    `host_key` is the server's public key, empty before the first test.
    """

    label: str
    host: str
    port: int
    user: str
    private_key: str = field(repr=False)
    host_key: str = ""


class SftpStore:
    """The files below one folder of an SFTP server. asyncssh runs in a thread of its own."""

    def __init__(
        self, place: SftpPlace, folder: str, policy: HostPolicy, *, first: bool = False
    ) -> None:
        if not place.host_key and not first:
            raise BadArgument(
                f"{place.label} has no host_key yet: nobody has said which server it is.",
                next_step="Test the connection of the stored destination; the key is kept then.",
            )
        self._place = place
        self._folder = folder
        self._made: set[str] = set()
        self._stop = threading.Event()
        self.host_key = ""
        address = resolve(place.host, place.port, policy)
        # Connected here, so that asyncssh cannot ask for the name's address again.
        link = reach(address, _REACH_SECONDS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        self._thread.start()
        self._login: asyncssh.SSHClientConnection | None = None
        try:
            with self._said("the folder"):
                self._sftp = self._run(self._connect(link))
        except BaseException:
            link.close()
            self.close()
            raise

    async def _connect(self, link: socket.socket) -> asyncssh.SFTPClient:
        try:
            import asyncssh  # noqa: PLC0415 an extra
        except ImportError:
            raise missing_extra("SFTP", "sftp") from None
        place, store = self._place, self

        class Client(asyncssh.SSHClient):
            def validate_host_public_key(
                self, host: str, addr: str, port: int, key: asyncssh.SSHKey
            ) -> bool:
                _ = host, addr, port
                store.host_key = host_key(key.export_public_key().decode())
                if place.host_key:
                    check_host_key(place.host, place.host_key, store.host_key)
                return True

        # With a key that is known, only its kind is asked for: another kind would look like a change.
        kinds: Any = [place.host_key.split()[0]] if place.host_key else ()
        if kinds == ["ssh-rsa"]:
            kinds = ["rsa-sha2-512", "rsa-sha2-256"]
        link.settimeout(None)
        try:
            self._login = await asyncssh.connect(
                place.host, place.port, sock=link, client_factory=Client, username=place.user,
                client_keys=[asyncssh.import_private_key(place.private_key)], config=None,
                known_hosts=([], [], []), server_host_key_algs=kinds, agent_path=None,
                agent_forwarding=False, preferred_auth="publickey", gss_host=None,
                login_timeout=_LOGIN_SECONDS, connect_timeout=_LOGIN_SECONDS, **_KEEPALIVE,
            )  # fmt: skip
            return await self._login.start_sftp_client()
        except asyncssh.KeyExchangeFailed:
            if place.host_key:
                raise host_key_changed(place.host, place.host_key, None) from None
            raise

    def put(self, name: str, path: Path) -> None:
        """Send a local file; it has its name only when it is whole."""
        with self._said(name):
            draft = f"{self._at(name)}.{secrets.token_hex(4)}.part"
            self._make_folder(name)
            try:
                self._run(
                    self._sftp.put(
                        str(path), draft, block_size=_BLOCK, max_requests=_BLOCKS_AT_ONCE
                    )
                )
                self._check_size(draft, path.stat().st_size)
                self._run(self._rename(draft, self._at(name)))
            except BaseException:
                self._forget(draft)
                raise

    def _check_size(self, draft: str, size: int) -> None:
        if self._run(self._sftp.getsize(draft)) != size:
            raise ConnectionLost(
                f"{self._place.label} has kept another number of bytes than were sent.",
                next_step="Try again; look whether the server's disk is full.",
            )

    async def _rename(self, draft: str, name: str) -> None:
        import asyncssh  # noqa: PLC0415 an extra

        try:
            await self._sftp.posix_rename(draft, name)
        except asyncssh.SFTPOpUnsupported:
            if await self._sftp.exists(name):
                await self._sftp.remove(name)
            await self._sftp.rename(draft, name)

    def create(self, name: str, body: bytes) -> bool:
        """Send a small file under another name, and give it its own by a link: that excludes others."""
        with self._said(name):
            draft = f"{self._at(name)}.{secrets.token_hex(4)}.part"
            self._make_folder(name)
            try:
                self._run(self._write(draft, body))
                return self._run(self._claim_name(draft, self._at(name)))
            finally:
                self._forget(draft)

    async def _write(self, path: str, body: bytes) -> None:
        async with self._sftp.open(path, "wb") as file:
            await file.write(body)

    async def _claim_name(self, draft: str, name: str) -> bool:
        import asyncssh  # noqa: PLC0415 an extra

        if await self._sftp.exists(name):
            return False
        try:
            await self._sftp.link(draft, name)
        except asyncssh.SFTPOpUnsupported:
            pass
        except asyncssh.SFTPError:
            if await self._sftp.exists(name):
                return False
            raise
        else:
            return True
        try:  # version 3 of the protocol: a rename onto a name that is there fails
            await self._sftp.rename(draft, name)
        except asyncssh.SFTPError:
            if await self._sftp.exists(name):
                return False
            raise
        return True

    def read(self, name: str, most: int) -> bytes | None:
        """Give a small file."""
        with self._said(name):
            body = self._run(self._read(self._at(name), most + 1))
        if body is not None and len(body) > most:
            raise Unreadable(
                f"The file {name} is larger than it can be.",
                next_step="Put back what was delivered, or run a full refresh.",
            )
        return body

    async def _read(self, path: str, most: int) -> bytes | None:
        import asyncssh  # noqa: PLC0415 an extra

        try:
            async with self._sftp.open(path, "rb") as file:
                said = await file.read(most)
                return said if isinstance(said, bytes) else said.encode()
        except asyncssh.SFTPNoSuchFile:
            return None

    def fetch(self, name: str, path: Path) -> bool:
        """Receive a file into a local one."""
        import asyncssh  # noqa: PLC0415 an extra

        with self._said(name):
            try:
                self._run(
                    self._sftp.get(
                        self._at(name),
                        str(path),
                        block_size=_BLOCK,
                        max_requests=_BLOCKS_AT_ONCE,
                    )
                )
            except asyncssh.SFTPNoSuchFile:
                return False
        return True

    def listed(self, folder: str) -> Iterator[Stored]:
        """List the files below a folder, those that are not whole left out."""
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            with self._said(inside):
                found = self._run(self._scan(self._at(inside)))
            for name, is_folder, size in found:
                if is_folder:
                    waiting.append(f"{inside}/{name}")
                elif not name.endswith(".part"):
                    yield Stored(f"{inside}/{name}", size)

    async def _scan(self, path: str) -> list[tuple[str, bool, int]]:
        import asyncssh  # noqa: PLC0415 an extra
        from asyncssh.constants import FILEXFER_TYPE_DIRECTORY, FILEXFER_TYPE_REGULAR  # noqa: PLC0415

        found: list[tuple[str, bool, int]] = []
        with suppress(asyncssh.SFTPNoSuchFile):
            async for entry in self._sftp.scandir(path):
                name = str(entry.filename)
                if name in {".", ".."}:
                    continue
                kind = entry.attrs.type
                if kind in {FILEXFER_TYPE_DIRECTORY, FILEXFER_TYPE_REGULAR}:
                    is_folder = kind == FILEXFER_TYPE_DIRECTORY
                    found.append((name, is_folder, entry.attrs.size or 0))
        return found

    def delete(self, name: str) -> None:
        """Delete a file."""
        import asyncssh  # noqa: PLC0415 an extra

        with self._said(name), suppress(asyncssh.SFTPNoSuchFile):
            self._run(self._sftp.remove(self._at(name)))

    def cancel(self) -> None:
        """Break the connection."""
        self._stop.set()
        if self._login is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._login.abort)

    def close(self) -> None:
        """Let go of the connection and the thread."""
        if self._loop.is_closed():
            return
        if self._login is not None:
            with suppress(Exception):
                self._login.close()
                self._run(self._login.wait_closed(), seconds=5)
        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(_end_tasks(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._thread.is_alive():
            self._loop.close()

    # Below it ------------------------------------------------------------------------------

    def _at(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _make_folder(self, name: str) -> None:
        folder = self._at(name).rpartition("/")[0]
        if folder and folder not in self._made:
            self._run(self._sftp.makedirs(folder, exist_ok=True))
            self._made.add(folder)

    def _forget(self, draft: str) -> None:
        with suppress(Exception):
            self._run(self._sftp.remove(draft))

    def _run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        if self._stop.is_set():
            work.close()
            raise cancelled()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    @contextmanager
    def _said(self, name: str) -> Generator[None]:
        try:
            yield
        except WeighbridgeError:
            raise
        except Exception as error:  # noqa: BLE001 translated, whatever it is
            if self._stop.is_set():
                raise cancelled() from None
            raise sftp_error(error, self._place, name) from None


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def sftp_error(error: Exception, place: SftpPlace, name: str) -> WeighbridgeError:
    """Translate what asyncssh says; the words of a stranger's server are not repeated."""
    import asyncssh  # noqa: PLC0415 an extra

    known: WeighbridgeError | None = None
    if isinstance(error, HostKeyChanged | Cancelled):
        known = error
    elif isinstance(error, asyncssh.PermissionDenied):
        known = AuthFailed(
            f"{place.label} refuses the user {place.user} with our key.",
            next_step="Put the public key into the user's authorized_keys.",
        )
    elif isinstance(error, asyncssh.SFTPPermissionDenied):
        known = AuthFailed(
            f"{place.label} does not let the user {place.user} do what is needed to {name}.",
            next_step="The user needs to list, read, write and delete below the folder.",
        )
    elif isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        known = NoSuchDatabase(
            f"{place.label} has no folder for {name}, and none could be made.",
            next_step="Check the folder.",
        )
    elif isinstance(error, OSError) and not isinstance(error, ConnectionError):
        known = SpillFull(
            f"A file between here and {place.label} could not be kept: {error.strerror}.",
            next_step="Free space, or set WEIGHBRIDGE_TMPDIR to a larger disk.",
        )
    elif isinstance(error, asyncssh.SFTPError) and not isinstance(
        error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection
    ):
        known = ConnectionFailed(
            f"{place.label} failed at {name} ({type(error).__name__}).",
            next_step="Look whether the server's disk or the user's quota is full, and try again.",
        )
    return known or ConnectionLost(
        f"The connection to {place.label} broke at {name} ({type(error).__name__}).",
        next_step="Try again; if it stays so, ask who runs the server.",
    )
