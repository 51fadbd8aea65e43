"""A TCP proxy that breaks the connection when it is told to: cut, reset, silence."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

How = Literal["close", "reset", "silence"]
_CHUNK = 4096


@dataclass
class Proxy:
    """Passes bytes on, until `after` bytes came from the server over all its connections.

    Then every connection, the ones to come too, is closed, reset, or left without an answer.
    """

    target: tuple[str, int]
    after: int | None = None
    how: How = "close"
    passed: int = 0
    fired: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    _pairs: list[tuple[socket.socket, socket.socket]] = field(
        default_factory=list[tuple[socket.socket, socket.socket]]
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def url(self, url: str) -> str:
        """Give the URL of the same server through this proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}@127.0.0.1:{self.port}").geturl()

    def fire(self) -> None:
        """Break every connection now."""
        self.fired.set()
        if self.how == "silence":
            return
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            for end in pair:
                self._break(end)

    def accept(self, listener: socket.socket) -> None:
        """Take connections until the end."""
        while not self._ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.fired.is_set() and self.how != "silence":
                self._break(client)
                continue
            server = socket.create_connection(self.target, timeout=10)
            server.settimeout(None)
            with self._lock:
                self._pairs.append((client, server))
            for source, sink, counted in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, counted), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if self.fired.is_set():
                    self._ended.wait()  # silence: nothing is passed on and nothing is closed
                    return
                if counted and not self._count(data, sink):
                    continue
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _count(self, data: bytes, sink: socket.socket) -> bool:
        """Count what the server sent; at the limit pass on the part before it, and break."""
        with self._lock:
            left = None if self.after is None else self.after - self.passed
            self.passed += len(data)
        if left is None or left > len(data):
            return True
        sink.sendall(data[: max(left, 0)])
        self.fire()
        return False

    def _break(self, end: socket.socket) -> None:
        with suppress(OSError):
            if self.how == "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        if self.how == "reset":
            end.close()

    def close(self) -> None:
        """End every connection."""
        self._ended.set()
        for pair in self._pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


@contextmanager
def proxied(url: str, *, after: int | None = None, how: How = "close") -> Iterator[Proxy]:
    """Run a proxy before a server of ours."""
    parts = urlsplit(url)
    proxy = Proxy((parts.hostname or "", parts.port or 0), after, how)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        thread = threading.Thread(target=proxy.accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
