"""The verdict as a JUnit suite, so that a build shows which part of a table is not the same.

Cases: verdict, schema, keys, and one for each column; a column that was not compared is
skipped with its reason. The suite has a failure exactly where the command's exit code is 1:
the schema's and the keys' own differences fail only together with the verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from weighbridge.compare.result import ColumnResult, Report
from weighbridge.report import words
from weighbridge.report.shown import shown_key, shown_pair, value_of
from weighbridge.types.safe_text import safe_text

# https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EXAMPLES = 5


@dataclass(frozen=True)
class _Case:
    name: str
    failure: str | None = None
    skipped: str | None = None
    note: str | None = None


def junit(report: Report, *, title: str | None = None) -> str:
    """Give the suite as XML text."""
    cases = list(_cases(report))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.failure is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.skipped is not None for case in cases)),
        "time": f"{report.stats.seconds:.3f}",
    }
    name = _clean(safe_text(title) if title else "weighbridge diff")
    root = ET.Element("testsuites", {"name": name, **counts})
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts})
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report):
        ET.SubElement(properties, "property", {"name": key, "value": _clean(value)})
    for case in cases:
        _add(suite, case, name)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _properties(report: Report) -> Iterable[tuple[str, str]]:
    yield "verdict", report.verdict
    yield "left", words.side_words(report.left)
    yield "right", words.side_words(report.right)
    yield "key", words.key_words(report.key)
    yield "strategy", report.plan.strategy
    for name, side in zip(("left", "right"), report.consistency, strict=True):
        yield f"consistency.{name}", words.consistency_words(side)
    yield "version", report.version


def _add(suite: ET.Element, case: _Case, name: str) -> None:
    # No case has a time of its own: the sides are read once, for all of them.
    found = ET.SubElement(suite, "testcase", {"classname": name, "name": _clean(case.name)})
    if case.skipped is not None:
        ET.SubElement(found, "skipped", {"message": _clean(case.skipped)})
    if case.failure is not None:
        message = case.failure.split("\n", 1)[0]
        failure = ET.SubElement(found, "failure", {"message": _clean(message), "type": "different"})
        failure.text = _clean(case.failure)
    if case.note:
        ET.SubElement(found, "system-out").text = _clean(case.note)


def _cases(report: Report) -> Iterable[_Case]:
    different = report.verdict == "different"
    head = words.headline(report)
    verdict = f"{head.title}: {head.sentence}"
    why = [words.explanation_words(each) for each in report.explanations]
    warned = "\n".join(map(safe_text, report.warnings))
    yield _found("verdict", verdict if different else None, [verdict, *why], warned)
    lines = words.schema_lines(report)
    schema = report.schema
    columns_differ = different and bool(schema.added or schema.removed)
    yield _found("schema", "The columns differ." if columns_differ else None, lines)
    yield _found("keys", _keys_failure(report), _key_lines(report))
    for column in report.columns:
        yield _column(report, column, different=different)
    for label, reason in map(words.left_out_words, report.not_compared):
        yield _Case(f"column {label}", skipped=reason)


def _found(name: str, failure: str | None, lines: Iterable[str], note: str = "") -> _Case:
    text = "\n".join(lines)
    if failure is None:
        return _Case(name, note="\n".join(part for part in (text, note) if part))
    whole = text if text.startswith(failure) else f"{failure}\n{text}"
    return _Case(name, failure=whole, note=note)


def _keys_failure(report: Report) -> str | None:
    keys = report.keys
    pairs = (keys.nulls, keys.dupes, keys.distincts)
    apart = any(left != right for left, right in pairs) or any(keys.exclusives)
    return "The keys of the sides differ." if report.verdict == "different" and apart else None


def _key_lines(report: Report) -> list[str]:
    lines = [
        f"{line.label}: {words.number(line.left or 0)} left, {words.number(line.right or 0)} right"
        for line in words.key_counts(report)
    ]
    collisions = words.collision_words(report)
    return [*lines, collisions] if collisions else lines


def _column(report: Report, column: ColumnResult, *, different: bool) -> _Case:
    name = f"column {words.column_name(column)}"
    rule = f"rule: {words.rule_words(column)}; types: {words.column_types(column)}"
    if not (column.differences and different):
        return _Case(name, note=rule)
    match = words.percent(column.match, column.differences)
    failure = f"{words.plural(column.differences, 'row differs', 'rows differ')}; {match} match"
    return _Case(name, failure="\n".join([failure, rule, *_examples(report, column.name)]))


def _examples(report: Report, column: str) -> list[str]:
    lines: list[str] = []
    for row in report.sample:
        if row.kind == "changed" and column in row.changed and len(lines) < _EXAMPLES:
            left, right = shown_pair(value_of(row.left, column), value_of(row.right, column))
            lines.append(f"{shown_key(row.key)}: {left.text} ≠ {right.text}")
    return lines
