"""Many users at once over HTTP: what they asked, what came back, and how long it took.

A client of its own, of a few lines: the machine's cores are the server's, and a general client costs
more than the answer it waits for.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# Give a user's next request: method, path, body.
Asks = Callable[[random.Random], tuple[str, str, bytes]]


@dataclass
class Answers:
    """What came back: statuses counted, seconds of each, and over how long."""

    seconds: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict[int, int])
    took: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return len(self.took) / self.seconds

    def share(self, of: float) -> float:
        """The time, in milliseconds, that a share `of` of the requests stayed under."""
        return sorted(self.took)[min(len(self.took) - 1, int(len(self.took) * of))] * 1000

    @property
    def broken(self) -> int:
        """Answers of 500 and more, and those that never came (status 0)."""
        return sum(n for status, n in self.statuses.items() if status == 0 or status >= 500)

    def told(self) -> dict[str, float | int | dict[int, int]]:
        """Say it in figures."""
        return {
            "requests": len(self.took), "per_second": round(self.rate, 1),
            "p50_ms": round(self.share(0.5), 1), "p95_ms": round(self.share(0.95), 1),
            "p99_ms": round(self.share(0.99), 1), "statuses": dict(sorted(self.statuses.items())),
            "broken": self.broken,
        }  # fmt: skip


def play(
    address: str, key: str, asks: Asks, *, users: int, seconds: float, think: float
) -> Answers:
    """Let so many users ask for so long; each waits for its answer and thinks for a while."""
    return asyncio.run(_play(address, key, asks, users, seconds, think))


async def _play(  # noqa: PLR0917 the words of `play`
    address: str, key: str, asks: Asks, users: int, seconds: float, think: float
) -> Answers:
    answers = Answers()
    end = time.perf_counter() + seconds
    began = time.perf_counter()
    await asyncio.gather(
        *(_user(address, key, asks, random.Random(n), think, end, answers) for n in range(users))
    )
    answers.seconds = time.perf_counter() - began
    return answers


async def _user(  # noqa: PLR0917
    address: str, key: str, asks: Asks, chance: random.Random, think: float, end: float,
    answers: Answers,
) -> None:  # fmt: skip
    parts = urlsplit(address)
    # They do not all come in the same instant.
    await asyncio.sleep(chance.uniform(0, think))
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    while time.perf_counter() < end:
        asked = asks(chance)
        began = time.perf_counter()
        try:
            writer.write(_request(asked, parts.netloc, key))
            status = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            status = 0
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        answers.took.append(time.perf_counter() - began)
        answers.statuses[status] = answers.statuses.get(status, 0) + 1
        await asyncio.sleep(chance.uniform(0.5, 1.5) * think)
    writer.close()


def _request(asked: tuple[str, str, bytes], host: str, key: str) -> bytes:
    method, path, body = asked
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Key {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    if "transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
        return status
    length = next(
        int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")
    )
    await reader.readexactly(length)
    return status


def as_body(said: object) -> bytes:
    """Write a request's body."""
    return json.dumps(said).encode()
