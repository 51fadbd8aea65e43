"""Every row diff as CSV and Parquet: typed, streamed, and safe for a spreadsheet when asked."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.report import samples
from tests.unit.report.payloads import FORMULAS
from weighbridge.compare.result import Report
from weighbridge.report import Look, write

BATCH = pa.RecordBatch.from_pydict({
    "kind": ["changed", "only_left"],
    "changed": pa.array([["a,b", 'c"d'], []], pa.list_(pa.string())),
    "key_id": [1, 2],
    "left_text": ["", None],
    "right_text": ["-5", "=1+1"],
    "left_number": pa.array([Decimal("-1.50"), None]),
    "left_at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None]),
    "left_day": pa.array([date(2024, 2, 29), None]),
    "left_bytes": pa.array([b"\x00\xff", None]),
    "left_list": pa.array([[1, None], None]),
    "left_float": [float("nan"), 1e300],
    "left_code": pa.array(["x", None]).dictionary_encode(),
})  # fmt: skip


@dataclass
class Batches(samples.FakeComparison):
    """A comparison whose row diffs are given as batches."""

    batches: tuple[pa.RecordBatch, ...] = (BATCH,)

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        return iter(self.batches)


def written(form: str, look: Look | None = None, *batches: pa.RecordBatch) -> bytes:
    out = io.BytesIO()
    write(Batches(samples.flights(), batches or (BATCH,)), form, out, look=look)  # type: ignore[arg-type]
    return out.getvalue()


def test_parquet_keeps_types_and_values() -> None:
    table = pq.read_table(io.BytesIO(written("parquet", None, BATCH, BATCH.slice(1))))
    assert table.schema.remove_metadata() == BATCH.schema
    assert table.num_rows == 3
    assert table.column("left_number").to_pylist() == [Decimal("-1.50"), None, None]


def test_csv_is_exact() -> None:
    text = written("csv", None, BATCH, BATCH.slice(1)).decode()
    lines = text.splitlines()
    assert lines[1] == (
        '"changed","[""a,b"", ""c\\""d""]",1,"","-5","-1.50",2024-01-01 00:00:00.000000Z,'
        '2024-02-29,"\\x00ff","[1, null]",nan,"x"'
    )
    assert lines[2] == '"only_left","[]",2,,"=1+1",,,,,,1e+300,'
    assert lines[3] == lines[2]


def test_csv_tells_null_from_empty() -> None:
    row = written("csv").decode().splitlines()[1:]
    assert ',"",' in row[0]
    assert ',"",' not in row[1]


def test_a_spreadsheet_runs_nothing() -> None:
    hostile = pa.RecordBatch.from_pydict({
        "kind": ["changed"] * len(FORMULAS),
        "changed": pa.array([["=x"]] * len(FORMULAS), pa.list_(pa.string())),
        "=name": list(FORMULAS),
        "right_n": [-5] * len(FORMULAS),
        "left_d": pa.array([Decimal("-1.5")] * len(FORMULAS)),
    })  # fmt: skip
    text = written("csv", Look(spreadsheet=True), hostile).decode()
    for delimiter in ",;\t|":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            for cell in row:
                assert cell[:1] not in tuple("=+@\t\r\uff1d\uff0b\uff20"), (delimiter, cell)
    first = next(csv.DictReader(io.StringIO(text)))
    assert first["right_n"] == "-5"
    assert first["left_d"] == "-1.5"
    assert first["'=name"] == "'=1+1"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_batches_give_a_head_alone(form: str) -> None:
    out = io.BytesIO()
    write(Batches(samples.identical(), ()), form, out)  # type: ignore[arg-type]
    names = (
        out.getvalue().decode().strip().replace('"', "").split(",")
        if form == "csv"
        else pq.read_table(io.BytesIO(out.getvalue())).column_names
    )
    assert names[:3] == ["kind", "changed", "key_id"]
    assert "left_dep_time" in names


@dataclass
class Endless(samples.FakeComparison):
    """A comparison with as many batches as asked for, of which none is kept."""

    report: Report
    count: int = 100

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        for at in range(self.count):
            texts = pa.array([f"{at} {row}" for row in range(rows // 10)])
            yield pa.RecordBatch.from_arrays([texts], names=["left_text"])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_memory_does_not_grow(form: str, tmp_path) -> None:
    def peak(count: int) -> int:
        before = pa.total_allocated_bytes()
        most = 0

        class Watched(Endless):
            def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
                nonlocal most
                for batch in super().diff_batches(rows):
                    most = max(most, pa.total_allocated_bytes() - before)
                    yield batch

        write(Watched(samples.flights(), count), form, tmp_path / "rows")  # type: ignore[arg-type]
        return most

    tracemalloc.start()
    try:
        assert peak(60) < 3 * peak(6) + 1_000_000
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
