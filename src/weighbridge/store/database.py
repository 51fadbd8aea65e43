"""Connections to our own database, and whose eyes they have."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError

from weighbridge.errors import StoreFailed

# Whoever works for all: the worker, migrations, the commands of an operator.
EVERYTHING = "*"
# The queue's tables lie in our schema too: a database that is shared keeps its own clean.
SESSION = "-c search_path=weighbridge -c timezone=UTC"
_IMPATIENT = " -c statement_timeout=15s -c lock_timeout=5s"
_SEEN_BY = text("SELECT set_config('weighbridge.environment', :environment, true)")


def open_database(url: str, *, size: int = 5, patient: bool = False) -> Engine:
    """Make a pool of at most `size` connections; none is opened yet. Raises StoreFailed.

    A `patient` one is for work that nobody waits for at the other end of a request.
    """
    try:
        address = make_url(url).set(drivername="postgresql+psycopg")
    except ArgumentError:
        raise StoreFailed(
            "DATABASE_URL is no URL of a PostgreSQL database.",
            next_step="Write it as postgresql://user:password@host:5432/database.",
        ) from None
    return create_engine(
        address,
        pool_size=size,
        max_overflow=0,
        pool_timeout=2,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 5,
            "tcp_user_timeout": 20_000,
            "keepalives_idle": 10,
            "options": SESSION + ("" if patient else _IMPATIENT),
        },
    )


@contextmanager
def seen_by(engine: Engine, environment: str) -> Generator[Connection]:
    """Begin a transaction that sees and writes the rows of one environment only.

    Row-level security holds it, beside the conditions of each query. Raises StoreFailed.
    """
    try:
        with engine.begin() as connection:
            connection.execute(_SEEN_BY, {"environment": environment})
            yield connection
    except OperationalError as error:
        raise StoreFailed(
            "Our own database cannot be used just now.",
            next_step="Look at the server's log; the request can be made again.",
        ) from error
