"""What a comparison found: the verdict, as values. `docs/reference/verdict.schema.json` is its JSON.

Shapes: everything that has two sides is a pair `(left, right)`. Counts are exact, whatever
the sample is capped at. In `Rows`, `matched + changed + only_left = left` and
`matched + changed + only_right = right`, always.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VERDICT_VERSION = "1.0"

Verdict = Literal["identical", "identical_under_rules", "different", "no_difference_in_sample"]
Kind = Literal["only_left", "only_right", "changed"]
Consistency = Literal["snapshot", "watermark", "best_effort"]


@dataclass(frozen=True)
class Side:
    """One side as it was asked for; `label` holds no secret."""

    label: str
    vendor: str
    relation: str
    query: str | None = None
    where: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Key:
    """The columns that name a row, left names first, and who said so."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    source: Literal["given", "primary_key", "unique_index", "inferred", "whole_row"]


@dataclass(frozen=True)
class Rows:
    """Row counts. `compared` are the pairs whose key is not null and unique on both sides.

    `unique_changed` are those of `compared` that differ.
    """

    left: int = 0
    right: int = 0
    matched: int = 0
    only_left: int = 0
    only_right: int = 0
    changed: int = 0
    equal_under_rule: int = 0
    compared: int = 0
    unique_changed: int = 0


@dataclass(frozen=True)
class Keys:
    """Key counts per side; `dupes` counts every row of a duplicated key."""

    nulls: tuple[int, int] = (0, 0)
    dupes: tuple[int, int] = (0, 0)
    distincts: tuple[int, int] = (0, 0)
    exclusives: tuple[int, int] = (0, 0)
    collisions: int = 0


@dataclass(frozen=True)
class ColumnResult:
    """One pair of columns. `match` is a percentage of the pairs of rows, 0 to 100.

    `unique_differences` are those of `differences` whose key is unique on both sides.
    """

    name: str
    right_name: str
    left_type: str
    right_type: str
    rule: str
    loses: str | None
    compared: int
    differences: int
    match: float
    depends_on_rule: int
    unique_differences: int = 0


@dataclass(frozen=True)
class NotCompared:
    """A column that was left out, and why."""

    column: str
    side: Literal["left", "right", "both"]
    reason: str


@dataclass(frozen=True)
class TypeChange:
    """A column whose declared type differs between the sides."""

    column: str
    left_type: str
    right_type: str


@dataclass(frozen=True)
class Schema:
    """How the column lists differ. `added` is only on the right, `removed` only on the left."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    type_changed: tuple[TypeChange, ...] = ()
    reordered: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowDiff:
    """One row that differs. `left` and `right` map column names (the left's) to values.

    `left` is None for `only_right` and the other way round. `changed` names the columns that
    differ and is empty unless `kind` is `changed`.
    """

    kind: Kind
    key: dict[str, Any]
    left: dict[str, Any] | None
    right: dict[str, Any] | None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """What many differences have in common, in words and as figures.

    `kind` is `slice` (the differing rows share values of one or two columns) or `transform`
    (one column's right value is a function of its left). `support` rows of `of` show it;
    `lift` is how much more common it is among them than among all rows (slices only).
    """

    kind: Literal["slice", "transform"]
    text: str
    rows: Kind
    columns: tuple[str, ...]
    support: int
    of: int
    lift: float | None = None
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class PlanReport:
    """The way that was taken, why, and the SQL that each side ran."""

    strategy: Literal["checksum", "stream", "join"]
    reasons: tuple[str, ...]
    sql: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class SideConsistency:
    """What one side's rows are: one moment, a window below a watermark, or best effort."""

    level: Consistency
    position: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Sampling:
    """Which share of the keys was looked at, and what may be said of the rest."""

    rate: float
    rows: int
    tolerance: float
    confidence: float


@dataclass(frozen=True)
class Stats:
    """Cost. Seconds of wall time; bytes moved to this process; peak memory in bytes."""

    seconds: float = 0.0
    rows_read: tuple[int, int] = (0, 0)
    rows_fetched: tuple[int, int] = (0, 0)
    bytes: int = 0
    peak_memory: int = 0


@dataclass(frozen=True)
class Report:
    """The whole answer of one comparison."""

    verdict: Verdict
    left: Side
    right: Side
    key: Key
    rows: Rows
    keys: Keys
    columns: tuple[ColumnResult, ...]
    not_compared: tuple[NotCompared, ...]
    schema: Schema
    sample: tuple[RowDiff, ...]
    explanations: tuple[Explanation, ...]
    plan: PlanReport
    consistency: tuple[SideConsistency, SideConsistency]
    stats: Stats
    sampling: Sampling | None = None
    warnings: tuple[str, ...] = ()
    version: str = VERDICT_VERSION

    def as_dict(self) -> dict[str, Any]:
        """Give the report as plain containers; values keep their Python types."""
        body = asdict(self)
        body["consistency"] = {"left": body["consistency"][0], "right": body["consistency"][1]}
        return body
