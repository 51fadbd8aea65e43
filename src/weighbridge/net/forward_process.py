"""The same door in a process of its own, for drivers that hold Python's lock while they wait.

deltalake does so here and there: a door in this process could not pass its bytes on, and both
would wait for each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

from weighbridge.errors import ConnectionFailed
from weighbridge.net.forward import Forward
from weighbridge.net.hosts import Address


class ForwardProcess:
    """Listens on loopback until it is closed, or until this process ends."""

    def __init__(self, address: Address) -> None:
        # -P: a file that lies where the user stands must not be imported for a library.
        self._process = subprocess.Popen(  # noqa: S603 our own words
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            if self._process.stdin is not None and self._process.stdout is not None:
                self._process.stdin.write(json.dumps(asdict(address)).encode() + b"\n")
                self._process.stdin.flush()
                self.url = self._process.stdout.readline().decode().strip()
        except OSError:
            self.url = ""
        if not self.url:
            self.close()
            raise ConnectionFailed(
                "The door to the address could not be opened.",
                next_step="Try again; look whether this machine has memory left.",
            )

    def close(self) -> None:
        """End the process; what is open breaks."""
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()


def main() -> None:
    """Serve until whoever began this has gone."""
    said = json.loads(sys.stdin.readline())
    address = Address(said["host"], said["ip"], said["port"], tuple(said["alternatives"]))
    forward = Forward(address)
    sys.stdout.write(forward.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
