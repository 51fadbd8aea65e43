"""What a migration did to the copy, and whether the diff's verdict says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from demo.flights import count

LOST = range(100_001, 100_501)
DOUBLED = range(200_001, 200_251)
WIDTH = 30


@dataclass(frozen=True)
class Fault:
    """One planted fault: the rows it struck, and how a verdict may name it.

    `column` is None where whole rows came or went; then `rows` says which kind they are.
    """

    title: str
    struck: int
    words: str
    column: str | None = None
    rows: str = "changed"


@dataclass(frozen=True)
class Finding:
    """A fault beside what the verdict has on it."""

    fault: Fault
    found: int
    named: str | None

    @property
    def good(self) -> bool:
        """Say whether it was found to the row, and named."""
        return self.found == self.fault.struck and self.named is not None


def plant(flights: duckdb.DuckDBPyConnection) -> list[Fault]:
    """Make the table `right_side` from `left_side`, and say what is wrong with it."""
    # The doubled page arrived a second time from the source itself, so its rows are right.
    intact = f"id between {DOUBLED[0]} and {DOUBLED[-1]}"
    lost = f"id between {LOST[0]} and {LOST[-1]}"
    struck = {
        "departs_at": "carrier = 'UA'",
        "distance_km": "month = 7 and round(distance_km, 2) <> distance_km",
        "destination": f"length(destination) > {WIDTH}",
        "tailnum": "tailnum is null",
    }
    wrong = {
        "departs_at": "departs_at - interval 5 hours",
        "distance_km": "round(distance_km, 2)::decimal(10, 4)",
        "destination": f"left(destination, {WIDTH})",
        "tailnum": "''",
    }
    replaced = ", ".join(
        f"case when {struck[name]} and not ({intact}) then {wrong[name]} else {name} end as {name}"
        for name in struck
    )
    flights.execute(f"""
        create table right_side as
        with copied as (
            select * replace ({replaced}, cancelled::tinyint as cancelled)
            from left_side where not ({lost})
        )
        from copied union all from copied where {intact}
        order by id
    """)
    rows = {
        name: count(
            flights,
            f"select count(*) from left_side where {where} and not ({intact}) and not ({lost})",
        )
        for name, where in struck.items()
    }
    return [
        Fault("UA's times moved by a time zone", rows["departs_at"], r"5 ?h", "departs_at"),
        Fault("July's decimals rounded", rows["distance_km"], r"round", "distance_km"),
        Fault(f"text cut at {WIDTH} characters", rows["destination"], rf"{WIDTH}", "destination"),
        Fault("NULL turned into ''", rows["tailnum"], r"NULL|null", "tailnum"),
        Fault("rows lost at a page edge", len(LOST), r"\bid\b", rows="only_left"),
        Fault("rows doubled", len(DOUBLED), r"dup|double|twice", rows="only_right"),
    ]


def check(planted: Sequence[Fault], verdict: dict[str, Any]) -> list[Finding]:
    """Put each planted fault beside the verdict's count and the words that name it."""
    return [Finding(fault, found(fault, verdict), named(fault, verdict)) for fault in planted]


def found(fault: Fault, verdict: dict[str, Any]) -> int:
    """Count the verdict's rows for a fault."""
    if fault.column is None:
        return int(verdict["rows"][fault.rows])
    columns = {column["name"]: column for column in verdict["columns"]}
    return int(columns[fault.column]["differences"])


def named(fault: Fault, verdict: dict[str, Any]) -> str | None:
    """Find the words that name a fault: an explanation, or the count of doubled keys."""
    for explanation in verdict["explanations"]:
        about = explanation["rows"] == fault.rows
        column = fault.column is None or fault.column in explanation["columns"]
        if about and column and re.search(fault.words, explanation["text"]):
            return str(explanation["text"])
    surplus = verdict["keys"]["dupes"]
    if fault.rows == "only_right" and surplus == [0, 2 * len(DOUBLED)]:
        return f"keys: {surplus[1]} rows of the right side share their key"
    return None


def show(findings: Sequence[Finding]) -> None:
    """Print planted beside found."""
    table = Table(
        "planted", "rows", "found", "named as", box=box.SIMPLE, title="planted versus found"
    )
    table.columns[1].justify = table.columns[2].justify = "right"
    for finding in findings:
        mark = "[green]yes[/]" if finding.good else "[bold red]NO[/]"
        table.add_row(
            finding.fault.title,
            f"{finding.fault.struck:,}",
            f"{finding.found:,} {mark}",
            finding.named or "not named",
        )
    Console().print(table)
