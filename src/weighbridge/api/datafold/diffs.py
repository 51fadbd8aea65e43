"""Datafold's diffs. Each route finds its words, calls one verb, and writes the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from weighbridge import datadiffs
from weighbridge.api.auth import ReadsDiffs, WritesDiffs, Written
from weighbridge.api.datafold import wire
from weighbridge.errors import BadArgument, NoSuchConnection

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(prefix="/api/v1", tags=["datadiffs"])


@router.get("/organization/meta")
def organization_meta(caller: ReadsDiffs) -> dict[str, Any]:
    """Say who is asking: clients call this first."""
    return {"org_id": 1, "org_name": "weighbridge", "user_id": caller.key.id}


@router.post("/datadiffs")
def create_datadiff(caller: WritesDiffs, body: wire.NewDatadiff) -> dict[str, Any]:
    """Ask for a diff."""

    def work(connection: Connection) -> Written:
        try:
            diff = datadiffs.request(
                connection,
                body.as_request(),
                echo=body.echo(),
                environment=caller.key.environment,
                created_by=caller.key.id,
            )
        except NoSuchConnection as error:
            # Named in the body, not in the path: the request is wrong, nothing is missing here.
            raise BadArgument(error.message, next_step=error.next_step) from None
        return Written(wire.datadiff(diff), f"datadiffs/{diff.id}", after=diff.echo)

    return caller.writes("datadiffs.create", work)


@router.get("/datadiffs/{number}")
def get_datadiff(caller: ReadsDiffs, number: int) -> dict[str, Any]:
    """Give a diff and where it stands."""
    with caller.sees() as connection:
        return wire.datadiff(datadiffs.get(connection, number))


@router.get("/datadiffs/{number}/summary_results")
def summary_results(caller: ReadsDiffs, number: int) -> dict[str, Any]:
    """Give the figures of a finished diff."""
    with caller.sees() as connection:
        return wire.summary_results(datadiffs.get(connection, number), dependencies={"deps": {}})


@router.post("/datadiffs/{number}/cancel")
def cancel_datadiff(caller: WritesDiffs, number: int) -> dict[str, Any]:
    """Ask for the end of a diff; one that has ended stays as it is."""

    def work(connection: Connection) -> Written:
        before = datadiffs.get(connection, number).status
        diff = datadiffs.cancel(connection, number)
        return Written(
            {"id": diff.id, "status": diff.status}, f"datadiffs/{diff.id}",
            before={"status": before}, after={"status": diff.status, "cancel": "wished"},
        )  # fmt: skip

    return caller.writes("datadiffs.cancel", work)
