"""How the values of two types are brought into one form: the table of pairs.

Every entry keeps apart whatever is different: a text that is no number never becomes NULL,
so it can equal nothing but itself. IDs are those of the cases in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from weighbridge.compare.readings import READINGS, SECONDS, digits_of, not_a_number, number_text
from weighbridge.types.columns import ColumnType

Types = tuple[ColumnType, ColumnType]
Natives = tuple[str, str]


@dataclass(frozen=True)
class Pairing:
    """The form that a pair is compared in; the fields are as in `normalise.ColumnPair`."""

    rule: str
    strict: tuple[str, str]
    domain: str
    loses: str | None = None
    loose: str | None = None
    assumed: bool = False


def find_pairing(types: Types, natives: Natives, wanted: str | None) -> Pairing | str:
    """Find how two types are compared, or give the reason why they cannot be."""
    families = (types[0].family, types[1].family)
    if "unreadable" in families:
        return "a column of this type cannot be read"
    if wanted in _ASKED:
        return _ASKED[wanted](types, natives)
    if families[0] == families[1]:
        return _SAME.get(families[0], _as_text)(types, natives)
    maker = _MIXED.get(frozenset(families))
    if maker is None:
        return f"{types[0].declared} and {types[1].declared} have no common form"
    return maker(types, natives)


def _plain(types: Types, natives: Natives) -> Pairing:
    if natives[0] == natives[1]:
        return Pairing("exact", ("{x}", "{x}"), "other")
    return _as_text(types, natives)


def _as_text(_types: Types, natives: Natives) -> Pairing:
    parts = [
        x if n == "VARCHAR" else "CAST({x} AS VARCHAR)"
        for x, n in zip(("{x}",) * 2, natives, strict=True)
    ]
    return Pairing("exact", (parts[0], parts[1]), "text")


# Text ------------------------------------------------------------------------------------


def _text(types: Types, _natives: Natives) -> Pairing:
    if types[0].padded != types[1].padded:
        # The one side's server has cut the padding off already; the other's may be data.
        loose = "rtrim({x}, ' ')"
        return Pairing("pad", ("{x}", "{x}"), "text", "padding of CHAR", loose, assumed=True)
    if types[0].caseless or types[1].caseless:
        loses = "upper and lower case, which citext calls equal"
        return Pairing("citext", ("{x}", "{x}"), "text", loses, loose="lower({x})")
    return Pairing("exact", ("{x}", "{x}"), "text")


def _json(types: Types, natives: Natives) -> Pairing:
    loses = "white space, key order and number form in JSON"
    strict = _as_text(types, natives).strict
    # An array of one server is text for the other only by agreement.
    array_as_json = len({t.family for t in types} & {"array"}) == 1 and types[0] != types[1]
    mixed = array_as_json and types[0].family != types[1].family
    return Pairing("json", strict, "text", loses, loose="wb_json({x})", assumed=mixed)


def _xml(_types: Types, natives: Natives) -> Pairing:
    pairing = _as_text(_types, natives)
    loses = "attribute order and white space in tags of XML"
    return Pairing("xml", pairing.strict, "text", loses, loose="wb_xml({x})")


def _inet(types: Types, natives: Natives) -> Pairing:
    if types[0].declared == types[1].declared:
        return _as_text(types, natives)
    loose = "lower(regexp_replace({x}, '(?:/32|(:.*)/128)$', '\\1'))"
    loses = "the mask of a single host, upper and lower case"
    return Pairing("network address", ("{x}", "{x}"), "text", loses, loose)


# Numbers ---------------------------------------------------------------------------------


def _float(types: Types, _natives: Natives) -> Pairing:
    if types[0].bits != types[1].bits:
        loses = "digits beyond single precision"
        return Pairing("float32", ("{x}", "{x}"), "float", loses, loose="CAST({x} AS FLOAT)")
    return Pairing("exact (-0.0 equals 0.0)", ("{x}", "{x}"), "float")


def _number(types: Types, natives: Natives) -> Pairing:
    pairing = _exact_number(types, natives)
    if types[0].money == types[1].money:
        return pairing
    return replace(pairing, rule="money as number", loses="the currency", assumed=True)


def _exact_number(types: Types, natives: Natives) -> Pairing:
    digits = [digits_of(n) for n in natives]
    if natives[0] == natives[1] and digits[0] is not None:
        same = [not_a_number(t, n) for t, n in zip(types, natives, strict=True)]
        if same[0] == same[1]:
            return Pairing("exact", ("{x}", "{x}"), "number")
    if digits[0] and digits[1]:
        whole = max(digits[0][0], digits[1][0]) + 1
        scale = max(digits[0][1], digits[1][1])
        if whole + scale <= 38:
            target = f"DECIMAL({whole + scale},{scale})"
            casts = [_decimal(t, n, target, whole) for t, n in zip(types, natives, strict=True)]
            return Pairing("exact", (casts[0], casts[1]), "number")
    texts = [number_text(t, n) for t, n in zip(types, natives, strict=True)]
    return Pairing("exact", (texts[0], texts[1]), "text")


def _decimal(kind: ColumnType, native: str, target: str, whole: int) -> str:
    nan = not_a_number(kind, native)
    plain = f"CAST({{x}} AS {target})"
    if nan is None:
        return plain
    stands = f"CAST('1{'0' * (whole - 1)}' AS {target})"
    return f"CASE WHEN {{x}} >= CAST('1{'0' * nan}' AS {native}) THEN {stands} ELSE {plain} END"


def _float_and_exact(types: Types, natives: Natives) -> Pairing:
    parts = [
        "{x}" if t.family == "float" else _as_double(t, n)
        for t, n in zip(types, natives, strict=True)
    ]
    loses = "digits beyond double precision"
    return Pairing("as double", (parts[0], parts[1]), "float", loses, assumed=True)


def _as_double(kind: ColumnType, native: str) -> str:
    nan = not_a_number(kind, native)
    plain = "CAST({x} AS DOUBLE)"
    if nan is None:
        return plain
    return (
        f"CASE WHEN {{x}} >= CAST('1{'0' * nan}' AS {native}) THEN 'NaN'::DOUBLE ELSE {plain} END"
    )


def _int_and_float(types: Types, natives: Natives) -> Pairing:
    # Compared as exact numbers: a double that is whole becomes its digits.
    whole = (
        "CASE WHEN {x} = trunc({x}) AND abs({x}) < 1e37"
        " THEN CAST(CAST({x} AS DECIMAL(38,0)) AS VARCHAR) ELSE CAST({x} AS VARCHAR) END"
    )
    parts = [whole if t.family == "float" else "CAST({x} AS VARCHAR)" for t in types]
    del natives
    return Pairing("number", (parts[0], parts[1]), "text")


def _bool_and_int(types: Types, natives: Natives) -> Pairing:
    target = next(n for t, n in zip(types, natives, strict=True) if t.family != "bool")
    parts = [
        f"CAST(CAST({{x}} AS INTEGER) AS {target})" if t.family == "bool" else "{x}" for t in types
    ]
    return Pairing("true is 1", (parts[0], parts[1]), "other", assumed=_odd_bool(types))


def _odd_bool(types: Types) -> bool:
    return not any(t.declared.startswith("tinyint(1)") for t in types)


def _bool_and_bit(types: Types, _natives: Natives) -> Pairing:
    parts = ["CASE WHEN {x} THEN '1' ELSE '0' END" if t.family == "bool" else "{x}" for t in types]
    guarded = [f"CASE WHEN {{x}} IS NULL THEN NULL ELSE {p} END" for p in parts]
    return Pairing("true is 1", (guarded[0], guarded[1]), "text")


# A text beside a typed column: compared as text, the typed value written plainly ------------


def _with_text(types: Types, natives: Natives) -> Pairing:
    index = 0 if types[0].family != "text" else 1
    typed, text = types[index], types[1 - index]
    from_text, from_typed, rule = READINGS[typed.family](typed, natives[index])
    strict = (from_typed, from_text) if index == 0 else (from_text, from_typed)
    assumed = not (typed.family == "uuid" or text.loose)
    return Pairing(rule, strict, "text", None if text.loose else rule, assumed=assumed)


# Time ------------------------------------------------------------------------------------


def _moment(types: Types, natives: Natives) -> Pairing:
    if natives == ("DATE", "DATE"):
        return Pairing("exact", ("{x}", "{x}"), "time")
    scales = [6 if t.family == "date" or t.scale is None else t.scale for t in types]
    families = {t.family for t in types}
    if max(scales) > 6:
        return _nanoseconds(types, natives)
    parts = [_timestamp(n) for n in natives]
    rule, loses, loose, assumed = "exact", None, None, False
    if families == {"timestamp", "timestamptz"}:
        rule, loses, assumed = "utc", "that one side has no time zone; it is read as UTC", True
    elif "date" in families and len(families) > 1:
        rule, loses, assumed = "date as midnight", "that one side has no time of day", True
    if scales[0] != scales[1] and "date" not in families:
        fewer = min(scales)
        step = 10 ** (6 - fewer)
        loose = f"make_timestamp((epoch_us({{x}}) + {step // 2}) // {step} * {step})"
        loose = f"CASE WHEN isfinite({{x}}) THEN {loose} ELSE {{x}} END"
        rounded = f"rounded to {fewer} fractional digits"
        rule = rounded if rule == "exact" else f"{rule}, {rounded}"
        loses = ", ".join(p for p in (loses, f"fractional digits after {fewer}") if p)
    return Pairing(rule, (parts[0], parts[1]), "time", loses, loose=loose, assumed=assumed)


def _timestamp(native: str) -> str:
    if native == "TIMESTAMP":
        return "{x}"
    return (
        "coalesce(try_cast({x} AS TIMESTAMP),"
        " CASE WHEN {x} IS NULL THEN NULL ELSE TIMESTAMP 'infinity' END)"
    )


def _nanoseconds(_types: Types, natives: Natives) -> Pairing:
    parts = [
        "CAST(epoch_ns({x}) AS DECIMAL(38,0))"
        if n == "TIMESTAMP_NS"
        else "CAST(epoch_us(CAST({x} AS TIMESTAMP)) AS DECIMAL(38,0)) * 1000"
        for n in natives
    ]
    if natives[0] == natives[1]:
        return Pairing("exact", ("{x}", "{x}"), "other")
    rounded = "round({x} / 1000)"
    loses = "fractional digits after 6"
    return Pairing("rounded to 6 fractional digits", (parts[0], parts[1]), "number", loses, rounded)


def _time(types: Types, natives: Natives) -> Pairing:
    del types, natives
    one = SECONDS.replace("{x}", "CAST({x} AS VARCHAR)")
    return Pairing("exact", (one, one), "number")


# 12:00:00+05:45 as microseconds of the day in UTC, in plain SQL: sources run it, too.
_OFFSET = "regexp_extract({x}, '[+-][0-9:]+$')"
_ZONE = "+".join(
    f"coalesce(try_cast(nullif(split_part(ltrim({_OFFSET}, '+-'), ':', {n}), '') AS BIGINT), 0)"
    f" * {unit}"
    for n, unit in ((1, 3_600_000_000), (2, 60_000_000), (3, 1_000_000))
)
_SHIFT = f"(CASE WHEN starts_with({_OFFSET}, '-') THEN -1 ELSE 1 END * ({_ZONE}))"


def _timetz(types: Types, natives: Natives) -> Pairing:
    if types[0].family == types[1].family:
        # One moment in two time zones is two values: PostgreSQL calls them different.
        return _as_text(types, natives)
    local = SECONDS.replace("{x}", "regexp_replace({x}, '[+-][0-9:]+$', '')")
    shifted = f"({local} - {_SHIFT})"
    day = 86_400_000_000
    zoned = f"{shifted} + CASE WHEN {shifted} < 0 THEN {day} WHEN {shifted} > {day} THEN -{day} ELSE 0 END"
    plain = SECONDS.replace("{x}", "CAST({x} AS VARCHAR)")
    parts = [zoned if t.family == "timetz" else plain for t in types]
    loses = "that one side has no time zone; it is read as UTC"
    return Pairing("utc", (parts[0], parts[1]), "number", loses, assumed=True)


def _time_and_interval(types: Types, _natives: Natives) -> Pairing:
    parts = [
        f"'0 mon 0 day ' || {SECONDS} || ' us'" if t.family == "time" else "{x}" for t in types
    ]
    loses = "the difference between a time and a duration"
    return Pairing("time as interval", (parts[0], parts[1]), "interval", loses, assumed=True)


def _interval(_types: Types, _natives: Natives) -> Pairing:
    return Pairing("exact", ("{x}", "{x}"), "interval")


# Asked for by name -------------------------------------------------------------------------


def _epoch(unit: int) -> Callable[[Types, Natives], Pairing | str]:
    def make(types: Types, natives: Natives) -> Pairing | str:
        del natives
        moments = {"timestamp", "timestamptz", "date"}
        if {t.family in moments for t in types} != {True, False}:
            return "an epoch rule needs a number on one side and a moment on the other"
        parts = [
            "epoch_us(CAST({x} AS TIMESTAMP))"
            if t.family in moments
            else f"CAST({{x}} AS BIGINT) * {unit}"
            for t in types
        ]
        return Pairing("epoch", (parts[0], parts[1]), "number", "the time zone", assumed=True)

    return make


def _uuid_swapped(types: Types, _natives: Natives) -> Pairing | str:
    if {t.family for t in types} - {"uuid", "bytes", "text"}:
        return "the rule uuid-swapped needs a uuid and 16 bytes"
    straight = "lower(replace(CAST({x} AS VARCHAR), '-', ''))"
    h = "lower(hex({x}))"
    swapped = f"substr({h}, 9, 8) || substr({h}, 5, 4) || substr({h}, 1, 4) || substr({h}, 17)"
    parts = [swapped if t.family == "bytes" else straight for t in types]
    return Pairing("uuid-swapped", (parts[0], parts[1]), "text", "the order of bytes", assumed=True)


def _uuid_and_bytes(types: Types, _natives: Natives) -> Pairing:
    parts = [
        "lower(hex({x}))" if t.family == "bytes" else "replace(CAST({x} AS VARCHAR), '-', '')"
        for t in types
    ]
    return Pairing("uuid as 16 bytes", (parts[0], parts[1]), "text", "the kind", assumed=True)


def _as_numbers(types: Types, natives: Natives) -> Pairing | str:
    del types, natives
    # A text that is no number stays what it is, so that it equals nothing but itself.
    read = "coalesce(CAST(try_cast({x} AS DOUBLE) + 0 AS VARCHAR), CAST({x} AS VARCHAR))"
    loses = "digits beyond double precision"
    return Pairing("number", (read, read), "number text", loses, assumed=True)


def _verbatim_pair(types: Types, natives: Natives) -> Pairing:
    pairing = _as_text(types, natives)
    return Pairing("as text", pairing.strict, "text", "the kind", assumed=True)


_ASKED: dict[str | None, Callable[[Types, Natives], Pairing | str]] = {
    "epoch-s": _epoch(1_000_000),
    "epoch-ms": _epoch(1_000),
    "epoch-us": _epoch(1),
    "uuid-swapped": _uuid_swapped,
    "number": _as_numbers,
    "text": _verbatim_pair,
}
_SAME: dict[str, Callable[[Types, Natives], Pairing]] = {
    "bool": _plain,
    "int": _number,
    "decimal": _number,
    "float": _float,
    "text": _text,
    "bytes": _plain,
    "uuid": _plain,
    "date": _moment,
    "timestamp": _moment,
    "timestamptz": _moment,
    "time": _time,
    "timetz": _timetz,
    "interval": _interval,
    "json": _json,
    "array": _json,
    "xml": _xml,
    "inet": _inet,
}
_MIXED: dict[frozenset[str], Callable[[Types, Natives], Pairing]] = {
    frozenset({"int", "decimal"}): _number,
    frozenset({"int", "float"}): _int_and_float,
    frozenset({"decimal", "float"}): _float_and_exact,
    frozenset({"bool", "int"}): _bool_and_int,
    frozenset({"bool", "decimal"}): _bool_and_int,
    frozenset({"bool", "bit"}): _bool_and_bit,
    frozenset({"date", "timestamp"}): _moment,
    frozenset({"date", "timestamptz"}): _moment,
    frozenset({"timestamp", "timestamptz"}): _moment,
    frozenset({"time", "timetz"}): _timetz,
    frozenset({"time", "interval"}): _time_and_interval,
    frozenset({"uuid", "bytes"}): _uuid_and_bytes,
    frozenset({"json", "text"}): _json,
    frozenset({"array", "text"}): _json,
    frozenset({"array", "json"}): _json,
    frozenset({"xml", "text"}): _xml,
    frozenset({"inet", "text"}): _inet,
    frozenset({"timetz", "text"}): _as_text,
    frozenset({"bit", "text"}): _as_text,
    frozenset({"geometry", "text"}): _as_text,
    frozenset({"other", "text"}): _as_text,
    **{frozenset({family, "text"}): _with_text for family in READINGS},
}
