"""Prequel's destinations. Each route finds its words, calls one verb, and writes the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request

from weighbridge.api.auth import Written
from weighbridge.api.paging import only_known
from weighbridge.api.prequel import paging, wire
from weighbridge.api.prequel.auth import Caller, ReadsDestinations, WritesDestinations, policy_for
from weighbridge.api.prequel.envelope import (
    Answer,
    Nothing,
    PageAnswer,
    identity,
    problems,
    reference,
    success,
)
from weighbridge.catalog import destinations as catalog
from weighbridge.catalog.destination_test import check_address
from weighbridge.catalog.recipients import find_recipient
from weighbridge.deliver.figures import NONE, figures_of
from weighbridge.errors import BadArgument, NoSuchObject
from weighbridge.net.host_keys import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from weighbridge.catalog.destinations import Destination

router = APIRouter(tags=["destinations"])

Number = Annotated[str, Path(max_length=100, description="Destination ID.")]


def _identity(text: str) -> UUID:
    return identity(text, "destination")


@router.post(
    "/destinations",
    summary="Create destination",
    response_model=Answer[wire.DestinationData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def create_destination(caller: WritesDestinations, body: wire.NewDestination) -> Any:
    """Store a destination. It is not connected to: POST /test-destination tests before."""
    said: Any = body.destination

    def work(connection: Connection) -> Written:
        made = catalog.add_destination(
            connection,
            caller.house.ring,
            recipient=_recipient(connection, caller, said),
            vendor=said.vendor,
            options=_options(said),
            settings=wire.settings_of(said),
            sight=_for_new(caller),
            environment=caller.key.environment,
            created_by=caller.key.id,
        )
        shown = wire.destination(made)
        return Written(
            success({"destination": shown}, "The destination was created."),
            f"destinations/{made.id}",
            after=shown,
        )

    return caller.writes("destinations.create", work)


@router.get(
    "/destinations",
    summary="List destinations",
    response_model=PageAnswer[wire.DestinationsData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def list_destinations(caller: ReadsDestinations, request: Request, page: paging.Page) -> Any:
    """List the destinations that the key or token may see, by page."""
    only_known(request, paging.PARAMETERS)
    with caller.sees() as connection:
        found, more = catalog.list_destinations(connection, page, caller.sight)
        shown = {"destinations": _shown(connection, caller, found)}
    return {**success(shown), **paging.next_page(request, found, more=more)}


@router.get(
    "/destinations-for-recipient",
    summary="List a recipient's destinations",
    response_model=Answer[wire.DestinationsData],
    response_model_exclude_unset=True,
    responses=problems(),
)
def destinations_for_recipient(caller: ReadsDestinations) -> Any:
    """List all destinations of the recipient that a scoped token was made for."""
    if caller.token is None:
        raise BadArgument(
            "This list is for a scoped token.", next_step="With a key, use GET /destinations."
        )
    with caller.sees() as connection:
        found = catalog.every_destination(connection, caller.sight)
        shown = _shown(connection, caller, found)
    return success({"destinations": shown})


@router.get(
    "/destinations/{destination_id}",
    summary="Get destination",
    response_model=Answer[wire.DestinationData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def get_destination(caller: ReadsDestinations, destination_id: Number) -> Any:
    """Give a destination."""
    with caller.sees() as connection:
        found = catalog.get_destination(connection, _identity(destination_id), caller.sight)
        shown = _shown(connection, caller, [found])
    return success({"destination": shown[0]})


@router.patch(
    "/destinations/{destination_id}",
    summary="Update destination",
    response_model=Answer[wire.DestinationData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def change_destination(
    caller: WritesDestinations, destination_id: Number, body: wire.DestinationChange
) -> Any:
    """Change what is sent: objects are merged, lists replaced, null takes a field back.

    Secrets that are not sent, or are empty, stay. The vendor and the recipient cannot change.
    """
    said: Any = body.destination

    def work(connection: Connection) -> Written:
        number = _identity(destination_id)
        before, after = catalog.change_destination(
            connection,
            caller.house.ring,
            number,
            options=_change(connection, caller, number, said),
            settings=wire.settings_of(said, given=True),
            sight=caller.sight,
        )
        shown = _shown(connection, caller, [after])[0]
        return Written(
            success({"destination": shown}, "The destination was changed."),
            f"destinations/{number}",
            before=wire.destination(before),
            after=wire.destination(after),
        )

    return caller.writes("destinations.change", work)


@router.delete(
    "/destinations/{destination_id}",
    summary="Delete destination",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def delete_destination(caller: WritesDestinations, destination_id: Number) -> Any:
    """Delete a destination and its secrets. What was delivered stays where it is."""

    def work(connection: Connection) -> Written:
        gone = catalog.delete_destination(connection, _identity(destination_id), caller.sight)
        return Written(
            success({}, "The destination was deleted."),
            f"destinations/{gone.id}",
            before=wire.destination(gone),
        )

    return caller.writes("destinations.delete", work)


@router.post(
    "/test-destination",
    summary="Test new destination connection",
    response_model=Answer[Nothing],
    responses=problems(),
)
def try_new_destination(caller: WritesDestinations, body: wire.NewDestination) -> Any:
    """Connect to a destination that is not stored, and say what went wrong."""
    said: Any = body.destination
    sight = _for_new(caller)
    with caller.sees() as connection:
        named = sight.recipient is not None or said.recipient_id or said.id_in_provider_system
        owner = _recipient(connection, caller, said) if named else None
        address = catalog.new_address(
            connection, caller.house.ring, said.vendor,
            options=_options(said), sight=sight, owner=owner,
        )  # fmt: skip
    seen = _try(caller, address)
    return success({}, _words(seen))


@router.post(
    "/destinations/{destination_id}/test-connection",
    summary="Test existing destination connection",
    response_model=Answer[wire.DestinationData],
    response_model_exclude_unset=True,
    responses=problems(404),
)
def try_destination(
    caller: WritesDestinations,
    destination_id: Number,
    body: wire.DestinationTry | None = None,
) -> Any:
    """Connect to a destination as a change would make it; no change is stored.

    A server that is known by its key is known by the one that it shows at the first test.
    """
    said: Any = body.destination if body else None
    with caller.sees() as connection:
        number = _identity(destination_id)
        change = _change(connection, caller, number, said) if said else None
        found = catalog.get_destination(connection, number, caller.sight)
        shown = _shown(connection, caller, [found])[0]
        address = catalog.open_address(
            connection, caller.house.ring, number, caller.sight, change=change
        )
    seen = _try(caller, address)
    if seen is not None and change is None and catalog.lacks_host_key(found):
        return _kept(caller, number, address, seen)
    return success({"destination": shown}, _words(seen))


def _shown(
    connection: Connection, caller: Caller, found: Sequence[Destination]
) -> list[dict[str, Any]]:
    """Write destinations with the figures of their transfers."""
    figures = figures_of(connection, [one.id for one in found])
    inside = caller.token is None
    return [wire.destination(one, figures.get(one.id, NONE), inside=inside) for one in found]


def _kept(caller: Caller, number: UUID, address: catalog.Address, seen: str) -> Any:
    """Keep the key of an SSH server that was tested for the first time: a change like any other."""

    def work(connection: Connection) -> Written:
        before, after = catalog.keep_host_key(
            connection, number, caller.sight, tested=address.options, key=seen
        )
        first, last = _shown(connection, caller, [before, after])
        answer = success({"destination": last}, _words(seen))
        return Written(answer, f"destinations/{number}", before=first, after=last)

    return caller.writes("destinations.change", work)


def _words(seen: str | None) -> str:
    known = f" The SSH server shows the key {fingerprint(seen)}." if seen else ""
    return f"The connection works.{known}"


def _try(caller: Caller, address: catalog.Address) -> str | None:
    return check_address(
        address.vendor,
        address.options,
        policy_for(caller.house, by_recipient=address.by_recipient),
        uniform=address.by_recipient,
    )


def _for_new(caller: Caller) -> catalog.Sight:
    """Say whose a new destination may be. Raises BadArgument for a token of one destination."""
    if caller.sight.destination is not None:
        raise BadArgument(
            "This token is for one destination, which is there already.",
            next_step="Ask for a token without a destination's id.",
        )
    return caller.sight


def _recipient(connection: Connection, caller: Caller, said: Any) -> UUID:
    """Give the recipient that a body names, or the token's own. Raises BadArgument."""
    own = caller.sight.recipient
    if said.recipient_id:
        number = reference(said.recipient_id, "recipient_id")
    elif said.id_in_provider_system:
        found = find_recipient(connection, said.id_in_provider_system)
        number = found.id if found else None
    else:
        number = own
    # The same words for one that is not there and one not to be seen.
    if number is None or (own is not None and number != own):
        raise _no_recipient()
    try:
        catalog.get_recipient(connection, number)
    except NoSuchObject:
        raise _no_recipient() from None
    return number


def _no_recipient() -> BadArgument:
    return BadArgument(
        "recipient_id: expected a recipient that is there.",
        next_step="GET /recipients lists those that may be seen.",
    )


def _options(said: Any) -> Mapping[str, Any]:
    catalog.registry.find_vendor(said.vendor)
    return wire.options_of(said, said.vendor) or {}


def _change(
    connection: Connection, caller: Caller, number: UUID, said: Any
) -> Mapping[str, Any] | None:
    """Give the change of the options. Raises BadArgument for a change of what cannot change."""
    found = catalog.get_destination(connection, number, caller.sight)
    same = {"vendor": found.vendor, "recipient_id": str(found.recipient.id)}
    for field, value in same.items():
        if getattr(said, field) not in {None, "", value}:
            raise BadArgument(
                f"{field}: it cannot change.", next_step="Create another destination instead."
            )
    return wire.options_of(said, found.vendor, given=True)
