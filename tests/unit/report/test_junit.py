"""JUnit: a failure exactly where the verdict is different, and text that helps."""

from __future__ import annotations

import io
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.unit.report import samples
from weighbridge.compare.result import Report
from weighbridge.report import write


def suite(report: Report) -> ET.Element:
    out = io.BytesIO()
    write(samples.FakeComparison(report), "junit", out)
    root = ET.fromstring(out.getvalue())  # noqa: S314 our own text, that is the test
    assert [child.tag for child in root] == ["testsuite"]
    return root[0]


@pytest.mark.parametrize(
    "report",
    [
        samples.flights(), samples.identical(), samples.under_rules(), samples.sampled(),
        samples.empty(), samples.schema_only(),
        replace(samples.identical(), schema=samples.flights().schema, keys=samples.flights().keys),
    ],
)  # fmt: skip
def test_the_suite_fails_where_the_command_does(report: Report) -> None:
    found = suite(report)
    failures = found.findall("testcase/failure")
    assert bool(failures) == (report.verdict == "different")
    assert int(found.get("failures", "")) == len(failures)
    assert int(found.get("tests", "")) == len(found.findall("testcase"))
    assert int(found.get("skipped", "")) == len(report.not_compared)


def test_cases_and_their_texts() -> None:
    found = suite(samples.flights())
    cases = {case.get("name"): case for case in found.findall("testcase")}
    assert list(cases)[:4] == ["verdict", "schema", "keys", "column year"]
    failure = cases["column dep_time"].find("failure")
    assert failure is not None
    assert failure.get("message") == "58,665 rows differ; 82.53 % match"
    assert "id=1: 2013-01-01 05:15:00 ≠ 2013-01-01 10:15:00" in (failure.text or "")
    assert cases["column year"].find("failure") is None
    skipped = cases["column geom"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "geometry and point have no common canonical form"
    verdict = cases["verdict"].find("failure")
    assert verdict is not None
    assert "carrier = 'UA'" in (verdict.text or "")
