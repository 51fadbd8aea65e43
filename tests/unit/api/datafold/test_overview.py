"""A stored verdict becomes a report again: what the page of a diff says is what was found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.report import samples
from weighbridge.api.datafold.overview import _report
from weighbridge.compare.result import Explanation, Report
from weighbridge.report import report_dict
from weighbridge.report.as_html import notice, page

REPORTS = {
    "different": samples.flights(),
    "identical": samples.identical(),
    "under rules": samples.under_rules(),
    "sampled": samples.sampled(),
    "empty": samples.empty(),
    "schema": samples.schema_only(),
}


@pytest.mark.parametrize("name", REPORTS)
def test_there_and_back(name: str) -> None:
    report = REPORTS[name]
    stored = json.loads(json.dumps(report_dict(report)))
    back = _report(stored)
    # Cells are as JSON has them; everything else is as it was.
    cells = [(row.kind, row.changed) for row in report.sample]
    assert [(row.kind, row.changed) for row in back.sample] == cells
    plain = [replace(one, sample=(), explanations=()) for one in (back, report)]
    assert plain[0] == plain[1]
    texts = [explanation.text for explanation in report.explanations]
    assert [explanation.text for explanation in back.explanations] == texts
    assert report_dict(back) == stored
    assert page(back).startswith("<!doctype html>")


def test_an_infinite_lift() -> None:
    """JSON has no word for it but a text."""
    lift = Explanation("slice", "all in one", "changed", ("v",), 3, 3, float("inf"))
    report: Report = replace(samples.flights(), explanations=(lift,))
    stored = json.loads(json.dumps(report_dict(report)))
    assert stored["explanations"][0]["lift"] == "Infinity"
    assert _report(stored).explanations[0].lift == float("inf")


def test_a_notice_is_text() -> None:
    told = notice("Diff <1>", "Failed: <1>", "no such table <b>\u202e", again=3)
    assert "<b>" not in told
    assert "\u202e" not in told
    assert "&lt;1&gt;" in told
    assert told.count('http-equiv="refresh"') == 1
    assert 'http-equiv="refresh"' not in notice("a", "b", "c")
