"""The facade as one application: its routes, each also under its older address, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Response

from weighbridge.api.auth import check_declared
from weighbridge.api.prequel import (
    actions,
    data_integrity,
    destinations,
    models,
    recipients,
    sources,
    transfers,
)
from weighbridge.api.prequel.body import AlwaysJson
from weighbridge.api.prequel.faults import add_faults

if TYPE_CHECKING:
    from weighbridge.api.auth import House

PATH, TITLE = "/prequel", "weighbridge: data export"
VERSION = "2023-12-01"
# The address that clients of the older version still use.
OLDER = "/export"


def make_facade(house: House) -> FastAPI:
    """Put the facade together. Raises RuntimeError for a route without a scope."""
    facade = FastAPI(
        title=TITLE,
        version=VERSION,
        description="Prequel's words for delivering tables to other people's databases.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(_version)],
    )
    for room in (destinations, models, sources, recipients, transfers, data_integrity):
        facade.include_router(room.router)
        facade.include_router(room.router, prefix=OLDER, deprecated=True)
    facade.include_router(actions.router)
    check_declared(facade, public=actions.PUBLIC)
    facade.state.house = house
    add_faults(facade)
    facade.add_middleware(AlwaysJson)
    _describe_exactly(facade)
    return facade


def _describe_exactly(facade: FastAPI) -> None:
    """Leave out of the description what the framework adds and the contract does not know: 422."""
    described = facade.openapi

    def openapi() -> dict[str, Any]:
        said = described()
        for path in said["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            said["components"]["schemas"].pop(name, None)
        return said

    facade.openapi = openapi  # type: ignore[method-assign]


def _version(
    response: Response,
    x_prequel_api_version: Annotated[
        str | None, Header(max_length=100, description="The version that a client speaks.")
    ] = None,
) -> None:
    """Refuse a version that is not spoken here; without the header it is the current one."""
    if x_prequel_api_version not in {None, "", VERSION}:
        raise HTTPException(400, f"X-Prequel-Api-Version: expected {VERSION}.")
    response.headers["X-Prequel-Api-Version"] = VERSION
