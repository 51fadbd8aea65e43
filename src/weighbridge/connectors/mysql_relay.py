"""A door for a driver that cannot speak TLS: connectorx has no option for it.

Whoever enters gets a connection to the server that PyMySQL has logged in, encrypted; from then on
bytes are passed on as they are. The door is a socket in a folder that only this user may enter, so
nothing travels readable, and the driver is not told the password.

The driver believes that it logs in to the door. It is offered what PyMySQL agreed on with the server
and nothing more, so that both mean the same by what follows.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import ssl
import struct
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.mysql_login import socket_of
from weighbridge.connectors.session import Meter

if TYPE_CHECKING:
    from collections.abc import Callable

    import pymysql

_CHUNK = 2**18
_UTF8MB4 = 45
_AUTOCOMMIT = 2
_CONNECT_WITH_DB, _CONNECT_ATTRS = 1 << 3, 1 << 20
_OK = b"\x00\x00\x00\x02\x00\x00\x00"


class Relay:
    """The door, open until it is closed. `login` makes a connection for each who enters."""

    def __init__(self, login: Callable[[], pymysql.Connection[Any]]) -> None:
        self._login = login
        self._folder = Path(tempfile.mkdtemp(prefix="wb-"))  # for this user alone
        self.path = str(self._folder / "s")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(4)
        # Holds of our own: a TLS socket that another thread shuts would go on in plain text.
        self._ends: list[Meter] = []
        self._closed = False
        # Why nobody was let in: the driver only sees that the door was shut.
        self.error: BaseException | None = None
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            self._ends.append(Meter(guest.fileno()))
            threading.Thread(target=self._serve, args=(guest,), name="relay", daemon=True).start()

    def _serve(self, guest: socket.socket) -> None:
        with guest:
            try:
                server = self._login()
            except BaseException as error:  # noqa: BLE001 handed over to the reader
                self.error = error
                return
            try:
                server.autocommit(True)
                far = socket_of(server)
                self._ends.append(Meter(far.fileno()))
                if self._closed:
                    return
                _greet(guest, server)
                _pass_on(guest, far)
            except (OSError, ssl.SSLError, EOFError):
                pass  # one of the two hung up: so does the other
            finally:
                with contextlib.suppress(Exception):  # the end of a connection may find it ended
                    server.close()

    def close(self) -> None:
        """Cut all who went through, and take the door away."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            end.sever()
            end.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _greet(guest: socket.socket, server: Any) -> None:
    """Let a driver log in, which has shown already that it may be here.

    https://dev.mysql.com/doc/dev/mysql-internals/en/page_protocol_connection_phase_packets_protocol_handshake_v10.html
    """
    agreed = (int(server.client_flag) & int(server.server_capabilities)) | _CONNECT_WITH_DB
    agreed &= ~_CONNECT_ATTRS
    salt = os.urandom(20).replace(b"\0", b"\1")
    words = (
        b"\x0a" + str(server.get_server_info()).encode() + b"\0"
        + struct.pack("<I", server.thread_id()) + salt[:8] + b"\0"
        + struct.pack("<HBHHB", agreed & 0xFFFF, _UTF8MB4, _AUTOCOMMIT, agreed >> 16, 21)
        + bytes(10) + salt[8:] + b"\0" + b"mysql_native_password\0"
    )  # fmt: skip
    guest.sendall(len(words).to_bytes(3, "little") + b"\0" + words)
    head = _exactly(guest, 4)
    _exactly(guest, int.from_bytes(head[:3], "little"))
    guest.sendall(len(_OK).to_bytes(3, "little") + bytes([head[3] + 1]) + _OK)


def _pass_on(guest: socket.socket, far: socket.socket) -> None:
    """Pass bytes on in both directions until one end hangs up.

    One thread does both: two may not use one TLS connection at the same time.
    """
    far.setblocking(False)
    with selectors.DefaultSelector() as ready:
        ready.register(guest, selectors.EVENT_READ)
        ready.register(far, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is guest:
                    data = guest.recv(_CHUNK)
                    if not data:
                        return
                    far.settimeout(None)
                    far.sendall(data)
                    far.setblocking(False)
            if not _drain(far, guest):
                return


def _drain(far: socket.socket, guest: socket.socket) -> bool:
    """Pass on what has arrived from afar, also what lies decrypted in memory; False at its end."""
    while True:
        try:
            data = far.recv(_CHUNK)
        except (ssl.SSLWantReadError, BlockingIOError):
            return True
        if not data:
            return False
        guest.sendall(data)


def _exactly(link: socket.socket, count: int) -> bytes:
    read = b""
    while len(read) < count:
        more = link.recv(count - len(read))
        if not more:
            raise EOFError
        read += more
    return read
