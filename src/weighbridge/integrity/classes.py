"""To which of the five classes a differing row belongs: whole batches, no row by itself.

only in the source:    changed after the watermark → pending, else missing
in both, and differs:  changed after the watermark → stale, else incorrect
only at the destination → orphaned
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

CLASSES = ("pending", "stale", "missing", "incorrect", "orphaned")
# What a person has to look at; the others are expected, and go away by themselves or are harmless.
BAD = ("missing", "incorrect")
# Rows of the others are shown, not needed: their number is that of all rows that are new.
SHOWN = {"pending": 1_000, "stale": 1_000}


@dataclass(frozen=True)
class Watermark:
    """Up to which moment of change (microseconds since 1970) a destination must hold all rows.

    None: up to none. `timeless`: rows without such a moment must be there, too.
    """

    micros: int | None
    timeless: bool


def classified(batch: pa.RecordBatch, watermark: Watermark) -> pa.Array:
    """Give the class of each row of a batch that has `kind` and `moment_left`."""
    import pyarrow as pa  # noqa: PLC0415 heavy
    import pyarrow.compute as pc  # noqa: PLC0415 heavy

    moments = batch.column("moment_left")
    if watermark.micros is None:
        later = pc.is_valid(moments)
    else:
        later = pc.fill_null(pc.greater(moments, watermark.micros), False)
    if not watermark.timeless:
        later = pc.or_(later, pc.is_null(moments))
    kind: Any = batch.column("kind")
    left, right = (pc.equal(kind, pa.scalar(name)) for name in ("only_left", "only_right"))
    alone = pc.if_else(later, pa.scalar("pending"), pa.scalar("missing"))
    both = pc.if_else(later, pa.scalar("stale"), pa.scalar("incorrect"))
    return pc.if_else(right, pa.scalar("orphaned"), pc.if_else(left, alone, both))


def relevant(batch: pa.RecordBatch, span: tuple[int | None, int | None]) -> pa.RecordBatch:
    """Keep the rows that changed in [since, until), in microseconds: by the source, where it has them.

    A row that has left the window since it was delivered is no concern of it.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 heavy

    if span == (None, None):
        return batch
    alone = pc.equal(batch.column("kind"), "only_right")
    moments = pc.if_else(alone, batch.column("moment_right"), batch.column("moment_left"))
    keep = pc.is_valid(moments)
    if span[0] is not None:
        keep = pc.and_(keep, pc.greater_equal(moments, span[0]))
    if span[1] is not None:
        keep = pc.and_(keep, pc.less(moments, span[1]))
    return batch.filter(pc.fill_null(keep, False))


@dataclass
class Kept:
    """Which rows are kept: all that somebody has to look at, and of the others some."""

    seen: Counter[str] = field(default_factory=Counter[str])

    def wanted(self, classes: pa.Array) -> pa.Array:
        """Give the mask of the rows of a batch that are kept."""
        import pyarrow as pa  # noqa: PLC0415 heavy
        import pyarrow.compute as pc  # noqa: PLC0415 heavy

        place = pa.array(range(len(classes)), pa.int64())
        mask: Any = pc.invert(pc.is_in(classes, value_set=pa.array(list(SHOWN))))
        for name, most in SHOWN.items():
            places = pc.indices_nonzero(pc.equal(classes, name)).cast(pa.int64())
            room = max(0, most - self.seen[name])
            self.seen[name] += len(places)
            mask = pc.or_(mask, pc.is_in(place, value_set=places[:room]))
        return mask


def counted(classes: pa.Array) -> Mapping[str, int]:
    """Count a batch's classes."""
    return {item["values"]: item["counts"] for item in classes.value_counts().to_pylist()}
