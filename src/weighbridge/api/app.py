"""The one application: the facades side by side, and what they share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text

from weighbridge.api import telemetry
from weighbridge.api.auth import House, check_declared
from weighbridge.api.datafold import diffs, sources
from weighbridge.api.faults import add_faults
from weighbridge.api.limits import BodyLimit
from weighbridge.api.prequel import app as prequel
from weighbridge.errors import StoreFailed
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from weighbridge.store.database import Database
    from weighbridge.store.sealed import KeyRing

# Requests that are worked on at once in one process; the others wait their turn.
THREADS = 8
_PUBLIC = frozenset({"/healthz", "/readyz", "/metrics"})


def make_app(database: Database, ring: KeyRing, *, public_url: str = "") -> FastAPI:
    """Put the application together. Raises RuntimeError for a route without a scope."""
    house = House(database, ring, public_url.rstrip("/"))
    app = FastAPI(title="weighbridge", openapi_url=None, lifespan=_lifespan)
    _add_signs_of_life(app, house)
    facade = FastAPI(
        title="weighbridge: datadiffs",
        description="Datafold's words for comparing two tables.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    for room in (diffs, sources):
        facade.include_router(room.router)
    check_declared(facade, public=frozenset())
    check_declared(app, public=_PUBLIC)
    for each in (app, facade):
        each.state.house = house
        add_faults(each)
    app.mount("/datafold", facade)
    app.mount("/prequel", prequel.make_facade(house))
    app.add_middleware(BodyLimit)
    app.add_middleware(telemetry.Telemetry)
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncGenerator[None]:
    # More would only wait for each other: for Python's lock, and for a connection to our database.
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


def _add_signs_of_life(app: FastAPI, house: House) -> None:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        try:
            with seen_by(house.database, EVERYTHING) as connection:
                connection.execute(text("SELECT FROM weighbridge.datadiffs LIMIT 0"))
        except StoreFailed:
            return JSONResponse({"status": "no database"}, 503, headers={"Retry-After": "2"})
        return JSONResponse({"status": "ok"})

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(telemetry.figures(), media_type=telemetry.CONTENT_TYPE)
