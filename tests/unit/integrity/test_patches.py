"""SQL of repairs: where it can be written, and values that no column of a kind can be given."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.connectors.vendor_examples import WHOLE
from weighbridge.connectors.destinations import registry
from weighbridge.connectors.patching import Held, Table, pen_of
from weighbridge.errors import BadArgument, NotComparable
from weighbridge.integrity.repairs import pen_at

WORKS = {"postgres", "aurora_postgres", "mysql", "aurora_mysql", "planetscale", "singlestore"}


@pytest.mark.parametrize("key", sorted(WHOLE))
def test_every_vendor_can_or_says_that_it_cannot_yet(key: str) -> None:
    vendor = registry.find_vendor(key)
    plain = {"disable_ssl": True, "use_ssh_tunnel": False} if key in WORKS else {}
    options = registry.checked(vendor, {**WHOLE[key], **plain})
    if key in WORKS:
        assert pen_at(vendor, options).dialect in {"postgres", "mysql"}
        return
    with pytest.raises(BadArgument, match=f"{vendor.display} cannot be repaired yet"):
        pen_at(vendor, options)


@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
@pytest.mark.parametrize(
    ("family", "value"),
    [
        ("int", "1; drop table x"), ("int", 1.5), ("int", "1.5"), ("decimal", "1e5"),
        ("float", "x"), ("float", {"base64": "AA=="}), ("bool", "maybe"), ("bool", 2),
        ("bytes", "x"), ("bytes", {"a": 1}), ("date", "0000-00-00"), ("date", "' or '"),
        ("timestamp", "2024-01-01 00:00:00'"), ("timestamptz", "now()"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_not_written(dialect: str, family: str, value: Any) -> None:
    pen = pen_of(dialect)
    assert pen is not None
    table = Table(pen, ("s", "t"), [Held("id", "int"), Held("v", family)], ["id"])
    with pytest.raises(NotComparable):
        table.inserted({"id": 1, "v": value})


def test_names_are_quoted_and_each_way_is_guarded() -> None:
    pen = pen_of("postgres")
    assert pen is not None
    name = 'a"; --'
    table = Table(pen, ('s"x', "t"), [Held("id", "int"), Held(name, "text")], ["id"])
    patch = table.updated({"id": 1, name: "old'"}, {"id": 1, name: None})
    assert patch.forward == (
        'UPDATE "s""x"."t" SET "a""; --" = NULL WHERE "id" = \'1\' AND "id" = \'1\''
        ' AND "a""; --" = \'old\'\'\' COLLATE "C"'
    )
    assert patch.undo.endswith(' AND "a""; --" IS NULL')
