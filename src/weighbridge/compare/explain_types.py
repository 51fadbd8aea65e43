"""Which readings of a pair of columns make sense: as text, numbers, moments, and so on.

A reading turns both sides into one comparable SQL expression, so that a transform is written once
whatever the types. What a value cannot be read as is NULL and supports nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Family = Literal["integer", "decimal", "float", "text", "moment", "clock", "boolean", "other"]
Reading = Literal[
    "any",  # as they are, also NULL
    "boolean",
    "text",
    "exact",  # integers and decimals: HUGEINT or DECIMAL(38, s)
    "inexact",  # a DOUBLE on either side
    "number",  # exact or inexact
    "stored",  # number, and neither side is text
    "moment",  # microseconds since 1970: dates and timestamps
    "clock",  # microseconds since midnight
    "instant",  # moment or clock
]

_INTEGERS = frozenset(
    f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "", "BIG", "HUGE")
) | {"INTEGER", "UINTEGER"}
_NUMBERS = frozenset[Family]({"integer", "decimal", "float"})


def family(type_name: str) -> Family:
    """Sort a DuckDB type."""
    head = type_name.partition("(")[0]
    if type_name.endswith("]"):
        return "other"
    if head in _INTEGERS:
        return "integer"
    if head.startswith(("TIMESTAMP", "DATE")):
        return "moment"
    known: dict[str, Family] = {
        "DECIMAL": "decimal",
        "FLOAT": "float",
        "DOUBLE": "float",
        "VARCHAR": "text",
        "ENUM": "text",
        "TIME": "clock",
        "BOOLEAN": "boolean",
    }
    return known.get(head, "other") if "WITH" not in type_name else "other"


@dataclass(frozen=True)
class Read:
    """Both sides as one kind of value; `{x}` is the column. `step` is the right type's unit."""

    left: str
    right: str
    step: float = 0.0


def readings(left: str, right: str) -> dict[Reading, Read]:
    """Give the readings that suit a left and a right type, for a left and a right column."""
    sides = (family(left), family(right))
    found: dict[Reading, Read] = {"any": Read("{x}", "{x}")}
    if sides == ("boolean", "boolean"):
        found["boolean"] = Read("{x}", "{x}")
    if "text" in sides and "other" not in sides:
        found["text"] = Read("CAST({x} AS VARCHAR)", "CAST({x} AS VARCHAR)")
    if set(sides) <= _NUMBERS | {"text"} and sides != ("text", "text"):
        found |= _numbers(left, right)
    if set(sides) <= {"moment", "text"} and "moment" in sides:
        found["moment"] = found["instant"] = Read(_moment(sides[0]), _moment(sides[1]))
    if sides == ("clock", "clock"):
        found["clock"] = found["instant"] = Read("epoch_us({x})", "epoch_us({x})")
    return found


def _moment(side: Family) -> str:
    return "epoch_us({x})" if side == "moment" else "epoch_us(TRY_CAST({x} AS TIMESTAMP))"


def _numbers(left: str, right: str) -> dict[Reading, Read]:
    sides = (family(left), family(right))
    scale = max(_scale(left), _scale(right))
    step = 0.0 if sides[1] in {"float", "text"} else 10.0 ** -_scale(right)
    if set(sides) <= {"integer", "decimal"}:
        exact = "HUGEINT" if set(sides) == {"integer"} else f"DECIMAL(38, {scale})"
        read = Read(f"CAST({{x}} AS {exact})", f"CAST({{x}} AS {exact})", step)
        return {"exact": read, "number": read, "stored": read}
    # An infinity is within any relative tolerance of everything: it is read as nothing.
    double = "TRY_CAST({x} AS DOUBLE)"
    finite = f"CASE WHEN isfinite({double}) THEN {double} END"
    read = Read(finite, finite, step)
    found: dict[Reading, Read] = {"inexact": read, "number": read}
    return found if "text" in sides else {**found, "stored": read}


def _scale(type_name: str) -> int:
    found = re.fullmatch(r"DECIMAL\(\d+,\s*(\d+)\)", type_name)
    return int(found[1]) if found else 0
