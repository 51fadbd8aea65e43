"""What can be typed after `weighbridge diff`, as one value. The help and the reference come from here.

Every option is a text here: `request` reads it, so that a mistake is reported in one way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from weighbridge.cli.complete import complete_file, complete_output, complete_side

Texts = list[str] | None

_SIDES = (
    "The two sides. Each is URL#schema.table, NAME:table of weighbridge.toml, or a file or glob"
    " (CSV, TSV, Parquet, JSON, NDJSON). data-diff's DB1 TABLE1 DB2 TABLE2 works, too."
)


@dataclass(frozen=True, kw_only=True)
class DiffFlags:
    """The words of one `weighbridge diff`, as typed. None: not said."""

    sides: Annotated[
        list[str],
        typer.Argument(
            metavar="LEFT RIGHT", help=_SIDES, autocompletion=complete_side, show_default=False
        ),
    ]
    key: Annotated[
        Texts,
        typer.Option(
            "--key",
            "-k",
            "--key-columns",
            metavar="COL[,COL]",
            help="Columns that name a row. Found from the primary key or a unique index otherwise.",
        ),
    ] = None
    columns: Annotated[
        Texts,
        typer.Option(
            "--columns",
            "-c",
            metavar="COL[,COL]",
            help="Compare only these; % stands for any letters. Repeatable.",
        ),
    ] = None
    exclude: Annotated[
        Texts,
        typer.Option("--exclude", metavar="COL[,COL]", help="Leave these out. Repeatable."),
    ] = None
    rename: Annotated[
        Texts,
        typer.Option(
            "--map", metavar="LEFT=RIGHT", help="A column with another name on the right."
        ),
    ] = None
    where: Annotated[
        str | None,
        typer.Option("--where", "-w", metavar="SQL", help="A filter for both sides."),
    ] = None
    left_where: Annotated[
        str | None,
        typer.Option("--left-where", metavar="SQL", help="A filter for the left side."),
    ] = None
    right_where: Annotated[
        str | None,
        typer.Option("--right-where", metavar="SQL", help="A filter for the right side."),
    ] = None
    left_query: Annotated[
        str | None,
        typer.Option(
            "--left-query",
            metavar="SQL|@FILE",
            help="Read the left side from this query instead of a table.",
        ),
    ] = None
    right_query: Annotated[
        str | None,
        typer.Option(
            "--right-query",
            metavar="SQL|@FILE",
            help="Read the right side from this query instead of a table.",
        ),
    ] = None
    updated_column: Annotated[
        str | None,
        typer.Option(
            "--updated-column",
            "-t",
            "--update-column",
            metavar="COL",
            help="The column that says when a row was last changed.",
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only rows changed at this time or later."),
    ] = None
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Only rows changed before this time."),
    ] = None
    tolerance: Annotated[
        Texts,
        typer.Option(
            "--tolerance",
            metavar="COL=HOW",
            help="Equal when this near: COL=abs:0.01, COL=rel:0.001 or COL=time:1s. Repeatable.",
        ),
    ] = None
    rule: Annotated[
        Texts,
        typer.Option(
            "--rule",
            metavar="COL=RULE[,RULE]",
            help="Equal under a rule: case, trim, pad, json, nfc, zero-date … Repeatable.",
        ),
    ] = None
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample",
            metavar="[RATE]",
            help="Look at a share of the keys only (0.01, 1%); without RATE it is chosen.",
        ),
    ] = None
    sample_tolerance: Annotated[
        str | None,
        typer.Option(
            "--sample-tolerance",
            metavar="SHARE",
            help="Share of differing rows that a sample must not miss. Default: 0.001.",
        ),
    ] = None
    confidence: Annotated[
        str | None,
        typer.Option(
            "--confidence", metavar="SHARE", help="How sure a sample must be. Default: 0.99."
        ),
    ] = None
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy", metavar="HOW", help="auto, checksum, stream or join. Default: auto."
        ),
    ] = None
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            "-l",
            metavar="ROWS",
            help="Rows shown as a sample; counts are always exact. Default: 100.",
        ),
    ] = None
    max_rows: Annotated[
        str | None,
        typer.Option("--max-rows", metavar="ROWS", help="Refuse to read more rows."),
    ] = None
    max_bytes: Annotated[
        str | None,
        typer.Option("--max-bytes", metavar="SIZE", help="Refuse to move more: 10MB, 2GiB."),
    ] = None
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="TIME", help="Stop after this time: 30s, 5min, 1h."),
    ] = None
    snapshot: Annotated[
        bool | None,
        typer.Option(
            "--snapshot/--no-snapshot",
            help="Read each side as of one moment, where it can be. Default: yes.",
        ),
    ] = None
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the plan, the SQL and the cost; read no data."),
    ] = False
    paranoid: Annotated[
        bool | None,
        typer.Option("--paranoid", help="Check what a checksum calls equal value by value."),
    ] = None
    recheck: Annotated[
        str | None,
        typer.Option(
            "--recheck",
            metavar="TIME",
            help="Read rows that differ again for this long: tables under writes.",
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORMAT",
            autocompletion=complete_output,
            help="table, json, ndjson, csv, parquet, html, junit or markdown. Default: by"
            " the ending of --out, else table.",
        ),
    ] = None
    out: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="FILE", autocompletion=complete_file, help="Write the result here."
        ),
    ] = None
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="CSV that is safe to open in a spreadsheet."),
    ] = False
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 where the sides differ, too.")
    ] = False
    quiet: Annotated[
        bool | None,
        typer.Option(
            "--quiet", "-q", help="No progress and no notes; no table unless --output asks."
        ),
    ] = None
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            autocompletion=complete_file,
            help="Use this file instead of the weighbridge.toml in this folder or above.",
        ),
    ] = None
    debug: Annotated[
        bool, typer.Option("--debug", "-d", help="Print the traceback of a failure.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class DataDiffFlags:
    """Options of data-diff that mean something here, too."""

    min_age: Annotated[
        str | None,
        typer.Option("--min-age", metavar="AGE", help="Only rows older than this: 5min, 1h."),
    ] = None
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", metavar="AGE", help="Only rows younger than this."),
    ] = None
    stats: Annotated[bool, typer.Option("--stats", "-s", help="Counts without rows.")] = False
    json_lines: Annotated[
        bool, typer.Option("--json", help="As --output ndjson; with --stats as --output json.")
    ] = False
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            "-a",
            metavar="NAME",
            help="auto, joindiff (--strategy join) or hashdiff (--strategy checksum).",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class IdleFlags:
    """Options of data-diff that are accepted, do nothing here, and are hidden in the help."""

    threads: Annotated[str | None, typer.Option("--threads", "-j", hidden=True)] = None
    bisection_factor: Annotated[str | None, typer.Option("--bisection-factor", hidden=True)] = None
    bisection_threshold: Annotated[
        str | None, typer.Option("--bisection-threshold", hidden=True)
    ] = None
    table_write_limit: Annotated[str | None, typer.Option("--table-write-limit", hidden=True)] = (
        None
    )
    no_tracking: Annotated[bool, typer.Option("--no-tracking", hidden=True)] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", hidden=True)] = False
    case_sensitive: Annotated[bool, typer.Option("--case-sensitive", hidden=True)] = False
    assume_unique_key: Annotated[bool, typer.Option("--assume-unique-key", hidden=True)] = False
    sample_exclusive_rows: Annotated[bool, typer.Option("--sample-exclusive-rows", hidden=True)] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class AllFlags(IdleFlags, DataDiffFlags, DiffFlags):
    """Everything that `weighbridge diff` takes; the help lists the last class first."""
