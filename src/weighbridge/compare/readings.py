"""A typed column beside a column of text: both are brought into one text.

Each reading gives the expression over the text, the one over the typed value, and the name of
the rule. A text that is no value of the type stays as it is, so that it equals nothing but itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from weighbridge.types.columns import NO_DATE, ColumnType

# A time of day or a longer one, as microseconds.
SECONDS = (
    "(CASE WHEN starts_with({x}, '-') THEN -1 ELSE 1 END * CAST(round("
    "(CAST(split_part(ltrim({x}, '-'), ':', 1) AS DOUBLE) * 3600"
    " + CAST(split_part({x}, ':', 2) AS DOUBLE) * 60"
    " + CAST(split_part({x}, ':', 3) AS DOUBLE)) * 1000000) AS BIGINT))"
)


def digits_of(native: str) -> tuple[int, int] | None:
    if native == "BIGINT":
        return 19, 0
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", native)
    return (int(found[1]) - int(found[2]), int(found[2])) if found else None


def not_a_number(kind: ColumnType, native: str) -> int | None:
    # A source that needs a number for NaN travels with one digit more than it declares.
    digits = digits_of(native)
    if kind.family != "decimal" or digits is None or kind.precision is None:
        return None
    declared = kind.precision - (kind.scale or 0)
    return declared if digits[0] > declared else None


def number_text(kind: ColumnType, native: str) -> str:
    """Write a number as plain digits: no exponent, no trailing zeros, no minus zero."""
    text = "{x}" if native == "VARCHAR" else _as_shown("{x}", native)
    bare = f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
    bare = f"CASE WHEN {bare} = '-0' THEN '0' ELSE {bare} END"
    return _with_nan(kind, native, bare)


def _as_shown(number: str, native: str) -> str:
    text = f"CAST({number} AS VARCHAR)"
    digits = digits_of(native)
    # With no digit before the point DuckDB writes .5 for 0.5.
    return f"regexp_replace({text}, '^(-?)[.]', '\\10.')" if digits and not digits[0] else text


def _with_nan(kind: ColumnType, native: str, text: str) -> str:
    nan = not_a_number(kind, native)
    if nan is None:
        return text
    return f"CASE WHEN {{x}} >= CAST('1{'0' * nan}' AS {native}) THEN 'NaN' ELSE {text} END"


# In a list: an IN of so many words becomes a join, whose table takes 10 MB.
_TRUE = "'t','true','y','yes','1','on'"
_FALSE = "'f','false','n','no','0','off'"


def _int_text(kind: ColumnType, _native: str) -> tuple[str, str, str]:
    read = "{x}"
    if kind.declared.startswith("tinyint(1)"):  # a boolean, which others write as a word
        read = (
            f"CASE WHEN list_contains([{_TRUE}], lower({{x}})) THEN '1'"
            f" WHEN list_contains([{_FALSE}], lower({{x}})) THEN '0' ELSE {{x}} END"
        )
    return read, "CAST({x} AS VARCHAR)", "int as text"


def _decimal_text(kind: ColumnType, native: str) -> tuple[str, str, str]:
    number = "regexp_full_match({x}, '-?[0-9]+([.][0-9]*)?')"
    # Oracle and many programs write .5 for 0.5.
    whole = "regexp_replace({x}, '^(-?)[.]([0-9])', '\\10.\\2')"
    plain = number_text(kind, "VARCHAR").replace("{x}", f"({whole})")
    text = f"CASE WHEN {number.replace('{x}', whole)} THEN {plain} ELSE {{x}} END"
    digits = digits_of(native)
    if digits is None:
        return text, number_text(kind, native), "number as text"
    return (
        _padded(text, digits[1]),
        _with_nan(kind, native, _as_shown("{x}", native)),
        "number as text",
    )


def _padded(text: str, scale: int) -> str:
    """Write a text's number with the digits that a column of this scale shows.

    Most texts are written so already, which is cheap to see; only the others are taken apart.
    """
    column = f"DECIMAL(38,{scale})"
    # Beyond 18 digits DuckDB takes 10 µs for a number, and most numbers have fewer.
    short = f"DECIMAL(18,{scale})" if scale < 18 else column
    shown = _as_shown(f"try_cast({{x}} AS {short})", short)
    fraction = f"([.][0-9]{{1,{scale}}})?" if scale else ""
    fits = f"regexp_full_match({text}, '-?(0|[1-9][0-9]*){fraction}')"
    padded = f"coalesce({_as_shown(f'try_cast({text} AS {column})', column)}, {text})"
    return f"CASE WHEN {shown} = {{x}} THEN {{x}} WHEN {fits} THEN {padded} ELSE {text} END"


def _float_text(kind: ColumnType, _native: str) -> tuple[str, str, str]:
    # A single travels as a double; its text has the digits of a single. -0.0 equals 0.0.
    size = "FLOAT" if kind.bits == 32 else "DOUBLE"
    read = f"coalesce(CAST(try_cast({{x}} AS {size}) + 0 AS VARCHAR), {{x}})"
    typed = f"CAST(CAST({{x}} AS {size}) + 0 AS VARCHAR)"
    if size == "DOUBLE":
        # From 2^53 on, texts of several integers read as one double: digit by digit there.
        wide = "abs(try_cast({x} AS DOUBLE)) >= 9007199254740992"
        digits = "regexp_full_match({x}, '-?[1-9][0-9]{15,36}([.]0*)?')"
        read = f"CASE WHEN {digits} AND {wide} THEN regexp_replace({{x}}, '[.]0*$', '') ELSE {read} END"
        whole = "{x} = trunc({x}) AND abs({x}) >= 9007199254740992 AND abs({x}) < 1e37"
        typed = (
            f"CASE WHEN {whole} THEN CAST(CAST({{x}} AS DECIMAL(38,0)) AS VARCHAR) ELSE {typed} END"
        )
    return read, typed, "double as text"


def _bool_text(_kind: ColumnType, _native: str) -> tuple[str, str, str]:
    read = (
        f"CASE WHEN list_contains([{_TRUE}], lower({{x}})) THEN 'true'"
        f" WHEN list_contains([{_FALSE}], lower({{x}})) THEN 'false' ELSE {{x}} END"
    )
    return read, "CAST({x} AS VARCHAR)", "boolean as text"


# 0000-00-00 in a text: at the place in the calendar where a server's own invalid dates are.
_NO_DATE_FORM = (
    "([0-9]{4})-(0[0-9]|1[0-2])-([0-2][0-9]|3[01])"
    "(?:[ T]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:[.]([0-9]{1,6}))?)?"
)
_PARTS = [
    f"coalesce(try_cast(regexp_extract({{x}}, '{_NO_DATE_FORM}', {n}) AS BIGINT), 0)"
    for n in range(1, 7)
]
_FRACTION = f"CAST(rpad(regexp_extract({{x}}, '{_NO_DATE_FORM}', 7), 6, '0') AS BIGINT)"
_NO_DATE = (
    f"CASE WHEN regexp_full_match({{x}}, '{_NO_DATE_FORM}') THEN {NO_DATE} + to_microseconds("
    f"((({_PARTS[0]} * 16 + {_PARTS[1]}) * 32 + {_PARTS[2]}) * 86400"
    f" + ({_PARTS[3]} * 60 + {_PARTS[4]}) * 60 + {_PARTS[5]}) * 1000000 + {_FRACTION}) END"
)


def _time_text(kind: ColumnType, _native: str) -> tuple[str, str, str]:
    typed = "CAST(CAST({x} AS TIMESTAMP) AS VARCHAR)"
    read = f"coalesce(CAST(coalesce(try_cast({{x}} AS TIMESTAMP), {_NO_DATE}) AS VARCHAR), {{x}})"
    if kind.family == "timestamptz":
        aware = "try_cast({x} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
        zoned = "regexp_matches({x}, '([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)$')"
        read = f"coalesce(CASE WHEN {zoned} THEN CAST({aware} AS VARCHAR) END, {read})"
    return read, typed, f"{kind.family} as text"


def _uuid_text(_kind: ColumnType, _native: str) -> tuple[str, str, str]:
    return _UUID_READ, "CAST({x} AS VARCHAR)", "uuid as text"


_UUID_READ = "coalesce(CAST(try_cast(trim({x}, '{}') AS UUID) AS VARCHAR), {x})"


def _bytes_text(_kind: ColumnType, _native: str) -> tuple[str, str, str]:
    digits = "regexp_replace({x}, '^(\\\\x|0x|0X)', '')"
    hexed = f"regexp_full_match({digits}, '([0-9a-fA-F]{{2}})*')"
    coded = "regexp_full_match({x}, '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?')"
    read = (
        f"CASE WHEN {hexed} THEN lower({digits}) WHEN {coded} THEN lower(hex(from_base64("
        f"CASE WHEN {coded} THEN {{x}} END))) ELSE {{x}} END"
    )
    return read, "lower(hex({x}))", "bytes as hex or base64"


def _time_of_day_text(_kind: ColumnType, _native: str) -> tuple[str, str, str]:
    clock = "regexp_full_match({x}, '-?[0-9]+:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?')"
    seconds = SECONDS.replace("{x}", "CAST({x} AS VARCHAR)")
    read = f"CASE WHEN {clock} THEN CAST({SECONDS} AS VARCHAR) ELSE {{x}} END"
    return read, f"CAST({seconds} AS VARCHAR)", "time as text"


def _interval_text(_kind: ColumnType, _native: str) -> tuple[str, str, str]:
    i = "try_cast({x} AS INTERVAL)"
    read = (
        f"coalesce((datepart('year', {i}) * 12 + datepart('month', {i})) || ' mon '"
        f" || datepart('day', {i}) || ' day ' || (datepart('hour', {i}) * 3600000000"
        f" + datepart('minute', {i}) * 60000000 + datepart('microsecond', {i})) || ' us', {{x}})"
    )
    return read, "{x}", "interval as text"


READINGS: dict[str, Callable[[ColumnType, str], tuple[str, str, str]]] = {
    "int": _int_text,
    "decimal": _decimal_text,
    "float": _float_text,
    "bool": _bool_text,
    "date": _time_text,
    "timestamp": _time_text,
    "timestamptz": _time_text,
    "uuid": _uuid_text,
    "bytes": _bytes_text,
    "time": _time_of_day_text,
    "interval": _interval_text,
}
