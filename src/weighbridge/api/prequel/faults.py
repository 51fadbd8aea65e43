"""Every error in the contract's envelope, with one of its four codes: 400, 401, 404, 500.

What it has no code for goes to the nearest: not allowed is 401, a method that a path does not have
is 404, our database being away is 500.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from weighbridge.api.faults import status_of
from weighbridge.connectors.destinations.registry import expected
from weighbridge.errors import StoreFailed, WeighbridgeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

_NEAREST = {401: 401, 403: 401, 404: 404, 405: 404}
_WORDS = {404: "There is no such path.", 405: "This path has no such method."}

log = structlog.get_logger()


def failure(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make an answer of the contract's error shape."""
    message = message if message[-1:] in {".", "?"} else f"{message}."
    nearest = _NEAREST.get(status, 400 if status < 500 else 500)
    return JSONResponse(
        {"status": "error", "message": message, "data": None}, nearest, headers=headers
    )


def add_faults(app: FastAPI) -> None:
    """Teach the facade to answer every error so."""

    @app.exception_handler(WeighbridgeError)
    def _ours(_: Request, error: WeighbridgeError) -> JSONResponse:
        headers = {"Retry-After": "2"} if isinstance(error, StoreFailed) else None
        return failure(status_of(error), str(error), headers)

    @app.exception_handler(RequestValidationError)
    def _shape(_: Request, error: RequestValidationError) -> JSONResponse:
        return failure(400, f"{_complaint(list(error.errors()))}.")

    @app.exception_handler(HTTPException)
    def _http(_: Request, error: HTTPException) -> JSONResponse:
        said = str(error.detail)
        unsaid = said in {"Not Found", "Method Not Allowed"}
        return failure(
            error.status_code, _WORDS.get(error.status_code, said) if unsaid else said,
            error.headers,
        )  # fmt: skip

    @app.exception_handler(Exception)
    def _unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("unhandled", path=request.url.path, exc_info=error)
        return failure(500, "Something went wrong here. The log has the details.")


def _complaint(errors: list[dict[str, Any]]) -> str:
    """Say the first thing that is wrong. What was given is not repeated: it may be a secret."""
    first = errors[0]
    place = [str(part)[:80] for part in first["loc"] if part not in {"body", "query", "path"}]
    said = expected(first["type"], first["msg"])
    if first["type"] == "json_invalid":
        return "The body cannot be read: expected JSON"
    return f"{'.'.join(place) or 'The body'}: {said}"
