"""Read both sides once and compare on the way.

With an integer key that both sides can be read in the order of, windows of the same key
range meet in memory: nothing is written down but what differs. Otherwise both sides are
staged in the scratch database and joined there, which spills to disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from weighbridge.compare.staging import compare_null_keys, compare_staged
from weighbridge.compare.task import Task

if TYPE_CHECKING:
    from weighbridge.compare.normalise import ColumnPair
    from weighbridge.connectors.base import Source


def stream(task: Task) -> None:
    """Compare everything in one pass."""
    if can_window(task):
        # numpy and Arrow's kernels cost a tenth of a second to load, and a checksum needs neither.
        from weighbridge.compare.windows import compare_windows  # noqa: PLC0415

        compare_windows(task)
        compare_null_keys(task)
    else:
        compare_staged(task)


def can_window(task: Task) -> bool:
    """Tell whether both sides can be read in the order of one integer key."""
    return windows_fit(task.keys, task.whole_row, task.sources)


def windows_fit(
    keys: Sequence[ColumnPair], whole_row: bool, sources: tuple[Source, Source]
) -> bool:
    """Tell whether windows of one integer key can be read from both sides."""
    if len(keys) != 1 or whole_row:
        return False
    columns = (keys[0].left, keys[0].right)
    return (
        all(c.type.family == "int" for c in columns)
        and keys[0].strict == ("{x}", "{x}")
        and not any(c.type.unsigned and c.type.bits == 64 for c in columns)
        and all(s.in_order(c) for s, c in zip(sources, columns, strict=True))
    )
