"""Prequel's sources: the connections that are delivered from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request

from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import paging, wire
from weighbridge.api.prequel.auth import ReadsModels, WritesModels
from weighbridge.api.prequel.envelope import (
    Answer,
    Nothing,
    PageAnswer,
    identity,
    problems,
    success,
)
from weighbridge.catalog import models as catalog
from weighbridge.errors import BadArgument

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(tags=["sources"])

SourceId = Annotated[str, Path(max_length=100, description="Source ID.")]


@router.post(
    "/sources",
    summary="Create source",
    response_model=Answer[wire.SourceData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def create_source(caller: WritesModels, body: wire.NewSource) -> Any:
    """Store a connection to deliver from."""
    said: Any = body.source

    def work(connection: Connection) -> Written:
        catalog.registry.find_vendor(said.vendor, source=True)
        made = catalog.add_source(
            connection,
            caller.house.ring,
            name=said.name,
            vendor=said.vendor,
            options=wire.options_of(said, said.vendor) or {},
            environment=caller.key.environment,
            created_by=caller.key.id,
        )
        shown = wire.source(made)
        answer = success({"source": shown}, "The source was created.")
        return Written(answer, f"sources/{made.id}", after=shown)

    return caller.writes("sources.create", work)


@router.get(
    "/sources",
    summary="List sources",
    response_model=PageAnswer[wire.SourcesData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_sources(caller: ReadsModels, request: Request, page: paging.Page) -> Any:
    """List the sources, by page."""
    only_known(request, paging.PARAMETERS)
    with caller.sees() as connection:
        found, more = catalog.list_sources(connection, page)
    shown = {"sources": [wire.source(one) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.get(
    "/sources/{source_id}",
    summary="Get source",
    response_model=Answer[wire.SourceData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def get_source(caller: ReadsModels, source_id: SourceId) -> Any:
    """Give a source."""
    with caller.sees() as connection:
        found = catalog.get_source(connection, identity(source_id, "source"))
    return success({"source": wire.source(found)})


@router.patch(
    "/sources/{source_id}",
    summary="Update source",
    response_model=Answer[wire.SourceData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def change_source(caller: WritesModels, source_id: SourceId, body: wire.SourceChange) -> Any:
    """Change what is sent, as with a destination."""
    said: Any = body.source

    def work(connection: Connection) -> Written:
        number = identity(source_id, "source")
        vendor = catalog.get_source(connection, number).vendor
        if said.vendor not in {None, "", vendor}:
            raise BadArgument(
                "vendor: it cannot change.", next_step="Create another source instead."
            )
        before, after = catalog.change_source(
            connection, caller.house.ring, number,
            name=said.name, options=wire.options_of(said, vendor, given=True),
        )  # fmt: skip
        shown = wire.source(after)
        answer = success({"source": shown}, "The source was changed.")
        return Written(answer, f"sources/{number}", before=wire.source(before), after=shown)

    return caller.writes("sources.change", work)


@router.delete(
    "/sources/{source_id}",
    summary="Delete source",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def delete_source(caller: WritesModels, source_id: SourceId) -> Any:
    """Delete a source that no model uses, and its secrets."""

    def work(connection: Connection) -> Written:
        gone = catalog.delete_source(connection, identity(source_id, "source"))
        answer = success({}, "The source was deleted.")
        return Written(answer, f"sources/{gone.id}", before=wire.source(gone))

    return caller.writes("sources.delete", work)
