"""When a sample may stand for the whole, and what is said when it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.report.samples import sampled
from weighbridge.compare.result import Keys, Report, Rows
from weighbridge.datadiffs import sampling
from weighbridge.datadiffs.request import DiffRequest, options_of


def found(errors: int, of: int = 1000) -> Report:
    """Make the report of a sample in which some keys of the right are duplicate or alone."""
    return replace(
        sampled(),
        rows=Rows(left=of, right=of),
        keys=Keys(dupes=(0, errors // 2), exclusives=(0, errors - errors // 2)),
    )


@pytest.mark.parametrize(
    ("wish", "rows", "says"),
    [
        ((None, None, 100), 99, "fewer than the sampling threshold of 100"),
        ((None, None, 100), 100, None),
        ((None, None, 100), None, "nothing tells"),
        ((1.0, 95.0, None), 5, None),
        ((0.0, None, None), 10**9, "tolerance of 0"),
    ],
)
def test_too_small(wish: sampling.Sampling, rows: int | None, says: str | None) -> None:
    said = sampling.too_small(wish, rows)
    assert said is None if says is None else says in str(said)


def test_a_sample_with_more_key_errors_than_borne_is_not_used() -> None:
    wish = (1.0, None, None)
    assert sampling.too_faulty(wish, found(10)) is None
    assert "1.1 %" in str(sampling.too_faulty(wish, found(11)))
    # What was no sample is the whole already.
    assert sampling.too_faulty(wish, replace(found(500), sampling=None)) is None


@pytest.mark.parametrize("percent", [0.001, 50.0, 99.99, 100.0])
def test_every_tolerance_can_be_computed_with(percent: float) -> None:
    wanted = DiffRequest((1, 1), key=("id",), sampling=(percent, None, None))
    wish = options_of(wanted, sampled=True).sample
    assert wish is not None
    assert 0 < wish.tolerance < 1
    assert wish.confidence == 0.99
