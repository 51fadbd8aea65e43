"""Reports as a comparison would give them: the flights demo, the quiet verdicts, hostile data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from weighbridge.compare.result import (
    ColumnResult,
    Explanation,
    Key,
    Keys,
    NotCompared,
    PlanReport,
    Report,
    RowDiff,
    Rows,
    Sampling,
    Schema,
    Side,
    SideConsistency,
    Stats,
    TypeChange,
)

NOON = datetime(2026, 11, 22, 12, 0)
FINGERPRINT = (
    "select bucket, count(*) as n, sum(h) as s\n"
    "from (select id % 4096 as bucket,\n"
    '             (\'x\' || substr(md5("id"::text || "carrier"), 1, 15))::bit(60)::bigint as h\n'
    '      from "public"."flights") as rows\n'
    "group by bucket"
)
TEXTS = [
    ("tailnum", "N14228 ", "N14228"),
    ("tailnum", None, ""),
    ("tailnum", "NULL", None),
    ("dest", "S\u00e3o Paulo", "S\u00c3\u00a3o Paulo"),
    ("dest", "caf\u00e9", "cafe\u0301"),
    ("dest", "p\u0430ypal", "paypal"),
    ("dest", "\u65e5\u672c\u8a9e\u306e\u6771\u4eac\u56fd\u969b\u7a7a\u6e2f", "\u65e5\u672c\u8a9e\u306e\u6771\u4eac\u7a7a\u6e2f"),
    ("dest", "\U0001f6eb\U0001f44d\U0001f3fd Oslo", "\U0001f6eb\U0001f44d Oslo"),
    ("dest", "a\u00a0b\u200b", "a b"),
    ("dest", "George Bush Intercontinental Airport, Houston, Texas, United States of America",
     "George Bush Intercontinental Airport, Huston, Texas, United States of America"),
    ("dest", "x" * 3000 + "left" + "y" * 3000, "x" * 3000 + "right" + "y" * 3000),
]  # fmt: skip


def column(name: str, differences: int = 0, **more: Any) -> ColumnResult:
    """Give one column of the flights, out of 335,776 pairs."""
    base = ColumnResult(
        name=name, right_name=name, left_type="text", right_type="varchar(64)", rule="exact",
        loses=None, compared=335_776, differences=differences,
        match=100 * (1 - differences / 335_776), depends_on_rule=0,
    )  # fmt: skip
    return replace(base, **more)


def changed(key: dict[str, Any], **pairs: tuple[Any, Any]) -> RowDiff:
    """Give a changed row from its columns' two values."""
    left = {**key, **{name: pair[0] for name, pair in pairs.items()}}
    right = {**key, **{name: pair[1] for name, pair in pairs.items()}}
    return RowDiff("changed", key, left, right, tuple(pairs))


def flight_rows() -> tuple[RowDiff, ...]:
    """Give row diffs with the faults that real migrations have."""
    moment = datetime(2013, 1, 1, 5, 15)
    rows = [
        changed({"id": 1}, dep_time=(moment, moment + timedelta(hours=5))),
        changed(
            {"id": 2},
            dep_time=(moment + timedelta(minutes=18), moment + timedelta(hours=5, minutes=18)),
            distance=(Decimal("1400.125"), Decimal("1400.13")),
        ),
        changed({"id": 12_345}, payload=(b"\x00\xff\x10", b"\x00\xfe\x10"), air_time=(227, "227")),
    ]
    rows += [
        changed({"id": 20 + at}, **{name: (left, right)})
        for at, (name, left, right) in enumerate(TEXTS)
    ]
    whole = {
        "carrier": "UA",
        "flight": 1545,
        "origin": "EWR",
        "dest": "IAH",
        "air_time": 227,
        "note": None,
    }
    rows.append(RowDiff("only_left", {"id": 4711}, {"id": 4711, **whole}, None))
    rows.append(RowDiff("only_right", {"id": 4712}, None, {"id": 4712, **whole, "note": ""}))
    return tuple(rows)


def flights() -> Report:
    """Give the demo's verdict: 336,776 flights and a faulty copy."""
    return Report(
        verdict="different",
        left=Side("postgresql://demo@localhost/air#public.flights", "postgresql", "public.flights", version="18.1"),
        right=Side(
            "mariadb://demo@localhost/air#flights", "mariadb", "flights", where="year = 2013", version="11.4.3"
        ),
        key=Key(("id",), ("id",), "primary_key"),
        rows=Rows(336_776, 336_288, 277_111, 1_000, 512, 58_665, 1_204, 335_776),
        keys=Keys(nulls=(0, 3), dupes=(0, 24), distincts=(336_776, 336_273), exclusives=(1_000, 497)),
        columns=(
            column("year"), column("month"), column("day"),
            column("dep_time", 58_665, left_type="timestamp with time zone", right_type="datetime(6)",
                   rule="moment in UTC"),
            column("distance", 1_204, left_type="numeric(10,3)", right_type="decimal(10,2)",
                   rule="rounded at 2", loses="digits past the 2nd", depends_on_rule=310),
            column("tailnum", 3, rule="exact"),
            column("dest", 8), column("carrier"), column("flight"), column("origin"),
            column("air_time", 1, left_type="integer", right_type="varchar(8)", rule="integer as text"),
            column("a_very_long_column_name_that_somebody_generated_from_a_form_title", 335_776,
                   right_name="short", match=0.0),
            column("payload", 1, left_type="bytea", right_type="blob"),
        ),
        not_compared=(
            NotCompared("geom", "both", "geometry and point have no common canonical form"),
            NotCompared("updated_by", "left", "excluded by --exclude"),
        ),
        schema=Schema(("loaded_at",), ("geom2",), (TypeChange("distance", "numeric(10,3)", "decimal(10,2)"),), ("day",)),
        sample=flight_rows(),
        explanations=(
            Explanation("transform", "dep_time: right = left + 5 h in 58,665 of 58,665", "changed", ("dep_time",), 58_665, 58_665),
            Explanation("slice", "98 % of the changed rows have carrier = 'UA'", "changed", ("carrier",), 57_492, 58_665, 5.67),
            Explanation("slice", "all have id from 100,000 to 101,000", "only_left", ("id",), 1_000, 1_000, 336.8),
        ),
        plan=PlanReport(
            "checksum",
            ("two servers: a join is not possible", "336,776 rows: 4,096 buckets of about 82 rows"),
            ((FINGERPRINT,), (FINGERPRINT.replace('"', "`"), "select `id` from `flights` where `id` % 4096 in (17, 99)")),
        ),
        consistency=(
            SideConsistency("snapshot", "00000003-0000001B-1"),
            SideConsistency("best_effort", None, "the engine of one table (MyISAM) has no snapshots"),
        ),
        stats=Stats(4.21, (336_776, 336_288), (59_665, 59_177), 7_340_032, 126_000_000),
        warnings=("The right side's time zone tables are not loaded; moments were read as UTC.",),
    )  # fmt: skip


def identical() -> Report:
    """Give a verdict without any difference."""
    columns = tuple(
        replace(each, differences=0, match=100.0, loses=None, depends_on_rule=0)
        for each in flights().columns
    )
    return replace(
        flights(), verdict="identical", rows=Rows(336_776, 336_776, 336_776, compared=336_776), keys=Keys((0, 0), (0, 0), (336_776, 336_776)),
        columns=columns, not_compared=(), schema=Schema(), sample=(), explanations=(), warnings=(),
        consistency=(SideConsistency("snapshot"), SideConsistency("snapshot")),
    )  # fmt: skip


def under_rules() -> Report:
    """Give a verdict that is equal because of declared rules."""
    base = identical()
    loses = replace(base.columns[4], loses="digits past the 2nd", depends_on_rule=1_204)
    columns = (*base.columns[:4], loses, *base.columns[5:])
    rows = replace(base.rows, equal_under_rule=1_204)
    return replace(base, verdict="identical_under_rules", rows=rows, columns=columns)


def sampled() -> Report:
    """Give a verdict of a sample."""
    return replace(
        identical(),
        verdict="no_difference_in_sample",
        rows=Rows(4_604, 4_604, 4_604, compared=4_604),
        sampling=Sampling(rate=0.01367, rows=4_604, tolerance=0.001, confidence=0.99),
    )


def empty() -> Report:
    """Give the verdict of two tables without rows."""
    return replace(identical(), rows=Rows(), keys=Keys())


def schema_only() -> Report:
    """Give a verdict that differs in the columns alone."""
    return replace(identical(), verdict="different", schema=Schema(("loaded_at",), ("geom2", "x")))


def many_rows(count: int) -> Report:
    """Give a report with a large sample of ordinary rows."""
    moment = datetime(2013, 1, 1)
    rows = [
        changed(
            {"id": at, "carrier": "UA"},
            dep_time=(moment + timedelta(minutes=at), moment + timedelta(minutes=at + 300)),
            dest=(f"{TEXTS[9][1]} {at}", f"{TEXTS[9][2]} {at}"),
            distance=(Decimal(at) / 8, Decimal(at) / 10),
        )
        for at in range(count)
    ]
    return replace(flights(), sample=tuple(rows))


def hostile(payload: str) -> Report:
    """Give a report with one payload everywhere that text of a user or a server can stand."""
    base = flights()
    side = Side(payload, payload, payload, payload, payload, payload)
    rows = (
        changed(
            {payload: payload}, **{payload: (payload, payload[::-1] + "x"), "n": (payload, None)}
        ),
        RowDiff("only_left", {payload: payload}, {payload: payload, "b": payload}, None),
        RowDiff(
            "only_right",
            {payload: payload},
            None,
            {payload: payload, "b": payload.encode("utf-8", "replace")},
        ),
    )
    return replace(
        base, left=side, right=side, key=Key((payload,), (payload,), "given"), sample=rows,
        columns=(column(payload, 5, right_name=payload + "r", left_type=payload, right_type=payload + "t",
                        rule=payload, loses=payload), column(payload + "2")),
        not_compared=(NotCompared(payload, "left", payload),),
        schema=Schema((payload,), (payload,), (TypeChange(payload, payload, payload),), (payload,)),
        explanations=(Explanation("slice", payload, "changed", (payload,), 1, 2, 3.0, {payload: payload}),),
        plan=PlanReport("join", (payload,), ((payload,), (payload,))),
        consistency=(SideConsistency("watermark", payload, payload), SideConsistency("snapshot", payload)),
        warnings=(payload,),
    )  # fmt: skip


@dataclass
class FakeComparison:
    """A comparison as the writers see it; its row diffs are the report's sample."""

    report: Report

    def __iter__(self) -> Iterator[RowDiff]:
        return iter(self.report.sample)

    def diff_batches(self, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Give the sample with every value as text, `rows` at a time."""
        for start in range(0, len(self.report.sample), rows):
            part = self.report.sample[start : start + rows]
            names = sorted(
                {name for row in part for side in (row.left, row.right) for name in side or {}}
            )
            data: dict[str, Any] = {
                "kind": pa.array([row.kind for row in part]),
                "changed": pa.array([list(row.changed) for row in part], pa.list_(pa.string())),
            }
            for prefix in ("key", "left", "right"):
                for name in names:
                    values = [(getattr(row, prefix) or {}).get(name) for row in part]
                    texts = [None if value is None else str(value) for value in values]
                    data[f"{prefix}_{name}"] = pa.array(texts, pa.string())
            yield pa.RecordBatch.from_pydict(data)
