"""Which cells a run has, in what order, and about how long they take."""

from __future__ import annotations

from dataclasses import dataclass

import tables
from contestants import SCENARIOS

WIDE_ROWS = 1_000_000

# Seconds for each million narrow rows, on two cores: one round of weighbridge and the limits.
_ROUND = {"pg-one": 2.2, "pg-two": 2.2, "pg-mariadb": 5.0, "parquet": 0.6, "csv-parquet": 1.5}
# All peers once at 1 M rows, and at 10 M with the time-out and those left out that cannot finish.
_PEERS_SMALL = {"pg-one": 35, "pg-two": 60, "pg-mariadb": 45, "parquet": 10, "csv-parquet": 10}
_PEERS_LARGE = {"pg-one": 170, "pg-two": 200, "pg-mariadb": 100, "parquet": 45, "csv-parquet": 50}


@dataclass(frozen=True)
class Cell:
    """One row of the plan."""

    scenario: str
    shape: str
    rows: int
    variant: str
    peers: bool

    def estimate(self, repeat: int) -> float:
        millions = self.rows / 1e6 * (4 if self.shape == "wide" else 1)
        seconds = 3 + _ROUND[self.scenario] * millions * repeat
        if self.peers:
            scale = min(1.0, max(0.15, self.rows / 1e6)) * (2 if self.shape == "wide" else 1)
            large = self.rows > 2_000_000
            seconds += _PEERS_LARGE[self.scenario] if large else _PEERS_SMALL[self.scenario] * scale
        return seconds


def _wanted(only: list[str], scenario: str, shape: str, variant: str) -> bool:
    """A filter is `SCENARIO`, `VARIANT`, `SHAPE`, or several of them joined by `/`."""
    return not only or any({*part.split("/")} <= {scenario, shape, variant} for part in only)


def cells(rows: list[int], only: list[str], peers: bool, peers_only_small: bool) -> list[Cell]:
    """Small before large: what a peer took at the small size says whether to try the large one."""
    known = {*SCENARIOS, *tables.VARIANTS, "narrow", "wide"}
    for part in only:
        unknown = {*part.split("/")} - known
        if unknown:
            raise SystemExit(f"--only: no {', '.join(sorted(unknown))}; there are {sorted(known)}")
    # Wide tables have one size: the smaller of 1 M and the largest that was asked for.
    sizes = [("narrow", n) for n in sorted(rows)] + [("wide", min(WIDE_ROWS, max(rows)))]
    found = [
        Cell(scenario, shape, size, variant, peers and not (peers_only_small and size > 1_000_000))
        for shape, size in sorted(sizes, key=lambda pair: (pair[1], pair[0]))
        for scenario in SCENARIOS
        for variant in tables.VARIANTS
        if _wanted(only, scenario, shape, variant)
    ]
    if not found:
        raise SystemExit("--only leaves nothing to run")
    return found


def making(planned: list[Cell]) -> float:
    """Seconds to generate and copy the tables, when none of them is there."""
    weights = {"pg1": 3.0, "pg2": 2.5, "mariadb": 7.0, "parquet": 2.5, "csv": 1.0}
    wanted = set[tuple[str, str, int, str]]()
    for cell in planned:
        scenario = SCENARIOS[cell.scenario]
        wanted |= {
            (scenario.left, cell.shape, cell.rows, "left"),
            (scenario.right, cell.shape, cell.rows, cell.variant),
            ("pg1", cell.shape, cell.rows, cell.variant),
        }
    return sum(
        weights[place] * rows / 1e6 * (4 if shape == "wide" else 1)
        for place, shape, rows, _ in wanted
    )
