"""What random tables found and is not mended yet. When one is, its mark must go."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.compare.agree import agree, as_parquet, as_sqlite, tuned
from tests.unit.compare.oracle import Row
from tests.unit.compare.tables import Tables


def test_a_wide_decimal_is_not_shown_as_nan(tmp_path: Path) -> None:
    value = Decimal((0, (9,) * 37, -10))
    tables = Tables(("bigint", "decimal37"), 1, [(1, value)], [(1, None)])
    agree(tables, as_parquet(tables, tmp_path))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["bytes", "text", "double"])
def test_sqlite_values_that_begin_with_null(kind: str, tmp_path: Path) -> None:
    value = {"bytes": b"\xde\xad", "text": "text", "double": 0.5}[kind]
    rows: list[Row] = [(1, None), (2, None), (3, value)]
    tables = Tables(("bigint", kind), 1, rows, rows)
    # As in a table whose first 65,536 rows hold nulls.
    with tuned("tiny"):
        agree(tables, as_sqlite(tables, tmp_path))
