"""One model held against its table at the destination: compared, classified, counted by time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from weighbridge.compare.request import Options
from weighbridge.connectors.counting import counting, counting_all, counts
from weighbridge.connectors.registry import open_source
from weighbridge.errors import NotComparable
from weighbridge.integrity.classes import Kept, Watermark, classified, counted, relevant
from weighbridge.integrity.ground import Ground, Sides, both, micros, sides_of
from weighbridge.integrity.partitions import Places, moment
from weighbridge.integrity.results import Partition, Result
from weighbridge.integrity.rules import rules_for
from weighbridge.integrity.words import told
from weighbridge.library import Comparison, compare_sides
from weighbridge.report.as_json import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.compare.request import ProgressCallback, Stop
    from weighbridge.compare.result import RowDiff
    from weighbridge.connectors.sides import SideSpec
    from weighbridge.integrity.request import Compare
    from weighbridge.net.hosts import HostPolicy


@dataclass(frozen=True)
class Question:
    """Which rows of a model are looked at, and how: see `request.Wish`."""

    span: tuple[datetime | None, datetime | None] = (None, None)
    keys: Sequence[tuple[str, ...]] | None = None
    compare: Compare = "content"
    # Of rows that the next transfer brings, too, all are given.
    every: bool = False


@dataclass(frozen=True)
class Found:
    """A model's result, and its rows, given one by one as they are stored.

    `table`: the destination has it.
    """

    result: Result
    rows: Callable[[], Iterator[dict[str, Any]]]
    table: bool = True


@contextmanager
def examined(
    ground: Ground, question: Question, *, stop: Stop, progress: ProgressCallback
) -> Generator[Found]:
    """Find what is not right of a model; the rows can be read while the context lasts."""
    with sides_of(ground, span=question.span, keys=question.keys) as sides:
        if sides.narrow[1] is None:
            yield Found(_without_table(ground, sides, stop), lambda: iter(()), table=False)
            return
        with compared(ground, sides, question.compare, stop=stop, progress=progress) as found:
            yield _found(ground, sides, question, found, stop=stop)


def compared(
    ground: Ground, sides: Sides, compare: Compare, *, stop: Stop, progress: ProgressCallback
) -> Comparison:
    """Compare by the engine; what differs is read again, on the right first.

    The watermark was read before both. What differs in the end was read at the destination after
    that, and at the source after that: all that the watermark covers was there already, and nothing
    at the destination is newer than what is seen of the source.
    """
    wanted = sides.columns
    if compare == "keys":
        needed = {ours for ours, _ in ground.names(keys_only=True)} | {ground.last_modified[0]}
        wanted = tuple(c for c in wanted if c[0].name in needed)
    options = Options(
        key=tuple(ours for ours, _ in ground.names(keys_only=True)),
        columns=tuple(column.name for column, _, _ in wanted),
        rename={column.name: name for column, name, _ in wanted},
        rules={c.name: rules for c, _, kind in wanted if (rules := rules_for(c, kind))},
        recheck=0.0,
        right_first=True,
        explain=False,
        limit=0,
    )
    found = compare_sides(
        both(sides.narrow), options, progress=progress, stop=stop,
        policy=(ground.source.policy, ground.destination.policy), again=both(sides.whole),
    )  # fmt: skip
    try:
        _hold_complete(found, [column.name for column, _, _ in wanted])
    except BaseException:
        found.close()
        raise
    return found


def _hold_complete(found: Comparison, wanted: list[str]) -> None:
    """Refuse a verdict that says nothing of a column."""
    left_out = set(wanted) - {column.name for column in found.report.columns}
    for one in found.report.not_compared:
        if one.column in left_out:
            raise NotComparable(
                f"The column {one.column} cannot be compared: {one.reason}.",
                next_step="A full refresh makes the table as the model describes it.",
            )


def _found(
    ground: Ground, sides: Sides, question: Question, found: Comparison, *, stop: Stop
) -> Found:
    span = tuple(None if bound is None else micros(bound) for bound in question.span)
    watermark = _watermark(ground, sides)

    def batches() -> Iterator[tuple[Any, Any]]:
        for whole in found.marked_batches(ground.last_modified[0]):
            stop.check()
            batch = relevant(whole, (span[0], span[1]))
            if batch.num_rows:
                yield batch, classified(batch, watermark)

    total, places = Counter[str](), Places()
    for batch, classes in batches():
        total.update(counted(classes))
        places.add(batch)
    rows = found.report.rows
    result = Result(
        ground.model.id,
        ground.model.name,
        "",
        compared=rows.matched + sum(total.values()),
        counts=total,
        partitions=tuple(_counted(ground, sides, places.ranges(), stop)),
        watermark=sides.watermark,
    )
    result = replace(result, log=told(result, sides.not_there, changed=_changed(ground)))

    def kept() -> Iterator[dict[str, Any]]:
        import pyarrow as pa  # noqa: PLC0415 heavy

        names, keep = dict(ground.names()), Kept()
        for batch, classes in batches():
            mask = pa.array([True] * len(classes)) if question.every else keep.wanted(classes)
            listed = classes.filter(mask).to_pylist()
            for row, name in zip(found.row_diffs(batch.filter(mask)), listed, strict=True):
                yield as_stored(row, name, names)

    return Found(result, kept)


def _watermark(ground: Ground, sides: Sides) -> Watermark:
    mark = sides.watermark
    return Watermark(None if mark is None else micros(mark), ground.delivered)


def as_stored(row: RowDiff, name: str, names: dict[str, str]) -> dict[str, Any]:
    """Write a row as it is kept: by the names at the destination."""

    def renamed(values: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if values is None else {names[n]: plain(v) for n, v in values.items()}

    return {
        "class": name, "key": renamed(row.key), "source": renamed(row.left),
        "destination": renamed(row.right), "changed": [names[n] for n in row.changed],
    }  # fmt: skip


def _counted(
    ground: Ground, sides: Sides, ranges: list[tuple[int, int]], stop: Stop
) -> Iterator[Partition]:
    """Count both sides' rows in the ranges in which rows differ: one query of each."""
    if not ranges:
        return
    spans = [(moment(since), moment(until)) for since, until in ranges]
    rows = [
        _asked(counting(spec, column, spans), policy, stop)
        for spec, column, policy in (
            (side, shape.column(name), place.policy)
            for side, shape, name, place in zip(
                both(sides.narrow), both(sides.shapes), ground.last_modified,
                (ground.source, ground.destination), strict=True,
            )
        )
        if column is not None
    ]  # fmt: skip
    for (since, until), left, right in zip(ranges, *rows, strict=True):
        yield Partition(since, until, (left, right))


def _asked(spec: SideSpec, policy: HostPolicy, stop: Stop) -> list[int]:
    stop.check()
    source = open_source(spec, policy)
    try:
        stop.on_set(source.cancel)
        return counts(source)
    finally:
        source.close()


def _without_table(ground: Ground, sides: Sides, stop: Stop) -> Result:
    """Say of a model without a table how many rows it will have; missing is what once was there."""
    column, mark = sides.shapes[0].column(ground.last_modified[0]), sides.watermark
    later = None if column is None or mark is None else (column, mark)
    rows, after = _asked(counting_all(sides.narrow[0], later), ground.source.policy, stop)
    pending = after if ground.delivered else rows
    found = Result(
        ground.model.id, ground.model.name, "", compared=rows,
        counts={"pending": pending, "missing": rows - pending}, watermark=mark,
    )  # fmt: skip
    return replace(found, log=told(found, (), table=False))


def _changed(ground: Ground) -> bool:
    return ground.confirmed is not None and not ground.delivered
