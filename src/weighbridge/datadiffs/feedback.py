"""A finished, failed or waiting diff as a paragraph that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from weighbridge.report.words import listed, percent, plural, share
from weighbridge.types.safe_text import safe_text

if TYPE_CHECKING:
    from weighbridge.datadiffs.store import Diff

_MOST_COLUMNS = 3
_NOT_YET = {
    "waiting": "The diff waits for a worker.",
    "processing": "The diff is under way.",
    "cancelled": "The diff was cancelled before its end.",
}


def feedback(diff: Diff) -> str:
    """Say what came of a diff: the counts, the columns that differ most, what to bear in mind."""
    again = (diff.progress or {}).get("again")
    if diff.status == "waiting" and again:
        return (
            f"Try {again['tries']} of {again['of']} failed, and the diff is tried again by and by:"
            f" {again['error']['message']}"
        )
    if diff.report is None:
        error = diff.error or {}
        said = f"The diff failed: {error.get('message', '')} {error.get('next_step', '')}".strip()
        return _NOT_YET.get(diff.status, said)
    parts = [
        *_sampled(diff.report), _rows(diff.report), *_columns(diff.report), *_keys(diff.report),
        *_schema(diff.report), *map(safe_text, diff.report["warnings"]),
    ]  # fmt: skip
    parts += _materialized(diff.additions or {})
    if diff.purged:
        parts.append("The differing rows were purged.")
    return " ".join(parts)


def _materialized(additions: Mapping[str, Any]) -> list[str]:
    results = additions.get("materialized")
    if results is None:
        return []
    if "error" in results:
        error = results["error"]
        said = f"The results were not written as tables: {error['message']} {error['next_step']}"
        return [safe_text(said)]
    paths = [".".join(found["path"]) for found in results["tables"].values()]
    return [f"The results were written into the tables {safe_text(', '.join(paths))}."]


def _sampled(report: Mapping[str, Any]) -> list[str]:
    sampling = report["sampling"]
    if sampling is None:
        return []
    rows = max(report["rows"]["left"], report["rows"]["right"])
    said = (
        f"Only a sample was compared: {plural(rows, 'row')}, {share(sampling['rate'])} of the keys,"
        f" chosen for a tolerance of {share(sampling['tolerance'])} at a confidence of"
        f" {share(sampling['confidence'])}; every figure is the sample's."
    )
    return [said]


def _rows(report: Mapping[str, Any]) -> str:
    rows = report["rows"]
    sides = f"The left side has {plural(rows['left'], 'row')}, the right {rows['right']:,}."
    found = [
        f"{plural(rows['changed'], 'row')} changed" if rows["changed"] else "",
        f"{rows['only_left']:,} only on the left" if rows["only_left"] else "",
        f"{rows['only_right']:,} only on the right" if rows["only_right"] else "",
    ]
    differing = [text for text in found if text]
    return f"{sides} {', '.join(differing) if differing else 'No row differs'}."


def _columns(report: Mapping[str, Any]) -> list[str]:
    changed = [c for c in report["columns"] if c["differences"]]
    if not changed:
        return []
    most = sorted(changed, key=lambda c: -c["differences"])[:_MOST_COLUMNS]
    named = ", ".join(
        f"{safe_text(c['name'])} ({plural(c['differences'], 'row')},"
        f" {percent(c['match'], c['differences'])} equal)"
        for c in most
    )
    differ = "differs" if len(changed) == 1 else "differ"
    return [f"{plural(len(changed), 'column')} {differ}, most of all {named}."]


def _keys(report: Mapping[str, Any]) -> list[str]:
    keys = report["keys"]
    counts = (("Rows with a null key", keys["nulls"]), ("Rows that share their key", keys["dupes"]))
    return [
        f"{what}: {left:,} on the left, {right:,} on the right."
        for what, (left, right) in counts
        if left or right
    ]


def _schema(report: Mapping[str, Any]) -> list[str]:
    schema = report["schema"]
    changed = [change["column"] for change in schema["type_changed"]]
    names = (
        ("Columns only on the left", schema["removed"]),
        ("Columns only on the right", schema["added"]),
        ("Columns of another type", changed),
    )
    return [f"{what}: {listed(which)}." for what, which in names if which]
