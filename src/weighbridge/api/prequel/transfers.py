"""Prequel's transfers: asked for, listed, followed, cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import paging
from weighbridge.api.prequel import transfer_words as words
from weighbridge.api.prequel.auth import Caller, ReadsDestinations, WritesDestinations
from weighbridge.api.prequel.envelope import (
    Answer,
    PageAnswer,
    identity,
    problems,
    reference,
    success,
)
from weighbridge.catalog.destinations import get_destination
from weighbridge.catalog.records import Wanted
from weighbridge.deliver.request import Filters, cancel, get, list_transfers, request

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

router = APIRouter(tags=["transfers"])

DestinationNumber = Annotated[str, Path(max_length=100, description="Destination ID.")]
TransferNumber = Annotated[str, Path(max_length=100, description="Transfer ID.")]
ByStatus = Annotated[words.Status | None, Query(description="Of this status only.")]
ByTags = Annotated[
    str | None,
    Query(max_length=10_000, pattern=r"^[^\x00]*$", description="key.value, joined by commas; with all of these."),
]  # fmt: skip
EndedBefore = Annotated[
    str | None,
    Query(max_length=64, description="Ended before this moment.", json_schema_extra={"format": "date-time"}),
]  # fmt: skip
EndedAfter = Annotated[
    str | None,
    Query(max_length=64, description="Ended at this moment or after.", json_schema_extra={"format": "date-time"}),
]  # fmt: skip
_FILTERS = (*paging.PARAMETERS, "status", "include_tags", "ended_before", "ended_after")


@router.post(
    "/destinations/{destination_id}/transfer",
    summary="Start transfer",
    response_model=Answer[words.TransferId],
    responses=problems(404),
)
def start_transfer(
    caller: WritesDestinations,
    destination_id: DestinationNumber,
    body: words.NewTransfer | None = None,
) -> Any:
    """Ask for a transfer. It waits for those before it at the same destination.

    Without a window it brings what has changed since the last one; the first one brings all.
    """

    def work(connection: Connection) -> Written:
        made = request(
            connection,
            identity(destination_id, "destination"),
            words.wish_of(body),
            sight=caller.sight,
            environment=caller.key.environment,
            created_by=caller.key.id,
        )
        return Written(
            success({"transfer_id": str(made.id)}, "The transfer was asked for."),
            f"transfers/{made.id}",
            after=words.transfer(made, inside=True),
        )

    return caller.writes("transfers.create", work)


@router.get(
    "/destinations/{destination_id}/transfers",
    summary="List a destination's transfers",
    response_model=PageAnswer[words.TransfersData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def list_destination_transfers(
    caller: ReadsDestinations,
    request: Request,
    destination_id: DestinationNumber,
    page: paging.Page,
    *,
    status: ByStatus = None,
    include_tags: ByTags = None,
    ended_before: EndedBefore = None,
    ended_after: EndedAfter = None,
    count: Annotated[
        int | None, Query(ge=1, le=100, description="page_size, as it was called before.")
    ] = None,
) -> Any:
    """List the transfers of a destination, by page."""
    only_known(request, (*_FILTERS, "count"))
    number = identity(destination_id, "destination")
    with caller.sees() as connection:
        get_destination(connection, number, caller.sight)
    filters = _filters(number, status, include_tags, ended=(ended_after, ended_before))
    wanted = page if count is None else Wanted(count, page.after, page.descending)
    return _page(caller, request, wanted, filters)


@router.get(
    "/transfers",
    summary="List transfers",
    response_model=PageAnswer[words.TransfersData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_all_transfers(
    caller: ReadsDestinations,
    request: Request,
    page: paging.Page,
    *,
    destination_id: Annotated[
        str | None, Query(max_length=64, description="Of this destination only.")
    ] = None,
    status: ByStatus = None,
    include_tags: ByTags = None,
    ended_before: EndedBefore = None,
    ended_after: EndedAfter = None,
) -> Any:
    """List the transfers that the key or token may see, by page."""
    only_known(request, (*_FILTERS, "destination_id"))
    number = None if destination_id is None else reference(destination_id, "destination_id")
    filters = _filters(number, status, include_tags, ended=(ended_after, ended_before))
    return _page(caller, request, page, filters)


@router.get(
    "/transfers/{transfer_id}",
    summary="Get transfer",
    response_model=Answer[words.TransferData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def get_transfer(caller: ReadsDestinations, transfer_id: TransferNumber) -> Any:
    """Give a transfer, with what it did of each model so far."""
    with caller.sees() as connection:
        found = get(connection, identity(transfer_id, "transfer"), caller.sight)
    return success({"transfer": words.transfer(found, inside=caller.token is None)})


@router.post(
    "/transfers/{transfer_id}/cancel",
    summary="Cancel transfer",
    response_model=Answer[words.TransferData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def cancel_transfer(caller: WritesDestinations, transfer_id: TransferNumber) -> Any:
    """Ask for the end of a transfer: it comes within seconds. One that has ended stays as it is."""
    inside = caller.token is None

    def work(connection: Connection) -> Written:
        number = identity(transfer_id, "transfer")
        before = get(connection, number, caller.sight)
        after = cancel(connection, number, caller.sight)
        return Written(
            success({"transfer": words.transfer(after, inside=inside)}, "The end was asked for."),
            f"transfers/{number}",
            before={"status": before.status},
            after={"status": after.status},
        )

    return caller.writes("transfers.cancel", work)


def _filters(
    destination: UUID | None,
    status: str | None,
    tags: str | None,
    *,
    ended: tuple[str | None, str | None],
) -> Filters:
    after, before = ended
    return Filters(
        destination=destination,
        status=status,
        tags=words.tags_of(tags),
        ended_after=words.when(after, "ended_after"),
        ended_before=words.when(before, "ended_before"),
    )


def _page(caller: Caller, request: Request, page: Wanted, filters: Filters) -> Any:
    with caller.sees() as connection:
        found, more = list_transfers(connection, page, filters, caller.sight)
    inside = caller.token is None
    shown = {"transfers": [words.transfer(one, inside=inside) for one in found]}
    return {**success(shown), **paging.next_page(request, found, more=more)}
