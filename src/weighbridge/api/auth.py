"""Who asks, and what that key may do. A route that says no scope stops the start-up.

A write is done by `Caller.writes`: with its line in the audit, once for each Idempotency-Key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from weighbridge.api.known_keys import KnownKeys
from weighbridge.catalog.api_keys import ApiKey, check_key, note_use
from weighbridge.store.audit import note
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.idempotency import Wish, once

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.store.sealed import KeyRing

_CHALLENGE = {"WWW-Authenticate": 'Key realm="weighbridge"'}


@dataclass(frozen=True)
class House:
    """What every request needs of the server: its database, its key ring, the keys it knows."""

    database: Database
    ring: KeyRing
    # Where clients reach us, for the addresses that answers hold; never what a client's Host says.
    public_url: str = ""
    known: KnownKeys = field(default_factory=KnownKeys)


@dataclass(frozen=True)
class Caller:
    """The key that asks, and the house it asks in."""

    key: ApiKey
    house: House
    wish: Wish | None = None

    @property
    def actor(self) -> str:
        """Say who it is, for the audit."""
        return f"key {self.key.public_id}"

    @contextmanager
    def sees(self) -> Generator[Connection]:
        """Look at what this key may see; for reading."""
        with seen_by(self.house.database, self.key.environment, reading=True) as connection:
            yield connection

    def writes(self, action: str, work: Callable[[Connection], Written]) -> Any:
        """Do a write in one transaction, note it in the audit, and give its answer."""
        with seen_by(self.house.database, self.key.environment) as connection:

            def noted() -> Any:
                written = work(connection)
                note(
                    connection,
                    environment=self.key.environment,
                    actor=self.actor,
                    action=action,
                    subject=written.subject,
                    before=written.before,
                    after=written.after,
                )
                return written.answer

            return once(
                connection, self.wish, noted,
                key_id=self.key.id, environment=self.key.environment,
            )  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What a write did: its answer, and what the audit says of it (no secrets)."""

    answer: Any
    subject: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


async def wish_of(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Sent twice with the same request, it is carried out once.",
        ),
    ] = None,
) -> Wish | None:
    """Take the Idempotency-Key of a POST, bound to the request it came with."""
    if idempotency_key is None or request.method != "POST":
        return None
    body = hashlib.sha256(f"{request.url.path}?{request.url.query}\n".encode())
    body.update(await request.body())
    return Wish(idempotency_key, body.digest())


class Needs:
    """A route's dependency: a key with this scope. Raises 401 and 403."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(
        self, request: Request, wish: Annotated[Wish | None, Depends(wish_of)]
    ) -> Caller:
        """Check the key of a request."""
        house: House = request.app.state.house
        return Caller(await self.key_of(house, _token(request)), house, wish)

    async def key_of(self, house: House, token: str) -> ApiKey:
        """Give the key that a token opens with, if it has the scope. Raises 401 and 403."""
        key = house.known.get(token)
        if key is None:
            key = await run_in_threadpool(_look_up, house, token)
        if key is None:
            raise HTTPException(401, "Give a valid API key.", headers=_CHALLENGE)
        if self.scope not in key.scopes:
            raise HTTPException(403, f"This key has not the scope {self.scope}.")
        return key


def _look_up(house: House, token: str) -> ApiKey | None:
    with seen_by(house.database, EVERYTHING) as connection:
        key = check_key(connection, token)
        if key is not None:
            note_use(connection, key)
    if key is not None:
        house.known.put(token, key)
    return key


def _token(request: Request) -> str:
    """Take the token out of `Key …`, `Bearer …`, or the header alone."""
    said = request.headers.get("authorization", "").strip()
    scheme, space, rest = said.partition(" ")
    return rest.strip() if space and scheme.lower() in {"key", "bearer"} else said


def check_declared(app: FastAPI, *, public: frozenset[str]) -> None:
    """Refuse to start with a route that says neither a scope nor that it is public."""
    for route in _routes(app.routes):
        declared = any(isinstance(d.call, Needs) for d in route.dependant.dependencies)
        if not declared and route.path not in public:
            raise RuntimeError(f"{route.path} declares no scope: give it a Needs(…)")


def _routes(of: Iterable[Any]) -> Iterator[APIRoute]:
    """Give every route, also those of routers that were included: FastAPI keeps these whole."""
    for route in of:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from _routes(router.routes)


ReadsDiffs = Annotated[Caller, Depends(Needs("diffs:read"))]
WritesDiffs = Annotated[Caller, Depends(Needs("diffs:write"))]
ReadsConnections = Annotated[Caller, Depends(Needs("connections:read"))]
WritesConnections = Annotated[Caller, Depends(Needs("connections:write"))]
RunsSql = Annotated[Caller, Depends(Needs("run_sql"))]
