"""The row diffs of the page: one table body for each, so that a filter hides whole rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from weighbridge.compare.result import Report, RowDiff
from weighbridge.report import html_parts as parts
from weighbridge.report import words
from weighbridge.report.markup import Html, data, joined, signs_in, tag, value
from weighbridge.report.shown import shown_fields, shown_key, shown_pair, value_of
from weighbridge.types.safe_text import safe_text

# A page is mailed and opened on a phone: past this many characters of rows it is cut.
_MOST_CHARACTERS = 1_600_000
_MOST_COLUMNS = 60


@dataclass(frozen=True)
class RowsShown:
    """The table's bodies, how many rows they are, and the signs that they use."""

    bodies: Html
    count: int
    signs: frozenset[str]


def bodies(report: Report) -> RowsShown:
    """Give one table body for each row diff of the sample, until the page is large enough."""
    places = parts.places(report)
    made: list[Html] = []
    signs: set[str] = set()
    room = _MOST_CHARACTERS
    for row in report.sample:
        body, texts = _body(row, places)
        room -= len(body.encode())
        if room < 0:
            break
        made.append(body)
        for text in texts:
            signs |= signs_in(text) if not text.isascii() else set()
    return RowsShown(joined(made), len(made), frozenset(signs))


def _body(row: RowDiff, places: Mapping[str, str]) -> tuple[Html, list[str]]:
    key = shown_key(row.key) if row.key else "(no key)"
    symbol = tag("span", words.KIND_SYMBOL[row.kind], class_="symbol", aria_hidden="true")
    head = joined(
        [symbol, data(key), tag("span", words.KIND_WORDS[row.kind], class_=f"kind {row.kind}")]
    )
    first = tag("tr", tag("th", head, scope="rowgroup", colspan="3"), class_="key")
    lines, texts = _changed(row) if row.kind == "changed" else _one_sided(row)
    columns = " ".join(places[name] for name in row.changed if name in places) or None
    return tag("tbody", first, lines, data_kind=row.kind, data_columns=columns), [key, *texts]


def _changed(row: RowDiff) -> tuple[Html, list[str]]:
    lines: list[Html] = []
    texts: list[str] = []
    for column in row.changed[:_MOST_COLUMNS]:
        pair = shown_pair(value_of(row.left, column), value_of(row.right, column))
        name = tag("th", data(safe_text(column)), scope="row")
        lines.append(
            tag(
                "tr",
                name,
                tag("td", value(pair[0]), class_="l"),
                tag("td", value(pair[1]), class_="r"),
            )
        )
        texts.extend(side.text for side in pair)
    more = len(row.changed) - _MOST_COLUMNS
    if more > 0:
        lines.append(tag("tr", tag("td", f"and {more:,} more columns", colspan="3", class_="note")))
    return joined(lines), texts


def _one_sided(row: RowDiff) -> tuple[Html, list[str]]:
    fields = shown_fields(row)
    pairs = [
        joined(
            [
                tag(
                    "span", tag("span", data(name), class_="name"), " ", data(text), class_="field"
                ),
                " ",
            ]
        )
        for name, text in fields[:_MOST_COLUMNS]
    ]
    more = len(fields) - _MOST_COLUMNS
    whole = joined([joined(pairs), f"and {more:,} more columns" if more > 0 else None])
    absent = tag("td", tag("span", "no such row", class_="note"), class_="absent")
    cells = [tag("td", whole, class_="l" if row.kind == "only_left" else "r"), absent]
    if row.kind == "only_right":
        cells.reverse()
    line = tag("tr", tag("th", "whole row", scope="row", class_="note"), *cells) if fields else None
    return joined([line]), [text for _, text in fields]


def rows_section(report: Report, shown: RowsShown) -> Html:
    """Give the table of row diffs with its filters, which only a script makes visible."""
    whole = report.rows.changed + report.rows.only_left + report.rows.only_right
    title = tag("h2", "Rows that differ", id="rows-title")
    if not shown.count:
        why = "No row differs." if not whole else "No row of the sample is shown here."
        return tag("section", title, tag("p", why), id="rows")
    head = tag("tr", *(tag("th", name, scope="col") for name in ("Column", "− Left", "+ Right")))
    caption = tag(
        "caption", f"{words.shown_of(report, shown.count)}; the changed characters are marked"
    )
    table = tag("table", caption, tag("thead", head), shown.bodies, class_="diffs", id="diffs")
    box = tag(
        "div", table, class_="scroll", role="region", aria_labelledby="rows-title", tabindex="0"
    )
    return tag("section", title, _filters(report), box, id="rows")


def _filters(report: Report) -> Html:
    kinds = [
        tag(
            "label", tag("input", type="checkbox", name="kind", value=kind, checked=True),
            f" {words.KIND_SYMBOL[kind]} {words.KIND_WORDS[kind]}",
        )
        for kind in words.KIND_WORDS
    ]  # fmt: skip
    differing = [column for column in words.by_difference(report.columns) if column.differences]
    options = [tag("option", "any column", value="")]
    places = parts.places(report)
    options += [
        tag("option", safe_text(column.name), value=places[column.name]) for column in differing
    ]
    return tag(
        "form",
        tag("fieldset", tag("legend", "Show"), *kinds),
        tag("label", "Changed column ", tag("select", *options, name="column")),
        tag("label", "Text ", tag("input", type="search", name="text", autocomplete="off")),
        tag("output", "", role="status", name="shown"),
        class_="filters", id="filters", hidden=True,
    )  # fmt: skip
