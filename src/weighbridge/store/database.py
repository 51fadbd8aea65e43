"""Connections to our own database, and whose eyes they have."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from weighbridge.errors import BadArgument, StoreFailed

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

# Whoever works for all: the worker, migrations, the commands of an operator.
EVERYTHING = "*"
# A COPY goes past SQLAlchemy, and so does what ends it.
_AWAY = (OperationalError, InterfaceError, NoConnectionFree, psycopg.OperationalError)
# The queue's tables lie in our schema too: a database that is shared keeps its own clean.
SESSION = "-c search_path=weighbridge -c timezone=UTC"
_IMPATIENT = " -c statement_timeout=15s -c lock_timeout=5s"
# A connection that nobody used for so long is asked whether it lives before it is given out.
_FRESH = 1.0


class Database:
    """Our own PostgreSQL, with at most `size` connections for each environment.

    No connection is opened before it is needed. A `patient` one is for work that nobody waits
    for at the other end of a request.
    """

    def __init__(self, url: str, *, size: int = 5, patient: bool = False) -> None:
        try:
            self._address = make_url(url).set(drivername="postgresql+psycopg")
        except ArgumentError:
            raise BadArgument(
                "DATABASE_URL is no URL of a PostgreSQL database.",
                next_step="Write it as postgresql://user:password@host:5432/database.",
            ) from None
        self.url = url
        self._size, self._patient = size, patient
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()

    @property
    def place(self) -> tuple[str, int, str] | None:
        """Say where our own database is: host, port, name. None for a socket in a folder."""
        address = self._address
        host = address.host or str(address.query.get("host", ""))
        if not host or host.startswith("/"):
            return None
        return host, address.port or 5432, address.database or address.username or ""

    def engine(self, environment: str = EVERYTHING) -> Engine:
        """Give the pool whose connections see one environment, or everything."""
        with self._lock:
            if environment not in self._engines:
                self._engines[environment] = self._make(environment)
            return self._engines[environment]

    def _make(self, environment: str) -> Engine:
        engine = create_engine(
            self._address,
            pool_size=self._size,
            max_overflow=0,
            pool_timeout=5,
            json_deserializer=msgspec.json.decode,  # five times as fast as the standard library's
            # An error's text goes to the log; what was asked with may be rows or a request.
            hide_parameters=True,
            connect_args={
                "connect_timeout": 5,
                "tcp_user_timeout": 20_000,
                "keepalives_idle": 10,
                # Row-level security reads it: a session sees one environment from its first word.
                "options": f"{SESSION} -c weighbridge.environment={environment}"
                + ("" if self._patient else _IMPATIENT),
            },
        )
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", _ask_rested)
        return engine

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


def _note_rest(_: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["rests_since"] = time.monotonic()


def _ask_rested(driver: Any, entry: ConnectionPoolEntry, _: Any) -> None:
    if time.monotonic() - entry.info.get("rests_since", time.monotonic()) < _FRESH:
        return
    try:
        driver.execute("")
        driver.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool opens a new one in its place


@contextmanager
def seen_by(
    database: Database, environment: str, *, reading: bool = False
) -> Generator[Connection]:
    """Begin a transaction that sees and writes the rows of one environment only.

    Row-level security holds it, beside the conditions of each query. `reading`: there is nothing
    to commit, each statement stands for itself, at a third of the round trips. Raises StoreFailed.
    """
    engine = database.engine(environment)
    try:
        with _autocommitting(engine) if reading else engine.begin() as connection:
            yield connection
    except _AWAY as error:
        raise StoreFailed(
            "Our own database cannot be used just now.",
            next_step="Look at the server's log; the request can be made again.",
        ) from error


def _autocommitting(engine: Engine) -> Connection:
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
