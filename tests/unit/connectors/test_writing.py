"""Names and marks of tables that are written into a user's database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.connectors.names import STYLES, fitting, quote
from weighbridge.connectors.writing import Mark, replaceable
from weighbridge.errors import QueryFailed

OURS = Mark("weighbridge datadiff 7 of 2026-01-01", 2)
NAMES = {"x_try2": "x", "y_try2": "y"}
# What a column of a table can be called: each server refuses NUL, and none is empty.
COLUMN = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(COLUMN, max_size=12), st.sampled_from(["postgres", "mysql"]))
def test_fitting_names_can_be_quoted_and_are_all_different(names: list[str], dialect: str) -> None:
    parts = [("", "kind", "")]
    for name in names:
        parts += [("", name, "_a"), ("", name, "_b"), ("is_diff_", name, "")]
    fitted = fitting(parts, dialect)
    assert len({name.casefold() for name in fitted}) == len(parts)
    for (before, _, after), name in zip(parts, fitted, strict=True):
        assert quote(name, dialect)
        assert name.startswith(before)
        assert not name.endswith(" ")
        limit = STYLES[dialect].limit
        assert limit is not None
        assert STYLES[dialect].length(name) <= limit
        assert after in name


def test_names_that_fit_stay_as_they_are() -> None:
    parts = [("", "id", ""), ("", "Größe", "_a"), ("is_diff_", "Größe", ""), ("", "ID", "")]
    assert fitting(parts, "postgres") == ["id", "Größe_a", "is_diff_Größe", "ID_2"]
    assert fitting([("", "xmin", "")], "postgres") == ["xmin_2"]
    assert fitting([("", "xmin", "")], "mysql") == ["xmin"]


def test_a_mark_is_read_as_it_was_written() -> None:
    assert Mark.read(OURS.comment) == OURS
    for other in (None, "", "a table", "attempt 3", f"{OURS.comment}!"):
        assert Mark.read(other) is None


def test_what_is_ours_and_older_is_replaced() -> None:
    older = Mark(OURS.owner, 1)
    assert replaceable({}, NAMES, OURS) == []
    assert replaceable({"x": older, "z": None}, NAMES, OURS) == ["x"]
    assert replaceable({"x": OURS, "y": older}, NAMES, OURS) == ["x", "y"]


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (None, "not made for this diff"),
        (Mark("weighbridge datadiff 7 of 2025-01-01", 1), "not made for this diff"),
        (Mark(OURS.owner, 3), "later attempt"),
    ],
)
def test_what_is_not_ours_or_newer_is_left_alone(there: Mark | None, says: str) -> None:
    with pytest.raises(QueryFailed, match=says):
        replaceable({"y": there}, NAMES, OURS)
