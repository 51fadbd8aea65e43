"""Manifests: what counts, in which order, and what is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.file_ground import FIELDS, a_load
from weighbridge.connectors.loading import Field
from weighbridge.connectors.manifests import (
    ColumnEntry,
    FileEntry,
    Manifest,
    abandoned,
    evolved,
    file_name,
    live,
    parse,
)
from weighbridge.errors import NotComparable, Unreadable
from weighbridge.types.columns import ColumnType

FILE = FileEntry(name="orders/dt=2026-01-01/t_3_0.csv", rows=1, bytes=1, sha256="0" * 64)


def one(token: int, **said: Any) -> Manifest:
    return Manifest(model="orders", transfer=f"t{token}", token=token, **said)


def test_a_full_refresh_ends_what_was_before() -> None:
    listed = [one(1, is_full_refresh=True), one(2), one(3, is_full_refresh=True), one(4),
              abandoned(5, "t5", "orders"), one(6)]  # fmt: skip
    assert [m.token for m in live(reversed(listed))] == [3, 4, 6]
    assert live([]) == []


def test_names_sort_as_tokens_do() -> None:
    names = [file_name(token, "t") for token in (9, 10, 2**40)]
    assert names == sorted(names)


def test_it_comes_back_as_it_was() -> None:
    columns = tuple(ColumnEntry.of(f) for f in FIELDS)
    made = one(3, columns=columns, table_columns=columns, files=(FILE,), rows=1, key=("id",))
    name = f"_manifests/orders/{file_name(3, 't3')}.json"
    assert parse(made.body(), name) == made
    assert tuple(c.field() for c in made.columns) == FIELDS


@pytest.mark.parametrize(
    "change",
    [{"token": 4}, {"transfer": "x"}, {"rows": -1}, {"version": 2}, {"files": [{}]},
     {"files": [{**FILE.model_dump(), "name": "other/dt=2026-01-01/t_3_0.csv"}]},
     {"files": [{**FILE.model_dump(), "name": "orders/dt=1/../../secret"}]},
     {"files": [{**FILE.model_dump(), "sha256": "x"}]}],
)  # fmt: skip
def test_what_was_altered_is_not_believed(change: dict[str, Any]) -> None:
    body = json.loads(one(3, files=(FILE,)).body()) | change
    name = f"_manifests/orders/{file_name(3, 't3')}.json"
    with pytest.raises(Unreadable, match=r"manifest _manifests/orders/0+3_t3\.json"):
        parse(json.dumps(body).encode(), name)
    with pytest.raises(Unreadable):
        parse(b"", name)


def test_columns_come_and_go_and_keep_their_types() -> None:
    wider = (*FIELDS, Field("note", ColumnType("text", "text")))
    before = evolved(a_load("t1", 1, fields=wider), (), file_format="csv")
    after = evolved(a_load("t2", 2), before, file_format="csv")
    assert [c.name for c in after] == ["id", "name", "changed_at", "note"]
    other = (*FIELDS[:1], Field("name", ColumnType("int", "bigint", bits=64)), *FIELDS[2:])
    with pytest.raises(NotComparable, match="name of orders was delivered as text"):
        evolved(a_load("t3", 3, fields=other), after, file_format="csv")
    again = evolved(a_load("t3", 3, full=True, fields=other), after, file_format="csv")
    assert [c.type for c in again] == ["int", "int", "timestamp"]
