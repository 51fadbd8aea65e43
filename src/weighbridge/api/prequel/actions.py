"""Prequel's actions, and what it tells everybody: scoped tokens, key pairs, vendors and forms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request

from weighbridge.api.auth import House, Written
from weighbridge.api.prequel import forms, parties
from weighbridge.api.prequel.auth import MakesTokens
from weighbridge.api.prequel.envelope import Answer, Nothing, problems, reference, success
from weighbridge.catalog.destinations import Sight, get_destination
from weighbridge.catalog.recipients import find_recipient, get_recipient
from weighbridge.catalog.scoped_tokens import make_token, revoke_token
from weighbridge.catalog.ssh_keys import make_public_key
from weighbridge.errors import BadArgument, NoSuchObject

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

router = APIRouter(tags=["actions"])
# Whoever fills in a form has no key yet.
PUBLIC = frozenset({
    "/actions/generate-ssh-key", "/public/destination-vendors",
    "/public/forms/destination-vendors",
})  # fmt: skip


@router.post(
    "/actions/generate-scoped-auth-token",
    summary="Generate scoped auth token",
    response_model=Answer[parties.TokenData],
    responses=problems(),
)
def generate_scoped_auth_token(caller: MakesTokens, body: parties.NewToken) -> Any:
    """Make a token for one recipient's browser. It opens for one hour, and is shown this once.

    With the `id` of a destination it is for that one alone. An Idempotency-Key changes nothing here:
    the answer would have to be kept, and with it the token.
    """

    def work(connection: Connection) -> Written:
        recipient, destination = _meant(connection, body)
        made = make_token(
            connection,
            recipient=recipient,
            destination=destination,
            origin=body.application_origin,
            environment=caller.key.environment,
            created_by=caller.key.id,
        )
        return Written(
            success({"scoped_token": made.text}, "The token opens for one hour."),
            f"scoped_tokens/{made.token.public_id}",
            after={
                "recipient_id": str(recipient),
                "destination_id": str(destination) if destination else None,
                "application_origin": body.application_origin,
            },
        )

    return replace(caller, wish=None).writes("scoped_tokens.create", work)


@router.post(
    "/actions/revoke-scoped-auth-token",
    summary="Revoke scoped auth token",
    response_model=Answer[Nothing],
    responses=problems(404),
)
def revoke_scoped_auth_token(caller: MakesTokens, body: parties.OldToken) -> Any:
    """End a token before its hour is over, at once in every process."""

    def work(connection: Connection) -> Written:
        token = revoke_token(connection, body.scoped_token)
        if token is None:
            raise NoSuchObject("There is no such token.", next_step="Nothing need be done.")
        return Written(
            success({}, "The token opens nothing any more."), f"scoped_tokens/{token.public_id}"
        )

    return caller.writes("scoped_tokens.revoke", work)


@router.post(
    "/actions/generate-ssh-key",
    summary="Generate SSH key",
    response_model=Answer[parties.SshKeyData],
    responses=problems(),
)
def generate_ssh_key(request: Request) -> Any:
    """Make a key pair for a tunnel or a folder; the private half never leaves the server.

    Nothing is stored: the public key, sent back as part of a destination, names the private one.
    """
    house: House = request.app.state.house
    key = make_public_key(house.ring)
    return success({"public_key": key.line, "public_key_pkcs8": key.pem})


@router.get(
    "/public/destination-vendors",
    summary="List destination vendors",
    response_model=Answer[list[forms.VendorShown]],
    response_model_exclude_unset=True,
    responses=problems(),
)
def destination_vendors() -> Any:
    """List the vendors of destinations; one that cannot be delivered to yet is `disabled`."""
    return {"status": "success", "data": forms.vendors(), "message": ""}


@router.get(
    "/public/forms/destination-vendors",
    summary="Get destination form",
    response_model=Answer[forms.FormShown],
    responses=problems(),
)
def destination_forms(
    org_id: Annotated[str | None, Query(max_length=1000, description="Not used.")] = None,
    vendor: Annotated[
        str | None, Query(max_length=1000, description="Vendors, joined by commas.")
    ] = None,
) -> Any:
    """Give the form of a destination, made of what each vendor's options are checked by."""
    del org_id  # clients send it
    return success(forms.form(vendor.split(",") if vendor else None))


def _meant(connection: Connection, body: parties.NewToken) -> tuple[UUID, UUID | None]:
    """Give whose the token is, and for which destination. Raises BadArgument."""
    said = body.destination or parties.TokenDestination()
    try:
        if said.id:
            found = get_destination(connection, reference(said.id, "destination.id"), Sight())
            recipient, destination = found.recipient, found.id
        else:
            recipient, destination = _recipient(connection, body, said), None
    except NoSuchObject as error:
        # Named in the body, not in the path: the request is wrong, nothing is missing here.
        raise BadArgument(error.message, next_step=error.next_step) from None
    for field, number in (("", body.recipient_id), ("destination.", said.recipient_id)):
        if number and reference(number, f"{field}recipient_id") != recipient.id:
            raise BadArgument(
                f"{field}recipient_id: expected the recipient that the rest of the body means.",
                next_step="Name one recipient.",
            )
    return recipient.id, destination


def _recipient(
    connection: Connection, body: parties.NewToken, said: parties.TokenDestination
) -> Any:
    number = body.recipient_id or said.recipient_id
    if number:
        return get_recipient(connection, reference(number, "recipient_id"))
    found = find_recipient(connection, said.id_in_provider_system or "")
    if said.id_in_provider_system is None or found is None:
        raise BadArgument(
            "recipient_id: expected the recipient whom the token is for.",
            next_step="GET /recipients lists those that may be seen.",
        )
    return found
