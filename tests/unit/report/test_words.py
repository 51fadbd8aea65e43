"""The verdict in words, and numbers that never round a difference away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.report import samples
from weighbridge.compare.result import Key, NotCompared, Report, Rows, Sampling
from weighbridge.report import words


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            samples.flights(),
            "≠ DIFFERENT: 58,665 of 336,776 rows changed, 1,000 only left, 512 only right.",
        ),
        (samples.identical(), "= IDENTICAL: all 336,776 rows and 13 columns are equal."),
        (
            samples.under_rules(),
            (
                "≈ IDENTICAL UNDER RULES: all 336,776 rows and 13 columns are equal, "
                "1,204 rows only because of a rule."
            ),
        ),
        (
            samples.sampled(),
            (
                "? SAMPLED: no difference found in a sample of 4,604 of about 336,796 rows: with 99 % "
                "confidence, at most 0.1 % of all rows differ. The other rows were not compared."
            ),
        ),
        (samples.empty(), "= IDENTICAL: both sides have no rows."),
        (
            samples.schema_only(),
            "≠ DIFFERENT: the rows are equal, the columns are not: 2 only left, 1 only right.",
        ),
    ],
)
def test_headline(report: Report, line: str) -> None:
    head = words.headline(report)
    assert f"{head.symbol} {head.title}: {head.sentence}" == line


def test_identical_names_what_was_left_out() -> None:
    report = replace(samples.identical(), not_compared=(NotCompared("geom", "both", "no form"),))
    assert words.headline(report).sentence.endswith("are equal; 1 column was not compared.")


@pytest.mark.parametrize("verdict", ["identical", "identical_under_rules"])
def test_a_sample_is_never_identical(verdict: str) -> None:
    sampling = Sampling(0.5, 500, 0.001, 0.99)
    report = replace(samples.identical(), verdict=verdict, sampling=sampling, rows=Rows(1000, 1000))
    head = words.headline(report)
    assert "identical" not in f"{head.title} {head.sentence}".casefold()
    assert "a sample of 500 of 1,000 rows" in head.sentence


@pytest.mark.parametrize(("rows", "bound"), [(4_604, "0.1 %"), (4_000, "0.12 %"), (1, "99 %")])
def test_few_rows_promise_little(rows: int, bound: str) -> None:
    sampling = Sampling(0.5, rows, 0.001, 0.99)
    report = replace(samples.identical(), sampling=sampling, verdict="no_difference_in_sample")
    assert f"at most {bound} of all rows differ" in words.headline(report).sentence


def test_differences_in_a_sample_say_so() -> None:
    report = replace(samples.flights(), sampling=Sampling(0.5, 500, 0.001, 0.99))
    assert words.headline(report).sentence.endswith("in a sample of 500 of 336,776 rows.")


@pytest.mark.parametrize(
    ("match", "differences", "text"),
    [
        (100.0, 0, "100 %"),
        (100.0, 1, "> 99.99 %"),
        (99.999999, 1, "> 99.99 %"),
        (99.99, 5, "99.99 %"),
        (0.0, 9, "0.00 %"),
        (0.000001, 9, "< 0.01 %"),
        (82.5271, 9, "82.53 %"),
    ],
)
def test_percent(match: float, differences: int, text: str) -> None:
    assert words.percent(match, differences) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0421, "42 ms"),
        (4.21, "4.2 s"),
        (89.96, "90.0 s"),
        (125, "2 min 05 s"),
        (7380, "2 h 03 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (126_000_000, "126 MB"), (7_340_032, "7.3 MB")],
)
def test_size(count: int, text: str) -> None:
    assert words.size(count) == text


def test_counts_add_up_to_their_side() -> None:
    lines = {line.label: line for line in words.counts(samples.flights())}
    parts = [lines[name] for name in ("matched", "changed", "only left", "only right")]
    assert sum(line.left or 0 for line in parts) == lines["rows"].left
    assert sum(line.right or 0 for line in parts) == lines["rows"].right


def test_key_with_another_name_on_the_right() -> None:
    key = Key(("id", "day"), ("order_id", "day"), "given")
    assert words.key_words(key) == "id = order_id, day (as given)"
    assert words.key_words(replace(key, source="whole_row")) == "no key: whole rows were compared"


def test_a_list_says_how_many_more() -> None:
    assert words.listed("abcde", limit=3) == "a, b, c and 2 more"
