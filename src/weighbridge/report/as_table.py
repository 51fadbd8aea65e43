"""The report on a terminal, top to bottom: verdict, counts, why, columns, rows, how, cost.

Cell data only ever enters a `Text` (never markup) and only through `safe_text`. Every mark
that has a colour has a symbol too; without colours a line of carets takes their place.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from weighbridge.compare.result import ColumnResult, Report
from weighbridge.report import words
from weighbridge.report.chars import middle_cut
from weighbridge.report.table_rows import row_lines

# Blue and orange differ for every kind of colour sight; the terminal maps them to what it has.
TONE = {"same": "blue", "under_rules": "blue", "sampled": "yellow", "different": "dark_orange"}
DIM = "bright_black"
_BAR = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"
_PLAIN_WIDTH = 100


def print_table(report: Report, console: Console, *, rows: int = 20) -> None:
    """Draw the report on a console, as wide as that is."""
    if console.options.ascii_only:
        # An old locale: a `≠` that cannot be encoded must not end the run without a verdict.
        plain = table_text(report, rows=rows, width=console.width)
        console.out(_ascii(plain), end="", highlight=False)
        return
    for part in _parts(report, console, rows):
        print_trimmed(part, console)


def print_trimmed(part: RenderableType, console: Console) -> None:
    """Print without the blanks at line ends: a terminal may count an emoji wider than rich does."""
    for line in console.render_lines(part, pad=False):
        while line and not line[-1].text.strip(" "):
            line.pop()
        ended = [*line[:-1], Segment(line[-1].text.rstrip(" "), line[-1].style)] if line else []
        console.print(Segments([*ended, Segment.line()]), end="")


def table_text(report: Report, *, rows: int = 20, width: int = _PLAIN_WIDTH) -> str:
    """Give the report as plain text without colours."""
    out = StringIO()
    console = Console(file=out, width=width, color_system=None, force_terminal=False)
    for part in _parts(report, console, rows):
        print_trimmed(part, console)
    return out.getvalue()


def _ascii(text: str) -> str:
    signs = {"≠": "!=", "−": "-", "≈": "~", "·": ".", "…": "...", "█": "#", "→": "->", "×": "x"}
    for sign, plain in signs.items():
        text = text.replace(sign, plain)
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _parts(report: Report, console: Console, rows: int) -> Iterable[RenderableType]:
    yield _verdict(report)
    yield from _section(None, [_sides(report)])
    yield from _section(None, [_counts(report)])
    yield from _section("Look out", [bullet(line, "!") for line in _warnings(report)])
    explanations = [words.explanation_words(item) for item in report.explanations]
    yield from _section(
        "What the differences have in common", [bullet(line) for line in explanations]
    )
    yield from _section("Schema", [bullet(line) for line in words.schema_lines(report)])
    yield from _section("Keys", _keys(report))
    yield from _section("Columns", _columns(report, console.width))
    yield from _section(_rows_title(report, rows), row_lines(report.sample[:rows], console))
    yield from _section("Not compared", _not_compared(report))
    yield from _section("How", [_how(report)])


def _section(title: str | None, body: list[RenderableType]) -> Iterable[RenderableType]:
    if not body:
        return
    yield Text("")
    if title:
        yield Text(title, style="bold")
    yield Padding(Group(*body), (0, 0, 0, 2))


def bullet(line: str, sign: str = "•") -> RenderableType:
    """Draw a line with a sign in front, whose wrapped lines stay behind the sign."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    table.add_row(Text(sign, style=DIM), Text(line, overflow="fold"))
    return table


def facts(pairs: Iterable[tuple[str, str]]) -> Table:
    """Draw names and their values as two columns."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style=DIM)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value, overflow="fold"))
    return table


def _verdict(report: Report) -> Text:
    head = words.headline(report)
    text = Text(f"{head.symbol} {head.title}: ", style=f"bold {TONE[head.tone]}")
    return text.append(head.sentence, style="bold default")


def _sides(report: Report) -> Table:
    pairs: list[tuple[str, str]] = []
    for name, side in (("left", report.left), ("right", report.right)):
        pairs.append((name, words.side_words(side)))
        pairs.extend((f"{name} {label}", text) for label, text in words.side_limits(side))
    pairs.append(("key", words.key_words(report.key)))
    return facts(pairs)


def _counts(report: Report) -> Table:
    return _count_table(words.counts(report))


def _count_table(lines: Iterable[words.Count]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(overflow="fold", ratio=None)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(""), Text("left", style=DIM), Text("right", style=DIM))
    for line in lines:
        strong = "bold" if line.kind and (line.left or line.right) else ""
        symbol = words.KIND_SYMBOL[line.kind] if line.kind else " "
        cells = ["" if value is None else words.number(value) for value in (line.left, line.right)]
        table.add_row(
            Text(f"{symbol} {line.label}", style=strong),
            *(Text(cell, style=strong) for cell in cells),
        )
    return table


def _warnings(report: Report) -> list[str]:
    return [words.safe_text(line) for line in report.warnings]


def _keys(report: Report) -> list[RenderableType]:
    if not words.keys_are_interesting(report):
        return []
    body: list[RenderableType] = [_count_table(words.key_counts(report))]
    collisions = words.collision_words(report)
    return [*body, bullet(collisions)] if collisions else body


def _columns(report: Report, width: int) -> list[RenderableType]:
    loud = [column for column in words.by_difference(report.columns) if not words.is_plain(column)]
    quiet = [words.column_name(column) for column in report.columns if words.is_plain(column)]
    body: list[RenderableType] = []
    if loud:
        body.append(_column_table(loud, width))
    if quiet:
        names = ", ".join(quiet[:40]) + (
            f" and {len(quiet) - 40:,} more" if len(quiet) > 40 else ""
        )
        lead = f"{words.plural(len(quiet), 'column')} without differences: "
        body.append(Text(lead, style=DIM, overflow="fold").append(names, style="default"))
    return body


def _column_table(columns: list[ColumnResult], width: int) -> RenderableType:
    # What there is room for: the bar from 60 cells on, the types from 110 on, and on a
    # narrow terminal the rules go below.
    barred, typed = width >= 60, width >= 110
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=DIM, expand=False)
    for title, right in (("column", False), ("match", True), ("", False), ("differ", True)):
        if title or barred:
            table.add_column(title, no_wrap=True, justify="right" if right else "left")
    if typed:
        table.add_column("type", overflow="fold", max_width=width // 4)
    if barred:
        table.add_column("rule", overflow="fold")
    for column in columns:
        name = middle_cut(words.column_name(column), max(width // 4, 12), cell_len)
        cells = [Text(name), Text(words.percent(column.match, column.differences))]
        if barred:
            cells.append(
                Text(bar(column.match), style=TONE["different" if column.differences else "same"])
            )
        cells.append(Text(words.number(column.differences)))
        cells.extend([Text(words.column_types(column))] if typed else [])
        table.add_row(*cells, *([Text(words.rule_words(column))] if barred else []))
    if barred:
        return table
    rules = [
        f"{words.column_name(each)}: {words.rule_words(each)}" for each in columns if each.loses
    ]
    return Group(table, *(bullet(line) for line in rules))


def bar(match: float) -> str:
    """Draw a percentage as a bar; one that is not full never looks full, nor empty."""
    eighths = min(max(round(match / 100 * _BAR * 8), 0), _BAR * 8)
    if match < 100:
        eighths = min(eighths, _BAR * 8 - 1)
    if match > 0:
        eighths = max(eighths, 1)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR, "·")


def _rows_title(report: Report, rows: int) -> str:
    shown = min(rows, len(report.sample))
    return f"Rows that differ ({words.shown_of(report, shown)})"


def _not_compared(report: Report) -> list[RenderableType]:
    pairs = [words.left_out_words(column) for column in report.not_compared]
    return [facts(pairs)] if pairs else []


def _how(report: Report) -> Table:
    pairs = [("plan", words.strategy_words(report.plan.strategy))]
    pairs.extend(("", words.safe_text(reason)) for reason in report.plan.reasons)
    left, right = (words.consistency_words(side) for side in report.consistency)
    pairs.extend(
        [("read", left)] if left == right else [("read left", left), ("read right", right)]
    )
    return facts([*pairs, ("cost", words.cost_words(report))])
