"""The one application: the facades side by side, and what they share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy import text

from weighbridge import __version__
from weighbridge.api import telemetry
from weighbridge.api.auth import House, check_declared
from weighbridge.api.datafold.not_served import add_not_served
from weighbridge.api.datafold.overview import add_overview
from weighbridge.api.datafold.shapes import SHAPES, Shape
from weighbridge.api.faults import add_faults
from weighbridge.api.limits import BodyLimit, keepable
from weighbridge.api.openapi import describe, operation_id
from weighbridge.api.prequel import app as prequel
from weighbridge.api.try_it import add_page, pages_of
from weighbridge.errors import StoreFailed
from weighbridge.jobs.state import queue_state
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from weighbridge.jobs.state import QueueState
    from weighbridge.store.database import Database
    from weighbridge.store.sealed import KeyRing

# Requests that are worked on at once in one process; the others wait their turn.
THREADS = 16
_PUBLIC = frozenset({"/", "/healthz", "/readyz", "/metrics"})


def make_app(database: Database, ring: KeyRing, *, public_url: str = "") -> FastAPI:
    """Put the application together. Raises RuntimeError for a route without a scope."""
    house = House(database, ring, public_url.rstrip("/"))
    app = FastAPI(title="weighbridge", openapi_url=None, lifespan=_lifespan)
    _add_signs_of_life(app, house)
    for shape in SHAPES:
        add_page(app, shape.path, title=shape.title)
        add_overview(app, shape.path)
    add_page(app, prequel.PATH, title=prequel.TITLE)
    paths = [prequel.PATH, *(shape.path for shape in SHAPES)]
    check_declared(app, public=_PUBLIC.union(*map(pages_of, paths)))
    facades = {shape.path: _facade(shape) for shape in SHAPES}
    for each in (app, *facades.values()):
        each.state.house = house
        add_faults(each)
    for path, facade in facades.items():
        add_not_served(facade)
        app.mount(path, facade)
    app.mount(prequel.PATH, prequel.make_facade(house))
    app.add_middleware(BodyLimit)
    app.add_middleware(telemetry.Telemetry)
    return app


def _facade(shape: Shape) -> FastAPI:
    facade = FastAPI(
        title=shape.title,
        version=__version__,
        description=shape.description,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        dependencies=[Depends(keepable)],
    )
    for room in shape.rooms():
        facade.include_router(room)
    check_declared(facade, public=frozenset())
    describe(facade)
    return facade


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncGenerator[None]:
    # So many wait for our database at a time: on a busy machine its answer takes longer than the
    # work on it. More would only wait for Python's lock.
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
        queue: QueueState | None = None
        with suppress(StoreFailed), seen_by(house.database, EVERYTHING) as connection:
            queue = queue_state(connection)
        return Response(telemetry.figures(queue), media_type=telemetry.CONTENT_TYPE)

    @app.get("/")
    def root() -> RedirectResponse:
        # Who opens the address that `serve` prints finds the page to try it.
        return RedirectResponse("/datafold/docs")
