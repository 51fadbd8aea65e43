"""Which columns may name a row of a table: what a diff would take for its key, and what else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from weighbridge.catalog.asking import ended
from weighbridge.catalog.watch import Watch
from weighbridge.connectors.registry import open_source
from weighbridge.connectors.session import Caps
from weighbridge.errors import WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.connectors.base import Source
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.net.hosts import HostPolicy
    from weighbridge.types.columns import Column, Shape

SECONDS = 30.0
_NOTHING = "No key is declared, and no likely column is unique and without nulls."


@dataclass(frozen=True)
class Wanted:
    """How many keys, of which columns not; `sample_size` rows are looked at, None for all."""

    candidates: int = 1
    sample_size: int | None = None
    avoid_types: tuple[str, ...] = ()
    avoid_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guess:
    """Keys, the best first; `error` says why there are none, or fewer."""

    keys: tuple[tuple[str, ...], ...] = field(default_factory=tuple)
    error: str | None = None


def guess_keys(
    spec: SideSpec, policy: HostPolicy, wanted: Wanted, *, gone: threading.Event | None = None
) -> Guess:
    """Give the declared primary key, the unique indexes, then columns that prove to be unique.

    Raises NoSuchTable, ConnectionFailed. A search that takes too long gives what it has.
    """
    with ExitStack() as opened:

        def open_one(side: SideSpec) -> Source:
            source = open_source(side, policy, snapshot=False)
            opened.callback(source.close)
            return source

        whole = looked_at = open_one(spec)
        if wanted.sample_size is not None:
            sample = f"SELECT * FROM {whole.relation} LIMIT {wanted.sample_size}"  # noqa: S608 our own words
            looked_at = open_one(replace(spec, table=(), query=sample))

        def cancel() -> None:
            for source in (whole, looked_at):
                source.cancel()

        found: list[tuple[str, ...]] = []
        with Watch(cancel, seconds=SECONDS, gone=gone) as watch:
            try:
                for key in _keys(whole.shape(), looked_at, wanted):
                    found.append(key)
                    if len(found) == wanted.candidates:
                        break
            except WeighbridgeError:
                if watch.reason is None:
                    raise
                late = ended(watch.reason, Caps(0, 0, SECONDS), "search for a key")
                return Guess(tuple(found), str(late))
    return Guess(tuple(found), None if found else _NOTHING)


def _keys(shape: Shape, looked_at: Source, wanted: Wanted) -> Iterator[tuple[str, ...]]:
    """Give keys as a diff looks for them; whether a column is unique is found by reading it."""
    allowed = {c.name for c in shape.columns if not _avoided(c, wanted)}
    declared = dict.fromkeys(key for key in (shape.primary_key, *shape.unique) if key)
    yield from (key for key in declared if allowed.issuperset(key))
    for name in shape.likely_keys(allowed):
        column = shape.column(name)
        if column and (name,) not in declared and looked_at.is_unique((column,)):
            yield (name,)


def _avoided(column: Column, wanted: Wanted) -> bool:
    """Tell whether a column is not wished for: a type by its family or as its server writes it."""
    declared = column.type.declared.lower()
    kinds = {column.type.family, declared, declared.partition("(")[0].strip()}
    return column.name in wanted.avoid_names or not kinds.isdisjoint(
        kind.lower() for kind in wanted.avoid_types
    )
