"""A place of files as a loader needs it: a bucket, a folder of an SFTP server.

Names are relative to the destination's folder, with `/` between their parts. A file is there
whole or not at all. All may raise ConnectionLost, AuthFailed, Cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from weighbridge.errors import Cancelled


@dataclass(frozen=True)
class Stored:
    """A file that is there: its name and its size in bytes."""

    name: str
    size: int


class FileStore(Protocol):
    """Files by name. Not shared between threads, except `cancel`; `put` may run beside others."""

    def put(self, name: str, path: Path) -> None:
        """Send a local file; one that is there is replaced. In bounded memory."""
        ...

    def create(self, name: str, body: bytes) -> bool:
        """Send a small file if none of that name is there; False if one is."""
        ...

    def read(self, name: str, most: int) -> bytes | None:
        """Give a small file, None if there is none. Raises Unreadable past `most` bytes."""
        ...

    def fetch(self, name: str, path: Path) -> bool:
        """Receive a file into a local one; False if there is none. Raises SpillFull."""
        ...

    def listed(self, folder: str) -> Iterator[Stored]:
        """List the files below a folder, in no order; none where there is no such folder."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file; one that is gone already is no error."""
        ...

    def cancel(self) -> None:
        """Break what is running, from another thread; never raises."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def cancelled() -> Cancelled:
    """Say that somebody said stop."""
    return Cancelled("The load was cancelled.", next_step="Start it again when you like.")


def clean_folder(folder: str) -> str:
    """Give a folder's path without slashes around it, without empty parts and without `..`."""
    return "/".join(part for part in folder.split("/") if part not in {"", ".", ".."})
