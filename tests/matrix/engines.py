"""The engines of one test run, and what comparing all cases at once gave for each pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.matrix import (
    csv_file,
    duckdb_file,
    mariadb,
    others,
    parquet,
    postgresql,
    sqlite_file,
    texts,
    times,
)
from tests.matrix import numbers as number_cases
from tests.matrix.case import DIFFERENT, LISTED, RULE, SAME, Case, holds
from tests.matrix.vendor import Rows, Vendor
from weighbridge.errors import WeighbridgeError
from weighbridge.library import Comparison, compare

CASES: tuple[Case, ...] = (*number_cases.CASES, *times.CASES, *texts.CASES, *others.CASES)
VENDORS: Mapping[str, Vendor] = {
    v.VENDOR.name: v.VENDOR
    for v in (postgresql, mariadb, duckdb_file, sqlite_file, parquet, csv_file)
}
REFERENCE = "postgresql"


@dataclass(frozen=True)
class Placement:
    """Which side of a case lies on which engine: table `a` or `b`, left first."""

    engines: tuple[str, str]
    tables: tuple[str, str]

    def __str__(self) -> str:
        return "-".join(f"{e}.{t}" for e, t in zip(self.engines, self.tables, strict=True))

    def fits(self, case: Case) -> bool:
        """Tell whether both engines can hold the case's values."""
        return all(
            holds(case.a if table == "a" else case.b, engine) is not None
            for engine, table in zip(self.engines, self.tables, strict=True)
        )

    def wanted(self, case: Case) -> str:
        """Give the verdict that the case must have here; '-' where it has no meaning."""
        pair = ":".join(self.engines)
        return case.unless.get(pair) or case.wanted(self.engines)


def placements() -> list[Placement]:
    """List every pair that is compared: the reference and each other one, and each with itself."""
    found: list[Placement] = []
    for engine in VENDORS:
        if engine != REFERENCE:
            for tables in (("a", "b"), ("b", "a")):
                found.append(Placement((REFERENCE, engine), tables))
                found.append(Placement((engine, REFERENCE), tables))
        if engine == "mariadb":  # what only MariaDB holds, against its text
            found += [
                Placement((engine, "csv"), ("a", "b")),
                Placement(("csv", engine), ("b", "a")),
            ]
        found += [Placement((engine, engine), tables) for tables in (("a", "b"), ("b", "a"))]
    return found


@dataclass(frozen=True)
class Outcome:
    """What one case gave. `rows`: the ids of the rows where it differs."""

    verdict: str
    rule: str = ""
    rows: frozenset[int] = frozenset()
    reason: str = ""


class Engines:
    """Tables with one column per case on every engine, made once; runs are kept.

    Rows: 1 sets the case's values against each other, 2 holds NULL on both sides, 3 and 4 set
    each value against NULL.
    """

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places
        self._sides: dict[tuple[str, str, int], str] = {}
        self._runs: dict[tuple[Placement, str], Mapping[str, Outcome]] = {}

    def place(self, engine: str, side: int = 0) -> str:
        """Give an engine's place for the left or right side: two servers where there are two."""
        return self._places[engine][side]

    def make(
        self, engine: str, table: str, columns: Sequence[tuple[str, str]], rows: Rows, side: int = 0
    ) -> str:
        """Make a table on an engine and name it."""
        return VENDORS[engine].make(self.place(engine, side), table, columns, rows)

    def _side(self, engine: str, table: str, side: int) -> str:
        key = (engine, table, side if self._places[engine][0] != self._places[engine][1] else 0)
        if key not in self._sides:
            self._sides[key] = self._table(engine, table, side)
        return self._sides[key]

    def _table(self, engine: str, table: str, side: int) -> str:
        columns = [("id", "text" if engine == "csv" else "int")]
        rows: list[list[str | None]] = [["1"], ["2"], ["3"], ["4"]]
        for case in CASES:
            cell = holds(case.a if table == "a" else case.b, engine)
            if cell is None:
                continue
            kind, value = cell
            columns.append((case.column, kind))
            absent = 2 if table == "a" else 3
            for n, row in enumerate(rows):
                row.append(None if n in {1, absent} else value)
        return self.make(engine, f"cases_{table}", columns, rows, side)

    def run(self, placement: Placement, strategy: str = "auto") -> Mapping[str, Outcome]:
        """Compare all cases that fit at once; halves where that fails."""
        if (placement, strategy) not in self._runs:
            self._runs[placement, strategy] = self._compare(placement, strategy)
        return self._runs[placement, strategy]

    def _compare(self, placement: Placement, strategy: str) -> Mapping[str, Outcome]:
        cases = [c for c in CASES if placement.fits(c) and placement.wanted(c) != "-"]
        return self._halved(placement, cases, strategy)

    def _halved(
        self, placement: Placement, cases: Sequence[Case], strategy: str
    ) -> Mapping[str, Outcome]:
        try:
            return self._together(placement, cases, strategy)
        except WeighbridgeError as error:
            if len(cases) <= 1:
                return {c.id: Outcome("failed", reason=str(error)) for c in cases}
        middle = len(cases) // 2
        found = [
            self._halved(placement, part, strategy) for part in (cases[:middle], cases[middle:])
        ]
        return {**found[0], **found[1]}

    def _together(
        self, placement: Placement, cases: Sequence[Case], strategy: str
    ) -> Mapping[str, Outcome]:
        sides = [
            self._side(engine, table, side)
            for side, (engine, table) in enumerate(
                zip(placement.engines, placement.tables, strict=True)
            )
        ]
        with compare(
            sides[0], sides[1], key="id", columns=["id", *(c.column for c in cases)],
            rules={c.column: c.rules for c in cases if c.rules},
            tolerances={c.column: c.tolerance for c in cases if c.tolerance},
            strategy="auto" if strategy == "paranoid" else strategy,  # pyright: ignore[reportArgumentType]
            paranoid=strategy == "paranoid",
        ) as comparison:  # fmt: skip
            return {c.id: outcome_of(c, comparison) for c in cases}


def outcome_of(case: Case, comparison: Comparison) -> Outcome:
    """Read what a case's column gave in row 1 out of a comparison."""
    report = comparison.report
    left_out = next((n for n in report.not_compared if n.column == case.column), None)
    if left_out is not None:
        return Outcome(LISTED, reason=left_out.reason)
    column = next(c for c in report.columns if c.name == case.column)
    changed = {
        int(next(iter(r.key.values()))): r for r in report.sample if case.column in r.changed
    }
    leans = RULE if column.depends_on_rule else SAME
    verdict = DIFFERENT if 1 in changed else leans
    return Outcome(
        verdict, column.rule, frozenset(changed), f"{column.left_type} and {column.right_type}"
    )
