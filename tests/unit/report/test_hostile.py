"""Cell data is hostile: no payload becomes markup, a control code or a broken file, in any format."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from tests.unit.report.payloads import PAYLOADS
from tests.unit.report.samples import FakeComparison, hostile
from weighbridge.report import FORMATS, Format, Look, write

SGR = re.compile(r"\x1b\[[0-9;]*m")
TAGS = {
    "a", "b", "bdi", "body", "button", "caption", "code", "dd", "details", "div", "dl", "dt",
    "fieldset", "footer", "form", "h1", "h2", "head", "header", "html", "input", "label", "legend",
    "li", "main", "mark", "meta", "option", "output", "p", "pre", "rect", "script", "section",
    "select", "span", "style", "summary", "svg", "table", "tbody", "td", "th", "thead", "time",
    "title", "tr", "ul",
}  # fmt: skip


def written(payload: str, form: Format) -> str:
    out = io.BytesIO()
    write(FakeComparison(hostile(payload)), form, out, look=Look(title=payload))
    return out.getvalue().decode("utf-8")


def controls(text: str) -> set[str]:
    """Find what a terminal acts on or what reorders a page; line feeds are the format's own."""
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {char for char in text if char != "\n" and unicodedata.category(char) in hidden}


class Page(HTMLParser):
    """The page as a parser sees it: its elements and what could act."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in {"style", "src", "srcdoc", "action", "formaction"}:
                self.active.append(name)
            if name == "href" and value != "#rows":
                self.active.append(f"{name}={value}")

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.active.append(data)


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    return page


def test_there_are_many_payloads() -> None:
    assert len(PAYLOADS) >= 200


@pytest.mark.parametrize("payload", PAYLOADS)
def test_page(payload: str) -> None:
    text = written(payload, "html")
    page = parsed(text)
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert not page.active
    assert not controls(text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_terminal(payload: str) -> None:
    out = io.StringIO()
    width = (30, 80, 200)[PAYLOADS.index(payload) % 3]
    console = Console(file=out, width=width, force_terminal=True, color_system="truecolor")
    write(FakeComparison(hostile(payload)), "table", console)
    assert not controls(SGR.sub("", out.getvalue()))
    out.getvalue().encode("utf-8")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_machine_formats_stay_whole(payload: str) -> None:
    verdict, lines = written(payload, "json"), written(payload, "ndjson")
    assert not controls(verdict + lines)
    assert json.loads(verdict)["left"]["label"] == payload
    assert [json.loads(line)["kind"] for line in lines.splitlines()] == [
        "changed", "only_left", "only_right",
    ]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_junit_is_well_formed(payload: str) -> None:
    text = written(payload, "junit")
    root = ET.fromstring(text)  # noqa: S314 our own text, that is the test
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped",
        "system-out",
    }  # fmt: skip
    assert not controls(text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_has_no_active_sign(payload: str) -> None:
    text = written(payload, "markdown")
    assert not controls(text)
    assert text.count("\n") <= 60
    assert {tag.lower() for tag in re.findall(r"<[^>]*>", text)} <= {
        "<b>", "</b>", "<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>",
        "<sub>", "</sub>",
    }  # fmt: skip
    assert "`" not in text
    assert "@" not in text
    assert "](" not in text
    assert "://" not in text
    # A row of a table has as many cells as its head, whatever stands in them.
    for line in text.splitlines():
        assert line.count("|") in {0, 5}, line
    assert re.findall(r"^#+", text, re.MULTILINE) == ["###"]


def test_every_format_is_attacked_here() -> None:
    # csv and parquet hold the values as they are, on purpose: test_rows.py.
    attacked = {"html", "table", "json", "ndjson", "junit", "markdown"}
    assert attacked | {"csv", "parquet"} == set(FORMATS)
