"""Datafold's data sources: the stored connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from weighbridge.api.auth import ReadsConnections, WritesConnections, Written
from weighbridge.api.datafold import wire
from weighbridge.catalog.data_sources import add_data_source, list_data_sources
from weighbridge.catalog.vendor_forms import FORMS

if TYPE_CHECKING:
    from sqlalchemy import Connection

router = APIRouter(prefix="/api/v1/data_sources", tags=["data sources"])


@router.get("")
def get_data_sources(caller: ReadsConnections) -> list[dict[str, Any]]:
    """List the connections that this key may use."""
    with caller.sees() as connection:
        return [wire.data_source(source) for source in list_data_sources(connection)]


@router.post("")
def create_data_source(caller: WritesConnections, body: wire.NewDataSource) -> dict[str, Any]:
    """Store a connection."""

    def work(connection: Connection) -> Written:
        answer = wire.data_source(
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
        return Written(answer, f"connections/{answer['id']}", after=answer)

    return caller.writes("data_sources.create", work)


@router.get("/types")
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
