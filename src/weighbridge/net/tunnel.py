"""A way to a server through an SSH server: one port of this machine that leads to one far address.

The SSH server's host is held against the policy, its key against the one that is known of it, before
we log in. What lies behind it is the SSH server's own network: names are looked up there. No agent, no
shell, no forwarding but this one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from weighbridge.errors import (
    AuthFailed,
    BadArgument,
    ConnectionFailed,
    MissingExtra,
    WeighbridgeError,
)
from weighbridge.net.host_keys import check_host_key, host_key
from weighbridge.net.hosts import HostPolicy, resolve
from weighbridge.net.reach import reach

if TYPE_CHECKING:
    import socket

    import asyncssh

T = TypeVar("T")

LOCAL = "127.0.0.1"
_REACH_SECONDS = 10.0
_LOGIN_SECONDS = 20
_CLOSE_SECONDS = 5
# Nothing that is broken or near to it: https://www.rfc-editor.org/rfc/rfc9142
_KEX = (
    "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384", "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256",
)  # fmt: skip
_CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com",
    "aes256-ctr", "aes192-ctr", "aes128-ctr",
)  # fmt: skip
_MACS = (
    "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256",
    "hmac-sha2-512",
)  # fmt: skip
_HOST_KEYS = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip


@dataclass(frozen=True)
class Jump:
    """An SSH server and who logs in. `private_key` is OpenSSH's text, in no label or message.

    `host_key` is the server's public key, empty before the first test.
    """

    host: str
    port: int
    user: str
    private_key: str = field(repr=False)
    host_key: str = ""


class Tunnel:
    """Open from its making until it is closed; `port` of LOCAL leads to the far address.

    `first`: a server whose key is not known yet may be logged in to; `host_key` is what it showed.
    Raises BadArgument, HostRefused, ConnectionFailed, AuthFailed, HostKeyChanged, MissingExtra.
    """

    def __init__(
        self, jump: Jump, far: tuple[str, int], policy: HostPolicy, *, first: bool = False
    ) -> None:
        if not jump.host_key and not first:
            raise BadArgument(
                f"The SSH server {jump.host} has no ssh_host_key yet: nobody has said which one it is.",
                next_step="Test the connection of the stored destination, and its key is kept; or"
                " give its public key as ssh_tunnel.ssh_host_key.",
            )
        known = host_key(jump.host_key) if jump.host_key else ""
        self._jump = jump = replace(jump, host_key=known)
        self.host_key = ""
        self.port = 0
        address = resolve(jump.host, jump.port, policy)
        # Connected here, so that asyncssh cannot ask for the name's address again.
        link = reach(address, _REACH_SECONDS)
        link.settimeout(None)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tunnel", daemon=True)
        self._thread.start()
        self._login: asyncssh.SSHClientConnection | None = None
        try:
            self._run(self._open(link, far), _LOGIN_SECONDS + _REACH_SECONDS)
        except WeighbridgeError:
            raise
        except Exception as error:  # noqa: BLE001 a server's nonsense can fail the driver anywhere
            raise self._told(error, far) from None
        finally:
            if not self.port:
                self.close()
                with suppress(OSError):
                    link.close()

    async def _open(self, link: socket.socket, far: tuple[str, int]) -> None:
        self._login = await self._logged_in(link)
        # Whether the far end can be reached is found out now, while it can be said.
        _, writer = await self._login.open_connection(*far)
        writer.close()
        door = await self._login.forward_local_port(LOCAL, 0, *far)
        self.port = door.get_port()

    async def _logged_in(self, link: socket.socket) -> asyncssh.SSHClientConnection:
        try:
            import asyncssh  # noqa: PLC0415 an extra
        except ImportError:
            raise MissingExtra(
                "The driver for SSH tunnels is not installed.",
                next_step="Install it with: pip install 'weighbridge[sftp]'.",
            ) from None
        jump, tunnel = self._jump, self

        class Client(asyncssh.SSHClient):
            def validate_host_public_key(
                self, host: str, addr: str, port: int, key: asyncssh.SSHKey
            ) -> bool:
                _ = host, addr, port
                tunnel.host_key = host_key(key.export_public_key().decode())
                if jump.host_key:
                    check_host_key(jump.host, jump.host_key, tunnel.host_key)
                return True

        return await asyncssh.connect(
            jump.host, jump.port, sock=link, client_factory=Client, username=jump.user,
            client_keys=[asyncssh.import_private_key(jump.private_key)], config=None,
            known_hosts=([], [], []), server_host_key_algs=_kinds(jump.host_key),
            kex_algs=_KEX, encryption_algs=_CIPHERS, mac_algs=_MACS, compression_algs=None,
            agent_path=None, agent_forwarding=False, x11_forwarding=False, gss_host=None,
            preferred_auth="publickey", login_timeout=_LOGIN_SECONDS,
            connect_timeout=_LOGIN_SECONDS, keepalive_interval=10, keepalive_count_max=3,
        )  # fmt: skip

    def close(self) -> None:
        """Take the door away and break what goes through it."""
        if self._loop.is_closed():
            return
        if self._login is not None:
            login = self._login

            async def end() -> None:
                login.abort()
                await login.wait_closed()

            with suppress(Exception):  # closing must not hide the error that came first
                self._run(end(), _CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def _told(self, error: BaseException, far: tuple[str, int]) -> WeighbridgeError:
        """Translate what asyncssh says; the words of a stranger's server are not repeated."""
        import asyncssh  # noqa: PLC0415 an extra

        jump = self._jump
        if isinstance(error, asyncssh.PermissionDenied):
            return AuthFailed(
                f"The SSH server {jump.host} refuses the user {jump.user} with our key.",
                next_step="Put ssh_public_key into the user's authorized_keys.",
            )
        if isinstance(error, asyncssh.ChannelOpenError):
            return ConnectionFailed(
                f"The SSH server {jump.host} does not reach {far[0]}, port {far[1]}, or may not"
                " forward to it.",
                next_step="Check the host and the port as that server sees them, and its"
                " AllowTcpForwarding and PermitOpen.",
            )
        if not self.host_key:
            # Either end finds out that there is nothing in common, and hangs up.
            return ConnectionFailed(
                f"{jump.host}, port {jump.port}, broke off before it showed a key: it is no SSH"
                " server, or knows no way to encrypt that is good enough.",
                next_step="Check the host and the port; allow curve25519-sha256 and aes256-gcm there.",
            )
        return ConnectionFailed(
            f"The SSH server {jump.host}, port {jump.port}, broke off ({type(error).__name__}).",
            next_step="Check the host and the port, and look into that server's log.",
        )


def _kinds(known: str) -> list[str]:
    """List the kinds of key to ask for, first the one that is known: a server may have several."""
    kind = known.partition(" ")[0]
    first = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    return sorted(_HOST_KEYS, key=lambda each: each not in first)
