"""From the counts and the rows that differ to the report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from weighbridge.compare.result import (
    ColumnResult,
    Explanation,
    Keys,
    PlanReport,
    Report,
    Rows,
    Sampling,
    Side,
    SideConsistency,
    Stats,
    Verdict,
)
from weighbridge.compare.rows import sample_rows

if TYPE_CHECKING:
    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.compare.plan import Plan
    from weighbridge.compare.task import Task
    from weighbridge.connectors.base import Source


def report(
    task: Task,
    plan: Plan,
    reasons: list[str],
    warnings: list[str],
    *,
    sampling: Sampling | None,
) -> Report:
    """Put the answer together; `stats` are added by `with_cost`."""
    rows = count_rows(task)
    keys = count_keys(task, rows)
    columns = tuple(column_results(task, rows))
    rows = replace(
        rows,
        compared=rows.matched + rows.changed - pairs_of_duplicates(task),
        unique_changed=rows.changed - task.tally.doubled_changed,
    )
    return Report(
        verdict=verdict_of(rows, columns, sampling),
        left=side_of(task.sources[0]),
        right=side_of(task.sources[1]),
        key=plan.key,
        rows=rows,
        keys=keys,
        columns=columns,
        not_compared=plan.not_compared,
        schema=plan.schema,
        sample=tuple(sample_rows(task, task.options.limit)),
        explanations=explanations(task, rows, warnings),
        plan=PlanReport(plan.strategy, tuple(reasons), (tuple(task.sql[0]), tuple(task.sql[1]))),
        consistency=(consistency_of(task, 0), consistency_of(task, 1)),
        stats=Stats(),
        sampling=sampling and replace(sampling, rows=max(rows.left, rows.right)),
        warnings=tuple(warnings),
    )


def with_cost(found: Report, task: Task, seconds: float, peak_memory: int) -> Report:
    """Add what it cost."""
    stats = Stats(
        seconds=round(seconds, 3),
        rows_read=(task.rows_read[0], task.rows_read[1]),
        rows_fetched=(task.rows_fetched[0], task.rows_fetched[1]),
        bytes=task.nbytes,
        peak_memory=peak_memory,
    )
    return replace(found, stats=stats)


def count_rows(task: Task) -> Rows:
    """Give the row counts; both sides add up by construction."""
    tally = task.tally
    return Rows(
        left=tally.matched + tally.changed + tally.only_left,
        right=tally.matched + tally.changed + tally.only_right,
        matched=tally.matched,
        only_left=tally.only_left,
        only_right=tally.only_right,
        changed=tally.changed,
        equal_under_rule=_leaning_rows(task),
    )


def _leaning_rows(task: Task) -> int:
    # A column whose kind is a convention makes every row lean on it, except pairs of nulls.
    assumed = [
        task.tally.matched - task.tally.equal_nulls[i]
        for i, p in enumerate(task.values)
        if p.assumed
    ]
    keys = [task.tally.matched for p in task.keys if p.assumed]
    return max([task.tally.equal_under_rule, *assumed, *keys])


def count_keys(task: Task, rows: Rows) -> Keys:
    """Give the key counts; whole rows have none."""
    tally = task.tally
    if task.whole_row:
        return Keys()
    dupes: list[int] = []
    distincts: list[int] = []
    for side, name in enumerate(("left", "right")):
        scalar = task.workspace.scalar
        rows_of = scalar(f"SELECT coalesce(sum(n), 0) FROM dupes_{name}")
        keys_of = scalar(f"SELECT count(*) FROM dupes_{name}")
        total = (rows.left, rows.right)[side] - tally.null_keys[side]
        dupes.append(rows_of)
        distincts.append(total - rows_of + keys_of)
    return Keys(
        nulls=(tally.null_keys[0], tally.null_keys[1]),
        dupes=(dupes[0], dupes[1]),
        distincts=(distincts[0], distincts[1]),
        exclusives=(tally.exclusives[0], tally.exclusives[1]),
        collisions=collisions(task),
    )


def collisions(task: Task) -> int:
    """Count the keys of one side only that differ from another key by case or end spaces."""
    texts = [i for i, p in enumerate(task.keys) if p.domain == "text"]
    if not texts or not any(task.tally.exclusives):
        return 0
    folded = ", ".join(
        f"lower(rtrim(CAST(k{i} AS VARCHAR))) AS f{i}" if i in texts else f"k{i} AS f{i}"
        for i in range(len(task.keys))
    )
    names = ", ".join(f"f{i}" for i in range(len(task.keys)))
    other = f"SELECT {folded} FROM diffs GROUP BY ALL HAVING count(DISTINCT k{texts[0]}) > 1"
    staged = [task.workspace.has_table(f"staged_{side}") for side in (0, 1)]
    if any(staged):
        # Of two sides that are joined here, one may be small enough to be read where it is.
        sides = [f"staged_{n}" if here else f"side_{n}" for n, here in enumerate(staged)]
        other = " UNION ".join(
            f"SELECT {folded} FROM {side} GROUP BY ALL HAVING count(DISTINCT k{texts[0]}) > 1"
            for side in sides
        )
    lone = f"SELECT {folded} FROM diffs WHERE exclusive"
    pairs = f"SELECT {folded} FROM diffs WHERE exclusive GROUP BY ALL HAVING count(*) > 1"
    return task.workspace.scalar(
        f"SELECT count(*) FROM ({lone}) WHERE ({names}) IN ({other} UNION {pairs})"
    )


def pairs_of_duplicates(task: Task) -> int:
    """Count the paired rows whose key is duplicated on a side, or null."""
    if task.whole_row:
        return 0
    keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
    # A key that is absent from one list of duplicates has one row there, unless it has none.
    pairs = task.workspace.scalar(
        "SELECT sum(least(coalesce(a.n, 1), coalesce(b.n, 1)))"
        f" FROM dupes_left a FULL JOIN dupes_right b USING ({keys})"
    )
    return pairs - task.tally.exclusive_dupes + task.tally.null_pairs


def column_results(task: Task, rows: Rows) -> list[ColumnResult]:
    """Give what each pair of columns showed, keys first."""
    paired = rows.matched + rows.changed
    found = [_column(p, paired, (0, 0), paired if p.assumed else 0) for p in task.keys]
    for i, pair in enumerate(task.values):
        differences = task.tally.differences[i]
        leaning = task.tally.depends[i]
        if pair.assumed:
            leaning = paired - differences - task.tally.equal_nulls[i]
        unique = differences - task.tally.doubled_differences[i]
        found.append(_column(pair, paired, (differences, unique), leaning))
    return found


def _column(
    pair: ColumnPair, paired: int, differing: tuple[int, int], leaning: int
) -> ColumnResult:
    differences, unique = differing
    match = 100.0 if not paired else 100.0 * (paired - differences) / paired
    return ColumnResult(
        name=pair.left.name,
        right_name=pair.right.name,
        left_type=pair.left.type.declared,
        right_type=pair.right.type.declared,
        rule=pair.rule,
        loses=pair.loses,
        compared=paired,
        differences=differences,
        # Never round a difference away.
        match=min(round(match, 4), 99.9999) if differences else 100.0,
        depends_on_rule=leaning,
        unique_differences=unique,
    )


def verdict_of(rows: Rows, columns: tuple[ColumnResult, ...], sampling: Sampling | None) -> Verdict:
    """Name the verdict; a sample can never show that two sides are identical."""
    if rows.changed or rows.only_left or rows.only_right:
        return "different"
    if sampling is not None:
        return "no_difference_in_sample"
    if rows.equal_under_rule or any(c.depends_on_rule for c in columns):
        return "identical_under_rules"
    return "identical"


def explanations(task: Task, rows: Rows, warnings: list[str]) -> tuple[Explanation, ...]:
    """Find what the differing rows have in common."""
    if not task.options.explain or not (rows.changed or rows.only_left or rows.only_right):
        return ()
    try:
        # Loaded only when there is something to explain.
        from weighbridge.compare.explain import explain  # noqa: PLC0415

        return explain(
            task.workspace.connection,
            diffs="diffs",
            base="base",
            keys=[p.name for p in task.keys],
            columns=[p.name for p in task.values],
            changed_counts=task.tally.differences,
            rows=rows,
        )
    except duckdb.OutOfMemoryException:
        # The verdict is exact without them; they must not cost it.
        warnings.append("The differences were too many to be explained in the memory allowed.")
        return ()


def side_of(source: Source) -> Side:
    """Describe a side for the report; its label holds no secret."""
    return Side(
        label=source.label,
        vendor=source.traits.vendor,
        relation=source.relation,
        query=source.query,
        where=source.where,
        version=source.version,
    )


def consistency_of(task: Task, side: int) -> SideConsistency:
    """Label what moment a side's rows are of."""
    position = task.sources[side].position()
    if task.options.updated_column and task.options.until:
        upper = f"{task.options.updated_column} < {task.options.until}"
        return SideConsistency("watermark", upper, position.reason)
    if position.snapshot:
        return SideConsistency("snapshot", position.position, position.reason)
    return SideConsistency("best_effort", position.position, position.reason)
