"""What is asked of an integrity job, as values, held against what the destination is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from weighbridge.catalog.destinations import EVERY_MODEL, Destination
from weighbridge.catalog.models import Model, every_model
from weighbridge.catalog.recipients import models_of
from weighbridge.errors import BadArgument
from weighbridge.integrity.keys import key_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

Compare = Literal["content", "keys"]
# A list of keys is part of a query; more of them are a window's business.
MOST_KEYS = 10_000


@dataclass(frozen=True)
class Wish:
    """What is wanted: by model the keys of single rows (none: every row), and a window.

    `models` empty: every enabled one. The window is [since, until) of the moment of change.
    `compare`: every modelled column, or the key and the moment of change alone.
    """

    models: Mapping[str, tuple[str, ...]]
    since: datetime | None = None
    until: datetime | None = None
    compare: Compare = "content"


@dataclass(frozen=True)
class Examined:
    """One model of a job, with the keys as they were sent."""

    id: UUID
    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A job as it is stored."""

    models: tuple[Examined, ...]
    since: datetime | None
    until: datetime | None
    compare: Compare

    def as_dict(self) -> dict[str, Any]:
        """Give plain containers, for the database."""
        return {
            "models": [
                {"id": str(m.id), "name": m.name, "keys": list(m.keys)} for m in self.models
            ],
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "compare": self.compare,
        }


def from_dict(body: Mapping[str, Any]) -> Request:
    """Take a request out of the database again."""
    since, until = (
        datetime.fromisoformat(body[name]) if body[name] else None for name in ("since", "until")
    )
    models = tuple(Examined(UUID(m["id"]), m["name"], tuple(m["keys"])) for m in body["models"])
    return Request(models, since, until, body["compare"])


def checked(connection: Connection, destination: Destination, wish: Wish) -> Request:
    """Hold a wish against the models that the destination is given. Raises BadArgument."""
    if wish.since is not None and wish.until is not None and wish.since >= wish.until:
        raise BadArgument(
            "start_integrity_window_at: expected a moment before end_integrity_window_at.",
            next_step="Correct the window; its start belongs to it, its end does not.",
        )
    enabled = {model.name: model for model in enabled_models(connection, destination)}
    unknown = [name for name in wish.models if name not in enabled]
    if unknown:
        raise BadArgument(
            f"models: {unknown[0][:60]!r} is not enabled for this destination.",
            next_step="Use names of its enabled_models, or leave models out.",
        )
    for name, keys in wish.models.items():
        _check_keys(enabled[name], keys)
    models = [enabled[name] for name in wish.models] or list(enabled.values())
    listed = tuple(Examined(m.id, m.name, wish.models.get(m.name, ())) for m in models)
    return Request(listed, wish.since, wish.until, wish.compare)


def enabled_models(connection: Connection, destination: Destination) -> list[Model]:
    """Give the models that are delivered to a destination, in the order of their making."""
    allowed = models_of(connection, destination.recipient)
    named = set(destination.enabled_models)
    return [
        model
        for model in every_model(connection)
        if (EVERY_MODEL in named or model.name in named)
        and (allowed is None or model.name in allowed)
    ]


def _check_keys(model: Model, keys: Sequence[str]) -> None:
    if len(keys) > MOST_KEYS:
        raise BadArgument(
            f"sample_primary_key_ids: {len(keys):,} of them, more than {MOST_KEYS:,}.",
            next_step="Ask for fewer, or for a window.",
        )
    width = sum(bool(column["is_primary_key"]) for column in model.columns)
    for text in keys:
        key_of(text, width)
