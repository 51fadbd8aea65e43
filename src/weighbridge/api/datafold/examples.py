"""One diff from the question to its rows, as the API's description shows it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict


def shows(example: dict[str, Any]) -> ConfigDict:
    """Give a model of an answer its example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def asks(example: dict[str, Any]) -> ConfigDict:
    """Give a model of a request its example; it must have the types that it says."""
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [example]})


ASKED: dict[str, Any] = {
    "data_source1_id": 1, "data_source2_id": 1,
    "table1": ["public", "orders"], "table2": ["public", "orders_copy"],
    "pk_columns": ["id"],
}  # fmt: skip
_ECHO: dict[str, Any] = {
    **ASKED,
    "query1": None, "query2": None, "include_columns": [], "exclude_columns": [],
    "filter1": None, "filter2": None,
    "time_column": None, "time_aggregate": None,
    "time_interval_start": None, "time_interval_end": None,
    "time_travel_point1": None, "time_travel_point2": None,
    "materialize_dataset1": False, "materialize_dataset2": False,
    "materialization_destination_id": None, "materialize_without_sampling": False,
    "sampling_tolerance": None, "sampling_confidence": None, "sampling_threshold": None,
    "diff_tolerances_per_column": None, "column_mapping": None,
}  # fmt: skip
_STATS: dict[str, Any] = {
    "version": "1", "diff_pks": 3, "diff_rows": 10, "diff_values": 10, "diff_schema": 0,
    "diff_null_pks": 0, "diff_duplicate_pks": 0, "rows_removed": 2, "rows_added": 1,
    "table_a_row_count": 100, "table_b_row_count": 99, "sampled": False,
}  # fmt: skip
_BEGAN, _ENDED = "2025-03-01T09:30:00.125000+00:00", "2025-03-01T09:30:01.250000+00:00"
DIFF: dict[str, Any] = {
    **_ECHO,
    "id": 17, "user_id": 1, "kind": "in_db", "status": "done", "done": True,
    "result": "missing-pks", "result_statuses": {}, "source": "api", "tags": None,
    "archived": False, "purged": False,
    "created_at": _BEGAN, "updated_at": _ENDED, "finished_at": _ENDED, "runtime": 0.75,
    "diff_stats": _STATS,
    "diff_progress": {"completed_steps": 199, "total_steps": 199, "version": "1"},
}  # fmt: skip
DIFFS: dict[str, Any] = {
    "count": 1, "page": 1, "page_size": 100, "total_pages": 1, "results": [DIFF],
}  # fmt: skip
CANCELLED: dict[str, Any] = {"id": 17, "status": "cancelled"}
SUMMARY: dict[str, Any] = {
    "id": 17, "status": "done",
    "data_source1_id": 1, "data_source2_id": 1,
    "data_source1_name": "shop", "data_source2_name": "shop",
    "table1": ["public", "orders"], "table2": ["public", "orders_copy"],
    "pk_columns": ["id"], "include_columns": [],
    "algorithm": "checksum", "sampling_ratio": None,
    "result": "missing-pks", "result_status": "success", "results_count": 13,
    "feedback": "The left side has 100 rows, the right 99. 10 rows changed, 2 only on the left.",
    "error": None, "diff_stats": _STATS, "created_at": _BEGAN, "finished_at": _ENDED,
}  # fmt: skip
RUNNING: dict[str, Any] = {"status": "running"}
SUCCESS: dict[str, Any] = {
    "status": "success",
    "pks": {
        "total_rows": [100, 99], "nulls": [0, 0], "dupes": [0, 0], "exclusives": [2, 1],
        "distincts": [100, 99],
    },
    "values": {
        "total_rows": 98, "rows_with_differences": 10, "total_values": 196,
        "values_with_differences": 10, "compared_columns": 2, "columns_with_differences": 1,
        "columns_diff_stats": [
            {"column_name": "status", "match": 89.8}, {"column_name": "amount", "match": 100.0},
        ],
    },
    "dependencies": {"deps": {}},
    "schema": {
        "columns_mismatched": [0, 0], "column_type_mismatches": 0, "column_reorders": 0,
        "column_counts": [3, 3], "column_type_differs": [], "exclusive_columns": [[], []],
    },
    "materialized_results": None, "materialization_error": None, "time_aggregates": None,
}  # fmt: skip
FAILED: dict[str, Any] = {
    "status": "failed",
    "error": {
        "error_type": "no_such_table",
        "error_value": "There is no table public.order. Did you mean public.orders?",
    },
}
ROWS: dict[str, Any] = {
    "count": 13, "page": 1, "page_size": 1, "total_pages": 13, "next_after": 1,
    "results": [
        {
            "kind": "changed", "key": {"id": 10}, "changed": ["status"],
            "left": {"status": "paid", "amount": "15.00"},
            "right": {"status": "open", "amount": "15.00"},
        }
    ],
}  # fmt: skip
NDJSON = (
    '{"kind": "changed", "key": {"id": 10}, "left": {"status": "paid"},'
    ' "right": {"status": "open"}, "changed": ["status"]}\n'
)
CSV = (
    '"kind","changed","key_id","left_status","right_status"\n'
    '"changed","[""status""]",10,"paid","open"\n'
)
WHO: dict[str, Any] = {"org_id": 1, "org_name": "weighbridge", "user_id": 1}

# Data sources --------------------------------------------------------------------------------

SOURCE_ASKED: dict[str, Any] = {
    "name": "shop", "type": "pg",
    "options": {
        "host": "db.example", "port": 5432, "user": "reader", "password": "…",
        "dbname": "shop", "sslmode": "verify-full",
    },
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "id": 1, "name": "shop", "type": "pg",
    "options": {**SOURCE_ASKED["options"], "password": "********"},
    "is_paused": False, "hidden": False, "temp_schema": None, "float_tolerance": 0.0,
    "disable_schema_indexing": False, "disable_profiling": False,
    "allow_powerful_login": False, "created_at": _BEGAN,
}  # fmt: skip
SOURCE_TYPE: dict[str, Any] = {
    "name": "PostgreSQL", "type": "pg",
    "configuration_schema": {
        "title": "PostgreSQL",
        "properties": {"port": {"title": "Port", "type": "integer", "default": 5432}},
        "required": ["host", "user", "dbname"], "secret": ["password"],
    },
}  # fmt: skip
TEST_ASKED: dict[str, Any] = {"job_id": 7}
_OK: dict[str, Any] = {"code": "ok", "message": "db.example is 192.0.2.7.", "outcome": "success"}
TEST_RESULTS: dict[str, Any] = {
    "results": [
        {"step": "name", "status": "done", "result": _OK},
        {"step": "tcp", "status": "processing", "result": None},
    ]
}
QUERY_ASKED: dict[str, Any] = {"query": "select status, count(*) from orders group by 1"}
QUERY_ANSWER: dict[str, Any] = {
    "rows": [{"status": "paid", "count": 412}],
    "columns": [{"name": "status", "type": "text"}, {"name": "count", "type": "bigint"}],
    "capped": None,
}
TABLE_ASKED: dict[str, Any] = {"table": ["public", "orders"]}
TASK_ASKED: dict[str, Any] = {"task_id": 8}
TABLE_TASK: dict[str, Any] = {
    "status": "done",
    "result": {
        "table": ["public", "orders"],
        "columns": [
            {"name": "id", "type": "bigint", "nullable": False, "key": True},
            {"name": "number", "type": "text", "nullable": False, "key": False},
        ],
        "primary_key": ["id"], "unique": [["number"]],
    },
}  # fmt: skip
KEY_ASKED: dict[str, Any] = {"table": ["public", "orders"], "candidates": 1}
CANDIDATES: dict[str, Any] = {"candidates": [{"pk": ["id"]}], "error": None}
