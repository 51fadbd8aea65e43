"""What travels about destinations: bodies and answers, named as Prequel names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from weighbridge.api.prequel.envelope import NEVER, Body, Moment, Name, Reference, moment
from weighbridge.api.prequel.transfer_words import TransferShown, transfer
from weighbridge.catalog.destinations import Destination
from weighbridge.catalog.models import Source
from weighbridge.connectors.destinations import shapes
from weighbridge.connectors.destinations.registry import VENDORS, Vendor
from weighbridge.deliver.figures import NONE, Figures
from weighbridge.errors import BadArgument

ModelName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\x7f]*$")]
Frequency = Annotated[
    Literal[0, 15, 60, 360, 720, 1440],
    Field(description="Minutes between two transfers; 0 is the installation's default, daily."),
]
Verify = Annotated[
    bool,
    Field(description="Whether a data-integrity job follows each transfer. No word of Prequel."),
]
Concurrency = Annotated[int, Field(ge=1, le=100)]
ModelNames = Annotated[
    list[ModelName],
    Field(max_length=10_000, description='Names of models; "*" is every one, also later ones.'),
]


# Destinations ----------------------------------------------------------------------------


class _NewDestination(Body):
    """A destination to store: its settings, and one object named as its vendor."""

    vendor: str = Field(max_length=100, examples=["postgres"])
    name: Name
    recipient_id: Reference | None = Field(
        None, description="Whose it is; with a scoped token the token's recipient."
    )
    id_in_provider_system: str | None = Field(
        None, max_length=1000, description="Instead of recipient_id."
    )
    enabled_models: ModelNames = Field(default_factory=lambda: ["*"])
    frequency_minutes: Frequency = 0
    is_enabled: bool = True
    max_concurrent_transfers: Concurrency = 1
    max_concurrent_queries_per_transfer: Concurrency = 1
    machine_type_id: UUID | None = None
    verify_after_transfer: Verify = False


class _DestinationChange(Body):
    """What is to change; what is left out stays. Secrets that are not sent stay too."""

    vendor: str | None = Field(None, max_length=100, description="It cannot change.")
    name: Name | None = None
    recipient_id: Reference | None = Field(None, description="It cannot change.")
    enabled_models: ModelNames | None = None
    frequency_minutes: Frequency | None = None
    is_enabled: bool | None = None
    max_concurrent_transfers: Concurrency | None = None
    max_concurrent_queries_per_transfer: Concurrency | None = None
    machine_type_id: UUID | None = None
    verify_after_transfer: Verify | None = None


class _DestinationShown(BaseModel):
    """A destination, without secrets, with one object named as its vendor."""

    id: str
    vendor: str
    name: str
    recipient_id: str
    created_at: Moment
    updated_at: Moment
    last_successful_transfer_ended_at: Moment = Field(description=f"{NEVER} before the first.")
    frequency_minutes: int
    id_in_provider_system: str
    products: list[str]
    enabled_models: list[str]
    max_concurrent_transfers: int
    max_concurrent_queries_per_transfer: int
    is_enabled: bool
    machine_type_id: str | None = None
    verify_after_transfer: bool = Field(False, description="Only if it is set.")
    last_completed_transfer: TransferShown | None = None
    total_rows_transferred_last_billing_period: int
    total_delta_rows_transferred_last_billing_period: int
    total_rows_transferred_current_billing_period: int


SETTINGS = (
    "name", "enabled_models", "frequency_minutes", "is_enabled", "max_concurrent_transfers",
    "max_concurrent_queries_per_transfer", "machine_type_id", "verify_after_transfer",
)  # fmt: skip


def _with_vendors(
    name: str, base: type[BaseModel], shape: Any, vendors: Mapping[str, Vendor] = VENDORS
) -> Any:
    """Add to a model one field for each vendor."""
    made: dict[str, Any] = {key: (shape(v.options) | None, None) for key, v in vendors.items()}
    return create_model(name, __base__=base, __doc__=base.__doc__, **made)


# Made when this is loaded; for whoever checks types they are what all vendors share.
if TYPE_CHECKING:
    NewDestinationFields = _NewDestination
    DestinationChangeFields = _DestinationChange
    DestinationShown = _DestinationShown
else:
    NewDestinationFields = _with_vendors("NewDestinationFields", _NewDestination, lambda kind: kind)
    DestinationChangeFields = _with_vendors(
        "DestinationChangeFields", _DestinationChange, shapes.change_of
    )
    DestinationShown = _with_vendors("Destination", _DestinationShown, shapes.public_of)

_EXAMPLE: Any = {
    "vendor": "postgres", "name": "Warehouse of Acme",
    "recipient_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "enabled_models": ["*"],
    "postgres": {
        "host": "db.acme.example", "database": "analytics", "schema": "deliveries",
        "password_auth": {"username": "loader", "password": "a secret"},
    },
}  # fmt: skip


class NewDestination(Body):
    """A destination to store or to test."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"destination": _EXAMPLE}]}
    )

    destination: NewDestinationFields


class DestinationChange(Body):
    """A change of a destination."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"destination": {"is_enabled": False, "postgres": {"port": 5433}}}]
        },
    )

    destination: DestinationChangeFields


class DestinationTry(Body):
    """What to change of a destination while it is tried; nothing of it is stored."""

    destination: DestinationChangeFields | None = None


class DestinationData(BaseModel):
    """One destination."""

    destination: DestinationShown


class DestinationsData(BaseModel):
    """Some destinations."""

    destinations: list[DestinationShown]


def settings_of(body: Any, *, given: bool = False) -> dict[str, Any]:
    """Give what is no option of the vendor; `given`: only what was sent."""
    found = {name: getattr(body, name) for name in SETTINGS}
    if not given:
        return found
    # Null is no value of theirs but the machine's, so it changes nothing else.
    return {
        name: value
        for name, value in found.items()
        if name in body.model_fields_set and (value is not None or name == "machine_type_id")
    }


def options_of(body: Any, vendor: str, *, given: bool = False) -> dict[str, Any] | None:
    """Give the vendor's object as plain values, None for none. Raises BadArgument for another's."""
    others = [key for key in VENDORS if key != vendor and getattr(body, key, None) is not None]
    if others:
        raise BadArgument(
            f"{others[0]}: the vendor is {vendor[:60]}.",
            next_step="Send the object of that vendor; a vendor cannot change.",
        )
    said = getattr(body, vendor, None) if vendor in VENDORS else None
    return None if said is None else shapes.plain(said, given=given)


def destination(
    found: Destination, figures: Figures = NONE, *, inside: bool = True
) -> dict[str, Any]:
    """Write a destination with its figures; `inside`: for whoever may know where rows come from."""
    shown: dict[str, Any] = {
        "id": str(found.id),
        "vendor": found.vendor,
        "name": found.name,
        "recipient_id": str(found.recipient.id),
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "last_successful_transfer_ended_at": moment(figures.last_successful_at),
        "id_in_provider_system": found.recipient.id_in_provider_system,
        "products": list(found.recipient.products),
        "enabled_models": list(found.enabled_models),
        "frequency_minutes": found.frequency_minutes,
        "max_concurrent_transfers": found.max_concurrent_transfers,
        "max_concurrent_queries_per_transfer": found.max_concurrent_queries_per_transfer,
        "is_enabled": found.is_enabled,
        "total_rows_transferred_last_billing_period": figures.rows_before,
        "total_delta_rows_transferred_last_billing_period": figures.delta_before,
        "total_rows_transferred_current_billing_period": figures.rows_now,
        found.vendor: dict(found.options),
    }
    if figures.last_completed is not None:
        shown["last_completed_transfer"] = transfer(figures.last_completed, inside=inside)
    if found.verify_after_transfer:
        shown["verify_after_transfer"] = True
    if found.machine_type_id is not None:
        shown["machine_type_id"] = str(found.machine_type_id)
    return shown


# Sources ---------------------------------------------------------------------------------

_SOURCES = {key: vendor for key, vendor in VENDORS.items() if vendor.source}


class _NewSource(Body):
    """A source to store: its name, and one object named as its vendor."""

    vendor: str = Field(max_length=100, examples=["postgres"])
    name: Name


class _SourceChange(Body):
    """What is to change; what is left out stays. Secrets that are not sent stay too."""

    vendor: str | None = Field(None, max_length=100, description="It cannot change.")
    name: Name | None = None


class _SourceShown(BaseModel):
    """A source, without secrets, with one object named as its vendor."""

    id: str
    vendor: str
    name: str
    created_at: Moment
    updated_at: Moment


if TYPE_CHECKING:
    NewSourceFields = _NewSource
    SourceChangeFields = _SourceChange
    SourceShown = _SourceShown
else:
    NewSourceFields = _with_vendors("NewSourceFields", _NewSource, lambda kind: kind, _SOURCES)
    SourceChangeFields = _with_vendors(
        "SourceChangeFields", _SourceChange, shapes.change_of, _SOURCES
    )
    SourceShown = _with_vendors("Source", _SourceShown, shapes.public_of, _SOURCES)


class NewSource(Body):
    """A source to store."""

    source: NewSourceFields


class SourceChange(Body):
    """A change of a source."""

    source: SourceChangeFields


class SourceData(BaseModel):
    """One source."""

    source: SourceShown


class SourcesData(BaseModel):
    """Some sources."""

    sources: list[SourceShown]


def source(found: Source) -> dict[str, Any]:
    """Write a source."""
    return {
        "id": str(found.id), "vendor": found.vendor, "name": found.name,
        "created_at": moment(found.created_at), "updated_at": moment(found.updated_at),
        found.vendor: dict(found.options),
    }  # fmt: skip
