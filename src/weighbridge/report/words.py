"""The sentences of a report: one place, so that terminal, page, comment and test suite agree.

Nothing here is escaped or coloured: cell data that a sentence carries has been made safe,
and what a format needs on top (markup, XML) is that format's work.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Literal

from weighbridge.compare.result import (
    ColumnResult,
    Explanation,
    Key,
    Kind,
    NotCompared,
    Report,
    Sampling,
    Side,
    SideConsistency,
)
from weighbridge.types.safe_text import safe_text

Tone = Literal["same", "under_rules", "sampled", "different"]

KIND_SYMBOL: dict[Kind, str] = {"changed": "≠", "only_left": "−", "only_right": "+"}
KIND_WORDS: dict[Kind, str] = {
    "changed": "changed",
    "only_left": "only left",
    "only_right": "only right",
}

_KEY_SOURCE = {
    "given": "as given",
    "primary_key": "the primary key",
    "unique_index": "a unique index",
    "inferred": "inferred: unique on both sides, not declared",
    "whole_row": "no key: whole rows were compared",
}
_LEVEL = {
    "snapshot": "snapshot: every row as of one moment",
    "watermark": "watermark: rows last changed before one moment",
    "best_effort": "best effort: rows may have changed while they were read",
}
_STRATEGY = {
    "checksum": "by checksum: fingerprints of buckets first, then the rows that differ",
    "stream": "by stream: both sides read once in key order and merged",
    "join": "by join: one full outer join where both sides are",
}
_VENDORS = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "duckdb": "DuckDB",
    "sqlite": "SQLite",
    "csv": "CSV",
    "json": "JSON",
    "ndjson": "NDJSON",
    "parquet": "Parquet",
}


@dataclass(frozen=True)
class Headline:
    """The verdict in words. `symbol` carries the tone for those who see no colour."""

    tone: Tone
    symbol: str
    title: str
    sentence: str


@dataclass(frozen=True)
class Count:
    """One line of the counts. None: the line has no such side."""

    label: str
    left: int | None
    right: int | None
    kind: Kind | None = None


def number(value: int) -> str:
    """Write an integer with thousands separators."""
    return f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Join names with commas; past the limit, say how many more there are."""
    every = [safe_text(name) for name in names]
    more = len(every) - limit
    return ", ".join(every[:limit]) + (f" and {more:,} more" if more > 0 else "")


def percent(match: float, differences: int) -> str:
    """Write a match percentage that never rounds a difference away, in either direction."""
    if not differences and match >= 100:
        return "100 %"
    if match > 99.99:
        return "> 99.99 %"
    if 0 < match < 0.01:
        return "< 0.01 %"
    return f"{match:.2f} %"


def share(part: float) -> str:
    """Write a share of 0 to 1 as a percentage without trailing zeros."""
    return f"{part * 100:.6g} %"


def duration(seconds: float) -> str:
    """Write seconds as a person would say them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def size(count: int) -> str:
    """Write a number of bytes in decimal units."""
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def sample_of(report: Report) -> str:
    """Say `n of N rows`. N is an estimate where only the sampled rows were counted."""
    sampling = report.sampling
    if sampling is None:
        return plural(report.rows.left, "row")
    whole = max(report.rows.left, report.rows.right)
    if whole > sampling.rows:
        return f"{number(sampling.rows)} of {plural(whole, 'row')}"
    if 0 < sampling.rate < 1:
        return f"{number(sampling.rows)} of about {plural(round(whole / sampling.rate), 'row')}"
    return plural(sampling.rows, "row")


def headline(report: Report) -> Headline:
    """Give the verdict in words. `identical` is said only when every row was compared."""
    if report.verdict == "different":
        return Headline("different", "≠", "DIFFERENT", _different(report))
    if report.sampling is not None or report.verdict == "no_difference_in_sample":
        return Headline("sampled", "?", "SAMPLED", _sampled(report))
    if report.verdict == "identical_under_rules":
        return Headline("under_rules", "≈", "IDENTICAL UNDER RULES", _under_rules(report))
    return Headline("same", "=", "IDENTICAL", _identical(report))


def _different(report: Report) -> str:
    rows = report.rows
    found: list[str] = []
    if rows.changed:
        found.append(f"{number(rows.changed)} of {plural(rows.left, 'row')} changed")
    if rows.only_left:
        found.append(f"{number(rows.only_left)} only left")
    if rows.only_right:
        found.append(f"{number(rows.only_right)} only right")
    if not found:
        added, removed = len(report.schema.added), len(report.schema.removed)
        if added or removed:
            text = f"the rows are equal, the columns are not: {removed:,} only left, "
            return f"{text}{added:,} only right."
        return "the rows that could be paired are equal; see keys and columns for what is not."
    text = ", ".join(found)
    return f"{text}, in a sample of {sample_of(report)}." if report.sampling else f"{text}."


def _sampled(report: Report) -> str:
    text = f"no difference found in a sample of {sample_of(report)}"
    sampling = report.sampling
    if sampling is None:
        return f"{text}. The rows outside the sample were not compared."
    return (
        f"{text}: with {share(sampling.confidence)} confidence, at most "
        f"{share(_still_possible(sampling))} of all rows differ. The other rows were not compared."
    )


def _still_possible(sampling: Sampling) -> float:
    """Give the share that may differ though no row of the sample does, rounded up to two digits.

    It follows from the number of rows: a share of keys that the user named may be few rows.
    """
    if not sampling.rows:
        return 1.0
    most = 1.0 - (1.0 - sampling.confidence) ** (1.0 / sampling.rows)
    scale = 10.0 ** (1 - floor(log10(most)))
    return ceil(most * scale) / scale


def _equal(report: Report) -> str:
    if not report.rows.left and not report.rows.right:
        return "both sides have no rows"
    return f"all {plural(report.rows.left, 'row')} and {plural(len(report.columns), 'column')} are equal"


def _left_out(report: Report) -> str:
    count = len(report.not_compared)
    if not count:
        return "."
    return f"; {plural(count, 'column')} {'was' if count == 1 else 'were'} not compared."


def _identical(report: Report) -> str:
    return _equal(report) + _left_out(report)


def _under_rules(report: Report) -> str:
    text = _equal(report)
    if report.rows.equal_under_rule:
        text += f", {plural(report.rows.equal_under_rule, 'row')} only because of a rule"
    return text + _left_out(report)


def counts(report: Report) -> tuple[Count, ...]:
    """Give the lines of the counts; the last four of each side add up to its first."""
    rows = report.rows
    lines = [
        Count("rows", rows.left, rows.right),
        Count("matched", rows.matched, rows.matched),
        Count("changed", rows.changed, rows.changed, "changed"),
        Count("only left", rows.only_left, None, "only_left"),
        Count("only right", None, rows.only_right, "only_right"),
    ]
    if rows.equal_under_rule:
        under = rows.equal_under_rule
        lines.insert(2, Count("· equal only under a rule", under, under))
    return tuple(lines)


def side_words(side: Side) -> str:
    """Name one side: its label, and the system that answered."""
    vendor = safe_text(_VENDORS.get(side.vendor, side.vendor))
    version = f" {safe_text(side.version)}" if side.version else ""
    return f"{safe_text(side.label)} ({vendor}{version})"


def side_limits(side: Side) -> tuple[tuple[str, str], ...]:
    """Give what narrows a side: its query, its filter."""
    pairs = (("query", side.query), ("where", side.where))
    return tuple((label, safe_text(text)) for label, text in pairs if text)


def key_words(key: Key) -> str:
    """Name the key and who said so."""
    if key.source == "whole_row":
        return _KEY_SOURCE[key.source]
    names = [
        left if left == right else f"{left} = {right}"
        for left, right in zip(key.left, key.right, strict=True)
    ]
    return f"{listed(names)} ({_KEY_SOURCE[key.source]})"


def schema_lines(report: Report) -> tuple[str, ...]:
    """Say how the column lists differ; empty where they do not."""
    schema = report.schema
    lines: list[str] = []
    if schema.removed:
        lines.append(f"only left: {listed(schema.removed)}")
    if schema.added:
        lines.append(f"only right: {listed(schema.added)}")
    lines.extend(
        f"type of {safe_text(change.column)}: {safe_text(change.left_type)} left, "
        f"{safe_text(change.right_type)} right"
        for change in schema.type_changed
    )
    if schema.reordered:
        lines.append(f"in another order: {listed(schema.reordered)}")
    return tuple(lines)


def key_counts(report: Report) -> tuple[Count, ...]:
    """Give the key report, each line with its two sides."""
    keys = report.keys
    return (
        Count("distinct keys", *keys.distincts),
        Count("keys on this side only", *keys.exclusives),
        Count("rows with a null key", *keys.nulls),
        Count("rows that share their key", *keys.dupes),
    )


def keys_are_interesting(report: Report) -> bool:
    """Tell whether the keys say more than the row counts do."""
    keys = report.keys
    return any((*keys.nulls, *keys.dupes, keys.collisions))


def collision_words(report: Report) -> str | None:
    """Say how many keys without a partner nearly have one, if any do."""
    count = report.keys.collisions
    if not count:
        return None
    return (
        f"{plural(count, 'key')} of one side only {'differs' if count == 1 else 'differ'} "
        "from another key by case or end spaces alone"
    )


def rule_words(column: ColumnResult) -> str:
    """Say under which rule a column was compared, what that loses, and how often it mattered."""
    parts = [safe_text(column.rule)]
    if column.loses:
        parts.append(f"loses {safe_text(column.loses)}")
    if column.depends_on_rule:
        parts.append(f"{plural(column.depends_on_rule, 'row')} equal only under it")
    return "; ".join(parts)


def column_name(column: ColumnResult) -> str:
    """Name a pair of columns, once where both sides call it the same."""
    if column.name == column.right_name:
        return safe_text(column.name)
    return f"{safe_text(column.name)} = {safe_text(column.right_name)}"


def column_types(column: ColumnResult) -> str:
    """Give the types of a pair of columns, once where they are the same."""
    left, right = safe_text(column.left_type), safe_text(column.right_type)
    return left if left == right else f"{left} → {right}"


def by_difference(columns: Iterable[ColumnResult]) -> list[ColumnResult]:
    """Put the columns that differ most first; equal ones keep the table's order."""
    return sorted(columns, key=lambda column: -column.differences)


def is_plain(column: ColumnResult) -> bool:
    """Tell whether a column has nothing to say: no difference, and no rule that loses."""
    return not (column.differences or column.loses or column.depends_on_rule)


def explanation_words(explanation: Explanation) -> str:
    """Give an explanation's sentence with its figures, unless the sentence carries them."""
    text = safe_text(explanation.text)
    if number(explanation.support) in text or str(explanation.support) in text:
        return text
    rows = (
        f"{number(explanation.support)} of {number(explanation.of)} {KIND_WORDS[explanation.rows]}"
    )
    told = explanation.lift is None or "lift" in text
    lift = "" if told else f", {explanation.lift:,.1f} × as common as among all rows"
    return f"{text} ({rows}{lift})"


def left_out_words(column: NotCompared) -> tuple[str, str]:
    """Give a column that was not compared (with its side) and the reason."""
    name = safe_text(column.column)
    label = name if column.side == "both" else f"{name} ({column.side})"
    return label, safe_text(column.reason)


def strategy_words(strategy: str) -> str:
    """Say what a strategy does."""
    return _STRATEGY.get(strategy, safe_text(strategy))


def consistency_words(side: SideConsistency) -> str:
    """Say what one side's rows are."""
    parts = [_LEVEL[side.level]]
    if side.position:
        parts.append(f"position {safe_text(side.position)}")
    if side.reason:
        parts.append(safe_text(side.reason))
    return "; ".join(parts)


def cost_words(report: Report) -> str:
    """Say what the comparison cost: time, rows, bytes, memory."""
    stats = report.stats
    read, fetched = stats.rows_read, stats.rows_fetched
    parts = [
        duration(stats.seconds),
        f"rows read {number(read[0])} left, {number(read[1])} right",
        f"rows fetched {number(fetched[0])} left, {number(fetched[1])} right",
        f"{size(stats.bytes)} moved",
        f"{size(stats.peak_memory)} peak memory",
    ]
    return " · ".join(parts)


def shown_of(report: Report, shown: int) -> str:
    """Say how many of the row diffs are shown."""
    whole = report.rows.changed + report.rows.only_left + report.rows.only_right
    return f"{number(shown)} of {number(whole)} shown" if whole > shown else f"all {number(shown)}"
