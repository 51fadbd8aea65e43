"""The transforms that are looked for, as data: name, reading, SQL, words. Earlier ones win ties.

In the SQL `{l}` and `{r}` are the two sides as the reading gives them, `{lt}` and `{rt}` their
types, `{step}` the unit of the right type, `{p0}` and `{p1}` bound parameters (text, to be cast).
`fit` makes a list of parameters from one row (`several`: a list of such lists); the most common
become candidates. `differing`: only rows count whose two sides differ as they are read. `twins`: those
of the same name and parameters are told apart by rare rows, so each is counted over all rows.
`fraction` of the column's changed rows must show a transform before it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from weighbridge.compare.explain_types import Reading
from weighbridge.compare.explain_words import duration

TransformName = Literal[
    "null_to_value",
    "value_to_null",
    "replaced",
    "right_null",
    "left_null",
    "constant",
    "flipped",
    "negated",
    "sign_lost",
    "float32",
    "float64",
    "digits_15",
    "offset",
    "factor",
    "celsius_to_fahrenheit",
    "fahrenheit_to_celsius",
    "round",
    "truncate",
    "floor",
    "shift",
    "shift_dst",
    "shift_months",
    "day_month_swapped",
    "time_truncated",
    "time_rounded",
    "trim_right",
    "trim_left",
    "trim",
    "pad_right",
    "pad_left",
    "pad",
    "crlf_to_lf",
    "lf_to_crlf",
    "spaces_collapsed",
    "whitespace",
    "upper",
    "lower",
    "title",
    "case",
    "truncate_chars",
    "truncate_bytes",
    "mojibake",
    "mojibake_repaired",
    "characters_lost",
    "accents_lost",
    "nfc",
    "nfd",
    "zeros_lost",
    "zeros_added",
    "separators_lost",
    "separators_added",
    "decimal_comma",
    "decimal_point",
    "scientific",
    "quotes_added",
    "quotes_removed",
    "html_escaped",
    "html_unescaped",
    "prefix_added",
    "suffix_added",
    "prefix_removed",
    "suffix_removed",
    "same_number",
    "same_moment",
    "swapped_columns",
    "shifted_columns",
    "copied_column",
]
"""Every `detail["transform"]`. The last three are about several columns (explain_columns)."""

Params = tuple[str, ...]
Fits = list[tuple[Params, int]]


@dataclass(frozen=True)
class Transform:
    """One row of the table above; `weak` ones say little and yield to others nearly as common."""

    name: TransformName
    reads: Reading
    where: str
    words: str
    fit: str | None = None
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    told: Callable[[Params], tuple[str, dict[str, Any]]] | None = None
    combine: Callable[[Fits], Fits] | None = None
    fraction: float = 0.5
    weak: bool = False
    differing: bool = True
    several: bool = False
    twins: bool = False
    shows: tuple[Literal["left", "right", "text"], ...] = ()


def _shift(params: Params) -> tuple[str, dict[str, Any]]:
    micros = [int(p) for p in params]
    seconds = [m // 1_000_000 if m % 1_000_000 == 0 else m / 1_000_000 for m in micros]
    return " or ".join(duration(m) for m in micros), {
        "seconds": seconds if len(seconds) > 1 else seconds[0]
    }


def _months(params: Params) -> tuple[str, dict[str, Any]]:
    months = int(params[0])
    unit = ("year", months // 12) if months % 12 == 0 else ("month", months)
    count = abs(unit[1])
    words = f"{'−' if months < 0 else '+'} {count:,} {unit[0]}{'s' if count != 1 else ''}"
    return words, {"months": months}


def _number(key: str) -> Callable[[Params], tuple[str, dict[str, Any]]]:
    def told(params: Params) -> tuple[str, dict[str, Any]]:
        text = params[0]
        value = int(text) if text.lstrip("-").isdigit() else float(text)
        if key != "offset":
            return f"{value:,.9g}", {key: value}
        sign = "−" if text.startswith("-") else "+"
        return f"{sign} {text.removeprefix('-')}", {key: value}

    return told


def _daylight(fits: Fits) -> Fits:
    """Pair the two most common shifts, where they are an hour apart and both of some weight."""
    total = sum(n for _, n in fits)
    top = sorted(fits[:2], key=lambda fit: abs(int(fit[0][0])))
    if len(top) < 2 or min(n for _, n in top) < 0.05 * total:
        return []
    first, second = (int(params[0]) for params, _ in top)
    if abs(first - second) != 3_600_000_000 or first % 900_000_000:
        return []
    return [((str(first), str(second)), total)]


_MODES = {
    # The digit modes differ only where the left lies half-way between two results.
    "nearest": ("rounded", "true"),
    "half_up": ("rounded half up", "(NOT {tie} OR abs({r}) > abs({l}))"),
    "half_even": ("rounded half to even", "(NOT {tie} OR abs(round({r} / {unit}) % 2) = 0)"),
}
_UNIT = "power(10.0, -CAST({p0} AS INTEGER))"
_GAP = "CAST({r} - {l} AS DOUBLE)"
_TIE = f"abs(abs({_GAP}) / {_UNIT} - 0.5) < 1e-6"
# The right side has no more digits than are said; without this every near miss is "rounded".
_WHOLE = (
    f"abs(CAST({{r}} AS DOUBLE) / {_UNIT} - round(CAST({{r}} AS DOUBLE) / {_UNIT}))"
    f" <= 1e-6 + 1e-15 * abs(CAST({{r}} AS DOUBLE) / {_UNIT})"
)
_DECIMALS = "[CAST(length(rtrim(split_part(CAST({r} AS VARCHAR), '.', 2), '0')) AS VARCHAR)]"


def _rounding() -> list[Transform]:
    found: list[Transform] = []
    for mode, (words, extra) in _MODES.items():
        ties = extra.replace("{tie}", _TIE).replace("{unit}", _UNIT)
        nearest = f"abs({_GAP}) <= 0.500001 * {_UNIT} AND {_WHOLE} AND {ties}"
        found.append(
            Transform(
                "round",
                "number",
                nearest,
                f"right is left {words} to {{p}} decimals",
                fit=_DECIMALS,
                detail={"mode": mode},
                twins=True,
                told=_number("digits"),
            )
        )
    for name, words, side in (
        ("truncate", "cut", "abs({r}) <= abs({l})"),
        ("floor", "rounded down", "{r} <= {l}"),
    ):
        found.append(
            Transform(
                name,  # pyright: ignore[reportArgumentType] - a tuple's str, listed above
                "number",
                f"abs({_GAP}) < {_UNIT} AND {side} AND {_WHOLE}",
                f"right is left {words} to {{p}} decimals",
                fit=_DECIMALS,
                told=_number("digits"),
            )
        )
    return found


# Powers of ten, time, bytes, and the units that feet, pounds and miles are turned into.
_FACTORS = (
    *(10.0**n for n in range(1, 10)),
    *(7.0, 12.0, 24.0, 60.0, 1440.0, 3600.0, 86400.0, 1024.0, 1048576.0),
    *(1.609344, 1.852, 2.54, 3.28084, 3.785411784, 0.45359237, 28.349523125, 3.6, 4.184, 25.4),
)
_KNOWN = ", ".join(f"{f!r}, {1 / f!r}" for f in _FACTORS)
_D = ("CAST({l} AS DOUBLE)", "CAST({r} AS DOUBLE)")
_FACTOR = "CAST({p0} AS DOUBLE)"


def _near(formula: str) -> str:
    """Equal to within the rounding of a right side that has few digits; its zeros prove nothing."""
    within = f"greatest(1e-9 * abs({_D[1]}), 0.500001 * {{step}})"
    return f"{_D[1]} <> 0 AND abs({_D[1]} - ({formula})) <= {within}"


def _numbers() -> list[Transform]:
    ratio = f"CASE WHEN {_D[0]} <> 0 AND {_D[1]} <> 0 THEN {_D[1]} / {_D[0]} END"
    factor = Transform("factor", "number", "", "right = left × {p}", told=_number("factor"))
    offset = Transform("offset", "exact", "", "right = left {p}", told=_number("offset"))
    return [
        Transform("negated", "number", "{r} = -{l}", "right = −left"),
        Transform("sign_lost", "number", "{r} = abs({l})", "right is left without its sign"),
        Transform(
            "float32",
            "number",
            f"{_D[1]} = CAST(CAST({{l}} AS FLOAT) AS DOUBLE)",
            "right is left in single precision (about 7 digits)",
        ),
        Transform(
            "float64",
            "number",
            f"{_D[1]} = {_D[0]}",
            "right is left in double precision (15 to 17 digits)",
            differing=False,
        ),
        Transform(
            "digits_15", "exact", _digits_15(), "right is left with zeros after the 15th digit"
        ),
        replace(
            offset,
            where="{r} - {l} = CAST({p0} AS {exact})",
            fit="[CAST({r} - {l} AS VARCHAR)]",
        ),
        replace(
            offset,
            reads="inexact",
            where=f"abs({{r}} - {{l}} - {_FACTOR}) <= 1e-9 * greatest(abs({{r}}), abs({{l}}))",
            fit="[CAST(CAST(printf('%.8e', {r} - {l}) AS DOUBLE) AS VARCHAR)]",
        ),
        replace(
            factor,
            where=_near(f"{_D[0]} * {_FACTOR}"),
            fit=f"[CAST(list_filter([{_KNOWN}], lambda f: {_near(f'{_D[0]} * f')})[1] AS VARCHAR)]",
        ),
        replace(
            factor,
            where=f"abs({_D[1]} - {_D[0]} * {_FACTOR}) <= 1e-9 * abs({_D[1]})",
            fit=f"[CAST(CAST(printf('%.8e', {ratio}) AS DOUBLE) AS VARCHAR)]",
        ),
        replace(
            factor,
            where=f"abs({_FACTOR} - 1) > 0.001 AND {_near(f'{_D[0]} * {_FACTOR}')}",
            fit=f"[CAST(round({ratio}, 4) AS VARCHAR)]",
        ),
        Transform(
            "celsius_to_fahrenheit",
            "number",
            _near(f"{_D[0]} * 1.8 + 32"),
            "right = left × 1.8 + 32 (°C to °F)",
        ),
        Transform(
            "fahrenheit_to_celsius",
            "number",
            _near(f"({_D[0]} - 32) / 1.8"),
            "right = (left − 32) / 1.8 (°F to °C)",
        ),
        *_rounding(),
    ]


def _digits_15() -> str:
    left, right = "CAST(abs({l}) AS VARCHAR)", "CAST(abs({r}) AS VARCHAR)"
    return (
        f"length({left}) > 15 AND length({left}) = length({right})"
        f" AND left({left}, 15) = left({right}, 15)"
        f" AND regexp_full_match(substr({right}, 16), '0+')"
    )


_UNITS = (
    ("milliseconds", 1_000),
    ("seconds", 1_000_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("days", 86_400_000_000),
)


def _times() -> list[Transform]:
    differ = "CASE WHEN {r} <> {l} THEN [CAST({r} - {l} AS VARCHAR)] END"
    a_day = 86_400_000_000
    # A time of day goes round: the shortest way from left to right, −12 h to 12 h.
    around = f"((({{r}} - {{l}} + {3 * a_day // 2}) % {a_day}) - {a_day // 2})"
    shift = Transform("shift", "moment", "", "right = left {p}", fit=differ, told=_shift)
    # Floor, also before 1970, where % is negative.
    cut = "({x} - (({x} % {u}) + {u}) % {u})"
    found = [
        replace(shift, where="{r} - {l} = CAST({p0} AS BIGINT)"),
        Transform(
            "shift_dst",
            "moment",
            "{r} - {l} IN (CAST({p0} AS BIGINT), CAST({p1} AS BIGINT))",
            "right = left {p} (daylight saving)",
            fit=differ,
            told=_shift,
            combine=_daylight,
        ),
        replace(
            shift,
            reads="clock",
            where=f"{around} = CAST({{p0}} AS BIGINT)",
            fit=f"[CAST({around} AS VARCHAR)]",
        ),
        Transform(
            "shift_months",
            "moment",
            "make_timestamp({r}) = make_timestamp({l}) + to_months(CAST({p0} AS INTEGER))",
            "right = left {p}",
            fit="[CAST(date_diff('month', make_timestamp({l}), make_timestamp({r})) AS VARCHAR)]",
            told=_months,
        ),
        Transform(
            "day_month_swapped",
            "moment",
            "make_timestamp({r}) = make_timestamp(year(make_timestamp({l})),"
            " day(make_timestamp({l})), month(make_timestamp({l})),"
            " hour(make_timestamp({l})), minute(make_timestamp({l})),"
            " ({l} % 60000000) / 1e6)",
            "right is left with day and month swapped",
        ),
    ]
    for unit, micros in _UNITS:
        truncated = cut.replace("{u}", str(micros))
        words = f"right is left cut to whole {unit}"
        found += [
            Transform(
                "time_truncated",
                "instant",
                "{r} = " + truncated.replace("{x}", "{l}"),
                "right is left with the time of day lost" if unit == "days" else words,
                detail={"unit": unit},
            ),
            Transform(
                "time_rounded",
                "instant",
                "{r} = " + truncated.replace("{x}", f"({{l}} + {micros // 2})"),
                f"right is left rounded to whole {unit}",
                detail={"unit": unit},
            ),
        ]
    return found


_ANY = (
    Transform(
        "null_to_value",
        "any",
        "{l} IS NULL AND {r} = CAST({p0} AS {rt})",
        "right is {p0} where left is NULL",
        fit="CASE WHEN {l} IS NULL THEN [CAST({r} AS VARCHAR)] END",
        shows=("right",),
    ),
    Transform(
        "value_to_null",
        "any",
        "{r} IS NULL AND {l} = CAST({p0} AS {lt})",
        "right is NULL where left is {p0}",
        fit="CASE WHEN {r} IS NULL THEN [CAST({l} AS VARCHAR)] END",
        shows=("left",),
    ),
    Transform(
        "replaced",
        "any",
        "{l} = CAST({p0} AS {lt}) AND {r} = CAST({p1} AS {rt})",
        "right is {p1} where left is {p0}",
        fit="CASE WHEN {l} IS NOT NULL AND {r} IS NOT NULL"
        " THEN [CAST({l} AS VARCHAR), CAST({r} AS VARCHAR)] END",
        shows=("left", "right"),
    ),
    Transform("right_null", "any", "{r} IS NULL AND {l} IS NOT NULL", "right is NULL"),
    Transform("left_null", "any", "{l} IS NULL AND {r} IS NOT NULL", "left is NULL, right is not"),
    # Any column of few values has a common right value: only one that is nearly alone says much.
    Transform(
        "constant",
        "any",
        "{r} = CAST({p0} AS {rt})",
        "right is {p0}",
        fit="[CAST({r} AS VARCHAR)]",
        shows=("right",),
        fraction=0.9,
    ),
    Transform("flipped", "boolean", "{r} = NOT {l}", "right is not left", weak=True),
)

# Those of text come after these (explain_text): a number is a number before it is a text.
VALUES: tuple[Transform, ...] = (*_ANY, *_numbers(), *_times())
"""The transforms of values that are not text."""
