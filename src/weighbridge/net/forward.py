"""A door of our own to one checked address, for drivers that resolve names themselves.

Such a driver is told to use this as its HTTP proxy. However a name is answered the second time it
is asked for, and wherever a redirect points, the bytes go to the address that was checked. TLS
passes through untouched: the driver checks the certificate of the name.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from weighbridge.errors import ConnectionFailed
from weighbridge.net.hosts import Address
from weighbridge.net.reach import reach

_CONNECT_SECONDS = 10.0
# A request head is small; who sends more before its end is no driver of ours.
_LONGEST_HEAD = 64 * 2**10
_CHUNK = 256 * 2**10


class Forward:
    """Listens on loopback until it is closed; each connection ends at the checked address."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def close(self) -> None:
        """Stop listening and break what is open."""
        with self._lock:
            self._closed = True
            ends, self._ends = self._ends, set()
        for end in (self._listener, *ends):
            # A thread that waits in accept or recv wakes by this, not by close.
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            head = self._head(client)
            tunnel = head.startswith(b"CONNECT ")
            if not head or (tunnel and not self._wanted(head)):
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                client.close()
                return
            server = reach(self._address, _CONNECT_SECONDS)
        except (OSError, ConnectionFailed):
            client.close()
            return
        for end in (client, server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._keep(client, server):
            back = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                if tunnel:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:  # a server takes the absolute form of a request's target (RFC 9112, 3.2.2)
                    server.sendall(head)
                self._pass_on(client, server)
            back.join()
            self._drop(client, server)

    def _head(self, client: socket.socket) -> bytes:
        """Read the first bytes; of a CONNECT the whole head, which is all that comes."""
        client.settimeout(_CONNECT_SECONDS)
        head = client.recv(_CHUNK)
        while head.startswith(b"CONNECT ") and b"\r\n\r\n" not in head:
            more = client.recv(_CHUNK)
            if not more or len(head) > _LONGEST_HEAD:
                return b""
            head += more
        return head

    def _wanted(self, head: bytes) -> bool:
        host, _, port = head.split(b" ", 2)[1].decode("latin-1").rpartition(":")
        own = self._address.host.strip("[]").lower()
        return host.strip("[]").lower() == own and port == str(self._address.port)

    def _keep(self, *ends: socket.socket) -> bool:
        with self._lock:
            if not self._closed:
                self._ends.update(ends)
                return True
        for end in ends:
            end.close()
        return False

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        buffer = memoryview(bytearray(_CHUNK))
        with suppress(OSError):
            while size := source.recv_into(buffer):
                sink.sendall(buffer[:size])
            sink.shutdown(socket.SHUT_WR)
            return
        # One end broke: the other must not wait for what never comes.
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._ends.difference_update(ends)
        for end in ends:
            end.close()
