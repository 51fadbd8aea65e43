"""The rules that a user may declare for a column: what each does, and what it loses.

A rule is a DuckDB expression over `{x}`, the value as it is compared; two values are equal
under it when their expressions are. Rows that are equal only thanks to a rule are counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from weighbridge.errors import BadArgument


@dataclass(frozen=True)
class Rule:
    """`domain`: the kinds of compared value that it fits (text, number, time, json or any)."""

    name: str
    domain: str
    expression: str
    loses: str


_FAR = "TIMESTAMP '199000-01-01 (BC) 00:00:00'"
RULES: dict[str, Rule] = {
    r.name: r
    for r in (
        Rule("case", "text", "lower({x})", "upper and lower case"),
        Rule("citext", "text", "lower({x})", "upper and lower case"),
        Rule("trim", "text", "trim({x})", "spaces at both ends"),
        Rule("rtrim", "text", "rtrim({x})", "spaces at the end"),
        Rule("pad", "text", "rtrim({x}, ' ')", "padding at the end"),
        Rule("crlf", "text", "replace({x}, chr(13) || chr(10), chr(10))", "the kind of line ends"),
        Rule("nfc", "text", "nfc_normalize({x})", "composed and decomposed letters"),
        Rule("json", "text", "wb_json({x})", "white space, key order and number form in JSON"),
        Rule("xml", "text", "wb_xml({x})", "attribute order and white space in tags of XML"),
        Rule("empty-null", "text", "nullif({x}, '')", "the empty text, read as NULL"),
        Rule("oracle", "text", "nullif({x}, '')", "the empty text, read as NULL"),
        Rule(
            "zero-date",
            "time",
            f"CASE WHEN {{x}} < {_FAR} THEN NULL ELSE {{x}} END",
            "zero dates, read as NULL",
        ),
        Rule(
            "infinity",
            "time",
            "CASE WHEN {x} >= TIMESTAMP '9999-12-31' THEN TIMESTAMP 'infinity' ELSE {x} END",
            "infinity, read as 9999-12-31",
        ),
        Rule(
            "leap-second",
            "text",
            "coalesce(CAST(CASE WHEN regexp_matches({x}, ':59:60([.][0-9]*)?$') THEN"
            " try_cast(replace({x}, ':59:60', ':59:59') AS TIMESTAMP) + INTERVAL 1 SECOND END"
            " AS VARCHAR), {x})",
            "the 61st second of a minute, read as the next minute",
        ),
        Rule("exact", "time", "{x}", "nothing: digits that one type has not count as zeros"),
        Rule("date", "time", "date_trunc('day', {x})", "the time of day"),
        Rule("truncate-s", "time", "date_trunc('second', {x})", "fractions of a second, cut off"),
        Rule("truncate-ms", "time", "date_trunc('millisecond', {x})", "microseconds, cut off"),
        Rule(
            "round-s",
            "time",
            "date_trunc('second', {x} + INTERVAL 500 MILLISECOND)",
            "fractions of a second, rounded",
        ),
        Rule(
            "round-ms",
            "time",
            "date_trunc('millisecond', {x} + INTERVAL 500 MICROSECOND)",
            "microseconds, rounded",
        ),
        Rule(
            "minute",
            "time",
            "date_trunc('minute', {x} + INTERVAL 30 SECOND)",
            "seconds, rounded to the minute",
        ),
        Rule("float32", "float", "CAST({x} AS FLOAT)", "digits beyond single precision"),
        Rule("sign", "number", "abs({x})", "the sign"),
        Rule("interval", "interval", "wb_interval({x})", "days as 24 hours, months as 30 days"),
    )
}
_DIGITS = re.compile(r"(round|truncate):(\d{1,2})")


def find_rule(name: str) -> Rule:
    """Find a rule by its name; `round:2` and `truncate:2` take a number of decimals.

    Raises BadArgument with the names there are.
    """
    wanted = name.strip().lower()
    if wanted in RULES:
        return RULES[wanted]
    if found := _DIGITS.fullmatch(wanted):
        mode, digits = found.groups()
        function = "round" if mode == "round" else "trunc"
        scale = 10 ** int(digits)
        if function == "round":
            return Rule(wanted, "number", f"round({{x}}, {digits})", f"decimals after {digits}")
        return Rule(
            wanted, "number", f"trunc({{x}} * {scale}) / {scale}", f"decimals after {digits}"
        )
    raise BadArgument(
        f"There is no rule {name!r}.",
        next_step=f"Use one of {', '.join(sorted(RULES))}, round:N or truncate:N.",
    )


# These say how values of two types are brought together, so they pick the pairing itself.
PAIRINGS = frozenset({"epoch-s", "epoch-ms", "epoch-us", "uuid-swapped", "number", "text"})
