"""Tables under writes: with a recheck every real difference is found and none is invented."""

from __future__ import annotations

import re

import pytest

import weighbridge
from tests.journeys.writers import Copy, MariadbCopy, PostgresCopy, Writer, Written
from weighbridge.compare import reread
from weighbridge.compare.request import Strategy
from weighbridge.compare.result import Report, RowDiff

ROWS = 100_000
# Changed, missing, and rows that only the right has: 100, in keys that the writer leaves alone.
CHANGED = frozenset(range(500, 90_001, 1_000))
MISSING = frozenset(range(90_500, 95_001, 1_000))
EXTRA = frozenset(range(500_000, 500_005))


def load(left: Copy, right: Copy) -> list[int]:
    """Make both tables with the planted differences; give the keys that may be written to."""
    rows: list[Written] = [(key, key * 7, f"note {key}") for key in range(1, ROWS + 1)]
    left.create(rows)
    copied: list[Written] = [
        (key, amount + (key in CHANGED), note) for key, amount, note in rows if key not in MISSING
    ]
    right.create([*copied, *((key, 0, "extra") for key in EXTRA)])
    return [key for key in range(1, ROWS + 1) if key not in CHANGED | MISSING]


def found_by(report: Report, diffs: list[RowDiff]) -> dict[str, list[int]]:
    """Sort the keys of the differing rows by kind, and hold the counts against them."""
    keys = {
        kind: sorted(d.key["id"] for d in diffs if d.kind == kind)
        for kind in ("changed", "only_left", "only_right")
    }
    rows = report.rows
    assert [rows.changed, rows.only_left, rows.only_right] == [len(k) for k in keys.values()]
    assert rows.matched + rows.changed + rows.only_left == rows.left
    assert rows.matched + rows.changed + rows.only_right == rows.right
    return keys


def in_flight(report: Report) -> int:
    """Read from the report how many differences went away."""
    told = [re.search(r"stood, ([\d,]+) were rows in flight", w) for w in report.warnings]
    return sum(int(match[1].replace(",", "")) for match in told if match)


def hold(
    left: Copy, right: Copy, *, strategy: Strategy, lag: tuple[float, float], grace: float
) -> None:
    """Compare under writes, without a recheck and with one."""
    planted = {
        "changed": sorted(CHANGED),
        "only_left": sorted(MISSING),
        "only_right": sorted(EXTRA),
    }
    assert len(CHANGED | MISSING | EXTRA) == 100
    writer = Writer(left, right, load(left, right), lag)
    with writer.running():
        with weighbridge.compare(left.side, right.side, strategy=strategy) as found:
            hasty = found_by(found.report, list(found))
        with weighbridge.compare(left.side, right.side, strategy=strategy, recheck=grace) as found:
            report = found.report
            keys = found_by(report, list(found))
    assert writer.rate > 500, "too few writes to show anything"
    # Without the recheck rows in flight are taken for differences: it had something to settle.
    assert sum(map(len, hasty.values())) > 100
    assert in_flight(report) > 0
    assert keys == planted
    # The writer's inserts and deletes move the count of rows, but not by much.
    assert abs(report.rows.matched - ROWS) < writer.written


@pytest.mark.parametrize("strategy", ["checksum", "stream"])
def test_two_servers_of_one_kind(
    fresh_postgres: str, fresh_postgres2: str, strategy: Strategy
) -> None:
    left, right = PostgresCopy(fresh_postgres), PostgresCopy(fresh_postgres2)
    hold(left, right, strategy=strategy, lag=(0.05, 0.3), grace=1.0)


def test_two_kinds_of_servers(fresh_postgres: str, fresh_mariadb: str) -> None:
    # A lag that no difference between the moments at which both are read can make up for.
    left, right = PostgresCopy(fresh_postgres), MariadbCopy(fresh_mariadb)
    hold(left, right, strategy="auto", lag=(1.0, 1.2), grace=2.0)


def test_a_copy_that_lags_nearly_as_long_as_the_grace_time(
    fresh_postgres: str, fresh_postgres2: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few keys at once that they take several connections.
    monkeypatch.setattr(reread, "NUMBERS_AT_ONCE", 60)
    # Two readings that agree prove nothing while they are nearer to each other than the lag.
    left, right = PostgresCopy(fresh_postgres), PostgresCopy(fresh_postgres2)
    hold(left, right, strategy="checksum", lag=(0.6, 0.75), grace=1.2)
