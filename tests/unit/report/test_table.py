"""The report on a terminal: aligned at any width, and complete without colours."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.unit.report import samples
from weighbridge.compare.result import Report
from weighbridge.report import Look, write
from weighbridge.report.as_table import bar, table_text

SGR = re.compile(r"\x1b\[[0-9;]*m")


def drawn(report: Report, width: int = 80, rows: int = 20, **options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, **options)  # type: ignore[arg-type]
    write(samples.FakeComparison(report), "table", console, look=Look(rows=rows))
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("colours", [None, "truecolor"])
def test_no_line_is_wider_than_the_terminal(width: int, colours: str | None) -> None:
    for report in (
        samples.flights(),
        samples.hostile("日本語" * 30),
        samples.hostile("👍🏽 " * 40),
    ):
        text = drawn(report, width, color_system=colours, force_terminal=colours is not None)
        for line in SGR.sub("", text).splitlines():
            assert cell_len(line) <= width, line
            assert not line.endswith(" ")


def test_the_order_is_verdict_why_columns_rows() -> None:
    text = drawn(samples.flights())
    places = [
        text.index(part)
        for part in (
            "≠ DIFFERENT: 58,665", "336,776", "in common", "Schema", "Keys", "Columns",
            "Rows that differ (16 of 60,177 shown)", "Not compared", "How",
        )
    ]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize("width", [80, 120])
def test_columns_stand_in_line(width: int) -> None:
    lines = drawn(samples.flights(), width).splitlines()
    head = next(line for line in lines if line.lstrip().startswith("column "))
    end = head.index("match") + len("match")
    for name in ("dep_time", "distance", "dest", "payload"):
        line = next(line for line in lines if line.startswith(f"  {name} ") and "%" in line)
        assert line[:end].endswith("%")


def test_colours_are_never_alone() -> None:
    plain = drawn(samples.flights(), color_system=None)
    assert "\x1b" not in plain
    lines = plain.splitlines()
    at = next(at for at, line in enumerate(lines) if line.endswith("− 2013-01-01 05:15:00"))
    assert lines[at + 1] == " " * lines[at].index("05:15") + "^^"
    assert lines[at + 2].endswith("+ 2013-01-01 10:15:00")
    coloured = drawn(samples.flights(), color_system="truecolor", force_terminal=True)
    assert re.search(r"\x1b\[1;4;[0-9;]*m05\x1b", coloured)
    assert "^^" not in coloured


def test_carets_stand_below_wide_characters() -> None:
    lines = drawn(samples.flights(), color_system=None).splitlines()
    at = next(at for at, line in enumerate(lines) if "国際" in line)
    before = lines[at][: lines[at].index("国際")]
    assert lines[at + 1] == " " * cell_len(before) + "^^^^"


def test_no_more_rows_than_asked_for() -> None:
    text = drawn(samples.flights(), rows=2)
    assert "(2 of 60,177 shown)" in text
    assert text.count("  changed\n") == 2
    assert "Rows that differ" not in drawn(samples.identical())


def test_quiet_columns_are_one_line() -> None:
    assert "6 columns without differences: year, month, day, carrier, flight, origin" in drawn(
        samples.flights()
    )


def test_an_old_locale_gets_letters() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=out, width=80)
    write(samples.FakeComparison(samples.flights()), "table", console)
    out.flush()
    assert "!= DIFFERENT: 58,665" in out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]


def test_plain_text_for_a_file() -> None:
    text = table_text(samples.flights())
    assert "\x1b" not in text
    assert max(map(cell_len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("match", "drawing"),
    [
        (100.0, "██████████"),
        (99.9999, "█████████▉"),
        (50.0, "█████·····"),
        (0.0001, "▏·········"),
        (0.0, "··········"),
    ],
)
def test_bar(match: float, drawing: str) -> None:
    assert bar(match) == drawing
