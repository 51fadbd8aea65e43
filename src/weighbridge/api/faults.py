"""From our errors to HTTP's: the domain knows no status, and no answer tells more than it should.

Answers are problem details, RFC 9457.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from weighbridge.api.auth import routes_of
from weighbridge.errors import WeighbridgeError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

PROBLEM = "application/problem+json"
_STATUS = {
    "no_such_connection": 404, "no_such_diff": 404, "no_such_errand": 404,
    "no_such_object": 404, "not_now": 409, "too_many": 429, "store_failed": 503,
}  # fmt: skip
# Seconds after which it is worth to ask again.
_RETRY_AFTER = {"store_failed": "2", "too_many": "10"}
_BY_BLAME = {"caller": 422, "connection": 422, "data": 422, "us": 500}
TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found",
    405: "Method not allowed", 409: "Conflict", 413: "Too large", 415: "Unsupported media type",
    422: "The request cannot be carried out", 429: "Too many requests",
    500: "Internal error", 503: "Not available just now",
}  # fmt: skip

log = structlog.get_logger()


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: list[dict[str, Any]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Make a problem answer. `instance` names this occurrence, for whoever reads the log."""
    instance = f"urn:uuid:{uuid4()}"
    body = {
        "type": f"urn:weighbridge:{code}" if code else "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": instance,
        "errors": errors or [],
    }
    return JSONResponse(body, status, media_type=PROBLEM, headers=headers)


def status_of(error: WeighbridgeError) -> int:
    """Give the status that stands for an error of ours."""
    return _STATUS.get(error.code) or _BY_BLAME[error.blame]


def add_faults(app: FastAPI) -> None:
    """Teach an application to answer every error as a problem."""

    @app.exception_handler(WeighbridgeError)
    def _ours(_: Request, error: WeighbridgeError) -> JSONResponse:
        status = status_of(error)
        after = _RETRY_AFTER.get(error.code)
        headers = {"Retry-After": after} if after else None
        return problem(status, str(error), code=error.code, headers=headers)

    @app.exception_handler(RequestValidationError)
    def _shape(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            # What was given is not repeated: it may be a secret.
            {"loc": [str(part) for part in e["loc"]], "msg": e["msg"], "type": e["type"]}
            for e in error.errors()
        ]
        where = ".".join(errors[0]["loc"]) if errors else "the request"
        what = errors[0]["msg"] if errors else "cannot be read"
        return problem(422, f"{where}: {what}.", code="bad_request", errors=errors)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed(request))
        if error.status_code == 400:
            # FastAPI's word for a body that is no text, or nested too deeply to be read.
            return problem(422, "body: It cannot be read as JSON.", code="bad_request")
        return problem(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(Exception)
    def _unknown(request: Request, error: Exception) -> JSONResponse:
        answer = problem(500, "Something went wrong here. The log has the details.")
        log.error("unhandled", path=request.url.path, exc_info=error)
        return answer


def _allowed(request: Request) -> list[str]:
    """Name every method of a path; Starlette names those of the first route that fits it."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    fitting = (r for r in routes_of(request.app.routes) if r.path_regex.fullmatch(path))
    return sorted({method for route in fitting for method in route.methods or ()})
