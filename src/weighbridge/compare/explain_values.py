"""The transforms of NULLs, constants, booleans and numbers, as data: see `explain_transforms`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weighbridge.compare.explain_transforms import Params, Transform


def _number(key: str) -> Callable[[Params], tuple[str, dict[str, Any]]]:
    def told(params: Params) -> tuple[str, dict[str, Any]]:
        text = params[0]
        value = int(text) if text.lstrip("-").isdigit() else float(text)
        if key != "offset":
            return f"{value:,.9g}", {key: value}
        sign = "−" if text.startswith("-") else "+"
        return f"{sign} {text.removeprefix('-')}", {key: value}

    return told


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


def _precision() -> list[Transform]:
    return [
        # Where only negative numbers differ, both fit.
        Transform("sign_lost", "number", "{r} = abs({l})", "right is left without its sign"),
        Transform("negated", "number", "{r} = -{l}", "right = −left"),
        Transform(
            "float32",
            "number",
            f"{_D[1]} = CAST(CAST({{l}} AS FLOAT) AS DOUBLE)",
            "right is left in single precision (about 7 digits)",
        ),
        Transform(
            "float64",
            "stored",
            f"{_D[1]} = {_D[0]}",
            "right is left in double precision (15 to 17 digits)",
            differing=False,
        ),
        Transform(
            "digits_15", "exact", _digits_15(), "right is left with zeros after the 15th digit"
        ),
    ]


def _scaling() -> list[Transform]:
    ratio = f"CASE WHEN {_D[0]} <> 0 AND {_D[1]} <> 0 THEN {_D[1]} / {_D[0]} END"
    factor = Transform("factor", "number", "", "right = left × {p}", told=_number("factor"))
    offset = Transform("offset", "exact", "", "right = left {p}", told=_number("offset"))
    return [
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
    ]


def _digits_15() -> str:
    left, right = "CAST(abs({l}) AS VARCHAR)", "CAST(abs({r}) AS VARCHAR)"
    return (
        f"length({left}) > 15 AND length({left}) = length({right})"
        f" AND left({left}, 15) = left({right}, 15)"
        f" AND regexp_full_match(substr({right}, 16), '0+')"
    )


ANY: tuple[Transform, ...] = (
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
"""The transforms of whatever there is, also NULL."""

NUMBERS: tuple[Transform, ...] = (*_precision(), *_scaling(), *_rounding())
"""The transforms of numbers."""
