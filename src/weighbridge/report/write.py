"""One call for every format. Each writer is a module of its own, loaded when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, cast, get_args

from weighbridge.compare.result import Report, RowDiff
from weighbridge.errors import BadArgument
from weighbridge.report.target import opened

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

Format = Literal["table", "json", "ndjson", "csv", "parquet", "html", "junit", "markdown"]
Target = str | os.PathLike[str] | BinaryIO
FORMATS: tuple[Format, ...] = get_args(Format)


class Compared(Protocol):
    """What a comparison offers to its writers: the verdict, and all row diffs in two forms."""

    @property
    def report(self) -> Report:
        """The verdict, with its sample of row diffs."""
        ...

    def __iter__(self) -> Iterator[RowDiff]:
        """Give every row diff."""
        ...

    def diff_batches(self, rows: int = ...) -> Iterator[pa.RecordBatch]:
        """Give every row diff, typed, `rows` at a time."""
        ...


@dataclass(frozen=True)
class Look:
    """What a reader may wish for. Each format takes what it can use and ignores the rest.

    `rows`: row diffs that `table` shows (`html` shows the whole sample). `spreadsheet`: CSV
    that is safe to open in a spreadsheet. `at`: when the comparison ended, said in the page.
    """

    title: str | None = None
    rows: int = 20
    spreadsheet: bool = False
    at: datetime | None = None


def write(
    compared: Compared, form: Format, out: Target | Console, *, look: Look | None = None
) -> None:
    """Write a comparison in one format.

    `out` is a path (written whole or not at all), a binary stream, or, for `table` only, a
    rich Console. `ndjson`, `csv` and `parquet` stream every row diff in bounded memory; the
    others carry the report's sample.
    Raises BadArgument where the target cannot take the format, SpillFull on a full disk.
    """
    look = look or Look()
    if form not in FORMATS:
        message = f"There is no output format {form!r}."
        raise BadArgument(message, next_step=f"Choose one of {', '.join(FORMATS)}.")
    if not isinstance(out, (str, os.PathLike)) and not hasattr(out, "isatty"):
        _write_to_console(compared.report, form, cast("Console", out), look)
        return
    target = cast("Target", out)
    if form == "parquet" and not isinstance(target, (str, os.PathLike)) and target.isatty():
        message = "Parquet is binary and would garble the terminal."
        raise BadArgument(message, next_step="Give a file with --out, or pipe it on.")
    with opened(target) as stream:
        if form in {"ndjson", "csv", "parquet"}:
            _write_rows(compared, form, stream, look)
        else:
            _write_report(compared.report, form, stream, look)


def _write_to_console(report: Report, form: Format, console: Console, look: Look) -> None:
    if form != "table":
        message = f"The format {form} cannot be drawn on a console."
        raise BadArgument(message, next_step="Give a path or a binary stream.")
    from weighbridge.report.as_table import print_table  # noqa: PLC0415 rich is loaded on use

    print_table(report, console, rows=look.rows)


def _write_rows(compared: Compared, form: Format, out: BinaryIO, look: Look) -> None:
    if form == "ndjson":
        from weighbridge.report.as_json import write_ndjson  # noqa: PLC0415 loaded on use

        write_ndjson(compared, out)
        return
    from weighbridge.report import as_rows  # noqa: PLC0415 pyarrow is loaded on use

    if form == "csv":
        batches = compared.diff_batches()
        as_rows.write_csv(batches, compared.report, out, spreadsheet=look.spreadsheet)
    else:
        as_rows.write_parquet(compared.diff_batches(), compared.report, out)


def _write_report(report: Report, form: Format, out: BinaryIO, look: Look) -> None:
    if form == "json":
        from weighbridge.report.as_json import write_json  # noqa: PLC0415 loaded on use

        write_json(report, out)
        return
    out.write(_text(report, form, look).encode("utf-8"))


def _text(report: Report, form: Format, look: Look) -> str:
    # The imports are lazy so that one format does not load the libraries of another.
    if form == "html":
        from weighbridge.report.as_html import page  # noqa: PLC0415 loaded on use

        return page(report, title=look.title, at=look.at)
    if form == "junit":
        from weighbridge.report.as_junit import junit  # noqa: PLC0415 loaded on use

        return junit(report, title=look.title)
    if form == "markdown":
        from weighbridge.report.as_markdown import markdown  # noqa: PLC0415 loaded on use

        return markdown(report, title=look.title)
    from weighbridge.report.as_table import table_text  # noqa: PLC0415 rich is loaded on use

    return table_text(report, rows=look.rows)
