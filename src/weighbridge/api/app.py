"""The one application: the facades side by side, and what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from weighbridge.api.auth import House, check_declared
from weighbridge.api.datafold import diffs, sources
from weighbridge.api.faults import add_faults

if TYPE_CHECKING:
    from weighbridge.store.database import Database
    from weighbridge.store.sealed import KeyRing

_PUBLIC = frozenset({"/healthz", "/readyz"})


def make_app(database: Database, ring: KeyRing) -> FastAPI:
    """Put the application together. Raises RuntimeError for a route without a scope."""
    app = FastAPI(title="weighbridge", openapi_url=None)
    app.state.house = House(database, ring)
    add_faults(app)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    facade = FastAPI(title="weighbridge: datadiffs", openapi_url="/openapi.json", docs_url=None)
    facade.state.house = app.state.house
    for room in (diffs, sources):
        facade.include_router(room.router)
    add_faults(facade)
    check_declared(facade, public=frozenset())
    check_declared(app, public=_PUBLIC)
    app.mount("/datafold", facade)
    return app
