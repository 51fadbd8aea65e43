"""Windows of one integer key: both sides arrive in its order and meet in memory.

Nothing is written down but what differs.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from weighbridge.compare.task import Task
from weighbridge.connectors.base import Reading
from weighbridge.errors import RunFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many batches a side may be ahead of the other.
AHEAD = 2
# Differing values, of both sides, that are gathered before they are matched: more than a group of
# rows of the scratch database, unless they are very wide.
ENOUGH_WAITING = 800_000
# Every so-many-th row of a window with differences is kept for the lift of explanations.
BASE_STEP = 100
# So many of them are gathered before they are written down.
BASE_WAITING = 5_000
# A side that holds fewer rows is read on first: a window of one row costs as much as of thousands.
FEW = 4_096
# Keys are looked up in a table of bits if they fill at least this part of their range.
DENSE = 16
# Up to so many rows are left out of a window by keeping what is between them.
SLICES = 100
# Pieces of memory that the rows of a window may lie in.
PIECES = 16
# As scalars: given a bool of Python, Arrow looks for pandas each time.
_YES, _NO = pa.scalar(True), pa.scalar(False)


class _Side:
    """One side's rows in key order, read ahead by a thread of its own."""

    def __init__(self, task: Task, side: int) -> None:
        self._task = task
        self._side = side
        self._queue: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(AHEAD)
        self._gone = threading.Event()
        self.done = False
        self._last = -(2**63)
        self.rows: pa.Table | None = None
        self._thread = threading.Thread(target=self._run, name=f"side-{side}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        task, side = self._task, self._side
        pair = task.keys[0]
        column = (pair.left, pair.right)[side]
        reading = Reading(
            task.outputs(side),
            key=column,
            keys=(column,),
            key_nulls=False if column.nullable else None,
            ordered=True,
        )
        try:
            task.remember_sql(side, reading)
            for batch in task.sources[side].read(reading):
                task.arrived(side, batch.num_rows, batch.nbytes)
                if not self._put(batch):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 handed over to the thread that compares
            self._put(error)

    def _put(self, item: pa.RecordBatch | BaseException | None) -> bool:
        while not self._gone.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def more(self) -> None:
        """Wait for the next batch and add it to `rows`."""
        while not self.done:
            try:
                item = self._queue.get(timeout=0.5)
            except queue.Empty:
                self._task.check()
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                self.done = True
            elif item.num_rows:
                self._expect_order(item)
                table = pa.Table.from_batches([item])
                self.rows = table if not self.rows else _joined([self.rows, table])
            else:
                continue
            return

    def _expect_order(self, batch: pa.RecordBatch) -> None:
        """Refuse what would end in a false verdict: rows that do not follow those before."""
        keys = batch.column("k0").to_numpy()
        if keys[0] < self._last or not np.all(keys[1:] >= keys[:-1]):
            raise RunFailed(
                f"{self._task.sources[self._side].label} gave rows that are not in the order of"
                " the key, though they were asked for so.",
                next_step="Run it again; if it is a file, see that nothing writes to it meanwhile.",
            )
        self._last = int(keys[-1])

    def keys(self) -> NDArray[np.int64]:
        """Give the keys of the rows held, in order."""
        if self.rows is None:
            return np.empty(0, dtype=np.int64)
        return self.rows.column("k0").to_numpy()

    def take(self, count: int) -> pa.Table | None:
        """Give the first `count` rows and keep the others."""
        if self.rows is None or count == 0:
            return self.rows.slice(0, 0) if self.rows is not None else None
        head = self.rows.slice(0, count)
        self.rows = self.rows.slice(count)
        return head

    def leave(self) -> None:
        """Let the reading thread end."""
        self._gone.set()
        self._thread.join(timeout=10)


def compare_windows(task: Task) -> None:
    """Compare both sides window by window, as they arrive in the order of the key."""
    task.phase = "comparing"
    sides = (_Side(task, 0), _Side(task, 1))
    waiting = Waiting(task)
    local = all(s.traits.local for s in task.sources)
    try:
        with task.workspace.sparing() if local else nullcontext():
            for left, right in _windows(task, sides):
                task.check()
                compare_window(task, waiting, left, right)
            waiting.hand_over()
    except BaseException:
        for source in task.sources:
            source.cancel()
        raise
    finally:
        for side in sides:
            side.leave()


def _windows(
    task: Task, sides: tuple[_Side, _Side]
) -> Iterator[tuple[pa.Table | None, pa.Table | None]]:
    while True:
        for side in sides:
            if not side.done and (side.rows is None or side.rows.num_rows < FEW):
                side.more()
        keys = [side.keys() for side in sides]
        if all(side.done for side in sides):
            if len(keys[0]) or len(keys[1]):
                yield sides[0].take(len(keys[0])), sides[1].take(len(keys[1]))
            return
        # A side that may still send rows of its last key can be compared below that key only.
        ends = [k[-1] for k, side in zip(keys, sides, strict=True) if len(k) and not side.done]
        end = min(ends)
        counts = [int(np.searchsorted(k, end)) for k in keys]
        if counts == [0, 0] or not any(counts):
            for k, side in zip(keys, sides, strict=True):
                if len(k) and k[-1] == end and not side.done:
                    side.more()
            continue
        yield sides[0].take(counts[0]), sides[1].take(counts[1])
        task.check()


class Waiting:
    """Pairs of rows that differ, gathered over windows: to match few costs as much as many.

    Windows hold disjoint ranges of the key, so what is unique in each is unique together.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._tables: tuple[list[pa.Table], list[pa.Table]] = ([], [])
        self._values = 0
        self._base: list[pa.Table] = []
        self._base_rows = 0

    def add(self, tables: Sequence[pa.Table]) -> None:
        """Keep the aligned rows of one window, and match what waits when it is enough."""
        for held, table in zip(self._tables, tables, strict=True):
            held.append(table)
            self._values += table.num_rows * table.num_columns
        if self._values >= ENOUGH_WAITING:
            self.hand_over()

    def keep_base(self, rows: pa.Table) -> None:
        """Keep some rows of the left of a window that differs, for the lift of explanations."""
        if self._task.workspace.base_full:
            return
        self._base.append(rows.take(pa.array(np.arange(0, rows.num_rows, BASE_STEP))))
        self._base_rows += self._base[-1].num_rows
        if self._base_rows >= BASE_WAITING:
            self._write_base()

    def _write_base(self) -> None:
        if self._base:
            connection = self._task.workspace.connection
            connection.register("seen", pa.concat_tables(self._base))
            self._task.workspace.keep_base_of("seen")
            connection.unregister("seen")
        self._base.clear()
        self._base_rows = 0

    def hand_over(self) -> None:
        """Match what waits."""
        self._write_base()
        if not self._values:
            return
        tables: list[pa.Table] = []
        for held in self._tables:
            tables.append(pa.concat_tables(held).combine_chunks())
            held.clear()
        self._values = 0
        with _registered(self._task, tables) as names:
            self._task.matcher.match_aligned(*names)


def compare_window(
    task: Task,
    waiting: Waiting,
    left: pa.Table | None,
    right: pa.Table | None,
    *,
    note_duplicates: bool = True,
) -> None:
    """Compare the rows of one range of the key, each side in its order."""
    tables = [t if t is not None else _empty_like(o) for t, o in ((left, right), (right, left))]
    keys = [t.column("k0").combine_chunks().to_numpy() for t in tables]
    clean = [bool(np.all(k[1:] != k[:-1])) for k in keys]
    for side in (0, 1):
        if note_duplicates and not clean[side]:
            _note_duplicates(task, side, keys[side])
    if all(clean):
        differing = _differing_rows(task, tables, keys)
        if differing is not None:
            waiting.keep_base(tables[0])
            waiting.add(differing)
    else:
        _match(task, tables, unique=False)


def _differing_rows(
    task: Task, tables: list[pa.Table], keys: list[NDArray[np.int64]]
) -> list[pa.Table] | None:
    """Count the equal rows of two windows of unique keys, and give the others, aligned.

    The n-th rows of both tables belong together; `here` is null where a side has none.
    """
    aligned, alone = tables, [t.schema.empty_table() for t in tables]
    if not np.array_equal(keys[0], keys[1]):
        # Both sides are in the order of the key, so what both have is aligned once the rest is out.
        found = (_among(keys[0], keys[1]), _among(keys[1], keys[0]))
        aligned = [_without(t, np.flatnonzero(~f)) for t, f in zip(tables, found, strict=True)]
        alone = [t.filter(pa.array(~f)) for t, f in zip(tables, found, strict=True)]
    differs = _differs(task, aligned)
    number = pc.sum(differs).as_py() or 0
    equal = aligned[0]
    if number and any(p.assumed for p in task.values):
        equal = equal.filter(pc.invert(differs))
    _count_equal(task, equal, aligned[0].num_rows - number)
    if not number and not alone[0].num_rows and not alone[1].num_rows:
        return None
    pairs = [_here(side.filter(differs)) for side in aligned]
    return [
        pa.concat_tables([pairs[0], _here(alone[0]), _gap(tables[0], alone[1].num_rows)]),
        pa.concat_tables([pairs[1], _gap(tables[1], alone[0].num_rows), _here(alone[1])]),
    ]


def _without(table: pa.Table, places: NDArray[np.int64]) -> pa.Table:
    """Leave out a few rows: what is between them stays where it is, much faster than a filter."""
    if len(places) > SLICES:
        kept = np.ones(table.num_rows, dtype=bool)
        kept[places] = False
        return table.filter(pa.array(kept))
    edges = pairwise([-1, *places.tolist(), table.num_rows])
    between = [table.slice(a + 1, b - a - 1) for a, b in edges if b - a > 1]
    return _joined(between or [table.slice(0, 0)])


def _among(keys: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which of `keys` are in `others`; both ascend and hold nothing twice."""
    if not len(others) or not len(keys):
        return np.zeros(len(keys), dtype=bool)
    low, high = min(int(keys[0]), int(others[0])), max(int(keys[-1]), int(others[-1]))
    if high - low < DENSE * len(keys):
        here = np.zeros(high - low + 1, dtype=bool)
        here[others - low] = True
        return here[keys - low]
    at = np.searchsorted(others, keys)
    at[at == len(others)] = 0
    return others[at] == keys


def _here(table: pa.Table) -> pa.Table:
    return table.append_column("here", pa.repeat(_YES, table.num_rows))


def _gap(table: pa.Table, rows: int) -> pa.Table:
    """Give as many rows of nulls, in the columns of `table` and `here`."""
    columns = [pa.nulls(rows, field.type) for field in table.schema]
    gap = pa.Table.from_arrays(columns, schema=table.schema)
    return gap.append_column("here", pa.nulls(rows, pa.bool_()))


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Put tables one after the other; what is in them is copied only when it is in many pieces."""
    table = pa.concat_tables(tables)
    return table.combine_chunks() if table.column(0).num_chunks > PIECES else table


def _differs(task: Task, aligned: list[pa.Table]) -> pa.BooleanArray:
    differs: pa.BooleanArray | None = None
    for i in range(len(task.values)):
        left, right = (t.column(f"c{i}") for t in aligned)
        # Most columns of most windows are equal, and that is seen without making them whole.
        if left.equals(right):
            continue
        unequal = _unequal(_whole(left), _whole(right))
        differs = unequal if differs is None else pc.or_(differs, unequal)
    return pa.repeat(_NO, aligned[0].num_rows) if differs is None else differs


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _unequal(left: pa.Array, right: pa.Array) -> pa.BooleanArray:
    unequal = pc.not_equal(left, right)
    if pa.types.is_floating(left.type):
        unequal = pc.and_not(unequal, pc.and_(pc.is_nan(left), pc.is_nan(right)))
    if left.null_count or right.null_count:
        one_is_null = pc.xor(left.is_null(), right.is_null())
        unequal = pc.or_(pc.fill_null(unequal, False), one_is_null)
    return unequal


def _count_equal(task: Task, table: pa.Table, rows: int) -> None:
    task.tally.matched += rows
    for i, pair in enumerate(task.values):
        if pair.assumed and rows:
            task.tally.equal_nulls[i] += table.column(f"c{i}").null_count


def _note_duplicates(task: Task, side: int, keys: NDArray[np.int64]) -> None:
    values, counts = np.unique(keys, return_counts=True)
    many = counts > 1
    batch = pa.record_batch({"k0": values[many], "n": counts[many].astype(np.int64)})
    task.workspace.insert(f"dupes_{('left', 'right')[side]}", [batch])


def _match(task: Task, tables: list[pa.Table], *, unique: bool) -> None:
    with _registered(task, tables) as names:
        task.matcher.match(*names, unique=unique)


@contextmanager
def _registered(task: Task, tables: list[pa.Table]) -> Generator[tuple[str, str]]:
    """Let DuckDB see two Arrow tables, under the names given."""
    names = ("window_left", "window_right")
    for name, table in zip(names, tables, strict=True):
        task.workspace.connection.register(name, table)
    try:
        yield names
    finally:
        for name in names:
            task.workspace.connection.unregister(name)


def _empty_like(other: pa.Table | None) -> pa.Table:
    if other is None:
        raise ValueError
    return other.schema.empty_table()
