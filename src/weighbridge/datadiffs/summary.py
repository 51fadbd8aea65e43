"""The figures of a finished diff in the arithmetic that Datafold publishes (contract, B4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from weighbridge.datadiffs.request import DiffRequest


def summary_of(report: Mapping[str, Any], request: DiffRequest) -> dict[str, Any]:
    """Turn a verdict's JSON into pks, values and schema."""
    rows, keys, columns = report["rows"], report["keys"], report["columns"]
    values = [c for c in columns if c["name"] not in report["key"]["left"]]
    compared, differing = rows["compared"], {c["name"]: c["unique_differences"] for c in values}
    return {
        "pks": {
            "total_rows": [rows["left"], rows["right"]],
            "nulls": list(keys["nulls"]),
            "dupes": list(keys["dupes"]),
            "exclusives": list(keys["exclusives"]),
            "distincts": list(keys["distincts"]),
        },
        "values": {
            "total_rows": compared,
            "rows_with_differences": rows["unique_changed"],
            "total_values": compared * len(values),
            "values_with_differences": sum(differing.values()),
            "compared_columns": len(values),
            "columns_with_differences": sum(1 for count in differing.values() if count),
            "columns_diff_stats": [
                {"column_name": name, "match": _match(count, compared)}
                for name, count in differing.items()
            ],
        },
        "schema": _schema(report, request),
    }


def _match(differences: int, compared: int) -> float:
    """Give the percentage that is equal, 0 to 100; a difference is never rounded away."""
    if not differences:
        return 100.0
    return min(round(100.0 * (compared - differences) / compared, 4), 99.9999)


def _schema(report: Mapping[str, Any], request: DiffRequest) -> dict[str, Any]:
    """Count the columns of both sides that are considered: without those left out on request."""
    schema = report["schema"]
    chosen = [n for n in (c["name"] for c in report["columns"]) if n not in report["key"]["left"]]
    unlike = [
        n["column"]
        for n in report["not_compared"]
        if n["side"] == "both" and _considered(n["column"], request)
    ]
    shared = len(report["key"]["left"]) + len({*chosen, *unlike} - {*report["key"]["left"]})
    changed = [
        c["column"]
        for c in schema["type_changed"]
        if c["column"] in report["key"]["left"] or _considered(c["column"], request)
    ]
    alone = [
        [name for name in names if _considered(name, request)]
        for names in (schema["removed"], schema["added"])
    ]
    return {
        "columns_mismatched": [len(names) + len(changed) for names in alone],
        "column_type_mismatches": len(changed),
        "column_reorders": len(schema["reordered"]),
        "column_counts": [shared + len(names) for names in alone],
        "column_type_differs": changed,
        "exclusive_columns": alone,
    }


def _considered(name: str, request: DiffRequest) -> bool:
    """Tell whether a request leaves a column in; in its names, % stands for any letters."""
    wishes = request.include or request.exclude
    named = any(
        wish == name or re.fullmatch(".*".join(map(re.escape, wish.split("%"))), name)
        for wish in wishes
    )
    return named if request.include else not named
