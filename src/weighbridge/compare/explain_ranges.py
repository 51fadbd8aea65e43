"""Differing rows that lie together: within a range of values, or in a run of keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weighbridge.compare.explain_frame import Condition, Frame, Group, one, tally
from weighbridge.compare.explain_slices import (
    LIFT,
    SUPPORT,
    Attribute,
    attributes,
    lift_of,
    lifted,
    surprising,
)
from weighbridge.compare.explain_types import family
from weighbridge.compare.explain_words import literal, name, percent, rows_of
from weighbridge.compare.result import Explanation, Kind

_TAIL = 0.02
"""The share of a group that may lie outside on either side."""
# A simpler range may hold this many times as many rows of the base as a narrower one.
_LOOSER = 1.3
_RUNS = 3
_SORTED = 3_000_000
"""More keys than this are not sorted: whether they are one run is seen without."""
_MEANING: dict[Kind, str] = {
    "only_left": ": a lost page",
    "only_right": ": a page that is on the right alone",
    "changed": "",
}


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included; None is no limit. Limits are text of the type."""

    attribute: Attribute
    low: str | None
    high: str | None

    def condition(self, column: str | None, guard: str = "true") -> Condition:
        """Say it in SQL."""
        limits = [(op, v) for op, v in ((">=", self.low), ("<=", self.high)) if v is not None]
        sql = " AND ".join(
            f"{column} {op} CAST({{p{n}}} AS {self.attribute.type})"
            for n, (op, _) in enumerate(limits)
        )
        return Condition(sql, tuple(v for _, v in limits), guard)


def explain_ranges(frame: Frame) -> tuple[Explanation, ...]:
    """Give at most one range per group: the one that is rarest among all rows."""
    if not frame.base_rows:
        return ()
    looked_at = [
        a
        for a in attributes(frame)
        if family(a.type) in {"integer", "decimal", "float", "moment"} and a.base
    ]
    told: list[Explanation] = []
    seen = set[tuple[str, ...]]()
    for group in frame.groups:
        best = min(_candidates(frame, group, looked_at), key=lambda f: f[1], default=None)
        explanation = _counted(frame, group, best[0]) if best else None
        if explanation and (group.kind, *explanation.columns) not in seen:
            seen.add((group.kind, *explanation.columns))
            told.append(explanation)
    return tuple(told)


def _candidates(
    frame: Frame, group: Group, looked_at: Sequence[Attribute]
) -> list[tuple[Range, int]]:
    """Give per column the range of the sample's middle, and how many rows of the base it holds."""
    if not looked_at:
        return []
    asked = (
        f"CAST(quantile_disc({v}, {_TAIL}) AS VARCHAR),"
        f" CAST(quantile_disc({v}, {1 - _TAIL}) AS VARCHAR), count({v}) / count(*)"
        for v in (a.of(group) for a in looked_at)
    )
    row = one(frame.con, f"SELECT {', '.join(asked)} FROM {frame.sample} WHERE {group.sampled}")
    found = list(zip(looked_at, row[::3], row[1::3], row[2::3], strict=True))
    found = [f for f in found if f[1] is not None and f[3] >= SUPPORT and f[1] != f[2]]
    ranges = [
        Range(a, low, high) for a, p, q, _ in found for low, high in ((p, None), (None, q), (p, q))
    ]
    counts = tally(frame.con, frame.base, [r.condition(r.attribute.base) for r in ranges])
    kept: list[tuple[Range, int]] = []
    for n, (_, _, _, share) in enumerate(found):
        three = [(r, c or 0) for r, c in zip(ranges, counts, strict=True)][3 * n : 3 * n + 3]
        # The simplest that keeps out nearly as much as both limits do.
        chosen = next(t for t in three if t[1] <= _LOOSER * max(three[2][1], 1) or t is three[2])
        if LIFT * chosen[1] <= share * frame.base_rows:
            kept.append(chosen)
    return kept


def _counted(frame: Frame, group: Group, found: Range) -> Explanation | None:
    """Count it, with the true limits of all rows if these keep out nearly as much."""
    attribute = found.attribute
    column = attribute.of(group)
    low, high = one(
        frame.con,
        f"SELECT CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR)"
        f" FROM {frame.diffs} WHERE {group.where}",
    )
    full = Range(attribute, found.low and low, found.high and high)
    inside = tally(frame.con, frame.base, [r.condition(attribute.base) for r in (full, found)])
    chosen, base_count = (
        (full, inside[0])
        if (inside[0] or 0) <= _LOOSER * (inside[1] or 0) + 1
        else (found, inside[1])
    )
    (support,) = tally(frame.con, frame.diffs, [chosen.condition(column, group.where)])
    share = (support or 0) / group.of
    lift = lift_of(frame, share, base_count or 0)
    if support is None or share < SUPPORT or lift < LIFT or not surprising(share, lift, group.of):
        return None
    where = {} if group.column is None else {"where_differs": frame.columns[group.column]}
    limits = {"from": chosen.low, "to": chosen.high}
    return Explanation(
        kind="slice",
        text=f"{percent(support, group.of)} of the {rows_of(group, frame.columns)} have"
        f" {_words(chosen)} ({lifted(share, lift)})",
        rows=group.kind,
        columns=(attribute.name,),
        support=support,
        of=group.of,
        lift=lift,
        detail={"slice": "range", "range": {attribute.name: limits}, **where},
    )


def _words(found: Range) -> str:
    column, of = name(found.attribute.name), found.attribute.type
    if found.low is None or found.high is None:
        sign, limit = ("≥", found.low) if found.high is None else ("≤", found.high)
        return f"{column} {sign} {literal(limit, of)}"
    return f"{column} from {literal(found.low, of)} to {literal(found.high, of)}"


def explain_runs(frame: Frame) -> tuple[Explanation, ...]:
    """Find differing rows whose integer keys follow each other: a page that was lost."""
    if len(frame.keys) != 1 or family(frame.types["k0"]) != "integer":
        return ()
    told = [_runs(frame, g) for g in frame.groups if g.column is None and not _everything(frame, g)]
    return tuple(t for t in told if t)


def _everything(frame: Frame, group: Group) -> bool:
    """A group that is nearly the whole table is a run, and that says nothing."""
    side = frame.rows.right if group.kind == "only_right" else frame.rows.left
    return group.of >= 0.9 * side


def _runs(frame: Frame, group: Group) -> Explanation | None:
    keys = f"(SELECT k0 AS k, count(*) AS n FROM {frame.diffs} WHERE {group.where} GROUP BY k0)"
    if group.of > _SORTED:
        # Keys that name one row each are one run exactly if they fill their span.
        row = frame.con.execute(
            f"SELECT min(k0), max(k0), count(*), 1 FROM {frame.diffs} WHERE {group.where}"
        ).fetchone()
        rows = [row] if row and row[1] - row[0] + 1 == row[2] else []
    else:
        rows = frame.con.execute(
            f"""WITH steps AS (
                SELECT k, n, CAST(k AS HUGEINT) - lag(k) OVER (ORDER BY k) AS step FROM {keys}
                WHERE k IS NOT NULL),
            usual AS (SELECT mode(step) AS step FROM steps),
            runs AS (SELECT k, n, usual.step, sum(CASE WHEN steps.step = usual.step THEN 0 ELSE 1 END)
                OVER (ORDER BY k) AS run FROM steps, usual)
            SELECT min(k), max(k), sum(n), any_value(step) FROM runs GROUP BY run
            HAVING count(*) >= CASE WHEN any_value(step) = 1 THEN 5 ELSE 10 END ORDER BY sum(n) DESC, min(k) LIMIT {_RUNS}"""
        ).fetchall()
    runs = [(int(a), int(b), int(n)) for a, b, n, _ in rows if n >= 0.1 * group.of]
    support = sum(n for _, _, n in runs)
    if not runs or support < SUPPORT * group.of:
        return None
    return _run_told(frame, group, runs, step=int(rows[0][3]))


def _run_told(
    frame: Frame, group: Group, runs: Sequence[tuple[int, int, int]], *, step: int
) -> Explanation:
    support = sum(n for _, _, n in runs)
    which = ", ".join(f"{a} to {b}" for a, b, _ in runs)
    counted = f"{support:,}" if support == group.of else f"{support:,} of {group.of:,}"
    many = "one run" if len(runs) == 1 else f"{len(runs)} runs"
    meaning = _MEANING[group.kind]
    if step > 1:
        edge = ": one at each page's edge" if group.kind != "changed" and step >= 100 else ""
        meaning = f" in steps of {step:,}{edge}"
    detail: dict[str, Any] = {"slice": "key_run", "runs": [list(r) for r in runs], "step": step}
    return Explanation(
        kind="slice",
        text=f"{counted} {rows_of(group, frame.columns)} are {many} of"
        f" {name(frame.keys[0])} {which}{meaning}",
        rows=group.kind,
        columns=frame.keys,
        support=support,
        of=group.of,
        detail=detail,
    )
