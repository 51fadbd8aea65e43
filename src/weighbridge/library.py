"""The library: `compare` and `preview` of two sides named as on the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weighbridge.catalog.connections import resolve
from weighbridge.compare.preview import Preview, preview_sources
from weighbridge.compare.relations import Name, Relation, relation
from weighbridge.compare.request import (
    Budget,
    Options,
    ProgressCallback,
    SampleWish,
    Stop,
    Strategy,
    Tolerance,
)
from weighbridge.compare.result import Report, RowDiff
from weighbridge.compare.rows import all_rows, row_diffs
from weighbridge.compare.run import Outcome, compare_sources
from weighbridge.compare.timeline import Bucket, timeline
from weighbridge.connectors.base import Source
from weighbridge.connectors.registry import in_window, open_source
from weighbridge.connectors.sides import SideSpec, parse_side
from weighbridge.errors import OverBudget
from weighbridge.net.hosts import HostPolicy

if TYPE_CHECKING:
    import pyarrow as pa


Where = str | tuple[str | None, str | None] | None


class Comparison:
    """A finished comparison. Iterating it streams every row that differs.

    Use it in a `with`, or `close` it: the differing rows lie in a temporary folder.
    """

    def __init__(self, outcome: Outcome, sources: tuple[Source, Source]) -> None:
        self.report: Report = outcome.report
        self._outcome = outcome
        self._sources = sources

    @property
    def same(self) -> bool:
        """Tell whether no difference was found."""
        return self.report.verdict != "different"

    def __iter__(self) -> Iterator[RowDiff]:
        task = self._outcome.task
        for batch in all_rows(task):
            yield from row_diffs(task.keys, task.values, batch)

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Stream every differing row as Arrow: kind, changed, key_…, left_…, right_…."""
        task = self._outcome.task
        names = ["kind", "changed", *(f"key_{p.name}" for p in task.keys)]
        names += [f"left_{p.name}" for p in task.values]
        names += [f"right_{p.name}" for p in task.values]
        for batch in all_rows(task, rows):
            yield batch.rename_columns(names)

    def marked_batches(self, moments: str, rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """Stream every differing row with the moments of a column; `row_diffs` takes them apart.

        moment_left and moment_right are microseconds since 1970, as `compare.rows.all_rows` says.
        """
        yield from all_rows(self._outcome.task, rows, moments=moments)

    def row_diffs(self, batch: pa.RecordBatch) -> Iterator[RowDiff]:
        """Give the rows of a batch of `marked_batches`, or of a part of one."""
        task = self._outcome.task
        yield from row_diffs(task.keys, task.values, batch)

    def relation(self, name: Name) -> Relation:
        """Give what was found as a table of texts; needs the sides to be open still."""
        with self._outcome.workspace.translated():
            return relation(self._outcome.task, name)

    def timeline(self, column: str, unit: str) -> list[Bucket] | str:
        """Count rows and differences by a span of time, or say why that cannot be done."""
        with self._outcome.workspace.translated():
            return timeline(self._outcome.task, column, unit)

    def close(self) -> None:
        """Remove the temporary folder and close both connections."""
        self._outcome.workspace.close()
        for source in self._sources:
            source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def compare(
    left: str,
    right: str,
    *,
    key: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    where: Where = None,
    left_query: str | None = None,
    right_query: str | None = None,
    updated_column: str | None = None,
    since: str | None = None,
    until: str | None = None,
    tolerances: Mapping[str, Tolerance] | None = None,
    rules: Mapping[str, Sequence[str]] | None = None,
    sample: SampleWish | None = None,
    strategy: Strategy = "auto",
    limit: int = 100,
    budget: Budget | None = None,
    snapshot: bool = True,
    paranoid: bool = False,
    recheck: float | None = None,
    memory: int = 96 * 2**20,
    progress: ProgressCallback | None = None,
    stop: Stop | None = None,
    config: str | None = None,
    policy: HostPolicy | None = None,
) -> Comparison:
    """Compare two tables, queries or files, and give the verdict with every row that differs.

    A side is a URL (`postgresql://user@host/db#schema.table`, `mysql://`, `duckdb:///file#t`,
    `sqlite:///file#t`), a file or glob (CSV, Parquet, JSON), or `NAME:table` of
    weighbridge.toml. Column names in the options are the left's. Raises the errors of
    `weighbridge.errors`; a difference is a result, not an error.
    """
    wishes = {name: value for name, value in locals().items() if name in _WISHES}
    options = _options(wishes)
    return compare_sides(
        _sides(left, right, (left_query, right_query), options, config=config),
        options,
        progress=progress or (lambda _: None),
        stop=stop or Stop(),
        policy=policy or HostPolicy.operator(),
    )


# What a caller may wish for, beside the two sides and how to run.
_WISHES = frozenset(f.name for f in fields(Options))


def _options(wishes: Mapping[str, Any]) -> Options:
    """Turn the keyword arguments of `compare` into `Options`."""
    given = {name: value for name, value in wishes.items() if value is not None}
    key, where = given.pop("key", None), given.pop("where", None)
    if key:
        given["key"] = (key,) if isinstance(key, str) else tuple(key)
    given["where"] = where if isinstance(where, tuple) else (where, where)
    if "columns" in given:
        given["columns"] = tuple(given["columns"])
    if "rules" in given:
        given["rules"] = {name: tuple(listed) for name, listed in given["rules"].items()}
    for name in ("rename", "tolerances"):
        if name in given:
            given[name] = dict(given[name])
    given["exclude"] = tuple(given.get("exclude", ()))
    return Options(**given)


def compare_sides(
    specs: tuple[SideSpec, SideSpec],
    options: Options,
    *,
    progress: ProgressCallback,
    stop: Stop,
    policy: HostPolicy | tuple[HostPolicy, HostPolicy],
    again: tuple[SideSpec, SideSpec] | None = None,
) -> Comparison:
    """Compare two sides that are taken apart already; `compare` says the rest.

    `policy`: one for both sides, or each side's own. `again`: the sides in which differing rows are
    looked for when they are read again, if these hold more than the sides that are compared.
    """
    opened: list[Source] = []
    policies = policy if isinstance(policy, tuple) else (policy, policy)

    def reopen(pair: tuple[SideSpec, SideSpec] = again or specs) -> tuple[Source, Source]:
        sources = _open(pair, options, policies)
        opened.extend(sources)
        return sources

    done, late = threading.Event(), threading.Event()
    alarm = _alarm(options, stop, done, late)
    try:
        sources = reopen(specs)
        outcome = compare_sources(sources, options, stop=stop, progress=progress, reopen=reopen)
    except BaseException as error:
        for source in opened:
            source.close()
        if late.is_set():
            raise OverBudget(
                f"The diff took longer than {options.budget.seconds:g} s.",
                next_step="Raise --timeout, or narrow the diff with --where.",
            ) from error
        raise
    finally:
        done.set()
        alarm.cancel()
    return Comparison(outcome, sources)


def _alarm(
    options: Options, stop: Stop, done: threading.Event, late: threading.Event
) -> threading.Timer:
    """Start the clock of --timeout, if there is one; `late` tells that it has run out."""

    def ring() -> None:
        late.set()
        stop.insist(done)

    timer = threading.Timer(options.budget.seconds or 0, ring)
    timer.daemon = True
    if options.budget.seconds is not None:
        timer.start()
    return timer


def _open(
    specs: tuple[SideSpec, SideSpec],
    options: Options,
    policies: tuple[HostPolicy, HostPolicy],
) -> tuple[Source, Source]:
    """Connect to both sides at once; the first one's error counts if both fail."""
    with ThreadPoolExecutor(2, thread_name_prefix="open") as pool:
        opening = [
            pool.submit(open_source, spec, policy, snapshot=options.snapshot)
            for spec, policy in zip(specs, policies, strict=True)
        ]
    failed = [f.exception() for f in opening]
    if any(failed):
        for future in opening:
            if future.exception() is None:
                future.result().close()
        raise next(error for error in failed if error is not None)
    return opening[0].result(), opening[1].result()


def _sides(
    left: str,
    right: str,
    queries: tuple[str | None, str | None],
    options: Options,
    *,
    config: str | None,
) -> tuple[SideSpec, SideSpec]:
    pair = [
        parse_side(resolve(text, config=config), query=query, where=where)
        for text, query, where in zip((left, right), queries, options.where, strict=True)
    ]
    if options.updated_column is not None:
        columns = (
            options.updated_column,
            options.rename.get(options.updated_column, options.updated_column),
        )
        pair = [
            in_window(spec, column, (options.since, options.until))
            for spec, column in zip(pair, columns, strict=True)
        ]
    return pair[0], pair[1]


def preview(left: str, right: str, **wishes: Any) -> Preview:
    """Say what `compare` would do, with the same arguments; reads the catalogs, no row."""
    config = wishes.pop("config", None)
    queries = (wishes.pop("left_query", None), wishes.pop("right_query", None))
    policy = wishes.pop("policy", None) or HostPolicy.operator()
    for name in ("progress", "stop"):
        wishes.pop(name, None)
    options = _options(wishes)
    specs = _sides(left, right, queries, options, config=config)
    sources = _open(specs, options, (policy, policy))
    try:
        return preview_sources(sources, options)
    finally:
        for source in sources:
            source.close()
