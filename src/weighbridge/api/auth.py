"""Who asks, and what that key may do. A route that says no scope stops the start-up.

A write is done by `Caller.writes`: with its line in the audit, once for each Idempotency-Key.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute

from weighbridge.api.known_keys import KnownKeys
from weighbridge.catalog.api_keys import ApiKey, check_key, note_use
from weighbridge.catalog.data_sources import policy_of
from weighbridge.net.hosts import HostPolicy
from weighbridge.store.audit import note
from weighbridge.store.database import EVERYTHING, Database, seen_by
from weighbridge.store.idempotency import Wish, once

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from weighbridge.store.sealed import KeyRing


@dataclass(frozen=True)
class House:
    """What every request needs of the server: database, key ring, known keys, whom it may reach."""

    database: Database
    ring: KeyRing
    # Where clients reach us, for the addresses that answers hold; never what a client's Host says.
    public_url: str = ""
    known: KnownKeys = field(default_factory=KnownKeys)

    @cached_property
    def policy(self) -> HostPolicy:
        """Say which hosts a connection may reach."""
        return policy_of(self.database)


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
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Sent twice with the same request, it is carried out once.",
            examples=["4f0c3d0e-orders-2025-03-01"],
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

    challenge: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Key realm="weighbridge"'}

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(
        self, request: Request, wish: Annotated[Wish | None, Depends(wish_of)]
    ) -> Caller:
        """Check the key of a request."""
        house: House = request.app.state.house
        return Caller(await self.key_of(house, self.token(request)), house, wish)

    async def key_of(self, house: House, token: str) -> ApiKey:
        """Give the key that a token opens with, if it has the scope. Raises 401 and 403."""
        key = house.known.get(token)
        if key is None:
            key = await run_in_threadpool(_look_up, house, token)
        if key is None:
            raise HTTPException(401, "Give a valid API key.", headers=self.challenge)
        if self.scope not in key.scopes:
            raise HTTPException(403, f"This key has not the scope {self.scope}.")
        return key

    def token(self, request: Request) -> str:
        """Take the token out of `Key …`, `Bearer …`, or the header alone."""
        scheme, rest, said = _authorization(request)
        return rest if scheme in {"key", "bearer"} else said


class NeedsInBrowser(Needs):
    """The same for a page that a person opens: the browser asks for the key, as a password.

    Only for reading: a browser repeats what it was told, whoever made it ask.
    """

    challenge: ClassVar[Mapping[str, str]] = {
        "WWW-Authenticate": 'Basic realm="weighbridge: an API key as the password"'
    }

    def token(self, request: Request) -> str:
        """Take the token out of `Basic …`, where it is the password, else as everywhere."""
        scheme, rest, _ = _authorization(request)
        if scheme != "basic":
            return super().token(request)
        try:
            user, _, password = b64decode(rest, validate=True).decode().partition(":")
        except ValueError:
            return ""
        return password or user


def _authorization(request: Request) -> tuple[str, str, str]:
    """Give the header's scheme, what follows it, and the whole."""
    said = request.headers.get("authorization", "").strip()
    scheme, _, rest = said.partition(" ")
    return scheme.lower(), rest.strip(), said


def _look_up(house: House, token: str) -> ApiKey | None:
    with seen_by(house.database, EVERYTHING) as connection:
        key = check_key(connection, token)
        if key is not None:
            note_use(connection, key)
    if key is not None:
        house.known.put(token, key)
    return key


def check_declared(app: FastAPI, *, public: frozenset[str]) -> None:
    """Refuse to start with a route that says neither a scope nor that it is public."""
    for route in routes_of(app.routes):
        if scope_of(route) is None and route.path not in public:
            raise RuntimeError(f"{route.path} declares no scope: give it a Needs(…)")


def scope_of(route: APIRoute) -> str | None:
    """Give the scope that a route declares, None if it declares none."""
    needs = [d.call for d in route.dependant.dependencies if isinstance(d.call, Needs)]
    return needs[0].scope if needs else None


def routes_of(of: Iterable[Any]) -> Iterator[APIRoute]:
    """Give every route, also those of routers that were included: FastAPI keeps these whole."""
    for route in of:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from routes_of(router.routes)


RUN_SQL = "run_sql"
ReadsDiffs = Annotated[Caller, Depends(Needs("diffs:read"))]
ReadsDiffsInBrowser = Annotated[Caller, Depends(NeedsInBrowser("diffs:read"))]
WritesDiffs = Annotated[Caller, Depends(Needs("diffs:write"))]
ReadsConnections = Annotated[Caller, Depends(Needs("connections:read"))]
WritesConnections = Annotated[Caller, Depends(Needs("connections:write"))]
RunsSql = Annotated[Caller, Depends(Needs(RUN_SQL))]
