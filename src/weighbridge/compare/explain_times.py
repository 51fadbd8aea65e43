"""The transforms of dates and times, as data, in microseconds: rows of `explain_transforms`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from weighbridge.compare.explain_transforms import Fits, Params, Transform
from weighbridge.compare.explain_words import duration


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


_UNITS = (
    ("milliseconds", 1_000),
    ("seconds", 1_000_000),
    ("minutes", 60_000_000),
    ("hours", 3_600_000_000),
    ("days", 86_400_000_000),
)


def _shifts() -> list[Transform]:
    differ = "CASE WHEN {r} <> {l} THEN [CAST({r} - {l} AS VARCHAR)] END"
    a_day = 86_400_000_000
    # A time of day goes round: the shortest way from left to right, −12 h to 12 h.
    around = f"((({{r}} - {{l}} + {3 * a_day // 2}) % {a_day}) - {a_day // 2})"
    shift = Transform("shift", "moment", "", "right = left {p}", fit=differ, told=_shift)
    return [
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


def _cuts() -> list[Transform]:
    # Floor, also before 1970, where % is negative.
    cut = "({x} - (({x} % {u}) + {u}) % {u})"
    found: list[Transform] = []
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


TIMES: tuple[Transform, ...] = (*_shifts(), *_cuts())
"""The transforms of dates and times."""
