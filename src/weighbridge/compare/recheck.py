"""Read the rows that differ again, so that a row in flight is not called different."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weighbridge.compare.task import Task
    from weighbridge.connectors.base import Source


def recheck(task: Task, reopen: Callable[[], tuple[Source, Source]]) -> list[str]:
    """Re-read until each difference has stood unchanged for the grace time."""
    raise NotImplementedError
