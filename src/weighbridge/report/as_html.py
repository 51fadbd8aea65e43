"""The report as one page: opens from disk, asks no network, runs no script but its own.

The policy in its head allows exactly one style sheet and one script, by their hashes, so
that text which slipped through the escape would still do nothing. Without the script all
is there to read; it adds sorting, filters and copying.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from importlib.resources import files

import weighbridge
from weighbridge.compare.result import Report
from weighbridge.report import html_parts as parts
from weighbridge.report import words
from weighbridge.report.html_rows import bodies, rows_section
from weighbridge.report.markup import Child, Html, data, joined, raw, tag
from weighbridge.types.safe_text import safe_text


def page(report: Report, *, title: str | None = None, at: datetime | None = None) -> str:
    """Give the whole page as text."""
    name = safe_text(title) if title else "Comparison of two tables"
    script = _asset("page.js")
    head = _head(f"{words.headline(report).title}: {name}", script)
    body = tag("body", _body(report, name, at), tag("script", raw(script)))
    return _whole(head, body)


def notice(name: str, title: str, text: str, *, again: int | None = None) -> str:
    """Give a page for a comparison that has no report; it asks anew after `again` seconds."""
    refresh = None if again is None else tag("meta", http_equiv="refresh", content=str(again))
    main = tag("main", tag("p", data(safe_text(text)), role="status"), id="main")
    body = tag("body", tag("header", tag("h1", safe_text(name))), main)
    return _whole(_head(safe_text(title), "", refresh), body)


def _whole(head: Html, body: Html) -> str:
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _head(title: str, script: str, *more: Child) -> Html:
    style = _asset("page.css")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        *more,
        tag("style", raw(style)),
    )  # fmt: skip


def _asset(name: str) -> str:
    return files("weighbridge.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src 'sha256-{_hash(style)}'; script-src 'sha256-{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode("ascii")


def _body(report: Report, name: str, at: datetime | None) -> Html:
    shown = bodies(report)
    explanations = [words.explanation_words(item) for item in report.explanations]
    main = tag(
        "main",
        parts.banner(report),
        parts.sides(report),
        parts.section("warnings", "Look out", parts.bullets(map(safe_text, report.warnings))),
        parts.section("why", "What the differences have in common", parts.bullets(explanations, class_="why")),
        tag(
            "div",
            parts.section("counts", "Rows", parts.counts(report)),
            parts.section("keys", "Keys", parts.keys(report)),
            parts.section("schema", "Schema", _schema(report)),
            class_="cards",
        ),
        parts.section("columns", "Columns", parts.columns(report)),
        rows_section(report, shown),
        parts.section("legend", "Signs", parts.legend(shown.signs) if shown.count else None),
        parts.section("left-out", "Not compared", parts.not_compared(report)),
        parts.section("plan", "How it was compared", parts.plan(report)),
        parts.section("consistency", "Consistency and cost", parts.consistency(report)),
        id="main",
    )  # fmt: skip
    skip = tag("a", "Skip to the rows that differ", href="#rows", class_="skip")
    return joined([skip, tag("header", tag("h1", name), _when(at)), main, _foot(report)])


def _schema(report: Report) -> Html:
    lines = words.schema_lines(report)
    return parts.bullets(lines) if lines else tag("p", "Both sides have the same columns.")


def _when(at: datetime | None) -> Html | None:
    if at is None:
        return None
    text = at.isoformat(sep=" ", timespec="seconds")
    return tag("p", "Compared at ", tag("time", text, datetime=at.isoformat(timespec="seconds")))


def _foot(report: Report) -> Html:
    made = f"Made by weighbridge {weighbridge.__version__}; verdict format {safe_text(report.version)}."
    return tag("footer", tag("p", made), tag("p", "", id="said", role="status", class_="quiet"))
