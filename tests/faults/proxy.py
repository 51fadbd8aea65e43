"""A TCP proxy that breaks the connection when it is told to: cut, reset, silence.

It runs in a process of its own: connectorx holds the GIL while it connects, so that a proxy
in a thread beside it would never answer.
"""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

How = Literal["close", "reset", "silence", "mute"]
Way = Literal["from", "to"]
_CHUNK = 4096
# A classic BPF program of one instruction: return 0, keep no byte. The kernel then drops every
# packet before TCP sees it and acknowledges nothing, as if a cable were pulled.
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
_SO_ATTACH_FILTER = 26
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class _Pump:
    """Passes bytes on until `after` bytes went `way` the server over all its connections.

    A `mute` fault lets what is said to the server through, and cuts where it answers: it has done
    what nobody is told of.
    """

    target: tuple[str, int]
    after: int | None
    how: How
    way: Way
    passed: Any
    fired: Any
    pairs: list[tuple[socket.socket, socket.socket]] = field(
        default_factory=list[tuple[socket.socket, socket.socket]]
    )
    # Servers to whose answers nobody listens any more.
    deaf: set[socket.socket] = field(default_factory=set[socket.socket])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, listener: socket.socket) -> None:
        """Take connections until the process is ended; after the fault they are refused."""
        while True:
            client, _ = listener.accept()
            if self.fired.is_set() and self.how != "mute":
                self._break(client)
                continue
            server = socket.create_connection(self.target, timeout=10)
            server.settimeout(None)
            with self.lock:
                self.pairs.append((client, server))
            for ends in ((client, server, self.way == "to"), (server, client, self.way == "from")):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if source in self.deaf:
                    self._break(sink)
                    return
                if self.fired.is_set() and self.how != "mute":
                    return
                if counted and not self._count(data, sink):
                    return
                sink.sendall(data)
        with suppress(OSError):
            if not self.fired.is_set():
                sink.shutdown(socket.SHUT_WR)

    def _count(self, data: bytes, sink: socket.socket) -> bool:
        """Count what the server sent; at the limit pass on the part before it, and break."""
        with self.lock:
            left = None if self.after is None else self.after - self.passed.value
            self.passed.value += len(data)
        if left is None or left > len(data):
            return True
        with suppress(OSError):
            sink.sendall(data[: max(left, 0)])
        self.fire()
        return False

    def fire(self) -> None:
        """Break every connection."""
        self.fired.set()
        with self.lock:
            pairs = list(self.pairs)
        if self.how == "mute":
            self.deaf.update(server for _, server in pairs)
            return
        for client, server in pairs:
            self._break(client)
            if self.how != "silence":
                self._break(server)

    def _break(self, end: socket.socket) -> None:
        with suppress(OSError):
            if self.how == "silence":
                # What is on its way arrives: sent again and again it would look like life.
                until = time.monotonic() + 3
                while _unsent(end) and time.monotonic() < until:
                    time.sleep(0.02)
                # Not a packet more is heard, and so none is answered.
                buffer = ctypes.create_string_buffer(_DROP_ALL)
                program = struct.pack("HxxxxxxP", 1, ctypes.addressof(buffer))
                end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
                return
            if self.how == "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def _unsent(end: socket.socket) -> int:
    """Count the bytes that the other end has not acknowledged."""
    answer = fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, bytes(4))
    return struct.unpack("i", answer)[0]


def _serve(
    target: tuple[str, int], after: int | None, how: tuple[How, Way], ties: tuple[Any, ...]
) -> None:
    port, passed, fired, order = ties
    pump = _Pump(target, after, *how, passed, fired)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=pump.accept, args=(listener,), daemon=True).start()
        port.send(listener.getsockname()[1])
        order.wait()
        pump.fire()
        threading.Event().wait()


@dataclass(frozen=True)
class Proxy:
    """The proxy as a test sees it."""

    port: int
    _passed: Any
    _fired: Any
    _order: Any

    def url(self, url: str) -> str:
        """Give the URL of the same server through this proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}@127.0.0.1:{self.port}").geturl()

    def fire(self) -> None:
        """Break every connection now."""
        self._order.set()
        assert self._fired.wait(5)

    @property
    def passed(self) -> int:
        """Tell how many bytes came from the server."""
        return self._passed.value

    @property
    def fired(self) -> bool:
        """Tell whether the fault has happened: a test where it did not has shown nothing."""
        return self._fired.is_set()


@contextmanager
def proxied(
    url: str, *, after: int | None = None, how: How = "close", way: Way = "from"
) -> Iterator[Proxy]:
    """Run a proxy before a server of ours."""
    parts = urlsplit(url)
    target = (parts.hostname or "", parts.port or 0)
    ours, theirs = _SPAWN.Pipe(duplex=False)
    passed, fired, order = _SPAWN.Value("q", 0), _SPAWN.Event(), _SPAWN.Event()
    process = _SPAWN.Process(
        target=_serve, args=(target, after, (how, way), (theirs, passed, fired, order)), daemon=True
    )
    process.start()
    try:
        assert ours.poll(20), "the proxy did not start"
        yield Proxy(ours.recv(), passed, fired, order)
    finally:
        process.kill()
        process.join(5)
        ours.close()
        theirs.close()
