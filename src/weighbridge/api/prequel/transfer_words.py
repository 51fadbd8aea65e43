"""What travels about transfers, named as Prequel names it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weighbridge.api.prequel.envelope import NEVER, Body, Moment, moment
from weighbridge.deliver.request import Wish
from weighbridge.deliver.store import ModelRun, Transfer
from weighbridge.errors import BadArgument

# In the documentation that comes with the server.
DOCUMENTATION = "docs/reference/exit-codes.md"
EPOCH = "1970-01-01T00:00:00Z"
_PRINTED = r"^[^\x00-\x1f\x7f]*$"

# Two of Prequel's that no transfer here ever has.
Status = Literal[
    "PENDING", "RUNNING", "SUCCESS", "PARTIAL_FAILURE", "ERROR", "CANCELLED", "EXPIRED", "ORPHANED"
]
When = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
ModelName = Annotated[str, Field(min_length=1, max_length=63, pattern=_PRINTED)]
TagKey = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f.,]*$")]
TagValue = Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f\x7f,]*$")]


class NewTransfer(Body):
    """What is to be transferred. Without anything: what has changed, of every enabled model."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"full_refresh": False, "models": ["orders"]}]},
    )

    full_refresh: bool = Field(False, description="Replace all rows, and so delete what is gone.")
    is_debug_mode: bool = False
    models: list[ModelName] = Field(
        default_factory=list[ModelName], max_length=10_000, description="Empty: every enabled one."
    )
    start_transfer_window_at: When | None = Field(
        None, description="Rows changed at or after it; by default where the last one ended."
    )
    end_transfer_window_at: When | None = Field(
        None, description="Rows changed before it; by default now."
    )
    tags: dict[TagKey, TagValue] = Field(default_factory=dict[str, str], max_length=50)


class TransferId(BaseModel):
    """A transfer that was asked for."""

    transfer_id: str


class ModelError(BaseModel):
    """Why a model is not there."""

    error: str
    error_code: str
    title: str
    blame: str
    documentation_url: str
    trace: str
    message: str


class ModelMetrics(BaseModel):
    """What a transfer did of one model."""

    model_id: str
    model_name: str
    rows_transferred: int
    delta_rows_transferred: int
    volume_transferred_in_mb: float
    start_transfer_window_at: Moment
    end_transfer_window_at: Moment
    most_recent_last_updated_at: Moment
    error: ModelError | None = None


class ModelSnapshot(BaseModel):
    """Which revision of a model was delivered."""

    model_id: str
    model_name: str
    revision_id: str


class TransferShown(BaseModel):
    """A transfer. A scoped token is not told of the source's side."""

    id: str
    status: Status
    is_full_refresh: bool
    models: list[str] = Field(description="Empty: every enabled one.")
    log: str
    submitted_at: Moment
    start_transfer_window_at: Moment
    end_transfer_window_at: Moment
    rows_transferred: int
    delta_rows_transferred: int = Field(description="Of these, new ones and changed ones.")
    volume_transferred_in_mb: float
    is_debug_mode: bool
    actor_id: str
    actor_type: Literal["api_key", "schedule"]
    source_ids: list[str]
    destination_id: str
    model_metrics: list[ModelMetrics]
    models_snapshot: list[ModelSnapshot]
    started_at: Moment = Field(description=f"{NEVER} before.")
    ended_at: Moment = Field(description=f"{NEVER} before.")
    tags: dict[str, str]


class TransferData(BaseModel):
    """One transfer."""

    transfer: TransferShown


class TransfersData(BaseModel):
    """Some transfers."""

    transfers: list[TransferShown]


def wish_of(body: NewTransfer | None) -> Wish:
    """Read what is asked for. Raises BadArgument."""
    if body is None:
        return Wish()
    said = body
    return Wish(
        models=said.models,
        since=when(said.start_transfer_window_at, "start_transfer_window_at"),
        until=when(said.end_transfer_window_at, "end_transfer_window_at"),
        full_refresh=said.full_refresh,
        debug=said.is_debug_mode,
        tags=said.tags,
    )


def when(text: str | None, field: str) -> datetime | None:
    """Read a moment, UTC unless it says otherwise. Raises BadArgument."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadArgument(
            f"{field}: expected a moment such as 2024-01-31T12:00:00Z.",
            next_step="Correct the field.",
        ) from None


def tags_of(text: str | None) -> list[tuple[str, str]]:
    """Read a list of tags, key.value joined by commas. Raises BadArgument."""
    found: list[tuple[str, str]] = []
    for part in (text or "").split(",") if text else ():
        key, point, value = part.partition(".")
        if not point or not key:
            raise BadArgument(
                "include_tags: expected key.value, several joined by commas.",
                next_step="Correct the parameter.",
            )
        found.append((key, value))
    return found


def transfer(found: Transfer, *, inside: bool) -> dict[str, Any]:
    """Write a transfer; `inside`: for whoever may know where rows come from."""
    starts = [run.window_start for run in found.runs]
    ends = [run.window_end for run in found.runs if run.window_end]
    start = found.window_start or (min(s for s in starts if s) if all(starts) and starts else None)
    return {
        "id": str(found.id),
        "status": found.status,
        "is_full_refresh": found.is_full_refresh,
        "models": list(found.models),
        "log": found.log if inside else _log_outside(found),
        "submitted_at": moment(found.submitted_at),
        "start_transfer_window_at": EPOCH if start is None else moment(start),
        "end_transfer_window_at": moment(found.window_end or max(ends, default=None)),
        "rows_transferred": sum(run.rows_transferred for run in found.runs),
        "delta_rows_transferred": sum(run.delta_rows_transferred for run in found.runs),
        "volume_transferred_in_mb": _megabytes(sum(run.bytes for run in found.runs)),
        "is_debug_mode": found.is_debug_mode,
        "actor_id": "" if found.created_by is None else str(found.created_by),
        "actor_type": "schedule" if found.created_by is None else "api_key",
        "source_ids": sorted({str(run.source_id) for run in found.runs}) if inside else [],
        "destination_id": str(found.destination_id),
        "model_metrics": [_metrics(run, inside=inside) for run in found.runs],
        "models_snapshot": [
            {"model_id": str(run.model_id), "model_name": run.model_name,
             "revision_id": str(run.revision_id)}
            for run in found.runs
        ],
        "started_at": moment(found.started_at),
        "ended_at": moment(found.ended_at),
        "tags": dict(found.tags),
    }  # fmt: skip


def _metrics(run: ModelRun, *, inside: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "model_id": str(run.model_id),
        "model_name": run.model_name,
        "rows_transferred": run.rows_transferred,
        "delta_rows_transferred": run.delta_rows_transferred,
        "volume_transferred_in_mb": _megabytes(run.bytes),
        "start_transfer_window_at": EPOCH if run.window_start is None else moment(run.window_start),
        "end_transfer_window_at": moment(run.window_end),
        "most_recent_last_updated_at": moment(run.latest),
    }
    if run.error is not None:
        shown["error"] = _error(run.error, inside=inside)
    return shown


def _error(said: Mapping[str, Any], *, inside: bool) -> dict[str, Any]:
    code = str(said["code"])
    message = f"{said['message']} {said['next_step']}"
    if not inside and said.get("side") != "destination":
        message = "The rows could not be read or sent. The provider's people are to look at it."
    return {
        "error": code,
        "error_code": code,
        "title": code.replace("_", " ").capitalize(),
        "blame": str(said["blame"]),
        "documentation_url": f"{DOCUMENTATION}#{code}",
        "trace": "",
        "message": message,
    }


def _log_outside(found: Transfer) -> str:
    """Leave out of the log what errors say; they stand beside each model, as far as is fit."""
    kept = [line for line in found.log.splitlines() if " ERROR: " not in line]
    kept = [line for line in kept if " PENDING: " not in line and " Not begun: " not in line]
    return "".join(f"{line}\n" for line in kept)


def _megabytes(count: int) -> float:
    return round(count / 1_000_000, 6)
