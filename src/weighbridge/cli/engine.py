"""What the command needs of the library, so that a test can put something small in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.compare.request import ProgressCallback, Stop
    from weighbridge.compare.result import Key, NotCompared, Report, RowDiff, Side


class Answer(Protocol):
    """A finished comparison: the verdict, and all row diffs in two forms."""

    @property
    def report(self) -> Report: ...

    def __iter__(self) -> Iterator[RowDiff]: ...

    def diff_batches(self, rows: int = ...) -> Iterator[pa.RecordBatch]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class PlannedColumn(Protocol):
    """One pair of columns of a plan."""

    @property
    def name(self) -> str: ...
    @property
    def right_name(self) -> str: ...
    @property
    def left_type(self) -> str: ...
    @property
    def right_type(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def loses(self) -> str | None: ...


class Plan(Protocol):
    """What a comparison would do; no data query was run for it."""

    @property
    def left(self) -> Side: ...
    @property
    def right(self) -> Side: ...
    @property
    def key(self) -> Key: ...
    @property
    def strategy(self) -> str: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def sql(self) -> tuple[tuple[str, ...], tuple[str, ...]]: ...
    @property
    def columns(self) -> tuple[PlannedColumn, ...]: ...
    @property
    def not_compared(self) -> tuple[NotCompared, ...]: ...
    @property
    def rows(self) -> tuple[int | None, int | None]: ...
    @property
    def bytes(self) -> tuple[int | None, int | None]: ...
    @property
    def seconds(self) -> float | None: ...


class Engine(Protocol):
    """The library's two verbs, by keyword."""

    def compare(
        self,
        left: str,
        right: str,
        *,
        progress: ProgressCallback | None,
        stop: Stop | None,
        **wishes: Any,
    ) -> Answer: ...

    def preview(self, left: str, right: str, **wishes: Any) -> Plan: ...


@dataclass(frozen=True)
class Library:
    """The real engine, imported when it is first called."""

    def compare(
        self,
        left: str,
        right: str,
        *,
        progress: ProgressCallback | None,
        stop: Stop | None,
        **wishes: Any,
    ) -> Answer:
        """Compare two sides."""
        from weighbridge import library  # noqa: PLC0415 the engine loads on use

        return library.compare(left, right, progress=progress, stop=stop, **wishes)

    def preview(self, left: str, right: str, **wishes: Any) -> Plan:
        """Plan a comparison of two sides."""
        from weighbridge import library  # noqa: PLC0415 the engine loads on use

        return library.preview(left, right, **wishes)
