"""Which rows a load reads, and how far it may move the watermark. Values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True)
class Watermark:
    """How far a model has come at a destination; no moment: whole, and no row had one.

    `revision` is that of the model as it was delivered.
    """

    latest: datetime | None
    revision: UUID


@dataclass(frozen=True)
class Asked:
    """What a transfer was asked to read: everything anew, a window of its own, or what is due."""

    full: bool = False
    since: datetime | None = None
    until: datetime | None = None

    @property
    def explicit(self) -> bool:
        """Tell whether it names a window of its own."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True)
class Plan:
    """Rows with a moment in [since, until), `timeless` those without one too.

    `full`: they replace all that is there. `moves`: nothing before them is left out, so that the
    watermark may follow them. `why` says it to a person.
    """

    full: bool
    since: datetime | None
    until: datetime | None
    timeless: bool
    moves: bool
    why: str


def decide(
    asked: Asked, mark: Watermark | None, revision: UUID, *, now: datetime, look_back: int
) -> Plan:
    """Decide what is read. `now` is the source's, `look_back` is in seconds."""
    known = mark is not None and mark.revision == revision
    if asked.explicit:
        return _explicit(asked, mark if known else None, now=now, look_back=look_back)
    if asked.full or mark is None or not known:
        why = (
            "full, as was asked for" if asked.full
            else "full, the first time" if mark is None
            else "full, the model was changed"
        )  # fmt: skip
        return Plan(True, None, None, timeless=True, moves=True, why=why)
    since = None if mark.latest is None else mark.latest - timedelta(seconds=look_back)
    return Plan(False, since, now, timeless=True, moves=True, why="what changed")


def _explicit(asked: Asked, mark: Watermark | None, *, now: datetime, look_back: int) -> Plan:
    until = now if asked.until is None else min(asked.until, now)
    latest = None if mark is None else mark.latest
    # What came late may lie as far back as a transfer without a window would look.
    reaches = latest is not None and (
        asked.since is None or asked.since <= latest - timedelta(seconds=look_back)
    )
    return Plan(
        False, asked.since, until, timeless=False, moves=reaches, why="the window asked for"
    )


def moved(plan: Plan, mark: Watermark | None, latest: datetime | None) -> datetime | None:
    """Give the watermark after a load whose latest moment of change was `latest`, at most now."""
    if plan.full or mark is None or mark.latest is None:
        return latest
    return mark.latest if latest is None else max(mark.latest, latest)
