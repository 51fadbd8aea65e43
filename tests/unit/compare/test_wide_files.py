"""Wide files whose rows lie in no order are compared in the memory that is given by default."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from weighbridge.library import compare

pytestmark = pytest.mark.long

ROWS, COLUMNS = 150_000, 30


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write two wide tables, shuffled, every tenth row different in one column."""
    folder = tmp_path_factory.mktemp("wide")
    listed = ", ".join(f"'v' || hash(n * {c + 1}) % 1000000 AS c{c}" for c in range(COLUMNS))
    rows = f"SELECT n AS id, {listed} FROM range({ROWS}) t(n) ORDER BY hash(n)"
    other = f"SELECT * REPLACE (CASE WHEN id % 10 = 0 THEN 'x' ELSE c7 END AS c7) FROM ({rows})"
    for name, sql in (("left", rows), ("right", other)):
        duckdb.execute(f"COPY ({sql}) TO '{folder / name}.parquet'")
    duckdb.execute(f"COPY ({rows}) TO '{folder / 'left'}.csv'")
    return {path.name: str(path) for path in folder.iterdir()}


@pytest.mark.parametrize("left", ["left.parquet", "left.csv"])
def test_wide_files(files: dict[str, str], left: str) -> None:
    with compare(files[left], files["right.parquet"], key="id") as found:
        assert found.report.plan.strategy in {"checksum", "join"}
        assert found.report.rows.changed == ROWS // 10
        assert found.report.rows.matched == ROWS - ROWS // 10


def test_a_file_of_hundreds_of_columns(tmp_path: Path) -> None:
    listed = ", ".join(f"'v' || n * {c + 1} AS c{c}" for c in range(160))
    rows = f"SELECT n AS id, {listed} FROM range(8000) t(n)"
    other = f"SELECT * REPLACE ('x' || c7 AS c7) FROM ({rows})"
    paths = [str(tmp_path / name) for name in ("left.parquet", "right.parquet")]
    for path, sql in zip(paths, (rows, other), strict=True):
        duckdb.execute(f"COPY ({sql}) TO '{path}' (ROW_GROUP_SIZE 4096)")
    with compare(*paths, key="id") as found:
        assert found.report.plan.strategy == "stream"
        assert found.report.rows.changed == 8000
