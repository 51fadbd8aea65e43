"""Every field of the published request does what it says, each held by what it changes alone.

A field that is tried elsewhere names the test; one that is tried nowhere fails.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.api.conftest import source_body
from tests.contract.test_datafold_seed import ASKED
from tests.house import House

if TYPE_CHECKING:
    from starlette.testclient import TestClient

# 1: another text. 2, 3, 4: numbers apart by a tenth of the left, of the right, of neither. 5 is on
# the left alone, 11 on the right. Row n is of the n-th hour.
TABLES = (
    "create table a (id int, part int, v text, n numeric(9, 2), at timestamp, primary key (id))",
    (
        "insert into a select i, i % 2, 'v', 50, timestamp '2024-01-01' + i * interval '1 hour'"
        " from generate_series(1, 10) i"
    ),
    "create table b as select * from a where id <> 5",
    "alter table b add primary key (id)",
    "insert into b values (11, 1, 'v', 50, '2024-01-01T11:00')",
    "update b set v = 'w' where id = 1",
    "update a set n = 100 where id = 2",
    "update b set n = 110 where id = 2",
    "update a set n = 110 where id = 3",
    "update b set n = 100 where id = 3",
    "update a set n = 5 where id = 4",
    "update b set n = 5.5 where id = 4",
)
Found = tuple[set[int], set[int], set[int]]
BASE: Found = ({1, 2, 3, 4}, {5}, {11})
SOURCES = ("data_source1_id", "data_source2_id")


def tolerance(value: float, mode: str) -> dict[str, Any]:
    one = {"column_name": "n", "tolerance_value": value, "tolerance_mode": mode}
    return {"diff_tolerances_per_column": [one]}


def within(start: str | None, end: str | None) -> dict[str, Any]:
    return {"time_column": "at", "time_interval_start": start, "time_interval_end": end}


# The change of the request: (rows that changed, only left, only right).
CASES: list[tuple[dict[str, Any], Found]] = [
    ({}, BASE),
    ({"table1": ["{db}", "public", "a"], "table2": ["{db}", "public", "b"]}, BASE),
    ({"table1": ["b"], "table2": ["a"]}, ({1, 2, 3, 4}, {11}, {5})),
    ({"pk_columns": ["id", "part"]}, BASE),
    ({"filter1": "id <> 1"}, ({2, 3, 4}, {5}, {1, 11})),
    ({"filter2": "id <> 1"}, ({2, 3, 4}, {1, 5}, {11})),
    ({"query1": "select * from a where id < 3", "table1": None},
     ({1, 2}, set(), {3, 4, 6, 7, 8, 9, 10, 11})),
    ({"query2": "select id, part, v, n, at from b where id = 1", "table2": None},
     ({1}, {2, 3, 4, 5, 6, 7, 8, 9, 10}, set())),
    ({"include_columns": ["v"]}, ({1}, {5}, {11})),
    ({"exclude_columns": ["v"]}, ({2, 3, 4}, {5}, {11})),
    ({"include_columns": ["v"], "exclude_columns": ["v"]}, ({1}, {5}, {11})),
    (tolerance(10, "absolute"), ({1}, {5}, {11})),
    (tolerance(9.99, "absolute"), ({1, 2, 3}, {5}, {11})),
    # |A / B - 1|: 0.0909…, 0.1, 0.0909…
    (tolerance(0.095, "relative"), ({1, 3}, {5}, {11})),
    (tolerance(0.1, "relative"), ({1}, {5}, {11})),
    (within("2024-01-01T02:00", "2024-01-01T04:00"), ({2, 3}, set(), set())),
    (within("2024-01-01T04:00", None), ({4}, {5}, {11})),
    (within(None, "2024-01-01T02:00"), ({1}, set(), set())),
    # The same server, stored twice: two connections as far as anybody knows.
    ({"data_source2_id": 2}, BASE),
]  # fmt: skip
ELSEWHERE = {
    "time_aggregate": "tests.api.test_materialise:test_buckets_add_up",
    "materialize_dataset1": "tests.api.test_materialise:test_a_view_is_copied_once_and_dropped",
    "materialize_dataset2": "tests.api.test_materialise:test_a_view_is_copied_once_and_dropped",
    "materialization_destination_id": "tests.api.test_materialise:test_tables_in_postgres",
    "materialize_without_sampling": (
        "tests.api.test_materialise:test_every_row_although_the_figures_are_of_a_sample"
    ),
    "time_travel_point1": "tests.api.test_materialise:test_a_table_as_it_was",
    "time_travel_point2": "tests.api.test_materialise:test_a_table_as_it_was",
    "sampling_tolerance": "tests.api.test_datadiffs:test_sampling",
    "sampling_confidence": "tests.api.test_datadiffs:test_sampling",
    "sampling_threshold": "tests.api.test_datadiffs:test_sampling",
}  # fmt: skip


def test_no_field_is_tried_nowhere() -> None:
    here = {name for change, _ in CASES for name in change} | set(SOURCES)
    assert set(ASKED) == here | set(ELSEWHERE)
    assert not here & set(ELSEWHERE)
    for place in ELSEWHERE.values():
        module, _, name = place.partition(":")
        assert isinstance(getattr(import_module(module), name), Callable), place


@pytest.fixture
def ask(client: TestClient, house: House, fresh_postgres: str) -> Any:
    """Give what asks for the diff of a and b with a change, and gives the rows' keys."""
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in TABLES:
            connection.execute(statement.encode())
    stored = [
        client.post(
            "/data_sources", json=source_body(fresh_postgres, n) | {"allow_powerful_login": True}
        ).json()["id"]
        for n in ("shop", "again")
    ]
    database = urlsplit(fresh_postgres).path[1:]

    def one(change: dict[str, Any]) -> Found:
        body = {
            **ASKED, "table1": ["public", "a"], "table2": ["public", "b"],
            "pk_columns": ["id"], **change,
        }  # fmt: skip
        for name in SOURCES:
            body[name] = stored[body[name] - 1]
        for name in ("table1", "table2"):
            body[name] = body[name] and [part.format(db=database) for part in body[name]]
        asked = client.post("/datadiffs", json=body)
        assert asked.status_code == 200, asked.text
        kind = "in_db" if len({body[name] for name in SOURCES}) == 1 else "cross_db"
        assert asked.json()["kind"] == kind
        number = asked.json()["id"]
        house.run_diff(number)
        ended = client.get(f"/datadiffs/{number}/summary_results").json()
        assert ended["status"] == "success", ended
        rows = client.get(f"/datadiffs/{number}/results").json()["results"]
        changed, left, right = (
            {row["key"]["id"] for row in rows if row["kind"] == kind}
            for kind in ("changed", "only_left", "only_right")
        )
        assert ended["pks"]["exclusives"] == [len(left), len(right)]
        assert ended["values"]["rows_with_differences"] == len(changed)
        return changed, left, right

    return one


def test_what_each_field_changes(ask: Any) -> None:
    for change, expected in CASES:
        assert ask(change) == expected, change
