"""Clients that others wrote for Datafold, each in an environment of its own.

Their requirements exclude one another and ours, so each is installed apart, in versions that are
locked in `locked/`: what is published tomorrow changes no test. An environment is made once for
each lock, by `python -m tests.clients` or by the first test that asks.

| client | what it is | asked for |
|---|---|---|
| `data-diff` | the public command, `--dbt --cloud` | `data-diff==0.11.2 dbt-core==1.7.* pydantic==1.10.* setuptools<81` |
| `datafold-sdk` | Datafold's library and command | `datafold-sdk==0.4.1 dbt-core<1.12` |

A lock is made anew with `uv pip compile --universal --python-version 3.11 --no-header --no-annotate`
from the last column. (From 1.12 on, dbt-core fetches a binary while it is installed.)
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.clients.making import python_of

# Nobody listens there: a client that calls home (usage data, newest version) fails at once.
_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Client:
    """An installed client. It reaches this machine and no other, and has a home of its own."""

    python: Path
    home: Path

    def run(
        self, *command: str, host: str = "", key: str = "", cwd: Path | None = None, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its commands as a user does; `said` is what the user types."""
        program = self.python.with_name(command[0])
        return subprocess.run(
            [str(program), *command[1:]], env=self._environ(host, key), cwd=cwd or self.home,
            input=said, capture_output=True, text=True, timeout=120, check=False,
            # Without a terminal: what asks for a password would read it there, not here.
            start_new_session=True,
        )  # fmt: skip

    def _environ(self, host: str, key: str) -> dict[str, str]:
        environ = {
            "HOME": str(self.home),
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            # Without a keyring the clients say so, and go on.
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "COLUMNS": "200",
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1",
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NOWHERE),
        }
        given = {"DATAFOLD_HOST": host, "DATAFOLD_API_KEY": key}
        return environ | {name: value for name, value in given.items() if value}


def client(name: str, home: Path) -> Client:
    """Give a client that is installed, now if it was not yet."""
    return Client(python_of(name), home)
