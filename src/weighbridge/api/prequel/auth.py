"""Who asks: a key in X-API-KEY, or a recipient's browser with a scoped token.

A token stands for its recipient alone, and only where a route says so; it comes with the origin of
the application that it was made for. The contract knows no 403: what a key may not do is a 401.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from weighbridge.api import auth
from weighbridge.api.auth import House, wish_of
from weighbridge.catalog.destinations import Sight
from weighbridge.catalog.scoped_tokens import ScopedToken, check_token
from weighbridge.net.hosts import HostPolicy
from weighbridge.store.database import EVERYTHING, seen_by
from weighbridge.store.idempotency import Wish

if TYPE_CHECKING:
    from weighbridge.catalog.api_keys import ApiKey

_KEY = APIKeyHeader(
    name="X-API-KEY", scheme_name="ApiKeyAuth", auto_error=False, description="A key of the server."
)
_BEARER = HTTPBearer(
    scheme_name="ScopedTokenAuth",
    auto_error=False,
    description="A scoped token, with its application's origin in X-APP-ID.",
)
_CHALLENGE = {"WWW-Authenticate": 'Key realm="weighbridge"'}
_NOBODY = "Give a valid key in X-API-KEY, or a valid token with its origin in X-APP-ID."


@dataclass(frozen=True)
class Caller(auth.Caller):
    """Who asks; with a token: in whose name and for whom."""

    token: ScopedToken | None = None

    @property
    def actor(self) -> str:
        """Say who it is, for the audit."""
        return f"scoped token {self.token.public_id}" if self.token else super().actor

    @property
    def sight(self) -> Sight:
        """Say whose destinations it may see and change."""
        if self.token is None:
            return Sight()
        return Sight(self.token.recipient_id, self.token.destination_id)


def policy_for(house: auth.House, *, by_recipient: bool) -> HostPolicy:
    """Give where an address may lead: a recipient's never into our network."""
    return HostPolicy.recipient() if by_recipient else house.policy


class Needs(auth.Needs):
    """A route's dependency: a key with this scope, or, for `recipients`, a scoped token."""

    def __init__(self, scope: str, *, recipients: bool = False) -> None:
        super().__init__(scope)
        self.recipients = recipients

    async def __call__(
        self,
        request: Request,
        wish: Annotated[Wish | None, Depends(wish_of)],
        key: Annotated[str | None, Security(_KEY)] = None,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
    ) -> Caller:
        """Check what a request carries. Raises 401."""
        house: House = request.app.state.house
        if key is not None:
            return Caller(await self._by_key(house, key), house, wish)
        if bearer is None or not self.recipients:
            raise HTTPException(401, _NOBODY, headers=_CHALLENGE)
        origin = request.headers.get("x-app-id", "")
        found = await run_in_threadpool(_by_token, house, bearer.credentials, origin)
        if found is None:
            raise HTTPException(401, _NOBODY, headers=_CHALLENGE)
        token, maker = found
        # One recipient's promise is none of another's, nor of the key's that made its token.
        own = wish and replace(wish, given=f"recipient {token.recipient_id} {wish.given}")
        return Caller(maker, house, own, token)

    async def _by_key(self, house: House, key: str) -> ApiKey:
        try:
            return await self.key_of(house, key)
        except HTTPException as error:
            said = _NOBODY if error.status_code == 401 else error.detail
            raise HTTPException(401, said, headers=_CHALLENGE) from None


def _by_token(house: House, text: str, origin: str) -> tuple[ScopedToken, ApiKey] | None:
    with seen_by(house.database, EVERYTHING, reading=True) as connection:
        return check_token(connection, text, origin=origin)


ReadsModels = Annotated[Caller, Depends(Needs("models:read"))]
WritesModels = Annotated[Caller, Depends(Needs("models:write"))]
# Of models and products a recipient sees those that it may have.
SeesModels = Annotated[Caller, Depends(Needs("models:read", recipients=True))]
ReadsRecipients = Annotated[Caller, Depends(Needs("destinations:read"))]
WritesRecipients = Annotated[Caller, Depends(Needs("destinations:write"))]
ReadsDestinations = Annotated[Caller, Depends(Needs("destinations:read", recipients=True))]
WritesDestinations = Annotated[Caller, Depends(Needs("destinations:write", recipients=True))]
MakesTokens = Annotated[Caller, Depends(Needs("tokens"))]
