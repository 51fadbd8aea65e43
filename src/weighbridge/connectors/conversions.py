"""DuckDB expressions that make of a source's values what a destination holds, or fail.

Each is over `{x}`, a value in the type in which the source's connector gives it (`Source.native`).
"""

from __future__ import annotations

import re

from weighbridge.types.columns import ColumnType

# An error's text begins so, and ends with the number of the column.
UNHELD = "weighbridge-cannot-hold-"
_INTS = {16: "SMALLINT", 32: "INTEGER", 64: "BIGINT"}
# Dates that are none stand before it (`types.columns.NO_DATE`).
_FIRST = "TIMESTAMP '9999-01-01 (BC) 00:00:00'"


def converted(kind: ColumnType, native: str, wanted: ColumnType, *, mark: int) -> str:
    """Write the expression for a column; a value that cannot be held fails with `mark`."""
    value, fits = _conversion(kind, native, wanted)
    if fits == "true":
        return value
    text = f"{UNHELD}{mark}."
    return (
        f"CASE WHEN {{x}} IS NULL THEN NULL WHEN {fits} THEN {value}"
        f" ELSE CAST(error('{text}') AS {_duckdb_type(wanted)}) END"
    )


def _conversion(kind: ColumnType, native: str, wanted: ColumnType) -> tuple[str, str]:
    """Give the value, and the condition under which it is the same."""
    match wanted.family:
        case "bool":
            return _bool(native)
        case "int":
            return _int(kind, native, _INTS[wanted.bits or 64])
        case "float":
            return _float(kind, native)
        case "decimal":
            return _decimal(kind, native, wanted)
        case "date":
            return "CAST({x} AS DATE)", _is_date(native)
        case "timestamp" | "timestamptz":
            return _timestamp(native)
        case "json":
            checked = kind.family != "json"
            return "{x}", "json_valid({x})" if checked else "true"
        case "uuid":
            made = "CAST(try_cast({x} AS UUID) AS VARCHAR)"
            return made, f"{made} IS NOT NULL"
        case "bytes":
            return "{x}", "true"
        case _:
            return as_text(kind, native), _says(kind, native)


def as_text(kind: ColumnType, native: str) -> str:
    """Write a value as text, as it is called in every place: an id of a tenant, too."""
    if native == "VARCHAR":
        return "{x}"
    if native == "BLOB":
        return "lower(hex({x}))"
    if kind.family == "date":
        return "CAST(CAST({x} AS DATE) AS VARCHAR)"
    if native.startswith("DECIMAL"):
        shown = _shown("{x}")
        nan = _not_a_number(kind, native)
        return shown if nan is None else f"CASE WHEN {nan} THEN 'NaN' ELSE {shown} END"
    return "CAST({x} AS VARCHAR)"


def _says(kind: ColumnType, native: str) -> str:
    if kind.family in {"date", "timestamp", "timestamptz"} and native == "TIMESTAMP":
        return f"NOT isfinite({{x}}) OR {{x}} >= {_FIRST}"
    return "true"


def _shown(value: str) -> str:
    # With no digit before the point DuckDB writes .5 for 0.5.
    return f"regexp_replace(CAST({value} AS VARCHAR), '^(-?)[.]', '\\10.')"


def _bool(native: str) -> tuple[str, str]:
    if native == "BOOLEAN":
        return "{x}", "true"
    if native == "VARCHAR":  # a bit string
        return "({x} = '1')", "{x} IN ('0', '1')"
    return "({x} = 1)", "{x} IN (0, 1)"


def _int(kind: ColumnType, native: str, wanted: str) -> tuple[str, str]:
    if native == "BOOLEAN":
        return f"CAST({{x}} AS {wanted})", "true"
    if native == "VARCHAR":
        whole = "regexp_replace({x}, '[.]0*$', '')"
        made = f"try_cast({whole} AS {wanted})"
        return made, f"regexp_full_match({{x}}, '-?[0-9]+([.]0*)?') AND {made} IS NOT NULL"
    made = f"try_cast({{x}} AS {wanted})"
    if native.startswith("DECIMAL"):
        fits = f"{made} IS NOT NULL AND {{x}} = trunc({{x}})"
        nan = _not_a_number(kind, native)
        return made, fits if nan is None else f"{fits} AND NOT {nan}"
    return made, f"{made} IS NOT NULL"


def _float(kind: ColumnType, native: str) -> tuple[str, str]:
    if native == "DOUBLE":
        return "{x}", "true"
    made = "try_cast({x} AS DOUBLE)"
    if native == "VARCHAR":
        # Fifteen digits are always kept.
        digits = "length(regexp_replace(ltrim(replace({x}, '-', ''), '0.'), '[.]', ''))"
        return made, f"{made} IS NOT NULL AND ({digits} <= 15 OR NOT isfinite({made}))"
    same = f"try_cast({made} AS {native}) = {{x}}"
    nan = _not_a_number(kind, native)
    if nan is None:
        return made, f"coalesce({same}, false)"
    return (
        f"CASE WHEN {nan} THEN 'nan'::DOUBLE ELSE {made} END",
        f"{nan} OR coalesce({same}, false)",
    )


def _decimal(kind: ColumnType, native: str, wanted: ColumnType) -> tuple[str, str]:
    if wanted.precision is None or wanted.precision > 38:
        return as_text(kind, native), "true"
    precision, scale = wanted.precision, wanted.scale or 0
    made = f"try_cast({{x}} AS DECIMAL({precision},{scale}))"
    if native == "VARCHAR":
        digits = f"regexp_full_match({{x}}, '-?[0-9]*([.][0-9]{{0,{scale}}}0*)?')"
        return made, f"{digits} AND {made} IS NOT NULL"
    if not native.startswith("DECIMAL"):
        return made, f"{made} IS NOT NULL"
    fits = f"try_cast({made} AS {native}) = {{x}}"
    nan = _not_a_number(kind, native)
    fits = f"coalesce({fits}, false)"
    return made, fits if nan is None else f"{fits} AND NOT {nan}"


def _timestamp(native: str) -> tuple[str, str]:
    fits = f"isfinite({{x}}) AND CAST({{x}} AS TIMESTAMP) >= {_FIRST}"
    if native == "TIMESTAMP_NS":
        made = "CAST({x} AS TIMESTAMP)"
        return made, f"isfinite({{x}}) AND CAST({made} AS TIMESTAMP_NS) = {{x}}"
    return "{x}" if native == "TIMESTAMP" else "CAST({x} AS TIMESTAMP)", fits


def _is_date(native: str) -> str:
    return "isfinite({x})" if native == "DATE" else f"isfinite({{x}}) AND {{x}} >= {_FIRST}"


def _not_a_number(kind: ColumnType, native: str) -> str | None:
    """Tell which values stand for NaN: a source that needs one travels with one digit more."""
    found = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", native)
    if kind.family != "decimal" or found is None or kind.precision is None:
        return None
    digits, scale = int(found[1]), int(found[2])
    declared = kind.precision - (kind.scale or 0)
    if digits - scale <= declared:
        return None
    return f"({{x}} >= CAST('1{'0' * declared}' AS {native}))"


def _duckdb_type(kind: ColumnType) -> str:
    match kind.family:
        case "bool":
            return "BOOLEAN"
        case "int":
            return _INTS[kind.bits or 64]
        case "float":
            return "DOUBLE"
        case "decimal" if kind.precision is not None and kind.precision <= 38:
            return f"DECIMAL({kind.precision},{kind.scale or 0})"
        case "date":
            return "DATE"
        case "timestamp" | "timestamptz":
            return "TIMESTAMP"
        case "bytes":
            return "BLOB"
        case _:
            return "VARCHAR"
