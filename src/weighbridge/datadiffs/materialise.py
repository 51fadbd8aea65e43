"""The outcome of a diff as tables in a place of the user's choice, and copies of views there.

Every table carries a mark: which diff it is of, and which attempt made it. An attempt begins by
dropping what earlier ones left; readers see all tables of an outcome, or none.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weighbridge.compare.relations import NAMES, Relation
from weighbridge.compare.request import Stop
from weighbridge.connectors.names import fitting
from weighbridge.connectors.registry import open_writer
from weighbridge.connectors.sides import SideSpec
from weighbridge.connectors.writing import Mark, Writer
from weighbridge.errors import Cancelled, WeighbridgeError
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    from weighbridge.datadiffs.store import Diff
    from weighbridge.library import Comparison

# How often tables are written anew after a fault that may pass, and the wait before, in seconds.
TRIES, WAIT = 3, 2.0


@dataclass(frozen=True)
class Place:
    """A schema of a stored connection (number `source`) that tables may be made in."""

    source: int
    spec: SideSpec
    schema: str
    policy: HostPolicy

    @contextmanager
    def writer(self, stop: Stop | None = None) -> Generator[Writer]:
        """Open a connection that writes, ended by `stop`."""
        with closing(open_writer(self.spec, self.policy, self.schema)) as writer:
            if stop is not None:
                stop.on_set(writer.cancel)
            yield writer


def mark_of(diff: Diff) -> Mark:
    """Give the mark of what this attempt makes; another server's diff of this number has another."""
    owner = f"weighbridge datadiff {diff.id} of {diff.created_at.isoformat()}"
    return Mark(owner, diff.attempt)


def _base(diff: Diff) -> str:
    return f"weighbridge_datadiff_{diff.id}_"


# Results -----------------------------------------------------------------------------------


def write_results(found: Comparison, diff: Diff, place: Place, stop: Stop) -> dict[str, Any]:
    """Write what was found as tables. Gives {"tables": {name: path}} or {"error": {…}}.

    The comparison is not lost with it: an error is an answer. Raises Cancelled only.
    """
    for again in range(TRIES):
        try:
            return {"tables": _write(found, diff, place, stop)}
        except WeighbridgeError as error:
            # The place may be gone: then the next attempt, or none, finds them.
            with suppress(WeighbridgeError), place.writer() as writer:
                _drop_results(writer, diff)
            if isinstance(error, Cancelled) or stop.is_set:
                raise
            if not error.retry or again == TRIES - 1:
                return {"error": error.as_dict()}
        time.sleep(WAIT)
    raise AssertionError


def _write(found: Comparison, diff: Diff, place: Place, stop: Stop) -> dict[str, dict[str, Any]]:
    mark, base = mark_of(diff), _base(diff)
    with place.writer(stop) as writer:
        _drop_results(writer, diff)
        taken = set(writer.tables(base))
        finals: dict[str, str] = {}
        for name in NAMES:
            draft = f"{base}{name}_try{diff.attempt}"
            _fill(writer, draft, found.relation(name), mark)
            finals[draft] = _free(f"{base}{name}", taken, mark)
        stop.check()
        writer.publish(finals, mark)
    sampled = found.report.sampling is not None
    return {
        name: {
            "data_source_id": place.source,
            "path": [place.schema, final],
            "is_sampled": sampled,
        }
        for name, final in zip(NAMES, finals.values(), strict=True)
    }


def _drop_results(writer: Writer, diff: Diff) -> None:
    """Drop the diff's tables: before its end none count, not even of a try whose answer was lost."""
    mark = mark_of(diff)
    for name in NAMES:
        _drop_ours(writer, f"{_base(diff)}{name}", mark, before=mark.attempt + 1)


def _fill(writer: Writer, draft: str, rows: Relation, mark: Mark) -> None:
    """Make a draft of a relation: typed, but for columns with values that the type cannot hold."""
    wished = [writer.holding(field.type) for field in rows.fields]
    fit = rows.holds([h.fits.replace("{t}", t) for h, t in zip(wished, rows.texts, strict=True)])
    held = [h if fits else writer.plain for h, fits in zip(wished, fit, strict=True)]
    names = fitting([field.name for field in rows.fields], writer.dialect)
    writer.create(draft, list(zip(names, (h.declared for h in held), strict=True)), mark)
    for lines in rows.rows(writer.row(list(zip(held, rows.texts, strict=True)))):
        writer.add(draft, lines)


def _free(name: str, taken: Iterable[str], mark: Mark) -> str:
    """Give a name that is nobody else's; the same one in every attempt."""
    if name not in taken:
        return name
    return f"{name}_{hashlib.sha256(mark.owner.encode()).hexdigest()[:8]}"


# Copies ------------------------------------------------------------------------------------


def copy_view(
    table: tuple[str, ...], side: str, diff: Diff, *, place: Place, stop: Stop
) -> str | None:
    """Copy a view into a table; give its name, or None if there is no view of this name."""
    name = f"{_base(diff)}{side}_try{diff.attempt}"
    with place.writer(stop) as writer:
        return name if writer.copy(table, name, mark_of(diff)) else None


# Tidying -----------------------------------------------------------------------------------


def tidy(diff: Diff, place: Place, *, before: int, copies_only: bool = False) -> None:
    """Drop what attempts before one left in a place. Raises the errors of the place."""
    with place.writer() as writer:
        prefix = f"{_base(diff)}side" if copies_only else _base(diff)
        _drop_ours(writer, prefix, mark_of(diff), before=before)


def _drop_ours(writer: Writer, prefix: str, mark: Mark, *, before: int) -> None:
    writer.drop([
        name
        for name, found in writer.tables(prefix).items()
        if found is not None and found.owner == mark.owner and found.attempt < before
    ])  # fmt: skip
