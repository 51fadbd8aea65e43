"""Files of a load: every value comes back as it was, NULL is not the empty text, files are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.file_ground import FIELDS, a_load, at, reader
from weighbridge.connectors.csv_cells import csv_reader, duckdb_type, typed
from weighbridge.connectors.file_loader import Layout
from weighbridge.connectors.file_writer import FileWriter, digest_of
from weighbridge.connectors.loading import Field
from weighbridge.errors import BadArgument, SpillFull
from weighbridge.types.columns import ColumnType

MANY = (
    Field("i", ColumnType("int", "bigint", bits=64)),
    Field("s", ColumnType("text", "text")),
    Field('b"in', ColumnType("bytes", "binary")),
    Field("t", ColumnType("timestamp", "timestamp", scale=6)),
    Field("z", ColumnType("timestamptz", "timestamp", scale=6)),
    Field("d", ColumnType("decimal", "decimal(10,2)", precision=10, scale=2)),
    Field("f", ColumnType("float", "float", bits=64)),
    Field("o", ColumnType("bool", "boolean")),
    Field("day", ColumnType("date", "date")),
)
LONG_AGO = datetime(1, 1, 1)
ROWS: list[tuple[Any, ...]] = [
    (1, 'a,b"c\nd\r\n;|\t', b"\x00\xff", LONG_AGO, datetime(2020, 1, 1, tzinfo=UTC),
     Decimal("1.10"), 0.1, True, date(1, 1, 1)),
    (2, "", b"", at(1).replace(microsecond=123456), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
     Decimal("-0.01"), float("inf"), False, date(9999, 12, 31)),
    (3, None, None, None, None, None, None, None, None),
    (-(2**63), "NULL é ’ \\N", b"abc" * 5000, at(2), datetime(1900, 1, 1, tzinfo=UTC),
     Decimal("99999999.99"), 1e-300, None, None),
    (5, "x" * 100_000, b"\n\"'", at(3), datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC),
     Decimal(0), -0.0, True, date(1969, 12, 31)),
]  # fmt: skip


@contextmanager
def written(
    tmp_path: Path, rows: list[tuple[Any, ...]], fields: tuple[Field, ...] = MANY, **said: Any
) -> Iterator[tuple[FileWriter, list[Path]]]:
    kept: list[Path] = []

    def keep(name: str, path: Path) -> None:
        kept.append(tmp_path / name.replace("/", "_"))
        kept[-1].write_bytes(path.read_bytes())

    kind, sign = said.pop("file_format", "csv"), said.pop("delimiter", ",")
    load = a_load("t1", 1, fields=fields)
    writer = FileWriter(load, kind, sign, send=keep, **said)
    try:
        batch = (said.get("file_bytes", 0) and 1000) or 2
        writer.add(reader(load, rows, batch))
        yield writer, kept
    finally:
        writer.close()
        assert not writer.folder.exists()


@pytest.mark.parametrize("sign", [",", ";", "\t", "|", "'"])
def test_csv_gives_back_every_value(tmp_path: Path, sign: str) -> None:
    with written(tmp_path, ROWS, delimiter=sign) as (writer, kept):
        (entry,) = writer.finish()
    assert entry.rows == len(ROWS)
    assert entry.sha256 == digest_of(kept[0])
    assert entry.bytes == kept[0].stat().st_size
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("texts", csv_reader(str(kept[0]), MANY, sign))
        table = connection.execute(typed(MANY, "texts")).to_arrow_table()
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (*row[:4], row[4], *row[5:]) for row in ROWS
    ]


def test_csv_can_be_read_by_anybody(tmp_path: Path) -> None:
    """DuckDB's own reader, as a customer would use it: NULL and the empty text differ."""
    with written(tmp_path, ROWS) as (writer, kept):
        writer.finish()
    text = kept[0].read_text()
    assert text.startswith('"i","s","b""in","t"')
    assert "\n3,,,,,,,,\n" in text
    assert '\n2,"",""' in text
    assert "0001-01-01T00:00:00.000000" in text
    assert "2020-01-01T00:00:00.000000Z" in text
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT i, s IS NULL, s = '' FROM read_csv(?, all_varchar = true, header = true,"
            " allow_quoted_nulls = false)",
            [str(kept[0])],
        ).fetchall()
    assert [row[1] for row in found] == [False, False, True, False, False]
    assert found[1][2]


def test_parquet_gives_back_every_value(tmp_path: Path) -> None:
    with written(tmp_path, ROWS, file_format="parquet") as (writer, kept):
        writer.finish()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kinds = connection.execute(f"DESCRIBE FROM '{kept[0]}'").fetchall()
        table = connection.execute(f"FROM '{kept[0]}'").to_arrow_table()
    assert [k[1].replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for k in kinds] == [
        duckdb_type(f.type) for f in MANY
    ]
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS


def test_files_are_of_bounded_size(tmp_path: Path) -> None:
    rows = [(n, f"{n * 7919 % 100_003:06d}" * 20, at(n % 1000)) for n in range(400_000)]
    with written(tmp_path, rows, FIELDS, file_format="csv", file_bytes=4 * 2**20) as (writer, kept):
        entries = writer.finish()
    assert len(entries) >= 3
    assert sum(e.rows for e in entries) == len(rows)
    assert len({e.name for e in entries}) == len(entries)
    # A row group more than what was asked for.
    assert max(path.stat().st_size for path in kept) < 40 * 2**20


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    with written(tmp_path, []) as (writer, kept):
        assert writer.finish() == ()
    assert kept == []


def test_what_fails_to_be_sent_is_told(tmp_path: Path) -> None:
    def fails(name: str, path: Path) -> None:
        raise SpillFull("no", next_step="x")

    load = a_load("t1", 1)
    writer = FileWriter(load, "parquet", ",", send=fails)
    writer.add(reader(load, [(1, "a", at(1))]))
    with pytest.raises(SpillFull):
        writer.finish()
    writer.close()
    assert not writer.folder.exists()


@pytest.mark.parametrize("sign", ["a", "1", "-", "+", ".", ":", "é"])
def test_a_delimiter_that_cuts_numbers_is_refused(sign: str) -> None:
    with pytest.raises(BadArgument, match="delimiter"):
        Layout("csv", sign)


def test_the_hexadecimal_of_slices() -> None:
    from weighbridge.connectors.csv_cells import csv_batch  # noqa: PLC0415 what is tried

    whole = pa.array([b"\x01", None, b"", b"\xab\xcd", None, b"\xff"], pa.binary())
    for start in range(7):
        for size in range(7 - start):
            table = pa.table({"b": whole.slice(start, size)})
            told = [None if v is None else v.hex() for v in whole.slice(start, size).to_pylist()]
            assert csv_batch(table).column("b").to_pylist() == told
