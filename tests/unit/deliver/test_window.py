"""Which rows are read, and how far the watermark follows: nothing is left out for ever (F15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given

from weighbridge.deliver.window import Asked, Plan, Watermark, decide, moved

ONE, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
LOOK_BACK = 30


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def plan(asked: Asked | None = None, mark: Watermark | None = None, now: datetime = NOW) -> Plan:
    return decide(asked or Asked(), mark, ONE, now=now, look_back=LOOK_BACK)


@pytest.mark.parametrize(
    ("asked", "mark"),
    [
        (Asked(), None),
        (Asked(full=True), Watermark(at(-100), ONE)),
        (Asked(), Watermark(at(-100), OTHER)),
    ],
    ids=["first", "asked for", "changed model"],
)
def test_what_is_full(asked: Asked, mark: Watermark | None) -> None:
    made = plan(asked, mark)
    assert (made.full, made.since, made.until, made.timeless, made.moves) == (
        True, None, None, True, True,
    )  # fmt: skip
    # Everything was read anew: the watermark is that of what was read.
    assert moved(made, mark, at(-500)) == at(-500)


def test_an_incremental_looks_back_and_takes_what_has_no_moment() -> None:
    mark = Watermark(at(-100), ONE)
    made = plan(mark=mark)
    assert (made.full, made.since, made.until) == (False, at(-130), NOW)
    assert made.timeless
    assert moved(made, mark, None) == at(-100)
    assert moved(made, mark, at(-120)) == at(-100)
    assert moved(made, mark, at(-50)) == at(-50)


def test_a_whole_without_moments_is_read_whole_again() -> None:
    made = plan(mark=Watermark(None, ONE))
    assert (made.full, made.since, made.until, made.timeless) == (False, None, NOW, True)


@pytest.mark.parametrize(
    ("since", "until", "moves"),
    [
        (-1000, -50, True),  # it reaches back beyond what a usual one reads
        (None, -50, True),
        (-130, None, True),
        (-129, None, False),  # what came late is left out
        (-50, -10, False),
    ],
)
def test_windows_of_ones_own(since: float | None, until: float | None, moves: bool) -> None:
    asked = Asked(
        since=None if since is None else at(since), until=None if until is None else at(until)
    )
    mark = Watermark(at(-100), ONE)
    made = plan(asked, mark)
    assert not made.full
    assert not made.timeless
    assert made.since == asked.since
    assert made.until == (asked.until or NOW)
    assert made.moves == moves
    # Never backwards, whatever it read.
    assert moved(made, mark, at(-400)) == at(-100)
    # Of a model that was never delivered, or otherwise, nothing is known.
    assert not plan(asked, None).moves
    assert not plan(asked, Watermark(at(-100), OTHER)).moves


def test_a_window_does_not_reach_into_the_future() -> None:
    assert plan(Asked(until=at(900)), Watermark(at(-100), ONE)).until == NOW


# Late rows ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A change of a row: the moment that it carries, and when it was committed."""

    row: int
    said: float
    seen: float


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    made: list[Change] = []
    for _ in range(draw(st.integers(1, 25))):
        said = draw(st.integers(0, 400)) / draw(st.sampled_from([1, 2, 10]))
        late = draw(st.floats(0, LOOK_BACK - 1))
        made.append(Change(draw(st.integers(0, 8)), said, said + late))
    return made


@given(changes(), st.lists(st.floats(1, 120), min_size=1, max_size=15), st.data())
def test_late_rows_are_not_lost(
    found: list[Change], pauses: list[float], data: st.DataObject
) -> None:
    """Commits come in another order than their moments, at any distance up to the look-back."""
    mark: Watermark | None = None
    there: dict[int, float] = {}
    clock = 0.0
    for pause in [*pauses, 1000.0, 1000.0]:
        clock += pause
        asked = Asked()
        if data.draw(st.booleans()):
            start = data.draw(st.none() | st.floats(0, clock))
            end = data.draw(st.none() | st.floats(0, clock))
            asked = Asked(
                since=None if start is None else at(start), until=None if end is None else at(end)
            )
        made = decide(asked, mark, ONE, now=at(clock), look_back=LOOK_BACK)
        rows: dict[int, float] = {}
        for change in found:
            if change.seen <= clock:
                rows[change.row] = max(change.said, rows.get(change.row, -1.0))
        read = {
            row: said
            for row, said in rows.items()
            if (made.since is None or at(said) >= made.since)
            and (made.until is None or at(said) < made.until)
        }
        for row, said in read.items():
            there[row] = max(said, there.get(row, -1.0))
        latest = max((min(said, clock) for said in read.values()), default=None)
        if made.moves:
            said_latest = None if latest is None else at(latest)
            mark = Watermark(moved(made, mark, said_latest), ONE)
    last = decide(Asked(), mark, ONE, now=at(clock + 1000), look_back=LOOK_BACK)
    for change in found:
        if (last.since is None or at(change.said) >= last.since) and change.seen <= clock + 1000:
            there[change.row] = max(change.said, there.get(change.row, -1.0))
    wanted: dict[int, float] = {}
    for change in found:
        wanted[change.row] = max(change.said, wanted.get(change.row, -1.0))
    assert there == wanted
