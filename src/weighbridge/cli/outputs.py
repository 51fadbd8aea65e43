"""Where an answer goes: stdout is the result's alone, or the verdict's where a file has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from weighbridge.cli.engine import Answer
from weighbridge.cli.request import Delivery
from weighbridge.cli.surroundings import Surroundings
from weighbridge.compare.request import Stop
from weighbridge.errors import BadArgument, Cancelled
from weighbridge.report.words import headline
from weighbridge.report.write import Format, Look, write

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

    from weighbridge.compare.result import Report, RowDiff

DIFFERENT = 1
_TABLE_ROWS = 20


def check(delivery: Delivery, around: Surroundings) -> None:
    """Refuse what could not be delivered, before any work is done. Raises BadArgument."""
    if delivery.out is None:
        if delivery.form == "parquet" and around.on_terminal:
            raise BadArgument(
                "Parquet is binary and would garble the terminal.",
                next_step="Give a file with --out, or pipe it on.",
            )
        return
    folder = delivery.out.absolute().parent
    if delivery.out.is_dir():
        raise BadArgument(f"--out: {delivery.out} is a folder.", next_step="Name a file in it.")
    if not folder.is_dir():
        raise BadArgument(
            f"--out: the folder {folder} does not exist.",
            next_step="Make it, or write somewhere else.",
        )
    if not os.access(delivery.out if delivery.out.exists() else folder, os.W_OK):
        raise BadArgument(
            f"--out: {delivery.out} cannot be written.",
            next_step="Correct the permissions, or write somewhere else.",
        )


def deliver(answer: Answer, delivery: Delivery, around: Surroundings, stop: Stop) -> int:
    """Write the answer and give the exit code. A reader that goes away (`| head`) is no failure."""
    whole = _UntilStopped(answer, stop)
    with _pipe_may_close(around):
        if delivery.form is not None:
            _write(whole, delivery, around)
    differs = answer.report.verdict == "different"
    return DIFFERENT if differs and not delivery.exit_zero else 0


def verdict_line(report: Report) -> str:
    """Say the verdict in one line."""
    words = headline(report)
    return f"{words.symbol} {words.title}: {words.sentence}"


def _write(answer: _UntilStopped, delivery: Delivery, around: Surroundings) -> None:
    look = Look(
        rows=_TABLE_ROWS if delivery.rows is None else delivery.rows,
        spreadsheet=delivery.spreadsheet,
        at=around.now(),
    )
    form = cast("Format", delivery.form)
    if delivery.out is not None:
        write(answer, form, delivery.out, look=look)
        if delivery.quiet:
            return
        if not around.on_terminal:
            print(verdict_line(answer.report), file=around.stdout, flush=True)
            return
        form = "table"
    if form == "table" and around.on_terminal:
        _draw(answer, delivery, around, look)
    else:
        around.stdout.flush()
        write(answer, form, around.stdout.buffer, look=look)


def _draw(answer: _UntilStopped, delivery: Delivery, around: Surroundings, look: Look) -> None:
    from rich.console import Console  # noqa: PLC0415 only a table on a terminal needs it

    console = Console(file=around.stdout, no_color=not delivery.color, highlight=False)
    write(answer, "table", console, look=look)


@contextmanager
def _pipe_may_close(around: Surroundings) -> Generator[None]:
    try:
        yield
        around.stdout.flush()
    except BrokenPipeError:
        # Whatever is still buffered goes nowhere, silently, when the interpreter ends.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), around.stdout.fileno())


@dataclass(frozen=True)
class _UntilStopped:
    """An answer whose rows end with Cancelled when the switch is set."""

    answer: Answer
    stop: Stop

    @property
    def report(self) -> Report:
        return self.answer.report

    def __iter__(self) -> Iterator[RowDiff]:
        for row in self.answer:
            self._check()
            yield row

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        for batch in self.answer.diff_batches(rows):
            self._check()
            yield batch

    def _check(self) -> None:
        if self.stop.is_set:
            raise Cancelled(
                "The run was stopped while its rows were written.", next_step="Run it again."
            )
