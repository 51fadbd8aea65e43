"""One comparison under way: the two open sources, the decided columns, the counts so far."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from weighbridge.compare.match import Matcher, Tally, outputs
from weighbridge.compare.request import (
    INSIST_SECONDS,
    Options,
    Progress,
    ProgressCallback,
    Stop,
)
from weighbridge.connectors.base import Output, Reading
from weighbridge.errors import OverBudget

if TYPE_CHECKING:
    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.compare.workspace import Workspace
    from weighbridge.connectors.base import Source

Given = TypeVar("Given")


@dataclass
class Task:
    """What the strategies share. `unique` tells per side whether its server keeps the key.

    `rows_read` and `rows_fetched` count per side; `nbytes` what arrived as Arrow.
    """

    sources: tuple[Source, Source]
    keys: tuple[ColumnPair, ...]
    values: tuple[ColumnPair, ...]
    unique: tuple[bool, bool]
    whole_row: bool
    options: Options
    workspace: Workspace
    stop: Stop
    progress: ProgressCallback
    expected: int | None = None
    tally: Tally = field(init=False)
    matcher: Matcher = field(init=False)
    rows_read: list[int] = field(default_factory=lambda: [0, 0])
    rows_fetched: list[int] = field(default_factory=lambda: [0, 0])
    nbytes: int = 0
    sql: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))
    phase: str = "reading"
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.tally = Tally.of(len(self.values))
        self.matcher = Matcher(self.workspace, self.tally)

    def outputs(self, side: int) -> tuple[Output, ...]:
        """List the columns that a side is read as."""
        return outputs(self.keys, self.values, side)

    def key_columns(self, side: int) -> tuple[object, ...]:
        """List a side's key columns."""
        return tuple((p.left, p.right)[side] for p in self.keys)

    def check(self) -> None:
        """End here if someone said stop, or the budget is spent."""
        self.stop.check()
        budget = self.options.budget
        if budget.max_bytes is not None and self.nbytes > budget.max_bytes:
            raise OverBudget(
                f"More than {budget.max_bytes:,} bytes were read.",
                next_step="Raise --max-bytes, or narrow the diff with --where or --columns.",
            )
        if budget.max_rows is not None and max(self.rows_read) > budget.max_rows:
            raise OverBudget(
                f"More than {budget.max_rows:,} rows were read on one side.",
                next_step="Raise --max-rows, or narrow the diff with --where.",
            )

    def arrived(self, side: int, rows: int, size: int) -> None:
        """Count rows that arrived from a side, and tell the person who waits."""
        with self._lock:
            self.rows_read[side] += rows
            self.nbytes += size
        self.tell(sum(self.rows_read))

    def tell(self, rows: int) -> None:
        """Report progress within the present phase."""
        total = None if self.expected is None else self.expected
        self.progress(Progress(self.phase, rows, total))

    def remember_sql(self, side: int, reading: Reading) -> None:
        """Keep the SQL of a reading for the report, once."""
        text = self.sources[side].sql(reading)
        if text not in self.sql[side] and len(self.sql[side]) < 10:
            self.sql[side].append(text)

    def both(self, work: Callable[[int], Given]) -> tuple[Given, Given]:
        """Do the same work for both sides at once; the first error ends both."""
        with ThreadPoolExecutor(2, thread_name_prefix="side") as pool:
            futures = [pool.submit(work, side) for side in (0, 1)]
            ended, others = wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((f for f in futures if f in ended and f.exception()), None)
            while failed and others:
                # Again and again: the other side may just have been about to begin a query.
                for source in self.sources:
                    source.cancel()
                others = wait(others, timeout=INSIST_SECONDS).not_done
            if failed:
                failed.result()
            return futures[0].result(), futures[1].result()
