"""The command: words of a person become one call of the library, and its answer becomes text.

`main` is the entry point. Order of a run: `flags` (what was typed) → `request` (what is
meant) → `watch` (the work in a thread, signals and progress in the main one) → `outputs`.
Nothing heavy is imported before the work starts: `weighbridge --help` has a budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.cli.engine import Engine

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, engine: Engine | None = None) -> NoReturn:
    """Run the command and leave the process with its exit code."""
    from weighbridge.cli.app import run  # noqa: PLC0415 typer is for the command alone

    run(arguments, engine=engine)
