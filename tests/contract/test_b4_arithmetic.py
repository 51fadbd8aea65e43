"""The counts of a published diff, which must follow from tables of that structure.

1,761 rows − 1,514 keys = 247 surplus rows; 303 rows hold 56 duplicated keys, all of them shared;
1,509 shared keys − 56 = 1,453 compared rows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.test_oracle_servers import on_postgres
from tests.unit.compare.agree import agree, as_parquet
from tests.unit.compare.oracle import Row
from tests.unit.compare.tables import Tables
from weighbridge.compare.result import Keys, Report

SHARED, ALONE, DOUBLED, ROWS_OF_DOUBLED = 1509, 5, 56, 303


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Make the two tables: some rows changed, some of the doubled ones are copies of each other."""
    left: list[Row] = [(n, n % 7, f"name {n}") for n in range(SHARED)]
    right = [(n, v, name.upper() if n % 50 == 3 else name) for n, v, name in left]
    right += [(SHARED + n, 0, "new") for n in range(ALONE)]
    surplus = ROWS_OF_DOUBLED - DOUBLED
    doubled = [right[(n % DOUBLED) * 20] for n in range(surplus)]
    right += [(k, v + n % 2, name) for n, (k, v, name) in enumerate(doubled)]
    return Tables(("bigint", "int", "text"), 1, left, right)


def check(report: Report) -> None:
    """Hold a report against the published figures."""
    assert (report.rows.left, report.rows.right) == (1509, 1761)
    assert replace_collisions(report.keys) == Keys(
        nulls=(0, 0), dupes=(0, 303), distincts=(1509, 1514), exclusives=(0, 5)
    )
    assert report.rows.compared == 1453


def replace_collisions(keys: Keys) -> Keys:
    """Leave out the one count that the published diff does not have."""
    return Keys(keys.nulls, keys.dupes, keys.distincts, keys.exclusives)


@pytest.mark.parametrize("strategy", ["checksum", "join", "stream"])
def test_parquet(tables: Tables, strategy: str, tmp_path: Path) -> None:
    check(agree(tables, as_parquet(tables, tmp_path), strategy=strategy).report)


@pytest.mark.parametrize("index", ["none", "primary"])
@pytest.mark.parametrize("strategy", ["checksum", "stream"])
def test_postgres(fresh_postgres: str, tables: Tables, strategy: str, index: str) -> None:
    with (
        on_postgres(fresh_postgres, tables, tables.left, index) as left,
        on_postgres(fresh_postgres, tables, tables.right, index) as right,
    ):
        found = agree(tables, (left, right), strategy=strategy)
    assert found.report.plan.strategy == strategy
    check(found.report)
