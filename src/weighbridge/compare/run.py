"""Are these two relations the same? The story, from two open sources to a report."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.compare import assemble
from weighbridge.compare.by_checksum import checksum
from weighbridge.compare.by_join import join
from weighbridge.compare.by_stream import stream
from weighbridge.compare.plan import Plan, make_plan
from weighbridge.compare.recheck import recheck
from weighbridge.compare.sample import choose_sample, compare_sample
from weighbridge.compare.task import Task
from weighbridge.compare.workspace import Workspace
from weighbridge.errors import Cancelled, OverBudget, WeighbridgeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weighbridge.compare.request import Options, ProgressCallback, Stop
    from weighbridge.compare.result import Report
    from weighbridge.connectors.base import Local, Source

Pair = tuple["Source", "Source"]


@dataclass(frozen=True)
class Outcome:
    """A finished comparison: the report, and the workspace that holds every differing row."""

    report: Report
    workspace: Workspace
    task: Task


def compare_sources(
    sources: Pair,
    options: Options,
    *,
    stop: Stop,
    progress: ProgressCallback,
    reopen: Callable[[], Pair],
) -> Outcome:
    """Compare two open sources; `reopen` gives them again in a later snapshot.

    Raises any of the errors of `weighbridge.errors`; the caller closes the workspace.
    """
    started = time.monotonic()
    for source in sources:
        stop.on_set(source.cancel)
    stop.check()
    shapes = (sources[0].shape(), sources[1].shape())
    plan = make_plan(sources, shapes, options)
    stop.check()
    within_budget(sources, options)
    workspace = Workspace(plan.keys, plan.values, natives_of(sources, plan), memory=options.memory)
    try:
        stop.on_set(workspace.interrupt)
        task = Task(
            sources, plan.keys, plan.values, plan.unique, plan.whole_row,
            options, workspace, stop, progress, expected_rows(sources),
        )  # fmt: skip
        sampling = choose_sample(task) if options.sample else None
        reasons = list(plan.reasons)
        if sampling is not None:
            compare_sample(task, sampling)
        elif turned := compare_all(task, plan):
            reasons.append(turned)
        warnings = list(plan.warnings)
        if options.recheck is not None:
            warnings += recheck(task, reopen)
        report = assemble.report(task, plan, reasons, warnings, sampling=sampling)
        return Outcome(
            assemble.with_cost(report, task, time.monotonic() - started, peak()), workspace, task
        )
    except BaseException as error:
        for source in sources:
            source.cancel()
        workspace.close()
        raise translated(sources, workspace, error, stop) from error


def compare_all(task: Task, plan: Plan) -> str | None:
    """Run the chosen strategy over every row; give the reason if it changed on the way."""
    if plan.strategy == "checksum":
        return checksum(task)
    if plan.strategy == "join":
        join(task)
    else:
        stream(task)
    return None


def translated(
    sources: Pair, workspace: Workspace, error: BaseException, stop: Stop
) -> BaseException:
    """Give the error that a user should see: a stop explains whatever it broke."""
    if stop.is_set and isinstance(error, Exception) and not isinstance(error, OverBudget):
        return Cancelled("The diff was cancelled.", next_step="Run it again when you like.")
    if isinstance(error, WeighbridgeError) or not isinstance(error, Exception):
        return error
    # DuckDB read these sides in the workspace: a bad file fails there.
    for source in (cast("Local", s) for s in sources if s.traits.local):
        if source.owns(error):
            return source.error(error)
    return workspace.error(error)


def natives_of(sources: Pair, plan: Plan) -> list[tuple[str, str]]:
    """List the DuckDB types in which keys and values arrive, per pair of columns."""
    return [
        (sources[0].native(p.left), sources[1].native(p.right)) for p in (*plan.keys, *plan.values)
    ]


def within_budget(sources: Pair, options: Options) -> None:
    """Refuse before the work what the catalogs already know to be too much."""
    budget = options.budget
    for source in sources:
        estimate = source.estimate()
        if budget.max_rows is not None and (estimate.rows or 0) > budget.max_rows:
            raise OverBudget(
                f"{source.label} has about {estimate.rows:,} rows, more than {budget.max_rows:,}.",
                next_step="Raise --max-rows, or narrow the diff with --where.",
            )


def expected_rows(sources: Pair) -> int | None:
    """Add up what the catalogs believe, for the progress line."""
    rows = [s.estimate().rows for s in sources]
    return sum(r for r in rows if r is not None) if all(r is not None for r in rows) else None


def peak() -> int:
    """Give the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
