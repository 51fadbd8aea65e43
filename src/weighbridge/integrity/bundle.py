"""From rows that are not right to what puts them right: SQL of both ways, and a plan in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weighbridge.connectors.patching import Held, Patch, Table
from weighbridge.errors import NotComparable
from weighbridge.integrity.words import REPAIRED
from weighbridge.report.words import plural
from weighbridge.types.delivered import family_of
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from weighbridge.catalog.models import Model
    from weighbridge.connectors.patching import Pen


@dataclass(frozen=True)
class Broken:
    """A row that is not right, by the names at the destination; None: it is not there."""

    kind: str
    key: Mapping[str, Any]
    source: Mapping[str, Any] | None
    destination: Mapping[str, Any] | None


@dataclass
class Bundle:
    """What is done for one model: a patch for each key, the plan, and how many cannot be written."""

    model_name: str
    keys: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    patches: list[Patch] = field(default_factory=list[Patch])
    plan: list[str] = field(default_factory=list[str])
    unfit: int = 0


def table_of(model: Model, schema: tuple[str, ...], pen: Pen) -> Table:
    """Describe a model's table in a schema of a destination."""
    columns = [Held(c["name_in_destination"], family_of(c["data_type"])) for c in model.columns]
    key = [c["name_in_destination"] for c in model.columns if c["is_primary_key"]]
    return Table(pen, (*schema, model.name), columns, key)


def bundle_of(model_name: str, table: Table, rows: Iterable[Broken]) -> Bundle:
    """Write what puts rows right; one whose values cannot be written is counted and left."""
    made = Bundle(model_name)
    kinds: dict[str, int] = {}
    for row in rows:
        try:
            patch = _patch(table, row)
        except (NotComparable, KeyError):
            made.unfit += 1
            continue
        kinds[row.kind] = kinds.get(row.kind, 0) + 1
        made.keys.append(row.key)
        made.patches.append(patch)
    made.plan = _plan(model_name, kinds, made.unfit)
    return made


def _patch(table: Table, row: Broken) -> Patch:
    old = None if row.destination is None else {**row.key, **row.destination}
    new = None if row.source is None else {**row.key, **row.source}
    if row.kind == "orphaned" and old is not None:
        return table.deleted(old)
    if new is None:
        raise KeyError(row.kind)
    return table.inserted(new) if old is None else table.updated(old, new)


def _plan(model_name: str, kinds: Mapping[str, int], unfit: int) -> list[str]:
    name = safe_text(model_name)
    steps = [
        f"{name}: {words.format(rows=plural(kinds[kind], 'row'))}"
        for kind, words in REPAIRED.items()
        if kinds.get(kind)
    ]
    if not steps:
        steps = [f"{name}: nothing is to be done."]
    if unfit:
        steps.append(
            f"{name}: {plural(unfit, 'row')} cannot be written as SQL; a full refresh delivers them."
        )
    return steps


def scripts(pen: Pen, patches: Sequence[Patch]) -> tuple[list[str], list[str]]:
    """Give both ways as statements that a person can run; the way back goes backwards."""
    if not patches:
        return [], []
    ways = ([p.forward for p in patches], [p.undo for p in reversed(patches)])
    begin = "START TRANSACTION" if pen.dialect == "mysql" else "BEGIN"
    forward, undo = ([*pen.before, begin, *way, "COMMIT"] for way in ways)
    return forward, undo
