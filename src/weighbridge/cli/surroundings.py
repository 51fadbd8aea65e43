"""What a run finds around it: the environment, the streams, the clocks. Tests bring their own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TextIO


def _now() -> datetime:
    return datetime.now(timezone.utc)  # noqa: UP017 the shorter name loads nothing less


@dataclass(frozen=True)
class Surroundings:
    """The world outside of one run."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    now: Callable[[], datetime] = _now
    clock: Callable[[], float] = time.monotonic

    @property
    def on_terminal(self) -> bool:
        """Tell whether the result is read by a person at once."""
        return self.stdout.isatty()

    def say(self, text: str) -> None:
        """Write a line for the person, beside the result. A closed stderr is no failure."""
        try:
            print(text, file=self.stderr, flush=True)
        except (OSError, ValueError):
            return
