"""Values that differing rows share far more often than all rows do: `carrier = 'UA'`.

A slice is one or two columns with a value each. Its support is its share of a group of differing
rows, its lift how many times greater that is than its share of all left rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighbridge.compare.explain_frame import NEAR, Condition, Frame, Group, one, tally
from weighbridge.compare.explain_types import family
from weighbridge.compare.explain_words import literal, name, percent, rows_of
from weighbridge.compare.result import Explanation

SUPPORT = 0.5
LIFT = 1.5
SUPPORT_ALONE = 0.9
"""What the support must reach when nothing is known of all rows."""
_PAIRED = 6
_KEPT = 2
# A pair of columns says more than one of them only if its score is this many times as high.
_BETTER = 1.3
# Two slices that share this part of the smaller one's rows are one finding.
_SAME = 0.9
# Natural log of how unlikely it must be that the rows share this by chance.
_SURPRISE = 7.0


@dataclass(frozen=True)
class Attribute:
    """A column whose value may be shared, as SQL on each side; `base` is None if it is not there."""

    name: str
    left: str
    right: str
    base: str | None
    type: str

    def of(self, group: Group) -> str:
        """Give the value in a group's rows: the left one, and the right where there is no left."""
        return self.right if group.kind == "only_right" else self.left


@dataclass(frozen=True)
class Slice:
    """Columns with a value each (text of the left type, or None for NULL)."""

    parts: tuple[tuple[Attribute, str | None], ...]
    support: float = 0.0
    lift: float | None = None

    @property
    def score(self) -> float:
        """How useful it is."""
        return self.support * (self.lift or 1.0)

    def condition(self, group: Group | None, guard: str = "true") -> Condition:
        """Say it in SQL: of a group's rows, or of the base."""
        sql: list[str] = []
        for attribute, value in self.parts:
            column = attribute.of(group) if group else attribute.base
            bound = f"CAST({{p{len([s for s in sql if '{p' in s])}}} AS {attribute.type})"
            sql.append(f"{column} IS NULL" if value is None else f"{column} = {bound}")
        values = tuple(value for _, value in self.parts if value is not None)
        return Condition(" AND ".join(sql), values, guard)


def attributes(frame: Frame) -> tuple[Attribute, ...]:
    """Give the columns to look at; keys only if the base has them and no single one is the key."""
    found: list[Attribute] = []
    for i, column in enumerate(frame.columns):
        types = frame.types[f"l{i}"], frame.types[f"r{i}"]
        # A text of the right must be the left's text of the same value: it goes through its type.
        right = (
            f"r{i}" if types[0] == types[1] else f"TRY_CAST(CAST(r{i} AS VARCHAR) AS {types[0]})"
        )
        base = f"l{i}" if frame.base_rows else None
        found.append(Attribute(column, f"l{i}", right, base, types[0]))
    for i, key in enumerate(frame.keys):
        if len(frame.keys) > 1 and f"k{i}" in frame.base_columns and frame.base_rows:
            found.append(Attribute(key, f"k{i}", f"k{i}", f"k{i}", frame.types[f"k{i}"]))
    return tuple(a for a in found if family(a.type) != "other" or a.type == "UUID")


def explain_slices(frame: Frame) -> tuple[Explanation, ...]:
    """Give at most two slices per group of differing rows, counted over all of them."""
    looked_at = attributes(frame)
    found = [(g, s) for g in frame.groups for s in _candidates(frame, g, looked_at)]
    counts = tally(frame.con, frame.diffs, [s.condition(g, g.where) for g, s in found])
    shares = [(n or 0) / g.of for (g, _), n in zip(found, counts, strict=True)]
    counted = _lifted(frame, [s for _, s in found], shares)
    told: list[tuple[Group, Slice, int]] = []
    for (group, _), candidate, count in zip(found, counted, counts, strict=True):
        if not count or not _tells(candidate, group, near=1.0):
            continue
        # The same values of all changed rows, and of those where one column differs: the wider
        # group is said unless the narrower one holds nearly all of it at a far higher share.
        wider = next((t for t in told if _same(t, group, candidate)), None)
        if wider and wider[1].support >= _SAME * candidate.support:
            continue
        if wider and count >= _SAME * wider[2]:
            told.remove(wider)
        told.append((group, candidate, count))
    return tuple(_told(frame, *t) for t in told)


def _same(told: tuple[Group, Slice, int], group: Group, candidate: Slice) -> bool:
    return (told[0].kind, told[0].column, told[1].parts) == (group.kind, None, candidate.parts)


def surprising(support: float, lift: float, of: int) -> bool:
    """Tell whether chance alone would hardly give this (Chernoff's bound of a binomial tail)."""
    expected = support / lift
    if expected >= support:
        return False
    bits = support * math.log(lift)
    if support < 1:
        bits += (1 - support) * math.log((1 - support) / (1 - expected))
    return of * bits >= _SURPRISE


def lift_of(frame: Frame, support: float, base_count: int) -> float:
    """Give the lift; what the base does not hold counts as once there, so that it stays finite."""
    return support * frame.base_rows / max(base_count, 1)


def _tells(candidate: Slice, group: Group, near: float = NEAR) -> bool:
    if candidate.lift is None:
        return candidate.support >= near * SUPPORT_ALONE and len(candidate.parts) == 1
    return (
        candidate.support >= near * SUPPORT
        and candidate.lift >= near * LIFT
        and surprising(candidate.support, max(candidate.lift, 1.0), group.of)
    )


def _candidates(frame: Frame, group: Group, looked_at: Sequence[Attribute]) -> list[Slice]:
    if not looked_at:
        return []
    frame.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {frame.sample}_group AS SELECT * FROM {frame.sample}"
        f" WHERE {group.sampled}"
    )
    common = _sampled(frame, group, _values(frame, group, looked_at))
    single = [s for s in common if s.support >= NEAR * SUPPORT]
    best = sorted(single, key=lambda s: -s.score)[:_PAIRED] if frame.base_rows else []
    pairs = [Slice((*a.parts, *b.parts)) for a, b in itertools.combinations(best, 2)]
    better = [
        pair
        for pair in _sampled(frame, group, pairs)
        if all(pair.score >= _BETTER * s.score for s in best if set(s.parts) <= set(pair.parts))
    ]
    return _distinct(frame, group, [s for s in (*single, *better) if _tells(s, group)])


def _values(frame: Frame, group: Group, looked_at: Sequence[Attribute]) -> list[Slice]:
    """Give each column's most common value, and NULL."""
    asked = (
        f"mode(CAST({a.of(group)} AS VARCHAR)), count(*) - count({a.of(group)})" for a in looked_at
    )
    row = one(frame.con, f"SELECT {', '.join(asked)} FROM {frame.sample}_group")
    found: list[Slice] = []
    for attribute, value, nulls in zip(looked_at, row[::2], row[1::2], strict=True):
        found += [Slice(((attribute, v),)) for v in (value, None) if v is not None or nulls]
    return found


def _sampled(frame: Frame, group: Group, slices: Sequence[Slice]) -> list[Slice]:
    """Measure slices on the sample of the group."""
    everything = Condition("true")
    conditions = [everything, *(s.condition(group) for s in slices)]
    total, *counts = tally(frame.con, f"{frame.sample}_group", conditions)
    return _lifted(frame, slices, [(n or 0) / max(total or 0, 1) for n in counts])


def _lifted(frame: Frame, slices: Sequence[Slice], shares: Sequence[float]) -> list[Slice]:
    measured = [replace(s, support=share) for s, share in zip(slices, shares, strict=True)]
    if not frame.base_rows:
        return measured
    counts = tally(frame.con, frame.base, [s.condition(None) for s in slices])
    return [
        replace(s, lift=lift_of(frame, s.support, n or 0))
        for s, n in zip(measured, counts, strict=True)
    ]


def _distinct(frame: Frame, group: Group, slices: list[Slice]) -> list[Slice]:
    """Keep the best, and the next that is about other rows."""
    kept: list[Slice] = []
    for candidate in sorted(slices, key=lambda s: (-s.score, len(s.parts))):
        both = [_both(candidate, other).condition(group) for other in kept]
        alone = [s.condition(group) for s in (candidate, *kept)]
        counts = [n or 0 for n in tally(frame.con, f"{frame.sample}_group", [*both, *alone])]
        shared, (own, *others) = counts[: len(kept)], counts[len(kept) :]
        if all(s < _SAME * min(own, o) for s, o in zip(shared, others, strict=True)):
            kept.append(candidate)
        if len(kept) == _KEPT:
            break
    return kept


def _both(a: Slice, b: Slice) -> Slice:
    return Slice((*a.parts, *b.parts))


def _told(frame: Frame, group: Group, found: Slice, count: int) -> Explanation:
    values = " and ".join(f"{name(a.name)} = {literal(v, a.type)}" for a, v in found.parts)
    text = f"{percent(count, group.of)} of the {rows_of(group, frame.columns)} have {values}"
    if found.lift is not None:
        text += f" ({lifted(found.support, found.lift)})"
    where = {} if group.column is None else {"where_differs": frame.columns[group.column]}
    return Explanation(
        kind="slice",
        text=text,
        rows=group.kind,
        columns=tuple(a.name for a, _ in found.parts),
        support=count,
        of=group.of,
        lift=found.lift,
        detail={"slice": "values", "values": {a.name: v for a, v in found.parts}, **where},
    )


def lifted(support: float, lift: float) -> str:
    """Say how common the same is among all rows."""
    return f"{percent(support / lift, 1)} of all rows; lift {lift:,.1f}"
