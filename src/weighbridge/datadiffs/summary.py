"""The figures of a finished diff in the arithmetic that Datafold publishes (contract, B4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """Turn a verdict's JSON into pks, values and schema."""
    rows, keys, columns = report["rows"], report["keys"], report["columns"]
    values = [c for c in columns if c["name"] not in report["key"]["left"]]
    compared = rows["compared"]
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
            "rows_with_differences": rows["changed"],
            "total_values": compared * len(values),
            "values_with_differences": sum(c["differences"] for c in values),
            "compared_columns": len(values),
            "columns_with_differences": sum(1 for c in values if c["differences"]),
            "columns_diff_stats": [{"column_name": c["name"], "match": c["match"]} for c in values],
        },
        "schema": _schema(report),
    }


def _schema(report: Mapping[str, Any]) -> dict[str, Any]:
    schema = report["schema"]
    changed = [change["column"] for change in schema["type_changed"]]
    alone = [list(schema["removed"]), list(schema["added"])]
    considered = len(report["columns"]) + len(
        [n for n in report["key"]["left"] if n not in {c["name"] for c in report["columns"]}]
    )
    return {
        "columns_mismatched": [len(names) + len(changed) for names in alone],
        "column_type_mismatches": len(changed),
        "column_reorders": len(schema["reordered"]),
        "column_counts": [considered + len(names) for names in alone],
        "column_type_differs": changed,
        "exclusive_columns": alone,
    }
