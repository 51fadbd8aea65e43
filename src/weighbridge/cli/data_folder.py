"""The server's data folder, or the database that DATABASE_URL names: where a command finds them."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from weighbridge.cli.server_folder import folder_of, said
from weighbridge.settings import path
from weighbridge.store.database import Database
from weighbridge.store.embedded import embedded_postgres, url_of_running
from weighbridge.store.migrations import migrate
from weighbridge.store.sealed import KeyRing, make_ring


@dataclass(frozen=True)
class Ground:
    """What the server stands on. `embedded`: the database is one of ours, in the folder."""

    folder: Path
    url: str
    ring_path: Path
    ring: KeyRing
    database: Database
    embedded: bool
    # Nobody else serves from this folder.
    alone: bool
    # Starts our own database again if it has died; for whoever stays.
    keep: Callable[[], None] = lambda: None


@contextmanager
def ground(data: Path | None, environ: Mapping[str, str]) -> Generator[Ground]:
    """Open database and key ring, made where they are missing. Raises StoreFailed, BadArgument."""
    folder = folder_of(data, environ)
    folder.mkdir(parents=True, exist_ok=True)
    given = said("DATABASE_URL", environ)
    ring_path = path(said("WEIGHBRIDGE_KEY_RING", environ) or str(folder / "keys.json"))
    with ExitStack() as stack:
        lock = stack.enter_context((folder / "lock").open("w"))
        alone = _taken(lock)
        keep: Callable[[], None] = lambda: None  # noqa: E731 nothing to keep
        if given is not None:
            url = given
        elif alone:
            running = stack.enter_context(embedded_postgres(folder))
            url, keep = running.url, running.keep
        else:
            url = url_of_running(folder)
        database = Database(url)
        stack.callback(database.close)
        migrate(database.engine())
        yield Ground(
            folder, url, ring_path, make_ring(ring_path), database,
            embedded=given is None, alone=alone, keep=keep,
        )  # fmt: skip


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
