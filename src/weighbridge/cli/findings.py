"""One thing that `weighbridge doctor` looked at: what it found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """A sentence about one thing. `next_step` is empty where all is well; neither holds a secret."""

    level: Level
    subject: str
    message: str
    next_step: str = ""


def ok(subject: str, message: str) -> Finding:
    """All is well."""
    return Finding("ok", subject, message)


def warning(subject: str, message: str, next_step: str) -> Finding:
    """It works, and may not for long, or not as one thinks."""
    return Finding("warning", subject, message, next_step)


def problem(subject: str, message: str, next_step: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding("problem", subject, message, next_step)
