"""Who asks, and what that key may do. A route that says no scope stops the start-up."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.routing import APIRoute

from weighbridge.catalog.api_keys import ApiKey, check_key, note_use
from weighbridge.store.database import EVERYTHING, seen_by

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from weighbridge.store.sealed import KeyRing

_CHALLENGE = {"WWW-Authenticate": 'Key realm="weighbridge"'}


@dataclass(frozen=True)
class House:
    """What every request needs of the server: its database and its key ring."""

    engine: Engine
    ring: KeyRing


@dataclass(frozen=True)
class Caller:
    """The key that asks, and the house it asks in."""

    key: ApiKey
    house: House

    @contextmanager
    def sees(self) -> Generator[Connection]:
        """Begin a transaction that sees what this key may see."""
        with seen_by(self.house.engine, self.key.environment) as connection:
            yield connection


class Needs:
    """A route's dependency: a key with this scope. Raises 401 and 403."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> Caller:
        """Check the key of a request."""
        house: House = request.app.state.house
        with seen_by(house.engine, EVERYTHING) as connection:
            key = check_key(connection, _token(request))
            if key is not None:
                note_use(connection, key)
        if key is None:
            raise HTTPException(401, "Give a valid API key.", headers=_CHALLENGE)
        if self.scope not in key.scopes:
            raise HTTPException(403, f"This key has not the scope {self.scope}.")
        return Caller(key, house)


def _token(request: Request) -> str:
    """Take the token out of `Key …`, `Bearer …`, or the header alone."""
    said = request.headers.get("authorization", "").strip()
    scheme, space, rest = said.partition(" ")
    return rest.strip() if space and scheme.lower() in {"key", "bearer"} else said


def check_declared(app: FastAPI, *, public: frozenset[str]) -> None:
    """Refuse to start with a route that says neither a scope nor that it is public."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or route.path in public:
            continue
        if not any(isinstance(d.call, Needs) for d in route.dependant.dependencies):
            raise RuntimeError(f"{route.path} declares no scope: give it a Needs(…)")


ReadsDiffs = Annotated[Caller, Depends(Needs("diffs:read"))]
WritesDiffs = Annotated[Caller, Depends(Needs("diffs:write"))]
ReadsConnections = Annotated[Caller, Depends(Needs("connections:read"))]
WritesConnections = Annotated[Caller, Depends(Needs("connections:write"))]
RunsSql = Annotated[Caller, Depends(Needs("run_sql"))]
