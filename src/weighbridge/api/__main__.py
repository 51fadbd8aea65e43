"""The process that answers HTTP: `python -m weighbridge.api HOST PORT`."""

from __future__ import annotations

import sys

from granian import Granian
from granian.constants import Interfaces

from weighbridge.process import begin


def main(host: str, port: int) -> None:
    """Serve until a signal ends it; requests under way are answered first."""
    begin("api")
    Granian(
        "weighbridge.api.serving:application",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        log_access=False,
        log_level="warning",  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        workers_kill_timeout=20,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
