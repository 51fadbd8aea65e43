"""An engine that is small, so that the command alone is tested. Also a program, for signals.

`python -m tests.unit.cli.fake ANSWER ARGUMENTS…` runs the command on it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

import pyarrow as pa

from weighbridge.compare.request import Progress, ProgressCallback, Stop
from weighbridge.compare.result import (
    ColumnResult,
    Key,
    Keys,
    NotCompared,
    PlanReport,
    Report,
    RowDiff,
    Rows,
    Schema,
    Side,
    SideConsistency,
    Stats,
)
from weighbridge.errors import Cancelled, ConnectionFailed, OverBudget, Unreadable

SAME = Report(
    verdict="identical",
    left=Side("left.csv", "csv", "left.csv"),
    right=Side("right.csv", "csv", "right.csv"),
    key=Key(("id",), ("id",), "given"),
    rows=Rows(left=3, right=3, matched=3, compared=3),
    keys=Keys(distincts=(3, 3)),
    columns=(ColumnResult("v", "v", "text", "text", "exact", None, 3, 0, 100.0, 0),),
    not_compared=(),
    schema=Schema(),
    sample=(),
    explanations=(),
    plan=PlanReport("stream", ("files",), (("select left",), ("select right",))),
    consistency=(SideConsistency("snapshot"), SideConsistency("snapshot")),
    stats=Stats(seconds=0.1, rows_read=(3, 3)),
)
ROW = RowDiff("changed", {"id": 1}, {"id": 1, "v": "a"}, {"id": 1, "v": "b"}, ("v",))
DIFFERENT = replace(
    SAME,
    verdict="different",
    rows=Rows(left=3, right=3, matched=2, changed=1, compared=3),
    columns=(ColumnResult("v", "v", "text", "text", "exact", None, 3, 1, 66.67, 0),),
    sample=(ROW,),
)


@dataclass(frozen=True)
class FakePlan:
    left: Side = SAME.left
    right: Side = SAME.right
    key: Key = SAME.key
    strategy: str = "stream"
    reasons: tuple[str, ...] = ("two files",)
    sql: tuple[tuple[str, ...], tuple[str, ...]] = (("select 1\nfrom l",), ("select \x1b[2J",))
    columns: tuple[ColumnResult, ...] = SAME.columns
    not_compared: tuple[NotCompared, ...] = (NotCompared("x", "left", "only there"),)
    rows: tuple[int | None, int | None] = (1000, None)
    bytes: tuple[int | None, int | None] = (None, 2_000_000)
    seconds: float | None = 1.5


@dataclass
class FakeAnswer:
    report: Report
    many: int = 1

    def __iter__(self) -> Iterator[RowDiff]:
        for number in range(self.many):
            yield replace(ROW, key={"id": number})

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([{"kind": "changed", "changed": ["v"], "key_id": 1}])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


@dataclass
class FakeEngine:
    answer: str = "same"
    asked: dict[str, Any] = field(default_factory=dict[str, Any])

    def compare(
        self,
        left: str,
        right: str,
        *,
        progress: ProgressCallback | None,
        stop: Stop | None,
        **wishes: Any,
    ) -> FakeAnswer:
        self.asked = {"left": left, "right": right, **wishes}
        match self.answer:
            case "same":
                return FakeAnswer(SAME)
            case "different":
                return FakeAnswer(DIFFERENT)
            case "many":
                return FakeAnswer(DIFFERENT, many=200_000)
            case "slow":
                return _slow(cast("ProgressCallback", progress), cast("Stop", stop))
            case "deaf":
                cast("ProgressCallback", progress)(Progress("reading", 1, None))
                time.sleep(60)
                raise AssertionError
            case "bug":
                raise ZeroDivisionError(f"while reading {left}")
            case "unreachable":
                raise ConnectionFailed(f"cannot reach {left}", next_step="Check the host.")
            case "unreadable":
                raise Unreadable("left.csv is not CSV.\nLine 2\x1b[31m", next_step="Look at it.")
            case _:
                raise OverBudget("Too many rows.", next_step="Raise --max-rows.")

    def preview(self, left: str, right: str, **wishes: Any) -> FakePlan:
        self.asked = {"left": left, "right": right, **wishes}
        return FakePlan()


def _slow(progress: ProgressCallback, stop: Stop) -> FakeAnswer:
    """Work for a minute unless stopped; a file tells that the queries were cancelled."""
    witness = os.environ.get("FAKE_WITNESS")
    if witness:
        stop.on_set(lambda: Path(witness).write_text("cancelled", encoding="utf-8") and None)
    for tick in range(600):
        progress(Progress("reading", tick * 1000, 600_000))
        if stop.is_set:
            raise Cancelled("Stopped.", next_step="Run it again.")
        time.sleep(0.1)
    return FakeAnswer(SAME)


if __name__ == "__main__":
    from weighbridge.cli import main

    main(sys.argv[2:], engine=FakeEngine(sys.argv[1]))
