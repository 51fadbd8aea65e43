"""What a comparison would do: the plan, the SQL of both sides, the cost; asks servers no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from weighbridge.compare.assemble import side_of
from weighbridge.compare.buckets import ROWS_PER_BUCKET
from weighbridge.compare.by_join import joined_columns, one_place
from weighbridge.compare.by_stream import windows_fit
from weighbridge.compare.match import outputs
from weighbridge.compare.plan import Plan, make_plan
from weighbridge.connectors.base import ChecksumQuery, Checksums, Grouping, Hashed, Joins, Reading

if TYPE_CHECKING:
    from weighbridge.compare.request import Options
    from weighbridge.compare.result import Key, NotCompared, Side
    from weighbridge.connectors.base import Source

Pair = tuple["Source", "Source"]

# Seconds for a million rows, measured on two cores; see bench/RESULTS.md.
_PACE = {"checksum": 0.5, "stream": 1.2, "join": 0.5}
_START = 0.4


@dataclass(frozen=True)
class PreviewColumn:
    """How one pair of columns would be compared."""

    name: str
    right_name: str
    left_type: str
    right_type: str
    rule: str
    loses: str | None


@dataclass(frozen=True)
class Preview:
    """What a comparison would do; no row was read. `seconds` is a rough guess."""

    left: Side
    right: Side
    key: Key
    strategy: Literal["checksum", "stream", "join"]
    reasons: tuple[str, ...]
    sql: tuple[tuple[str, ...], tuple[str, ...]]
    columns: tuple[PreviewColumn, ...]
    not_compared: tuple[NotCompared, ...]
    rows: tuple[int | None, int | None]
    bytes: tuple[int | None, int | None]
    seconds: float | None


def preview_sources(sources: Pair, options: Options) -> Preview:
    """Plan from the catalogs alone. Raises what planning raises."""
    plan = make_plan(sources, (sources[0].shape(), sources[1].shape()), options, look=False)
    estimates = (sources[0].estimate(), sources[1].estimate())
    rows = (estimates[0].rows, estimates[1].rows)
    known = [r for r in rows if r is not None]
    return Preview(
        left=side_of(sources[0]),
        right=side_of(sources[1]),
        key=plan.key,
        strategy=plan.strategy,
        reasons=(*plan.reasons, *plan.warnings),
        sql=(_sql(sources, plan, 0), _sql(sources, plan, 1)),
        columns=tuple(
            PreviewColumn(
                p.left.name,
                p.right.name,
                p.left.type.declared,
                p.right.type.declared,
                p.rule,
                p.loses,
            )
            for p in (*plan.keys, *plan.values)
        ),
        not_compared=plan.not_compared,
        rows=rows,
        bytes=(estimates[0].bytes, estimates[1].bytes),
        seconds=round(_START + max(known) * _PACE[plan.strategy] / 1e6, 1) if known else None,
    )


def _sql(sources: Pair, plan: Plan, side: int) -> tuple[str, ...]:
    """Write the statement that reads or hashes all rows of a side."""
    source = sources[side]
    if plan.strategy == "join" and one_place(sources):
        left, right = (cast("Joins", s) for s in sources)
        return (left.join_sql(right, joined_columns(plan.keys, plan.values)),)
    if plan.strategy == "checksum" and not source.traits.local:
        return (cast("Checksums", source).checksum_sql(_fingerprints(plan, side)),)
    columns = tuple((p.left, p.right)[side] for p in plan.keys)
    if plan.strategy == "stream" and windows_fit(plan.keys, plan.whole_row, sources):
        listed = outputs(plan.keys, plan.values, side)
        return (source.sql(Reading(listed, key=columns[0], keys=columns, ordered=True)),)
    return (source.sql(Reading(outputs(plan.keys, plan.values, side))),)


def _fingerprints(plan: Plan, side: int) -> ChecksumQuery:
    """Say what is hashed; the size of a bucket and the salt are chosen when it is run."""
    keys = tuple(Hashed((p.left, p.right)[side], p.form or "") for p in plan.keys)
    integer = len(keys) == 1 and keys[0].column.type.family == "int"
    grouping = (
        Grouping(keys, shift=ROWS_PER_BUCKET.bit_length() - 1)
        if integer
        else Grouping(keys, count=ROWS_PER_BUCKET)
    )
    values = tuple(Hashed((p.left, p.right)[side], p.form or "") for p in plan.values)
    return ChecksumQuery(grouping, values, salt=0)
