"""Files in the order of a key of whole numbers are read side by side, and only those."""

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

pytestmark = pytest.mark.long

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


# CSV -------------------------------------------------------------------------------------

TEXTS = {
    "ordered": ([str(k) for k in IN_ORDER], "stream"),
    "negative first": ([str(k - 2500) for k in IN_ORDER], "stream"),
    "the widest": ([*map(str, IN_ORDER), "9223372036854775807"], "stream"),
    "too wide": ([*map(str, IN_ORDER), "9223372036854775808"], "join"),
    "shuffled": ([str(k) for k in shuffled(IN_ORDER, within=ROWS)], "join"),
    "in the order of text": (sorted(map(str, IN_ORDER)), "join"),
    "a zero in front": ([*map(str, IN_ORDER), "05001"], "join"),
    "a plus": ([*map(str, IN_ORDER), "+5001"], "join"),
    "minus zero": (["-0", *map(str, IN_ORDER[1:])], "join"),
    "a space": ([*map(str, IN_ORDER), "5001 "], "join"),
    "a point": ([*map(str, IN_ORDER), "5001.0"], "join"),
    "words": ([f"k{k:05}" for k in IN_ORDER], "join"),
    "a null": ([*map(str, IN_ORDER), ""], "stream"),
    "doubled": ([*map(str, IN_ORDER), str(ROWS - 1)], "stream"),
}


def write_csv(path: Path, keys: list[str], *, marked: int = -1) -> str:
    """Write a CSV of `keys`, as they are; the row at `marked` has another value."""
    lines = [f"{k},{'marked' if n == marked else f'value {k}'}" for n, k in enumerate(keys)]
    path.write_text("\n".join(["id,v", *lines, ""]), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", TEXTS)
def test_csv(tmp_path: Path, name: str) -> None:
    keys, strategy = TEXTS[name]
    left = write_csv(tmp_path / "left.csv", keys)
    other = write_csv(
        tmp_path / "other.csv",
        [k for n, k in enumerate(keys) if n != 7],
        marked=keys.index(keys[3000]),
    )
    with compare(left, left, key="id") as found:
        assert found.report.plan.strategy == strategy, found.report.plan.reasons
        assert found.report.verdict == "identical"
        assert found.report.rows.matched == len(keys)
    with compare(left, other, key="id") as found:
        rows = found.report.rows
        assert (rows.changed, rows.only_left, rows.only_right) == (1, 1, 0)
        assert found.report.keys.nulls == (keys.count(""), keys.count(""))
        assert found.report.keys.dupes == ((2, 2) if name == "doubled" else (0, 0))


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
def test_csv_beside_numbers(tmp_path: Path, order: str) -> None:
    keys = IN_ORDER if order == "ordered" else shuffled(IN_ORDER, within=ROWS)
    left = write_csv(tmp_path / "left.csv", [str(k) for k in IN_ORDER], marked=17)
    right = write(tmp_path / "right.parquet", keys)
    for sides in ((left, right), (right, left)):
        with compare(*sides, key="id") as found:
            assert found.report.plan.strategy == ("stream" if order == "ordered" else "join")
            assert found.report.rows.changed == 1
            assert [str(row.key["id"]) for row in found] == ["17"]


def test_a_rule_of_the_key_keeps_it_text(tmp_path: Path) -> None:
    left = write_csv(tmp_path / "left.csv", [str(k) for k in IN_ORDER])
    right = write_csv(tmp_path / "right.csv", [f"{k} " for k in IN_ORDER])
    with compare(left, right, key="id", rules={"id": ["trim"]}) as found:
        assert found.report.plan.strategy == "join"
        assert found.report.rows.only_left == 0


@pytest.mark.parametrize("rows", [(0, 0), (0, 3), (3, 0)])
def test_a_csv_without_rows(tmp_path: Path, rows: tuple[int, int]) -> None:
    sides = [
        write_csv(tmp_path / f"{n}.csv", [str(k) for k in IN_ORDER[:count]])
        for n, count in enumerate(rows)
    ]
    with compare(*sides, key="id") as found:
        assert (found.report.rows.only_left, found.report.rows.only_right) == rows
