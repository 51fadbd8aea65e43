"""A table under writes and a copy of it that lags behind, on real servers."""

from __future__ import annotations

import queue
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.servers import mariadb as mariadb_tools

Written = tuple[int, int, str]

# One commit each time, so many times a second.
UPDATES_AT_ONCE = 50
BATCHES_A_SECOND = 22
# Keys from here on are the writer's own.
NEW_KEYS = 1_000_000
TYPES = "id BIGINT PRIMARY KEY, amount BIGINT NOT NULL, note VARCHAR(40)"


@dataclass(frozen=True)
class Batch:
    """What one commit writes: rows as they are from now on, and keys that are gone."""

    rows: list[Written]
    gone: list[int]


class Copy(ABC):
    """A server that takes batches, on a connection of its own."""

    def __init__(self, url: str, table: str = "orders") -> None:
        self.url = url
        self.table = table

    @property
    def side(self) -> str:
        """Give the side as `compare` wants it."""
        return f"{self.url}#{self.table}"

    @abstractmethod
    def create(self, rows: Sequence[Written]) -> None:
        """Make the table and load it."""

    @abstractmethod
    @contextmanager
    def writing(self) -> Generator[Any]:
        """Give a connection for `write`."""

    @abstractmethod
    def write(self, connection: Any, batch: Batch) -> None:
        """Write a batch and commit."""


class PostgresCopy(Copy):
    """A copy in PostgreSQL."""

    def create(self, rows: Sequence[Written]) -> None:
        """Make the table and load it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLE {self.table} ({TYPES})".encode())
            with connection.cursor().copy(f"COPY {self.table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(f"ANALYZE {self.table}".encode())

    @contextmanager
    def writing(self) -> Generator[psycopg.Connection[Any]]:
        """Give a connection for `write`."""
        with psycopg.connect(self.url) as connection:
            yield connection

    def write(self, connection: Any, batch: Batch) -> None:
        """Write a batch and commit."""
        connection.execute(
            f"INSERT INTO {self.table} SELECT * FROM unnest(%s::int8[], %s::int8[], %s::text[])"
            " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, note = excluded.note",
            [list(column) for column in zip(*batch.rows, strict=True)],
        )
        connection.execute(f"DELETE FROM {self.table} WHERE id = ANY(%s)", [batch.gone])
        connection.commit()


class MariadbCopy(Copy):
    """A copy in MariaDB."""

    def create(self, rows: Sequence[Written]) -> None:
        """Make the table and load it."""
        with mariadb_tools.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {self.table} ({TYPES})")
            cursor.executemany(f"INSERT INTO {self.table} VALUES (%s, %s, %s)", rows)
            connection.commit()

    @contextmanager
    def writing(self) -> Generator[Any]:
        """Give a connection for `write`."""
        with mariadb_tools.connect(self.url) as connection:
            connection.autocommit(False)
            yield connection

    def write(self, connection: Any, batch: Batch) -> None:
        """Write a batch and commit."""
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self.table} VALUES (%s, %s, %s)"
                " ON DUPLICATE KEY UPDATE amount = VALUES(amount), note = VALUES(note)",
                batch.rows,
            )
            cursor.executemany(
                f"DELETE FROM {self.table} WHERE id = %s", [(key,) for key in batch.gone]
            )
        connection.commit()


@dataclass
class Writer:
    """Writes to the left, and what it wrote, `lag` seconds later, to the right.

    Writes rows of `keys`, new ones, and takes some away again.
    """

    left: Copy
    right: Copy
    keys: Sequence[int]
    lag: tuple[float, float]
    written: int = 0
    seconds: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)
    _on_the_way: queue.Queue[tuple[float, Batch] | None] = field(default_factory=queue.Queue)
    _errors: list[BaseException] = field(default_factory=list[BaseException])

    @contextmanager
    def running(self) -> Generator[None]:
        """Write while the context lasts; then let the right catch up."""
        threads = [
            threading.Thread(target=self._try, args=(w,)) for w in (self._lead, self._follow)
        ]
        for thread in threads:
            thread.start()
        time.sleep(self.lag[1] + 0.2)
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join(30)
        assert not self._errors, self._errors
        assert not any(thread.is_alive() for thread in threads)

    @property
    def rate(self) -> float:
        """Give how many rows were written in a second."""
        return self.written / self.seconds

    def _try(self, work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 told by the thread that waits
            self._errors.append(error)
            self._ended.set()

    def _lead(self) -> None:
        drawn = random.Random(7)
        started = due = time.monotonic()
        arrives = 0.0
        with self.left.writing() as connection:
            while not self._ended.is_set():
                batch = self._draw(drawn)
                self.left.write(connection, batch)
                self.written += len(batch.rows) + len(batch.gone)
                # In order, as a copy follows its log.
                arrives = max(arrives, time.monotonic() + drawn.uniform(*self.lag))
                self._on_the_way.put((arrives, batch))
                due += 1 / BATCHES_A_SECOND
                self._ended.wait(max(0.0, due - time.monotonic()))
        self.seconds = time.monotonic() - started
        self._on_the_way.put(None)

    def _draw(self, drawn: random.Random) -> Batch:
        new = NEW_KEYS + self.written
        keys = [*drawn.sample(self.keys, UPDATES_AT_ONCE - 2), new, new + 1]
        rows = [(key, drawn.randrange(10**9), f"at {self.written}") for key in keys]
        # One of the table's own rows, and often one that was new a while ago.
        gone = {drawn.choice(self.keys), NEW_KEYS + drawn.randrange(self.written + 1)}
        return Batch(rows, sorted(gone - set(keys)))

    def _follow(self) -> None:
        with self.right.writing() as connection:
            while (item := self._on_the_way.get(timeout=30)) is not None:
                arrives, batch = item
                time.sleep(max(0.0, arrives - time.monotonic()))
                self.right.write(connection, batch)
