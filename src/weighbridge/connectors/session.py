"""One plain connection to a server, for short questions: a test of it, one query of a user.

A `Source` reads a relation out, in a snapshot, with all the machinery that this needs; a `Session`
has none of it. What it reads is kept in memory, so whoever asks says how much that may be.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from weighbridge.net.reach import received

if TYPE_CHECKING:
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import Address

# Rows that travel at a time. One row can be large, too: see `Meter`.
BATCH = 50


@dataclass(frozen=True)
class Caps:
    """How much of an answer is kept, and how many seconds the server may take at most."""

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Found:
    """The answer to a query: (name, type as the vendor calls it) of each column, and the rows.

    Whole numbers, floats and booleans are Python's, null is None, anything else is text as the
    server writes it. `capped` says why there may be more than this.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    capped: Literal["rows", "bytes"] | None


@dataclass(frozen=True)
class Encryption:
    """Whether what travels is encrypted, in words; `checked`: by whom, too."""

    on: bool
    words: str
    checked: bool = False


class Session(Protocol):
    """A login on a server. Not shared between threads, except `cancel`, `sever` and `received`."""

    # Where a server of this kind listens, if nobody says otherwise.
    port: ClassVar[int]
    version: str

    def __init__(self, spec: SideSpec, address: Address, link: socket.socket) -> None:
        """Log in; the open `link` is taken over. Raises ConnectionFailed, AuthFailed."""
        ...

    @staticmethod
    def encryption(spec: SideSpec, link: socket.socket) -> Encryption:
        """Begin TLS on an open `link`, where the connection wishes for it. It is of no use after.

        Raises ConnectionFailed where the wish is not fulfilled.
        """
        ...

    def one(self) -> None:
        """Read `select 1`, read-only."""
        ...

    def powers(self) -> tuple[str, ...]:
        """List what the login may do that nobody needs who only reads."""
        ...

    def make_and_drop(self, schema: str) -> None:
        """Make an empty table of a name of its own in a schema, and drop it."""
        ...

    def ask(self, sql: str, caps: Caps) -> Found:
        """Run one query of a user, read-only, as the last thing of this session.

        Raises BadQuery for what is more than a query.
        """
        ...

    def received(self) -> int | None:
        """Count the bytes that arrived so far, also of a row that is still on its way."""
        ...

    def cancel(self) -> None:
        """End the running query on the server."""
        ...

    def sever(self) -> None:
        """Cut the connection, whatever is under way; who waits for it gets an error."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Meter:
    """Looks at another one's socket: a driver gives a row only when the whole of it has arrived."""

    def __init__(self, fileno: int) -> None:
        self._link = socket.socket(fileno=os.dup(fileno))

    def received(self) -> int | None:
        """Count the bytes that arrived."""
        return received(self._link)

    def sever(self) -> None:
        """Cut the connection for everyone who has it."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of this hold on it."""
        self._link.close()


def collected(
    fetch: Callable[[int], list[tuple[Any, ...]]], caps: Caps
) -> tuple[tuple[tuple[Any, ...], ...], Literal["rows", "bytes"] | None]:
    """Fetch rows until there are no more, or a cap is reached: (rows, which cap)."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    while True:
        # One more than is kept tells whether there are more. Large rows come a few at a time.
        large = (caps.bytes - size) // (size // len(rows) + 1) if rows else 1
        batch = fetch(max(1, min(BATCH, large, caps.rows + 1 - len(rows))))
        if not batch:
            return tuple(rows), None
        for row in batch:
            size += sum(len(value) if isinstance(value, str) else 8 for value in row)
            if len(rows) == caps.rows:
                return tuple(rows), "rows"
            if size > caps.bytes:
                return tuple(rows), "bytes"
            rows.append(row)


def own_names(names: list[str]) -> list[str]:
    """Give each column a name of its own: a, b, a_2."""
    seen: set[str] = set()
    given: list[str] = []
    for name in names:
        own, n = name, 1
        while own in seen or (n > 1 and own in names):
            n += 1
            own = f"{name}_{n}"
        seen.add(own)
        given.append(own)
    return given
