"""Datafold's routes. Each finds its words, calls one verb, and writes the answer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from weighbridge import datadiffs
from weighbridge.api.auth import (
    ReadsConnections,
    ReadsDiffs,
    WritesConnections,
    WritesDiffs,
)
from weighbridge.api.datafold import wire
from weighbridge.catalog.data_sources import add_data_source, list_data_sources
from weighbridge.catalog.vendor_forms import FORMS
from weighbridge.errors import BadArgument, NoSuchConnection

router = APIRouter(prefix="/api/v1")


@router.get("/organization/meta")
def organization_meta(caller: ReadsDiffs) -> dict[str, Any]:
    """Say who is asking: clients call this first."""
    return {"org_id": 1, "org_name": "weighbridge", "user_id": caller.key.id}


@router.post("/datadiffs")
def create_datadiff(caller: WritesDiffs, body: wire.NewDatadiff) -> dict[str, Any]:
    """Ask for a diff."""
    with caller.sees() as connection:
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
    return wire.datadiff(diff)


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
    with caller.sees() as connection:
        diff = datadiffs.cancel(connection, number)
    return {"id": diff.id, "status": diff.status}


@router.get("/data_sources")
def get_data_sources(caller: ReadsConnections) -> list[dict[str, Any]]:
    """List the connections that this key may use."""
    with caller.sees() as connection:
        return [wire.data_source(source) for source in list_data_sources(connection)]


@router.post("/data_sources")
def create_data_source(caller: WritesConnections, body: wire.NewDataSource) -> dict[str, Any]:
    """Store a connection."""
    with caller.sees() as connection:
        return wire.data_source(
            add_data_source(
                connection,
                caller.house.ring,
                environment=caller.key.environment,
                name=body.name,
                vendor=body.type,
                options=body.options,
                settings=body.settings(),
                created_by=caller.key.id,
            )
        )


@router.get("/data_sources/types")
def data_source_types(_caller: ReadsConnections) -> list[dict[str, Any]]:
    """List the kinds of connections with the form of each."""
    kinds: list[dict[str, Any]] = []
    for kind, (name, _, form) in FORMS.items():
        schema = form.model_json_schema()
        secret = [n for n, p in schema["properties"].items() if "password" in str(p)]
        kinds.append({"name": name, "type": kind, "configuration_schema": {
            "title": name, "properties": schema["properties"],
            "required": schema.get("required", []), "secret": secret,
        }})  # fmt: skip
    return kinds
