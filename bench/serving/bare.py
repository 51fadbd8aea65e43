"""The bare route that the API is held against: the same framework, the same server, nothing behind it.

`python -m bench.serving.bare PORT`.
"""

from __future__ import annotations

import sys

from fastapi import FastAPI
from granian import Granian
from granian.constants import Interfaces


def application() -> FastAPI:
    """Make an application of one route that answers what it was built with."""
    app = FastAPI()

    @app.get("/bare")
    async def bare() -> dict[str, object]:
        return {"id": 1, "status": "done", "figures": list(range(20))}

    return app


if __name__ == "__main__":
    Granian(
        "bench.serving.bare:application",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        factory=True,
        log_access=False,
        log_level="warning",  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        websockets=False,
    ).serve()
