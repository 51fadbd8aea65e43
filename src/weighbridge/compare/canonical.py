"""Forms that DuckDB has no function for: JSON, XML and a few times, made in Python.

They run only on values that differ as they stand, never on every row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pyarrow as pa
from duckdb.func import PythonUDFType

if TYPE_CHECKING:
    import duckdb

_INTERVAL = re.compile(r"(-?\d+) mon (-?\d+) day (-?\d+) us")
# PostgreSQL writes where an array begins before it, where that is not 1: [2:3]=[1,2].
_BOUNDS = re.compile(r"^(?:\[-?\d+:-?\d+\])+=")
_DAY = 86_400_000_000


def json_form(text: str) -> str:
    """Write JSON with sorted keys, no white space and plain numbers; other text as it is."""
    try:
        value = json.loads(
            _BOUNDS.sub("", text), parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_object
        )
    except (ValueError, RecursionError):
        return text
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_number
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A key that stands twice must not hide its first value; an empty key must not look like
    # the marker of a number.
    found = dict(pairs)
    if len(found) == len(pairs) and "" not in found:
        return found
    return {"": [list(pair) for pair in sorted(pairs, key=lambda pair: pair[0])]}


def _number(value: Any) -> Any:
    # Decimal keeps every digit; the marker keeps a number apart from the text of its digits.
    if not value.is_finite():
        return {"": str(value)}
    plain = (
        format(value.normalize(), "f") if abs(value.adjusted()) < 400 else str(value.normalize())
    )
    return {"": "0" if plain == "-0" else plain}


def xml_form(text: str) -> str:
    """Write XML in its canonical form (C14N 2.0); text that is no XML as it is."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities can grow without bound
        return text
    try:
        return ET.canonicalize(text, strip_text=True)
    except ET.ParseError:
        return text


def interval_form(text: str) -> str:
    """Write an interval as microseconds, with days of 24 hours and months of 30 days."""
    found = _INTERVAL.fullmatch(text)
    if not found:
        return text
    months, days, micros = (int(n) for n in found.groups())
    return str((months * 30 + days) * _DAY + micros)


FUNCTIONS: dict[str, Callable[[str], str]] = {
    "wb_json": json_form,
    "wb_xml": xml_form,
    "wb_interval": interval_form,
}


def register_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the forms available in SQL, a whole vector at a time; NULL stays NULL."""
    for name, form in FUNCTIONS.items():
        connection.create_function(
            name, _vectorised(form), ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW
        )


def _vectorised(form: Callable[[str], str]) -> Callable[[pa.ChunkedArray], pa.Array]:
    def apply(values: pa.ChunkedArray) -> pa.Array:
        return pa.array(
            [None if v is None else form(v) for v in values.to_pylist()], type=pa.string()
        )

    return apply
