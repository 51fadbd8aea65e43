"""Values that stand in the wrong column: shifted by one, two columns swapped, one copied."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from weighbridge.compare.explain_frame import NEAR, Condition, Frame, Group, one, tally
from weighbridge.compare.explain_words import name
from weighbridge.compare.result import Explanation

_FRACTION = 0.5
_FEW = 3
"""Columns of fewer values than this are equal by chance."""


def explain_neighbours(frame: Frame) -> tuple[Explanation, ...]:
    """Say which columns hold on the right what another one holds on the left."""
    sources = {i: found for i in frame.changed_columns if (found := _sources(frame, i))}
    telling = {i: found for i, found in sources.items() if _tells(frame, i)}
    taken = set[int]()
    told: list[Explanation] = []
    groups = [g for g in _shifted(frame, sources) if sum(i in telling for i, _ in g[1]) > 1]
    groups += _swapped(telling)
    groups += [("copied_column", [(i, found[0])]) for i, found in telling.items()]
    for transform, moves in groups:
        if taken.isdisjoint(i for i, _ in moves):
            explanation = _counted(frame, transform, moves)
            if explanation:
                told.append(explanation)
                taken.update(i for i, _ in moves)
    return tuple(told)


Moves = list[tuple[int, int]]


def _equal(i: int, j: int) -> str:
    # As text: columns of different types may stand for each other. Two NULLs are no proof, but
    # a shifted row holds some: they count if the rest of it does.
    return f"CAST(r{i} AS VARCHAR) IS NOT DISTINCT FROM CAST(l{j} AS VARCHAR)"


def _sources(frame: Frame, column: int) -> list[int]:
    """Give the columns whose left values the right values of `column` are, in the sample."""
    group = Group("changed", frame.counts[column], column)
    rows = f"(SELECT * FROM {frame.sample} WHERE {group.sampled})"
    (total,) = one(frame.con, f"SELECT count(*) FROM {rows}")
    others = [j for j in range(len(frame.columns)) if j != column]
    counts = tally(frame.con, rows, [Condition(_equal(column, j)) for j in others])
    ranked = sorted(zip(others, counts, strict=True), key=lambda found: -(found[1] or 0))
    return [j for j, n in ranked if n and n >= max(2, NEAR * _FRACTION * total)]


def _tells(frame: Frame, column: int) -> bool:
    group = Group("changed", frame.counts[column], column)
    (values,) = one(
        frame.con,
        f"SELECT count(DISTINCT CAST(r{column} AS VARCHAR)) FROM {frame.sample}"
        f" WHERE {group.sampled}",
    )
    return values >= _FEW


def _shifted(frame: Frame, sources: dict[int, list[int]]) -> list[tuple[str, Moves]]:
    found: list[tuple[str, Moves]] = []
    for by in (1, -1):
        run: Moves = []
        for i in range(len(frame.columns) + 1):
            if i + by in sources.get(i, []):
                run.append((i, i + by))
                continue
            if len(run) > 1:
                found.append(("shifted_columns", run))
            run = []
    return found


def _swapped(sources: dict[int, list[int]]) -> list[tuple[str, Moves]]:
    return [
        ("swapped_columns", [(i, j), (j, i)])
        for i, j in itertools.combinations(sources, 2)
        if j in sources[i] and i in sources[j]
    ]


def _counted(frame: Frame, transform: str, moves: Sequence[tuple[int, int]]) -> Explanation | None:
    touched = f"list_has_any(changed, [{', '.join(str(i) for i, _ in moves)}]::USMALLINT[])"
    every = " AND ".join(_equal(i, j) for i, j in moves)
    source = f"(SELECT * FROM {frame.diffs} WHERE kind = 'changed' AND {touched})"
    counts = tally(frame.con, source, [Condition("true"), Condition(every)])
    of, support = counts[0] or 0, counts[1] or 0
    if support < _FRACTION * of or (support < 5 and support < of) or support < 2:
        return None
    into, out = (tuple(frame.columns[m[k]] for m in moves) for k in (0, 1))
    return Explanation(
        kind="transform",
        text=f"{_words(moves, into, out)} in {support:,} of {of:,}",
        rows="changed",
        columns=into,
        support=support,
        of=of,
        detail={"transform": transform, "from": dict(zip(into, out, strict=True))},
    )


def _words(moves: Sequence[tuple[int, int]], into: Sequence[str], out: Sequence[str]) -> str:
    first, last = name(into[0]), name(into[-1])
    if len(moves) == 1:
        return f"{first}: right is left's {name(out[0])}"
    if moves[0] == moves[1][::-1] and len(moves) == 2:
        return f"{first} and {last} are swapped"
    side = "right" if moves[0][1] > moves[0][0] else "left"
    return f"{first} to {last} hold the value of their {side} neighbour"
