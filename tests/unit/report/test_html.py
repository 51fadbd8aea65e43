"""The page: its own policy, no network, readable by keyboard, eye and screen reader."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from tests.unit.report import samples
from weighbridge.compare.result import Report
from weighbridge.report import Look, write

CSS = files("weighbridge.report").joinpath("page.css").read_text(encoding="utf-8")
Element = tuple[str, dict[str, str | None]]


class Page(HTMLParser):
    """Collects elements, and the text within each kind of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "input"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts.setdefault(tag, []).append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def written(report: Report) -> str:
    out = io.BytesIO()
    look = Look(title="Flights", at=datetime(2026, 11, 22, 12, tzinfo=UTC))
    write(samples.FakeComparison(report), "html", out, look=look)
    return out.getvalue().decode()


TEXT = written(samples.flights())
PAGE = Page(TEXT)


def hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_its_own_style_and_script_alone() -> None:
    policy = next(m["content"] for m in PAGE.all("meta") if m.get("http-equiv"))
    style, script = "".join(PAGE.texts["style"]), "".join(PAGE.texts["script"])
    assert policy == (
        f"default-src 'none'; style-src {hashed(style)}; script-src {hashed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_comes_from_the_network() -> None:
    assert not re.findall(r"(?:https?:)?//[\w.]+", re.sub(r"\w+://demo@localhost\S*", "", TEXT))
    assert not [a for a in PAGE.all("link", "img", "iframe", "object") if a]
    assert "url(" not in CSS
    assert "@import" not in CSS


def test_the_script_makes_no_markup() -> None:
    script = "".join(PAGE.texts["script"])
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(", script
    )


def test_it_reads_without_its_script() -> None:
    hidden = [attributes for _, attributes in PAGE.elements if "hidden" in attributes]
    assert {attributes.get("class") for attributes in hidden} == {"filters", "copy"}


def test_screen_readers_find_their_way() -> None:
    assert PAGE.all("html")[0]["lang"] == "en"
    assert len(PAGE.all("table")) == len(PAGE.all("caption"))
    assert all(head.get("scope") for head in PAGE.all("th"))
    assert PAGE.elements[[tag for tag, _ in PAGE.elements].index("body") + 1][1]["class"] == "skip"
    ids = [a["id"] for _, a in PAGE.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in PAGE.elements:
        assert attributes.get("aria-labelledby", ids[0]) in ids
    assert all(a.get("tabindex") == "0" for a in PAGE.all("div") if a.get("class") == "scroll")


def test_invisible_characters_are_named() -> None:
    signs = {a["aria-label"] for a in PAGE.all("span") if a.get("class") == "sign"}
    assert signs == {"space at the end", "no-break space", "zero-width space"}
    legend = "".join(PAGE.texts["dl"])
    assert all(words in legend for words in signs)


def test_the_changed_characters_are_marked() -> None:
    marks = PAGE.texts["mark"]
    assert marks[:4] == ["05", "10", "05", "10"]
    assert "left" not in marks
    assert "o" in marks


def test_the_verdict_comes_first_and_why_before_the_rows() -> None:
    places = [TEXT.index(f'id="{name}"') for name in ("why", "counts", "columns", "rows", "plan")]
    assert TEXT.index('class="verdict different"') < places[0]
    assert places == sorted(places)


def test_a_thousand_rows_are_a_small_page() -> None:
    text = written(samples.many_rows(1000))
    assert len(text.encode()) <= 2_000_000
    assert text.count("<tbody data-kind=") == 1000


def test_a_page_never_grows_beyond_its_room() -> None:
    rows = tuple(
        samples.changed({"id": at}, **{f"c{c}": ("x" * 500, "y" * 500) for c in range(20)})
        for at in range(1000)
    )
    text = written(replace(samples.flights(), sample=rows))
    assert len(text.encode()) <= 2_000_000
    shown = text.count("<tbody data-kind=")
    assert 0 < shown < 1000
    assert f"{shown} of 60,177 shown" in text


@pytest.mark.parametrize(
    "report", [samples.identical(), samples.under_rules(), samples.sampled(), samples.empty()]
)
def test_quiet_verdicts_are_pages_too(report: Report) -> None:
    page = Page(written(report))
    assert "No row differs." in "".join(page.texts["p"])
    assert 'class="verdict different"' not in written(report)


def test_a_right_to_left_value_is_isolated() -> None:
    text = written(samples.hostile("\u05d0\u05d1\u05d2"))
    assert "<bdi" in text
    outside = re.sub(r"<(bdi|title|h1|code|option)\b[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
    assert "\u05d0" not in outside


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def contrast(one: str, two: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(two)))
    return (high + 0.05) / (low + 0.05)


LIGHT, DARK = (colours(part) for part in CSS.split("@media (prefers-color-scheme: dark)")[:2])


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast(scheme: dict[str, str]) -> None:
    assert set(scheme) == set(LIGHT)
    papers = [name for name in scheme if name.endswith("paper")] + ["card"]
    text = [("ink", paper) for paper in [*papers, "left-mark", "right-mark"]]
    text += [
        (name, paper) for name in ("soft", "link") for paper in papers if paper in {"paper", "card"}
    ]
    text += [("soft", "left-paper"), ("soft", "right-paper")]
    text += [(name, f"{name}-paper") for name in ("left", "right", "same", "different", "sampled")]
    text += [("left", "card"), ("right", "card")]
    for name, paper in text:
        assert contrast(scheme[name], scheme[paper]) >= 4.5, (name, paper)
    for name in ("edge", "same", "left"):
        assert contrast(scheme[name], scheme["paper"]) >= 3, name
