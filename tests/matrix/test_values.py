"""Each case on each pair of engines that can hold its values: the verdict of CASES."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.matrix.case import DIFFERENT, LISTED, Case
from tests.matrix.engines import CASES, VENDORS, Engines, Placement, placements
from tests.matrix.page import PAGE, page


def _matrix() -> Iterator[object]:
    for placement in placements():
        for case in CASES:
            if (
                not placement.fits(case)
                or placement.wanted(case) == "-"
                or both_text(placement, case)
            ):
                continue
            reasons = [
                VENDORS[e].gaps[case.id] for e in placement.engines if case.id in VENDORS[e].gaps
            ]
            marks = [pytest.mark.xfail(strict=True, reason=r) for r in reasons[:1]]
            yield pytest.param(placement, case, marks=marks, id=f"{placement}-{case.column}")


def both_text(placement: Placement, case: Case) -> bool:
    """Tell whether two CSV files hold what is no text: their text is all they are."""
    return placement.engines == ("csv", "csv") and not case.id.startswith("S")


@pytest.mark.parametrize(("placement", "case"), list(_matrix()))
def test_case(engines: Engines, placement: Placement, case: Case) -> None:
    found = engines.run(placement)[case.id]
    wanted = placement.wanted(case)
    assert found.verdict == wanted, f"{case.about}: {found}"
    if wanted == LISTED:
        assert found.reason
        return
    if (
        case.rule
        and wanted != DIFFERENT
        and case.unless.get(placement.engines[0]) is None
        and case.unless.get(placement.engines[1]) is None
    ):
        assert case.rule in found.rule
    assert 2 not in found.rows, "NULL and NULL differ"
    nulls = any(
        v is not None and v[1] is None for values in (case.a, case.b) for v in values.values()
    )
    if not case.nulls_meet and not nulls:
        assert {3, 4} <= found.rows, "a value and NULL are equal"


def test_each_case_has_an_id_of_its_own() -> None:
    assert len({c.id for c in CASES}) == len({c.column for c in CASES}) == len(CASES)


def test_each_case_runs_somewhere() -> None:
    idle = [c.id for c in CASES if not any(p.fits(c) for p in placements())]
    assert idle == []


def test_the_page_shows_these_cases() -> None:
    assert PAGE.read_text() == page(), "next: python -m tests.matrix.page"
