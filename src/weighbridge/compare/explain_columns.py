"""What happened to the values of one column: candidates from a sample, counted over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from weighbridge.compare.explain_frame import (
    NEAR,
    UNFIT,
    Condition,
    Frame,
    Group,
    tally,
)
from weighbridge.compare.explain_letters import LETTERS
from weighbridge.compare.explain_text import TEXT
from weighbridge.compare.explain_times import TIMES
from weighbridge.compare.explain_transforms import Fits, Params, Transform
from weighbridge.compare.explain_types import Read, readings
from weighbridge.compare.explain_values import ANY, NUMBERS
from weighbridge.compare.explain_words import literal, name
from weighbridge.compare.result import Explanation

TRANSFORMS: tuple[Transform, ...] = (*ANY, *NUMBERS, *TIMES, *TEXT, *LETTERS)
"""All that one column can show, in the order in which they win ties."""

_LEAST = 5
# Any one row shows some constant: what was fitted to rows needs two of them to say anything.
_FITTED = 2
_FITS = 3
_RIVALS = 3
_CLEAR = 0.98


@dataclass(frozen=True)
class Candidate:
    """A transform with its parameters, of one column."""

    column: int
    transform: Transform
    params: Params
    read: Read

    def same(self, other: Candidate) -> bool:
        """Tell whether both say the same but for a detail."""
        return (self.transform.name, self.params) == (other.transform.name, other.params)

    def condition(self, frame: Frame, left: str, right: str) -> Condition:
        """Say it in SQL over columns called `left` and `right`."""
        sql = _filled(frame, self, (left, right), self.transform.where)
        if self.transform.differing and self.transform.reads not in {"any", "boolean"}:
            l_read, r_read = _sides(self.read, left, right)
            sql = f"{l_read} <> {r_read} AND {sql}"
        return Condition(sql, self.params)


def explain_columns(frame: Frame) -> tuple[Explanation, ...]:
    """Give at most one transform per column: the one that most of its changed rows show."""
    candidates = [c for i in frame.changed_columns for c in _candidates(frame, i)]
    source = _changed(frame)
    counts = tally(
        frame.con,
        source,
        [
            replace(c.condition(frame, f"l{c.column}", f"r{c.column}"), guard=f"c{c.column}")
            for c in candidates
        ],
    )
    best: list[Explanation] = []
    for i in frame.changed_columns:
        kept = [
            (c, n)
            for c, n in zip(candidates, counts, strict=True)
            if c.column == i and n and _enough(c, n, frame.counts[i])
        ]
        if kept:
            best.append(_told(frame, kept))
    return tuple(best)


def _changed(frame: Frame) -> str:
    flags = ", ".join(
        f"list_contains(changed, {i}::USMALLINT) AS c{i}" for i in frame.changed_columns
    )
    return f"(SELECT *, {flags or 'true'} FROM {frame.diffs} WHERE kind = 'changed')"


def _enough(candidate: Candidate, support: int, of: int) -> bool:
    least = _FITTED if candidate.transform.fit else 1
    share = support / of
    return share >= candidate.transform.fraction and (
        support >= _LEAST or (support == of and support >= least)
    )


def _candidates(frame: Frame, column: int) -> list[Candidate]:
    left, right = frame.types[f"l{column}"], frame.types[f"r{column}"]
    reads = readings(left, right)
    group = Group("changed", frame.counts[column], column)
    pairs = f"{frame.sample}_pairs"
    frame.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {pairs} AS SELECT l{column} AS l, r{column} AS r"
        f" FROM {frame.sample} WHERE {group.sampled}"
    )
    found: list[Candidate] = []
    fitted: dict[tuple[str, str], Fits] = {}
    for transform in TRANSFORMS:
        if transform.reads not in reads:
            continue
        plain = Candidate(column, transform, (), reads[transform.reads])
        if transform.fit is None:
            found.append(plain)
            continue
        if frame.counts[column] < _FITTED:
            continue
        asked = (transform.reads, transform.fit)
        if asked not in fitted:
            fitted[asked] = _fits(frame, plain, pairs)
        fits = fitted[asked]
        fits = transform.combine(fits) if transform.combine else fits
        found += [replace(plain, params=params) for params, _ in fits]
    return _common(frame, found, pairs)


def _fits(frame: Frame, candidate: Candidate, pairs: str) -> Fits:
    transform = candidate.transform
    fit = f"TRY({_filled(frame, candidate, ('l', 'r'), transform.fit or '')})"
    fit = f"unnest({fit})" if transform.several else fit
    try:
        rows = frame.con.execute(
            f"SELECT p, count(*) AS n FROM (SELECT {fit} AS p FROM {pairs})"
            f" WHERE p[1] IS NOT NULL GROUP BY p ORDER BY n DESC, p LIMIT {_FITS}"
        ).fetchall()
    except UNFIT:  # the expression does not bind to this type: the transform does not apply
        return []
    return [(tuple(p), n) for p, n in rows]


def _common(frame: Frame, candidates: list[Candidate], pairs: str) -> list[Candidate]:
    """Keep what the sample shows often; Python's sort keeps the table's order among equals."""
    of = frame.con.table(pairs).shape[0]
    counts = tally(frame.con, pairs, [c.condition(frame, "l", "r") for c in candidates])
    ranked = sorted(
        (
            (_weight(c, n), c)
            for n, c in zip(counts, candidates, strict=True)
            if n and n >= NEAR * c.transform.fraction * of
        ),
        key=lambda ranked: -ranked[0],
    )
    # A count over all rows is the costly part: who explains nearly all has no rival but its twins.
    first = [c for _, c in ranked[:1]]
    alone = bool(ranked) and ranked[0][0] >= _CLEAR * of
    rivals = [c for _, c in ranked[1:] if not alone or (c.transform.twins and c.same(first[0]))]
    told = {(c.transform.name, c.params, *c.transform.detail.values()): c for c in rivals[::-1]}
    return [*first, *list(told.values())[::-1][:_RIVALS]]


def _weight(candidate: Candidate, support: int) -> float:
    return support * (0.9 if candidate.transform.weak else 1.0)


def _told(frame: Frame, kept: Sequence[tuple[Candidate, int]]) -> Explanation:
    order = {id(t): n for n, t in enumerate(TRANSFORMS)}
    best, support = min(kept, key=lambda k: (-_weight(*k), order[id(k[0].transform)]))
    if best.transform.name == "round":
        best = _rounding(best, support, kept)
    column = best.column
    words, detail = _params_told(frame, best)
    of = frame.counts[column]
    return Explanation(
        kind="transform",
        text=f"{name(frame.columns[column])}: {words} in {support:,} of {of:,}",
        rows="changed",
        columns=(frame.columns[column],),
        support=support,
        of=of,
        detail={"transform": best.transform.name, **best.transform.detail, **detail},
    )


def _rounding(best: Candidate, support: int, kept: Sequence[tuple[Candidate, int]]) -> Candidate:
    """Say how halves were rounded only if the rows tell: one way fits all of them, another not."""
    same = {
        c.transform.detail["mode"]: c
        for c, n in kept
        if c.transform.name == "round" and n == support and c.params == best.params
    }
    ways = [c for mode, c in same.items() if mode != "nearest"]
    return ways[0] if len(ways) == 1 else same.get("nearest", best)


def _params_told(frame: Frame, candidate: Candidate) -> tuple[str, dict[str, Any]]:
    transform, params = candidate.transform, candidate.params
    words, detail = transform.words, dict[str, Any]()
    if transform.told:
        said, detail = transform.told(params)
        return words.replace("{p0}", said).replace("{p}", said), detail
    types = {
        "left": frame.types[f"l{candidate.column}"],
        "right": frame.types[f"r{candidate.column}"],
        "text": "VARCHAR",
    }
    for n, (side, value) in enumerate(zip(transform.shows, params, strict=True)):
        said = literal(value, types[side])
        words = (
            words.replace(f"{{p{n}}}", said)
            if f"{{p{n}}}" in words
            else said.join(words.split("{p}"))
        )
        detail[side] = value
    return words, detail


def _sides(read: Read, left: str, right: str) -> tuple[str, str]:
    return read.left.replace("{x}", left), read.right.replace("{x}", right)


def _filled(frame: Frame, candidate: Candidate, names: tuple[str, str], template: str) -> str:
    left, right = _sides(candidate.read, *names)
    types = frame.types[f"l{candidate.column}"], frame.types[f"r{candidate.column}"]
    filled = {
        "{l}": f"({left})",
        "{r}": f"({right})",
        "{lt}": types[0],
        "{rt}": types[1],
        "{step}": f"CAST({candidate.read.step!r} AS DOUBLE)",
        "{exact}": candidate.read.left.removeprefix("CAST({x} AS ").removesuffix(")"),
    }
    for placeholder, sql in filled.items():
        template = template.replace(placeholder, sql)
    return template
