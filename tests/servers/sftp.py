"""A throw-away SFTP server: asyncssh's own, in a thread, over a folder of this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER = "courier"


@dataclass
class SftpServer:
    """Where it is and who may log in; `host_key` can be exchanged, as a thief would."""

    folder: Path
    port: int
    private_key: str
    host_key: str
    host: str = "127.0.0.1"
    user: str = USER
    # Everything that a client asked for after it had logged in.
    logins: list[str] = field(default_factory=list[str])


@contextmanager
def sftp_server(
    folder: Path,
    *,
    port: int = 0,
    client_key: str | None = None,
    served: Callable[..., asyncssh.SFTPServer] | None = None,
) -> Generator[SftpServer]:
    """Yield a server; `client_key` is the public key that may log in, else one is made."""
    folder.mkdir(exist_ok=True)
    own, host = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    line = client_key or own.export_public_key().decode()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    logins: list[str] = []

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    made: list[asyncssh.SSHServerConnection] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            made.append(conn)

        def begin_auth(self, username: str) -> bool:
            logins.append(username)
            return True

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            mine = asyncssh.import_public_key(line)
            return username == USER and key.public_data == mine.public_data

    def over_folder(channel: Any) -> asyncssh.SFTPServer:
        return (served or asyncssh.SFTPServer)(channel, chroot=bytes(folder))

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.create_server(
            Server, "127.0.0.1", port, server_host_keys=[host], sftp_factory=over_folder
        )

    acceptor = run(listen())
    try:
        yield SftpServer(
            folder,
            acceptor.get_port(),
            own.export_private_key().decode(),
            host.export_public_key().decode().strip(),
            logins=logins,
        )
    finally:
        acceptor.close()
        run(acceptor.wait_closed())

        async def end() -> None:
            for one in made:
                one.abort()
            await asyncio.sleep(0.05)

        run(end())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
