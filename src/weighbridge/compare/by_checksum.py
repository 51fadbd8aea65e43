"""Hash where the data is, read out only the buckets that differ.

Both sides compute the same fingerprints: two servers of one family, each over its own
table, or DuckDB in this process over files. One scan a side; a bucket whose count and sum
agree is equal, with a chance of error of about 2^-64 for each bucket that in truth differs.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from weighbridge.compare.buckets import (
    bucket_ranges,
    choose_grouping,
    in_portions,
    other_side,
    sample_ranges,
)
from weighbridge.compare.by_stream import can_window, stream
from weighbridge.compare.match import outputs
from weighbridge.compare.staging import (
    compare_null_keys,
    match_in_parts,
    stage_rows,
)
from weighbridge.compare.task import Task
from weighbridge.connectors.base import ChecksumQuery, Checksums, Grouping, Hashed, Reading
from weighbridge.connectors.local import lock

if TYPE_CHECKING:
    import pyarrow as pa

    from weighbridge.connectors.local import LocalSource

# Rows that are read back in one go.
PORTION = 300_000
# Values that are read in one go where files are read in this process: fewer rows if they are wide.
LOCAL_VALUES = 1_400_000
# Bytes more for the scratch database where it reads the files itself: each of its threads takes
# a group of rows of a wide Parquet file apart.
READING = 64 * 2**20
# Beyond this share of differing buckets, reading everything once is cheaper.
TOO_MANY = 0.4
# Tables below this are not worth a sample first.
WORTH_SAMPLING = 1_000_000
_JOINED = (
    "sums_0 a FULL JOIN sums_1 b ON a.bucket = b.bucket"
    " WHERE a.n IS DISTINCT FROM b.n OR a.s IS DISTINCT FROM b.s"
)


def checksum(task: Task) -> str | None:
    """Compare by fingerprints; give the reason if it turned into a stream on the way."""
    local = all(s.traits.local for s in task.sources)
    work = LocalSides(task) if local else _Servers(task)
    if work.mostly_different():
        stream(task)
        return "a sample of the buckets differs almost everywhere, so all rows are read once"
    task.phase = "hashing"
    work.sum_up()
    run = task.workspace.connection.execute
    run(
        "CREATE OR REPLACE TABLE bad AS SELECT coalesce(a.bucket, b.bucket) AS bucket,"
        f" greatest(coalesce(a.n, 0), coalesce(b.n, 0)) AS n FROM {_JOINED} ORDER BY 1"
    )
    bad_rows = task.workspace.scalar("SELECT sum(n) FROM bad")
    good = "SELECT sum(n) FROM sums_0 WHERE bucket NOT IN (SELECT bucket FROM bad)"
    all_rows = task.workspace.scalar("SELECT sum(n) FROM sums_0")
    if (
        not local
        and bad_rows > TOO_MANY * max(all_rows, 1)
        and bad_rows > PORTION
        and can_window(task)
    ):
        task.rows_read = [0, 0]
        stream(task)
        return "most buckets differ, so all rows are read once"
    task.tally.matched += task.workspace.scalar(good)
    work.note_duplicates()
    task.phase = "reading what differs"
    work.fetch_bad()
    work.compare_null_keys()
    return None


class _Servers:
    """Two servers of one family; each hashes its own rows."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.salt = random.SystemRandom().randrange(2**50, 2**51)
        estimates = [s.estimate().rows for s in task.sources]
        self.rows = max([e for e in estimates if e is not None], default=1_000_000)
        spans = [self._span(side) for side in (0, 1)] if self._integer_key() else [None, None]
        known = [s for s in spans if s is not None]
        self.span = (
            (min(s[0] for s in known), max(s[1] for s in known)) if len(known) == 2 else None
        )
        first = choose_grouping(task, 0, self.rows, self.span)
        self.groupings = (first, other_side(first, task, 1))

    def _integer_key(self) -> bool:
        pair = self.task.keys[0]
        return (
            len(self.task.keys) == 1
            and pair.left.type.family == pair.right.type.family == "int"
            and pair.strict == ("{x}", "{x}")
        )

    def _span(self, side: int) -> tuple[int, int] | None:
        pair = self.task.keys[0]
        return self.task.sources[side].span((pair.left, pair.right)[side])

    def _query(self, side: int, ranges: list[tuple[int, int]] | None) -> ChecksumQuery:
        values = tuple(Hashed((p.left, p.right)[side], p.form or "") for p in self.task.values)
        wanted = None if ranges is None else tuple(ranges)
        return ChecksumQuery(self.groupings[side], values, self.salt, wanted)

    def _load(self, ranges: list[tuple[int, int]] | None) -> None:
        def one(side: int) -> None:
            source = cast("Checksums", self.task.sources[side])
            query = self._query(side, ranges)
            if ranges is None:
                self.task.sql[side].append(source.checksum_sql(query))
            table = source.checksums(query)
            cursor = self.task.workspace.cursor()
            cursor.register("arriving", table)
            cursor.execute(f"CREATE OR REPLACE TABLE sums_{side} AS SELECT * FROM arriving")
            cursor.close()

        self.task.both(one)

    def mostly_different(self) -> bool:
        """Look at one key range in a hundred first; a wasted scan costs a factor of two."""
        if self.span is None or self.rows < WORTH_SAMPLING or not can_window(self.task):
            return False
        self.task.phase = "sampling"
        self._load(sample_ranges(self.span, 0.01, 64))
        bad = self.task.workspace.scalar(f"SELECT count(*) FROM {_JOINED}")
        return bad > TOO_MANY * max(1, self.task.workspace.scalar("SELECT count(*) FROM sums_0"))

    def sum_up(self) -> None:
        """Fingerprint every bucket of both sides at once."""
        self._load(None)
        for side in (0, 1):
            rows = self.task.workspace.scalar(f"SELECT sum(n) FROM sums_{side}")
            self.task.arrived(side, rows, 0)

    def note_duplicates(self) -> None:
        """Note the duplicated keys of the sides whose server does not forbid them."""
        task = self.task
        for side in (0, 1):
            if task.unique[side]:
                continue
            if self.groupings[0].bitmap and not self._crowded(side):
                continue
            columns = [(p.left, p.right)[side] for p in task.keys]
            source = cast("Checksums", task.sources[side])
            task.workspace.insert(f"dupes_{('left', 'right')[side]}", source.duplicates(columns))

    def _crowded(self, side: int) -> int:
        return self.task.workspace.scalar(
            f"SELECT count(*) FROM sums_{side} WHERE n <> bit_count(m)"
        )

    def fetch_bad(self) -> None:
        """Read the differing buckets out and compare them value by value."""
        unique = all(self.task.unique) or not self.task.workspace.scalar(
            "SELECT (SELECT count(*) FROM dupes_left) + (SELECT count(*) FROM dupes_right)"
        )
        for readings in self._readings():
            self.task.check()

            def fetch(side: int, readings: tuple[Reading, Reading] = readings) -> None:
                rows = stage_rows(self.task, side, readings[side], f"fetched_{side}")
                self.task.rows_fetched[side] += rows
                self.task.rows_read[side] -= rows

            self.task.both(fetch)
            self.task.matcher.match("fetched_0", "fetched_1", unique=unique)
            self.task.workspace.keep_base_of("fetched_0")

    def _readings(self) -> Iterator[tuple[Reading, Reading]]:
        task = self.task
        bad = task.workspace.connection.execute("SELECT bucket, n FROM bad ORDER BY 1").fetchall()
        shift = self.groupings[0].shift
        if not bad:
            return
        portions = in_portions(bad, PORTION if shift is not None else 10**12)
        for buckets, _ in portions:
            yield (self._reading(0, buckets), self._reading(1, buckets))

    def _reading(self, side: int, buckets: list[int]) -> Reading:
        task = self.task
        columns = tuple((p.left, p.right)[side] for p in task.keys)
        grouping = self.groupings[side]
        if grouping.shift is not None:
            ranges = tuple(bucket_ranges(buckets, grouping.shift))
            return Reading(task.outputs(side), key=columns[0], keys=columns, ranges=ranges)
        return Reading(
            task.outputs(side), keys=columns, key_nulls=False, buckets=(grouping, tuple(buckets))
        )

    def compare_null_keys(self) -> None:
        """Compare the rows that no bucket holds."""
        compare_null_keys(self.task)


class LocalSides:
    """Two sides that DuckDB reads here: fingerprints are its own hash over strict values."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.run = task.workspace.connection.execute
        for side in (0, 1):
            self._view(side)
        room = (task.options.memory + READING) // 2**20
        self.run(f"SET memory_limit = '{room}MB'")
        lock(task.workspace.connection)

    def _view(self, side: int) -> None:
        source = cast("LocalSource", self.task.sources[side])
        relation = source.attach(self.task.workspace.connection)
        task = self.task
        reading = Reading(outputs(task.keys, task.values, side))
        text = source.sql_over(relation, reading)
        task.sql[side].append(text)
        self.run(f"CREATE OR REPLACE TEMP VIEW side_{side} AS {text}")

    @cached_property
    def grouping(self) -> Grouping:
        """How rows fall into buckets; finding out counts them."""
        task = self.task
        rows = max(
            int((self.run(f"SELECT count(*) FROM side_{side}").fetchone() or (0,))[0])
            for side in (0, 1)
        )
        spans = (
            [self.run(f"SELECT min(k0), max(k0) FROM side_{side}").fetchone() for side in (0, 1)]
            if self._integer_key()
            else []
        )
        known = [s for s in spans if s and s[0] is not None]
        span = (min(s[0] for s in known), max(s[1] for s in known)) if known else None
        return choose_grouping(task, 0, rows, span)

    def _integer_key(self) -> bool:
        if len(self.task.keys) != 1:
            return False
        row = self.run("SELECT typeof(k0) FROM side_0 LIMIT 1").fetchone()
        return row is not None and row[0] == "BIGINT"

    def _bucket(self) -> str:
        if self.grouping.shift is not None:
            return f"(k0 >> {self.grouping.shift})" if self.grouping.shift else "k0"
        keys = ", ".join(f"k{i}" for i in range(len(self.task.keys)))
        return f"CAST(hash({keys}) % {self.grouping.count} AS BIGINT)"

    def mostly_different(self) -> bool:
        """Reading here costs the same as hashing here: nothing to find out first."""
        return False

    def sum_up(self) -> None:
        """Fingerprint every bucket, one side after the other: each uses all cores."""
        task = self.task
        described = self.run("DESCRIBE SELECT * FROM side_0").fetchall()
        columns = [_telling(str(c[0]), str(c[1])) for c in described if str(c[0])[0] in "kc"]
        whole = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(task.keys)))
        bitmap = "bit_or(1::UBIGINT << (k0 & 63)::UBIGINT)" if self.grouping.bitmap else "NULL"
        for side in (0, 1):
            task.check()
            self.run(
                f"CREATE OR REPLACE TABLE sums_{side} AS SELECT {self._bucket()} AS bucket,"
                f" count(*)::BIGINT AS n, sum(hash(hash({', '.join(columns)}))) AS s, {bitmap} AS m"
                f" FROM side_{side} WHERE {whole} GROUP BY 1"
            )
            rows = task.workspace.scalar(f"SELECT sum(n) FROM sums_{side}")
            task.arrived(side, rows, 0)

    def note_duplicates(self) -> None:
        """Note the duplicated keys, in crowded buckets only where a bitmap shows them."""
        task = self.task
        keys = ", ".join(f"k{i}" for i in range(len(task.keys)))
        whole = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(task.keys)))
        for side, name in enumerate(("left", "right")):
            where = whole
            if task.unique[side]:
                continue
            if self.grouping.bitmap:
                crowded = f"SELECT bucket FROM sums_{side} WHERE n <> bit_count(m)"
                if not task.workspace.scalar(f"SELECT count(*) FROM ({crowded})"):
                    continue
                where += f" AND {self._bucket()} IN ({crowded})"
            self.run(
                f"INSERT INTO dupes_{name} SELECT {keys}, count(*) FROM side_{side}"
                f" WHERE {where} GROUP BY ALL HAVING count(*) > 1"
            )

    def fetch_bad(self) -> None:
        """Read the rows of differing buckets again and compare them value by value."""
        task = self.task
        bad = task.workspace.scalar("SELECT count(*) FROM bad")
        if not bad:
            return
        dupes = task.workspace.scalar(
            "SELECT (SELECT count(*) FROM dupes_left) + (SELECT count(*) FROM dupes_right)"
        )
        self._fetch_all(unique=not dupes) if self.grouping.shift is None else self._fetch_windows()

    def _fetch_all(self, *, unique: bool) -> None:
        task = self.task
        whole = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(task.keys)))
        for side in (0, 1):
            task.check()
            self.run(
                f"CREATE OR REPLACE TABLE fetched_{side} AS SELECT * FROM side_{side}"
                f" WHERE {whole} AND {self._bucket()} IN (SELECT bucket FROM bad)"
            )
            task.rows_fetched[side] += task.workspace.scalar(f"SELECT count(*) FROM fetched_{side}")
        match_in_parts(task, ("fetched_0", "fetched_1"), unique=unique)
        task.workspace.keep_base_of("fetched_0")

    def _fetch_windows(self) -> None:
        """Read key ranges in order, so that equal rows are seen to be equal as they lie."""
        from weighbridge.compare.windows import Waiting, compare_window  # noqa: PLC0415 heavy

        waiting = Waiting(self.task)
        for condition in self._bad_parts():
            tables: list[pa.Table] = []
            for side in (0, 1):
                self.task.check()
                rows = self.run(
                    f"SELECT * FROM side_{side} WHERE {condition}"
                    f" AND {self._bucket()} IN (SELECT bucket FROM bad) ORDER BY k0"
                ).to_arrow_table()
                self.task.rows_fetched[side] += rows.num_rows
                tables.append(rows.combine_chunks())
            compare_window(self.task, waiting, *tables, note_duplicates=False)
        waiting.hand_over()

    def _bad_parts(self) -> Iterator[str]:
        """Cut the differing buckets into key ranges that fit in memory, as conditions."""
        shift = self.grouping.shift or 0
        bad = self.run("SELECT bucket, n FROM bad ORDER BY 1").fetchall()
        width = len(self.task.outputs(0))
        for buckets, _ in in_portions(bad, LOCAL_VALUES // width):
            # Files that are in the order of the key are read only where the range lies.
            low, high = buckets[0] << shift, ((buckets[-1] + 1) << shift) - 1
            yield f"k0 BETWEEN {low} AND {high}"

    def compare_null_keys(self) -> None:
        """Compare the rows that no bucket holds, as a multiset."""
        task = self.task
        missing = " OR ".join(f"k{i} IS NULL" for i in range(len(task.keys)))
        counts: list[Any] = []
        for side in (0, 1):
            self.run(
                f"CREATE OR REPLACE TEMP VIEW nulls_{side} AS"
                f" SELECT * FROM side_{side} WHERE {missing}"
            )
            counts.append(task.workspace.scalar(f"SELECT count(*) FROM nulls_{side}"))
        task.tally.null_keys = counts
        if any(counts):
            task.matcher.match("nulls_0", "nulls_1", unique=False, null_keys=True)


def _telling(name: str, kind: str) -> str:
    """Write what is hashed for a column, so that unlike values have unlike hashes.

    DuckDB's hash of a text works in blocks of 8 bytes and never carries the last byte of one
    into the others: at three offsets, each byte is carried in at least two. Its hash of 128
    bits is a XOR of the halves' hashes, equal for 0 and -1: the double tells their order.
    """
    if kind == "UUID":
        return f"{name}, {_telling(f'CAST({name} AS VARCHAR)', 'VARCHAR')}"
    if kind in {"VARCHAR", "BLOB"}:
        shifted = [f"'{p}'::{kind} || {name}" for p in ("abc", "abcdef")]
        return ", ".join(f"hash({x})" for x in (name, *shifted))
    digits = re.fullmatch(r"DECIMAL\((\d+),\d+\)", kind)
    if kind.endswith("HUGEINT") or (digits and int(digits[1]) > 18):
        return f"{name}, CAST({name} AS DOUBLE)"
    return name
