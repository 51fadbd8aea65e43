"""Why tables differ: what many differences have in common, in words and as exact counts.

A sample finds candidates, a scan counts them: about a second per million differing rows, in
bounded memory whatever their number. What happened to one column is
`explain_columns`, to several `explain_neighbours`; which rows differ `explain_slices` and
`explain_ranges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from weighbridge.compare.explain_columns import explain_columns
from weighbridge.compare.explain_frame import Frame, frame
from weighbridge.compare.explain_neighbours import explain_neighbours
from weighbridge.compare.explain_ranges import explain_ranges, explain_runs
from weighbridge.compare.explain_slices import explain_slices
from weighbridge.compare.result import Explanation, Rows

if TYPE_CHECKING:
    import duckdb

SliceName = Literal["values", "range", "key_run"]
"""Every `detail["slice"]`: values in common, a range of one column, keys that follow each other."""

_SAMPLE = "weighbridge_explain"


def explain(
    con: duckdb.DuckDBPyConnection,
    *,
    diffs: str,
    base: str,
    keys: Sequence[str],
    columns: Sequence[str],
    changed_counts: Sequence[int],
    rows: Rows,
    limit: int = 12,
) -> tuple[Explanation, ...]:
    """Explain the differences, the most useful first: transforms, then slices.

    `diffs(kind, changed, k0…, l0…, r0…)` holds every differing row: `changed` lists the indices
    of the columns that differ, of which `changed_counts` are the totals. `base(l0…)` is a sample
    of all left rows and may be empty; if it holds `k0…` too, parts of a composite key are looked
    at. Both are named as SQL would (they are ours: nothing is quoted). Temporary tables are
    dropped at the end. An interrupt, a want of memory or of disk raises duckdb.Error.
    """
    if rows.changed + rows.only_left + rows.only_right == 0:
        return ()
    try:
        looked_at = frame(
            con,
            (diffs, base),
            keys=keys,
            columns=columns,
            counts=changed_counts,
            rows=rows,
            sample=_SAMPLE,
        )
        return _ranked(_transforms(looked_at), _slices(looked_at), limit)
    finally:
        for part in ("", "_pairs", "_group"):
            con.execute(f"DROP TABLE IF EXISTS {_SAMPLE}{part}")


def _transforms(looked_at: Frame) -> list[Explanation]:
    """Transforms, of which one column has no two: a move between columns must explain more."""
    own = {e.columns[0]: e for e in explain_columns(looked_at)}
    moved: list[Explanation] = []
    for explanation in explain_neighbours(looked_at):
        rivals = [own[c] for c in explanation.columns if c in own]
        if all(r.support < explanation.support for r in rivals):
            moved.append(explanation)
            own = {c: e for c, e in own.items() if e not in rivals}
    return sorted([*own.values(), *moved], key=lambda e: (-e.support, -e.support / e.of))


def _slices(looked_at: Frame) -> list[Explanation]:
    values = explain_slices(looked_at)
    known = {(e.rows, c) for e in values for c in e.columns}
    ranges = [
        e for e in explain_ranges(looked_at) if not any((e.rows, c) in known for c in e.columns)
    ]
    runs = explain_runs(looked_at)
    by_score = sorted([*values, *ranges], key=lambda e: -e.support / e.of * (e.lift or 1.0))
    return [*runs, *by_score]


def _ranked(
    transforms: list[Explanation], slices: list[Explanation], limit: int
) -> tuple[Explanation, ...]:
    """Many transforms leave a third of the room to slices; what they explain is said once."""
    from_left: set[tuple[str, str | None]] = set()
    for e in transforms:
        if "left" in e.detail or e.detail["transform"] in _NULLS:
            from_left.add((e.columns[0], e.detail.get("left")))
    new = [e for e in slices if not _said(e, from_left)]
    room = max(limit - len(new), limit - limit // 3)
    return (*transforms[:room], *new)[:limit]


_NULLS = frozenset({"null_to_value", "left_null"})


def _said(explanation: Explanation, from_left: set[tuple[str, str | None]]) -> bool:
    values = explanation.detail.get("values", {})
    return any((column, value) in from_left for column, value in values.items())
