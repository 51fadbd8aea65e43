"""Measure deliveries beside bare COPY, in turns, and write bench/DELIVERIES.md.

python -m bench.deliveries [--rows 5000000] [--repeat 3]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from bench.deliveries.ground import LISTED, Ground, memory_of_worker, opened
from weighbridge.connectors.transport import extension_path

PAGE = Path(__file__).resolve().parents[1] / "DELIVERIES.md"
# One process reads, one writes, a pipe between: what a person would type.
_PIPE = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as here, psycopg.connect(sys.argv[2]) as there:
    with here.cursor().copy(f"copy ({sys.argv[3]}) to stdout (format binary)") as out:
        with there.cursor().copy(f"copy {sys.argv[4]} from stdin (format binary)") as into:
            for part in out:
                into.write(part)
"""
_HASH = "select count(*), bit_xor(hash_record_extended(t, 0)) from {table} t"


@dataclass(frozen=True)
class Figure:
    """One line of the page: what was done, beside what, and the gate if there is one."""

    what: str
    beside: str
    ours: Sequence[float]
    bare: Sequence[float]
    gate: float | None

    @property
    def ratio(self) -> float:
        """Give how many times as long it took, by the medians."""
        return statistics.median(self.ours) / statistics.median(self.bare)


def main() -> None:
    """Measure, print, write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with opened(asked.rows) as ground, tempfile.TemporaryDirectory() as folder:
        figures = [
            *_full(ground, asked.repeat),
            *_upserts(ground, asked.repeat),
            _files(ground, asked.repeat, Path(folder)),
            _integrity(ground, asked.repeat),
        ]
        memory = memory_of_worker()
    text = _page(figures, memory, asked.rows, load)
    PAGE.write_text(text)
    print(text)


def _full(ground: Ground, repeat: int) -> list[Figure]:
    ours, keyed, plain = list[float](), list[float](), list[float]()
    select = f"select {LISTED} from orders where org = 'acme'"
    for n in range(repeat):
        ours.append(ground.transfer(ground.to_postgres(f"full{n}")))
        for table, times in (("keyed", keyed), ("plain", plain)):
            ground.table(table, keyed=table == "keyed")
            times.append(_piped(ground, select, table))
    what = "deliver the whole table to PostgreSQL"
    return [
        Figure(what, "COPY out and in, piped, into a table with a key", ours, keyed, 1.5),
        Figure(what, "the same into a table without a key", ours, plain, None),
    ]


def _upserts(ground: Ground, repeat: int) -> list[Figure]:
    place = ground.to_postgres("upserts")
    ground.transfer(place)
    ours, bare, whole = list[float](), list[float](), list[float]()
    for n in range(repeat):
        moment = f"timestamptz '2025-01-0{n + 1} 00:00:00+00'"
        ground.run(
            ground.source,
            f"update orders set amount = amount + 1, updated_at = {moment} where id % 10 = {n}",
            "vacuum analyze orders",
        )
        ours.append(ground.transfer(place))
        for times, condition in ((bare, f"updated_at = {moment}"), (whole, "true")):
            ground.table("plain", keyed=False)
            times.append(_piped(ground, f"select {LISTED} from orders where {condition}", "plain"))
    what = "upsert 10 % of the rows into PostgreSQL"
    return [
        Figure(what, "COPY of the changed rows, out and in, piped", ours, bare, 3.0),
        Figure(what, "COPY of the whole table, out and in, piped", ours, whole, None),
    ]


def _files(ground: Ground, repeat: int, folder: Path) -> Figure:
    def bare() -> None:
        with duckdb.connect(config={"allow_unsigned_extensions": "true"}) as connection:
            _attach(connection, ground.source)
            connection.execute(
                f"copy (select {LISTED} from far.public.orders where org = 'acme')"
                f" to '{folder / 'orders.parquet'}' (format parquet, compression zstd)"
            )

    ours, theirs = list[float](), list[float]()
    for n in range(repeat):
        ours.append(ground.transfer(ground.to_bucket(f"files{n}")))
        theirs.append(_timed(bare))
    return Figure(
        "deliver the whole table as Parquet to S3", "DuckDB's COPY of the same scan to a local file",
        ours, theirs, 1.5,
    )  # fmt: skip


def _integrity(ground: Ground, repeat: int) -> Figure:
    place = ground.to_postgres("proved")
    ground.transfer(place)
    ground.run(ground.warehouse, "vacuum analyze proved.orders")
    ours, bare = list[float](), list[float]()
    for _ in range(repeat):
        ours.append(ground.check(place))
        bare.append(_timed(lambda: _hash_both(ground)))
    return Figure(
        "prove an equal table in PostgreSQL", "both servers hash all rows, at once", ours, bare, 1.3
    )


def _attach(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    connection.execute(f"load '{extension_path('postgres_scanner')}'")
    connection.execute(f"attach '{url}' as far (type postgres, read_only)")


def _hash_both(ground: Ground) -> None:
    asked = [
        [sys.executable, "-c", "import sys, psycopg\nwith psycopg.connect(sys.argv[1]) as c: c.execute(sys.argv[2])",
         url, _HASH.format(table=table)]
        for url, table in ((ground.source, "orders"), (ground.warehouse, "proved.orders"))
    ]  # fmt: skip
    for process in [subprocess.Popen(command) for command in asked]:
        assert process.wait() == 0


def _piped(ground: Ground, select: str, table: str) -> float:
    command = [sys.executable, "-c", _PIPE, ground.source, ground.warehouse, select, table]
    return _timed(lambda: subprocess.run(command, check=True))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _page(figures: Sequence[Figure], memory: float, rows: int, load: float) -> str:
    lines = [
        "# What deliveries cost", "",
        f"Written by `python -m bench.deliveries`: {rows:,} rows of 8 columns, all of one customer, through a",
        "server as `weighbridge serve` starts it, from the request to the answer; beside it the plainest thing that does the",
        "same, in turns. Seconds are medians; read the ratios.", "",
        (f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores, {platform.machine()},"
        f" Python {platform.python_version()}; the load was {load:.1f} before."), "",
        "| what | beside | ours, s | bare, s | ratio | gate |", "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for one in figures:
        verdict = ""
        if one.gate is not None:
            verdict = f"{one.gate:g}: {'pass' if one.ratio <= one.gate else 'FAIL'}"
        lines.append(
            f"| {one.what} | {one.beside} | {statistics.median(one.ours):.1f} |"
            f" {statistics.median(one.bare):.1f} | {one.ratio:.2f} | {verdict} |"
        )
    verdict = "pass" if memory < 500 else "FAIL"
    lines += [
        "",
        f"The worker's memory, highest over all of it: {memory:.0f} MB (500 asked: {verdict}).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
