"""Connections to our own database, and whose eyes they have."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from weighbridge.errors import BadArgument, StoreFailed

# Whoever works for all: the worker, migrations, the commands of an operator.
EVERYTHING = "*"
# A COPY goes past SQLAlchemy, and so does what ends it.
_AWAY = (OperationalError, InterfaceError, NoConnectionFree, psycopg.OperationalError)
# The queue's tables lie in our schema too: a database that is shared keeps its own clean.
SESSION = "-c search_path=weighbridge -c timezone=UTC"
_IMPATIENT = " -c statement_timeout=15s -c lock_timeout=5s"


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
        return create_engine(
            self._address,
            pool_size=self._size,
            max_overflow=0,
            pool_timeout=5,
            pool_pre_ping=True,
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

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()


@contextmanager
def seen_by(database: Database, environment: str) -> Generator[Connection]:
    """Begin a transaction that sees and writes the rows of one environment only.

    Row-level security holds it, beside the conditions of each query. Raises StoreFailed.
    """
    try:
        with database.engine(environment).begin() as connection:
            yield connection
    except _AWAY as error:
        raise StoreFailed(
            "Our own database cannot be used just now.",
            next_step="Look at the server's log; the request can be made again.",
        ) from error
