"""What clients of Datafold may ask for and nobody answers here: said by name, with status 404.

Datafold's command asks for these in its groups `ci`, `dbt`, `queries` and `monitors`; and it sends
its own log to the server, which is not taken. 404 is also what its monitors take for an older
server. The paths are the same below every shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.api.faults import problem

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

# The beginning of a path, and whose it is.
_THEIRS = {
    "/api/v1/ci/": "runs of a CI integration",
    "/api/v1/dbt/": "artifacts of dbt",
    "/api/v1/alerts/": "alerts",
    "/api/internal/ci/": "runs of a CI integration",
    "/api/internal/monitors/": "monitors",
    "/api/internal/sdk/": "the logs of clients",
    "/api/datadiffs": "the paths that were used before /api/v1",
}


def add_not_served(facade: FastAPI) -> None:
    """Teach a facade to say what it is that it does not serve."""

    @facade.exception_handler(404)
    def _nothing_there(request: Request, _: Exception) -> JSONResponse:
        root = request.scope.get("root_path", "")
        path = request.url.path.removeprefix(root)
        what = next((said for start, said in _THEIRS.items() if path.startswith(start)), None)
        served = f"{root}/openapi.json describes what is."
        if what is None:
            return problem(404, f"There is nothing at this path; {served}")
        return problem(404, f"This server does not serve {what}; {served}", code="not_served")
