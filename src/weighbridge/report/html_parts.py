"""The sections of the page around the row diffs, one function each."""

from __future__ import annotations

from collections.abc import Iterable

from weighbridge.compare.result import ColumnResult, Report
from weighbridge.report import words
from weighbridge.report.markup import Child, Html, data, joined, tag
from weighbridge.types.safe_text import LEGEND, safe_text


def section(anchor: str, title: str, *body: Child) -> Html:
    """Give a section with its heading; nothing where there is no body."""
    if not any(body):
        return Html("")
    heading = tag("h2", title, id=f"{anchor}-title")
    return tag("section", heading, *body, id=anchor, aria_labelledby=f"{anchor}-title")


def bullets(lines: Iterable[str], **attributes: str) -> Html:
    """Give a list; nothing where it is empty."""
    items = [tag("li", data(line)) for line in lines]
    return tag("ul", *items, **attributes) if items else Html("")


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Give names and their values."""
    rows = [tag("div", tag("dt", name), tag("dd", text)) for name, text in pairs]
    return tag("dl", *rows, class_="facts")


def banner(report: Report) -> Html:
    """Give the verdict in words; its symbol stands for its colour."""
    head = words.headline(report)
    return tag(
        "div",
        tag("span", head.symbol, class_="seal", aria_hidden="true"),
        tag("div", tag("p", head.title, class_="title"), tag("p", head.sentence, class_="sentence")),
        class_=f"verdict {head.tone}",
    )  # fmt: skip


def sides(report: Report) -> Html:
    """Give the two sides and the key."""
    pairs: list[tuple[str, Child]] = []
    for name, side in (("Left", report.left), ("Right", report.right)):
        limits = [
            tag("span", tag("span", f"{label} ", class_="name"), tag("code", text), class_="limit")
            for label, text in words.side_limits(side)
        ]
        pairs.append((name, joined([data(words.side_words(side)), *limits])))
    return facts([*pairs, ("Key", data(words.key_words(report.key)))])


def counts(report: Report) -> Html:
    """Give the row counts; a count of differing rows leads to them."""
    return _count_table(words.counts(report), "Rows of each side")


def keys(report: Report) -> Html:
    """Give the key counts of both sides."""
    note = words.collision_words(report)
    return joined(
        [
            _count_table(words.key_counts(report), "Keys of each side"),
            tag("p", note) if note else None,
        ]
    )


def _count_table(lines: Iterable[words.Count], caption: str) -> Html:
    head = tag("tr", tag("td"), tag("th", "Left", scope="col"), tag("th", "Right", scope="col"))
    rows = [
        tag(
            "tr",
            _label(line),
            *(tag("td", _figure(line, value)) for value in (line.left, line.right)),
            class_=line.kind,
        )
        for line in lines
    ]
    return tag(
        "table", tag("caption", caption), tag("thead", head), tag("tbody", *rows), class_="counts"
    )


def _label(line: words.Count) -> Html:
    symbol = words.KIND_SYMBOL[line.kind] if line.kind else ""
    return tag(
        "th", tag("span", symbol, class_="symbol", aria_hidden="true"), line.label, scope="row"
    )


def _figure(line: words.Count, value: int | None) -> Child:
    if value is None:
        return tag("span", "—", class_="none", aria_label="does not apply")
    text = words.number(value)
    return tag("a", text, href="#rows", data_kind=line.kind) if line.kind and value else text


def columns(report: Report) -> Html:
    """Give every column with its match; the ones that differ most first."""
    titles = (
        ("Column", "text"),
        ("Match", "number"),
        ("Differ", "number"),
        ("Type", "text"),
        ("Rule", "text"),
    )
    head = tag("tr", *(tag("th", name, scope="col", data_sort=kind) for name, kind in titles))
    place = places(report)
    rows = [_column(column, place[column.name]) for column in words.by_difference(report.columns)]
    caption = tag("caption", f"{words.plural(len(rows), 'column')} compared, most different first")
    table = tag(
        "table",
        caption,
        tag("thead", head),
        tag("tbody", *rows),
        class_="columns",
        id="column-table",
    )
    find = tag(
        "label", "Find a column ", tag("input", type="search", name="name", autocomplete="off")
    )
    only = tag("label", tag("input", type="checkbox", name="differ"), " only columns that differ")
    form = tag("form", find, only, class_="filters", id="column-filters", hidden=True)
    box = tag(
        "div", table, class_="scroll", role="region", aria_labelledby="columns-title", tabindex="0"
    )
    return joined([form, box])


def places(report: Report) -> dict[str, str]:
    """Number the columns: an attribute holds a number, so that no name is in one."""
    return {column.name: str(place) for place, column in enumerate(report.columns)}


def _column(column: ColumnResult, place: str) -> Html:
    match = words.percent(column.match, column.differences)
    differ = words.number(column.differences)
    link = tag("a", differ, href="#rows", data_column=place) if column.differences else differ
    return tag(
        "tr",
        tag("th", data(words.column_name(column)), scope="row"),
        tag("td", tag("span", match, class_="percent"), _bar(column.match), data_value=repr(column.match)),
        tag("td", link, data_value=str(column.differences)),
        tag("td", data(words.column_types(column))),
        tag("td", data(words.rule_words(column)), class_="loses" if column.loses else None),
        class_="differs" if column.differences else None,
    )  # fmt: skip


def _bar(match: float) -> Html:
    # Lengths are SVG attributes: a style attribute would need a hole in the page's policy.
    length = min(max(match, 0.0), 100.0)
    if 0 < length < 100:
        length = min(max(length, 2.0), 98.0)
    full = tag("rect", width=f"{length:.1f}", height="10", class_="full")
    rest = tag("rect", x=f"{length:.1f}", width=f"{100 - length:.1f}", height="10", class_="rest")
    return tag(
        "svg",
        rest,
        full,
        class_="bar",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def not_compared(report: Report) -> Html:
    """Give the columns that were left out, with their reasons."""
    rows = [
        tag("tr", tag("th", data(name), scope="row"), tag("td", data(reason)))
        for name, reason in map(words.left_out_words, report.not_compared)
    ]
    if not rows:
        return Html("")
    head = tag("tr", tag("th", "Column", scope="col"), tag("th", "Reason", scope="col"))
    caption = tag("caption", "Nothing is said about these columns")
    return tag("table", caption, tag("thead", head), tag("tbody", *rows))


def plan(report: Report) -> Html:
    """Give the way that was taken and the SQL that each side ran."""
    strategy = tag("p", words.strategy_words(report.plan.strategy))
    blocks: list[Html] = []
    for name, statements in zip(("left", "right"), report.plan.sql, strict=True):
        if statements:
            summary = tag(
                "summary", f"SQL of the {name} side ({words.plural(len(statements), 'statement')})"
            )
            blocks.append(tag("details", summary, *(_sql(text, name) for text in statements)))
    return joined([strategy, bullets(map(safe_text, report.plan.reasons)), *blocks])


def _sql(text: str, side: str) -> Html:
    lines = "\n".join(
        safe_text(line.rstrip(" ").replace("\t", "    ")) for line in text.split("\n")
    )
    button = tag(
        "button",
        "Copy",
        type="button",
        class_="copy",
        hidden=True,
        aria_label=f"Copy SQL of the {side} side",
    )
    return tag("div", button, tag("pre", tag("code", lines), tabindex="0"), class_="sql")


def consistency(report: Report) -> Html:
    """Say what each side's rows are, and what the comparison cost."""
    left, right = map(words.consistency_words, report.consistency)
    stats = report.stats
    pairs: list[tuple[str, Child]] = [
        ("Left was read as", data(left)),
        ("Right was read as", data(right)),
        ("Time", words.duration(stats.seconds)),
        (
            "Rows read",
            f"{words.number(stats.rows_read[0])} left, {words.number(stats.rows_read[1])} right",
        ),
        (
            "Rows fetched",
            f"{words.number(stats.rows_fetched[0])} left, {words.number(stats.rows_fetched[1])} right",
        ),
        ("Moved", words.size(stats.bytes)),
        ("Peak memory", words.size(stats.peak_memory)),
    ]
    return facts(pairs)


def legend(signs: frozenset[str]) -> Html:
    """Explain the signs that the rows use."""
    always: list[tuple[str, Child]] = [
        ("NULL", "no value; the text NULL is in quotes: 'NULL'"),
        ("''", "text without characters"),
        ("…", "a part of a long text is left out"),
    ]
    labels = {"⟦U+": "⟦U+…⟧"}
    used: list[tuple[str, Child]] = [
        (labels.get(sign, sign), LEGEND[sign]) for sign in LEGEND if sign in signs
    ]
    return facts([*always, *used])
