"""Where rows differ by the moment of their last change: a few ranges, in seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# Seconds of a range; each divides the next, so that ranges become wider without being cut.
WIDTHS = (1, 10, 60, 600, 3_600, 21_600, 86_400, 864_000, 8_640_000, 86_400_000, 864_000_000)
# More of them no person reads.
MOST = 20
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN = tuple(int((m - _EPOCH).total_seconds()) for m in (_FIRST, _LAST))


@dataclass
class Places:
    """The ranges in which differing rows were met; they widen as these spread out."""

    width: int = WIDTHS[0]
    _starts: set[int] = field(default_factory=set[int])

    def add(self, batch: pa.RecordBatch) -> None:
        """Note the moments of a batch's rows on both sides; what is no moment lies nowhere."""
        import pyarrow.compute as pc  # noqa: PLC0415 heavy

        for name in ("moment_left", "moment_right"):
            moments = pc.drop_null(batch.column(name))
            low, high = (bound * 1_000_000 for bound in _SPAN)
            known = moments.filter(pc.and_(pc.greater_equal(moments, low), pc.less(moments, high)))
            # Whole seconds downwards, also before 1970; a division of integers goes to zero.
            downwards = pc.if_else(pc.less(known, 0), pc.subtract(known, 999_999), known)
            seconds = pc.divide(downwards, 1_000_000)
            starts = pc.unique(seconds).to_pylist()
            self._starts.update(s // self.width * self.width for s in starts)
            self._widen()

    def _widen(self) -> None:
        for width in WIDTHS[WIDTHS.index(self.width) + 1 :]:
            if len(self._starts) <= MOST:
                return
            self.width = width
            self._starts = {start // width * width for start in self._starts}

    def ranges(self) -> list[tuple[int, int]]:
        """Give the ranges in their order, half-open."""
        return [(start, start + self.width) for start in sorted(self._starts)]


def moment(seconds: int) -> datetime:
    """Give the moment of so many seconds since 1970, within the years that a date can have."""
    low, high = _SPAN
    return _EPOCH + timedelta(seconds=min(max(seconds, low), high))
