"""Parquet files in the order of their key are read side by side, and only those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weighbridge.compare import windows
from weighbridge.connectors import files
from weighbridge.errors import RunFailed
from weighbridge.library import compare

ROWS = 5_000
GROUP = 500


def write(path: Path, keys: list[int | None], *, group: int = GROUP, marked: int = -1) -> str:
    """Write a file of `keys` in this order; the row at `marked` has another value."""
    values = ["marked" if n == marked else f"value {k}" for n, k in enumerate(keys)]
    table = pa.table({"id": pa.array(keys, pa.int64()), "v": values})
    pq.write_table(table, path, row_group_size=group)
    return str(path)


def shuffled(keys: list[int], *, within: int) -> list[int]:
    """Shuffle keys inside each run of `within` of them."""
    order = np.random.default_rng(1)
    runs = [keys[i : i + within] for i in range(0, len(keys), within)]
    return [k for run in runs for k in order.permutation(run).tolist()]


IN_ORDER = list(range(ROWS))
SHAPES = {
    "ordered": (IN_ORDER, GROUP, "stream"),
    "ordered, one group": (IN_ORDER, ROWS, "stream"),
    "shuffled": (shuffled(IN_ORDER, within=ROWS), GROUP, "checksum"),
    "shuffled, one group": (shuffled(IN_ORDER, within=ROWS), ROWS, "checksum"),
    # Statistics cannot tell this from an ordered file: the reading must sort.
    "shuffled inside each group": (shuffled(IN_ORDER, within=GROUP), GROUP, "stream"),
    "descending": (IN_ORDER[::-1], GROUP, "checksum"),
    "spread over 64 bits": ([(k - ROWS // 2) * 2**50 for k in IN_ORDER], GROUP, "stream"),
    "duplicates over the edge of a group": (sorted([*IN_ORDER, 499, 499]), GROUP, "stream"),
    "nulls": ([*IN_ORDER[:2000], None, *IN_ORDER[2000:], None], GROUP, "stream"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [windows.FEW, 3])
def test_verdict_and_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, size: int
) -> None:
    keys, group, strategy = SHAPES[shape]
    monkeypatch.setattr(windows, "FEW", size)
    monkeypatch.setattr(files, "LOOK_ROWS", 7 * size)
    left = write(tmp_path / "left.parquet", keys, group=group)
    same = write(tmp_path / "same.parquet", keys, group=2 * group)
    where = next(n for n, k in enumerate(keys) if k == keys[ROWS // 3])
    other = write(
        tmp_path / "other.parquet",
        [k for n, k in enumerate(keys) if n != ROWS // 2],
        group=group,
        marked=where,
    )
    with compare(left, same, key="id") as found:
        assert found.report.plan.strategy == strategy, found.report.plan.reasons
        assert found.report.verdict == "identical"
        assert found.report.rows.matched == len(keys)
    with compare(left, other, key="id") as found:
        rows = found.report.rows
        assert (rows.changed, rows.only_left, rows.only_right) == (1, 1, 0)
        assert rows.matched == len(keys) - 2


def test_a_glob_is_in_order_only_if_its_files_are(tmp_path: Path) -> None:
    halves = (IN_ORDER[: ROWS // 2], IN_ORDER[ROWS // 2 :])
    for name, first, second in (("up", 0, 1), ("down", 1, 0)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.parquet", halves[first])
        write(tmp_path / name / "b.parquet", halves[second])
    up, down = (str(tmp_path / name / "*.parquet") for name in ("up", "down"))
    for left, right, strategy in ((up, up, "stream"), (up, down, "checksum")):
        with compare(left, right, key="id") as found:
            assert found.report.plan.strategy == strategy
            assert found.report.verdict == "identical"


def test_a_filter_keeps_the_order(tmp_path: Path) -> None:
    left = write(tmp_path / "left.parquet", IN_ORDER)
    right = write(tmp_path / "right.parquet", IN_ORDER, marked=7)
    with compare(left, right, key="id", where="id % 7 = 0") as found:
        assert found.report.plan.strategy == "stream"
        assert (found.report.rows.left, found.report.rows.changed) == (715, 1)


def test_rows_out_of_order_end_the_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = write(tmp_path / "left.parquet", IN_ORDER)
    right = write(tmp_path / "right.parquet", shuffled(IN_ORDER, within=GROUP))
    monkeypatch.setattr(files.FileSource, "_lies_in_order", lambda *_: True)
    with pytest.raises(RunFailed, match="not in the order of the key"), compare(left, right):
        pass
