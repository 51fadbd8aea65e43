"""The verdict as JSON, and the row diffs as NDJSON: for machines, so nothing is rounded or cut.

How a value that JSON does not know is written (also said in `verdict.schema.json`):
Decimal as a string, a moment in ISO 8601, NaN and infinities as the strings "NaN",
"Infinity" and "-Infinity", bytes as {"base64": "…"}, integers of any size as JSON integers.
Everything outside ASCII is escaped, so the text is also safe to print.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from weighbridge.compare.result import Report, RowDiff
from weighbridge.report.target import Sink


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold, without loss."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _iso_duration(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _iso_duration(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    rest = (
        f"{value.seconds}.{value.microseconds:06d}".rstrip("0").rstrip(".")
        if value.microseconds
        else value.seconds
    )
    return f"{sign}P{value.days}DT{rest}S"


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Write plain containers as JSON text in ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent)
    # DEL is ASCII, which json leaves as it is, and a control code, which a terminal does not.
    return text.replace("\x7f", "\\u007f")


def row_dict(row: RowDiff) -> dict[str, Any]:
    """Give one row diff as plain containers."""
    return {
        "kind": row.kind,
        "key": plain(row.key),
        "left": plain(row.left),
        "right": plain(row.right),
        "changed": list(row.changed),
    }


def report_dict(report: Report) -> dict[str, Any]:
    """Give the report as `docs/reference/verdict.schema.json` describes it."""
    body: dict[str, Any] = plain(report.as_dict())
    return {"version": body.pop("version"), **body}


def write_json(report: Report, out: Sink) -> None:
    """Write the whole report as one JSON object."""
    out.write(json_text(report_dict(report), indent=2).encode("ascii") + b"\n")


def write_ndjson(rows: Iterable[RowDiff], out: Sink) -> None:
    """Write every row diff as one line of JSON."""
    for row in rows:
        out.write(json_text(row_dict(row)).encode("ascii") + b"\n")
