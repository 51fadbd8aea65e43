"""The comment on a change: short, folded, and without a mention of anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.report import samples
from weighbridge.compare.result import Report, Schema
from weighbridge.report import markdown
from weighbridge.report.as_markdown import code, text


@pytest.mark.parametrize(
    "report",
    [
        samples.flights(), samples.identical(), samples.sampled(), samples.many_rows(1000),
        replace(
            samples.flights(),
            schema=Schema(tuple("abc"), tuple("def"), samples.flights().schema.type_changed * 40, ("x",)),
            explanations=samples.flights().explanations * 20,
            not_compared=samples.flights().not_compared * 20,
            columns=samples.flights().columns * 20,
            warnings=("one",) * 20,
        ),
    ],
)  # fmt: skip
def test_at_most_60_lines(report: Report) -> None:
    body = markdown(report)
    assert body.count("\n") <= 60
    assert body.count("<details>") == body.count("</details>")


def test_the_verdict_is_first() -> None:
    lines = markdown(samples.flights(), title="Flights").splitlines()
    assert lines[0] == "### ≠ Flights: DIFFERENT"
    assert lines[2].startswith("**58,665 of 336,776 rows changed, 1,000 only left")


def test_a_fold_has_room_for_its_table() -> None:
    # GitHub reads Markdown within HTML only after a blank line.
    lines = markdown(samples.flights()).splitlines()
    for at, line in enumerate(lines):
        if line.startswith("<details>"):
            assert lines[at + 1] == ""
        if line.startswith("| column"):
            assert lines[at - 1] == ""


def test_changed_characters_are_bold() -> None:
    assert "<b>05</b>" in markdown(samples.flights())


def test_text_is_only_text() -> None:
    assert text("@team #1 <b>") == "&#64;&#8203;team &#35;&#8203;1 &#60;b&#62;"
    assert code("a|`b`@c") == "<code>a&#124;&#96;b&#96;&#64;c</code>"


def test_nothing_to_say_is_short() -> None:
    body = markdown(samples.identical())
    assert "<details>" not in body
    assert "**All 336,776 rows and 13 columns are equal" in body
