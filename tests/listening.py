"""A server of ours that listens, as `weighbridge serve` starts it: for clients that are processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from tests.house import House, a_house
from tests.servers.processes import free_port

if TYPE_CHECKING:
    from starlette.testclient import TestClient

_COMMAND = str(Path(sys.executable).with_name("weighbridge"))
_SECONDS = 60


@dataclass(frozen=True)
class Listening:
    """A listening server: `address` without a path, and its database to make keys in."""

    address: str
    house: House

    def asking(self) -> TestClient:
        """Give a client of ours that looks at the same database, with every scope."""
        return self.house.client()


@contextmanager
def listening(postgres: str, folder: Path) -> Generator[Listening]:
    """Serve a house of its own on a free port: API and worker, until the context ends."""
    port, words = free_port(), folder / "words"
    with a_house(postgres, folder) as house, words.open("w") as out:
        process = subprocess.Popen(
            [_COMMAND, "serve", "--port", str(port), "--data", str(folder)],
            stdout=out, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "DATABASE_URL": house.database.url},
        )  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, words)
            yield Listening(address, house)
        finally:
            process.terminate()
            try:
                process.wait(40)
            finally:
                process.kill()


def _wait(address: str, process: subprocess.Popen[str], words: Path) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        assert process.poll() is None, words.read_text()
        try:
            with urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 ours
                return
        except OSError:
            assert time.monotonic() < end, words.read_text()
            time.sleep(0.1)
