"""A transform as data: name, reading, SQL, words. The tables are the `explain_*` files beside this.

In the SQL `{l}` and `{r}` are the two sides as the reading gives them, `{lt}` and `{rt}` their
types, `{step}` the unit of the right type, `{p0}` and `{p1}` bound parameters (text, to be cast).
`fit` makes a list of parameters from one row (`several`: a list of such lists); the most common
become candidates. `differing`: only rows count whose two sides differ as they are read. `twins`: those
of the same name and parameters are told apart by rare rows, so each is counted over all rows.
`fraction` of the column's changed rows must show a transform before it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from weighbridge.compare.explain_types import Reading

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
"""Every `detail["transform"]`. The last three are about several columns (explain_neighbours)."""

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
