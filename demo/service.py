"""A server of ours as a user starts it, and the few words of HTTP that the demo needs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WEIGHBRIDGE = Path(sys.executable).parent / "weighbridge"
STARTS_WITHIN = 60.0
ENDED = {"SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED"}


@dataclass(frozen=True)
class Service:
    """Where the server listens, and the admin's key."""

    address: str
    key: str

    def ask(self, path: str, body: object = None) -> dict[str, Any]:
        """Send a request (POST with a body, else GET); give the answer's data."""
        request = urllib.request.Request(  # noqa: S310 our own server's address
            f"{self.address}/prequel{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-API-KEY": self.key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            sys.exit(f"demo: {path} was answered {error.code}: {error.read().decode()[:500]}")

    def wait(self, path: str, what: str) -> dict[str, Any]:
        """Ask until what was asked for has ended; give it. Stops the demo if it failed."""
        while True:
            found = self.ask(path)[what]
            if found["status"] in ENDED:
                break
            time.sleep(0.3)
        if found["status"] != "SUCCESS":
            sys.exit(f"demo: the {what} ended as {found['status']}: {json.dumps(found)[:1000]}")
        return found


@contextmanager
def serving(folder: Path) -> Generator[Service]:
    """Run `weighbridge serve` with its data in a folder; give the way to it."""
    port = _free_port()
    process = subprocess.Popen(
        [str(WEIGHBRIDGE), "serve", "--data", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
    )  # fmt: skip
    words: list[str] = []
    listener = threading.Thread(target=_listen, args=(process, words), daemon=True)
    listener.start()
    try:
        key = _key(process, words)
        service = Service(f"http://127.0.0.1:{port}", key)
        _wait_until_ready(service, process, words)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _listen(process: subprocess.Popen[str], words: list[str]) -> None:
    words.extend(process.stderr or ())


def _key(process: subprocess.Popen[str], words: list[str]) -> str:
    for line in process.stdout or ():
        if line.startswith("admin key"):
            return line.split()[-1]
    sys.exit(f"demo: the server gave no key:\n{''.join(words)}")


def _wait_until_ready(service: Service, process: subprocess.Popen[str], words: list[str]) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{service.address}/readyz", timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"demo: the server did not begin:\n{''.join(words)}")


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])
