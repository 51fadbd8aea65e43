"""The verdict's JSON is what the published schema says, and loses nothing."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from tests.unit.report import samples
from tests.unit.report.payloads import PAYLOADS
from weighbridge.compare import result
from weighbridge.report import report_dict, write
from weighbridge.report.as_json import plain

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "docs/reference/verdict.schema.json").read_text(encoding="utf-8")
)
REPORTS = [
    samples.flights(), samples.identical(), samples.under_rules(), samples.sampled(),
    samples.empty(), samples.schema_only(), *(samples.hostile(text) for text in PAYLOADS[::10]),
]  # fmt: skip


def check(value: Any, schema: dict[str, Any] = SCHEMA) -> None:
    jsonschema.Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.verdict)
def test_reports_fit_the_schema(report: result.Report) -> None:
    out = io.BytesIO()
    write(samples.FakeComparison(report), "json", out)
    body = json.loads(out.getvalue())
    check(body)
    assert next(iter(body)) == "version"


def test_the_schema_is_strict() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    body = report_dict(samples.flights())
    for wrong in (
        body | {"more": 1},
        body | {"version": "2.0"},
        body | {"rows": body["rows"] | {"left": -1}},
        body | {"keys": body["keys"] | {"nulls": [1, 2, 3]}},
        {name: value for name, value in body.items() if name != "stats"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong)


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (result.Report, SCHEMA),
        (result.Side, SCHEMA["$defs"]["side"]),
        (result.RowDiff, SCHEMA["$defs"]["row_diff"]),
        (result.SideConsistency, SCHEMA["$defs"]["side_consistency"]),
        (result.Rows, SCHEMA["properties"]["rows"]),
        (result.Keys, SCHEMA["properties"]["keys"]),
        (result.Stats, SCHEMA["properties"]["stats"]),
        (result.PlanReport, SCHEMA["properties"]["plan"]),
        (result.ColumnResult, SCHEMA["properties"]["columns"]["items"]),
        (result.Explanation, SCHEMA["properties"]["explanations"]["items"]),
        (result.Sampling, SCHEMA["properties"]["sampling"]["anyOf"][1]),
    ],
)
def test_the_schema_has_every_field(kind: type, place: dict[str, Any]) -> None:
    assert set(place["required"]) == {field.name for field in dataclasses.fields(kind)}
    assert set(place["properties"]) == set(place["required"])
    assert place["additionalProperties"] is False


def test_the_schema_explains_every_field() -> None:
    def bare(node: Any, path: str = "") -> list[str]:
        found: list[str] = []
        if isinstance(node, dict):
            for name, field in node.get("properties", {}).items():
                if isinstance(field, dict) and not {"description", "$ref"} & set(field):
                    found.append(f"{path}.{name}")
            for name, inner in node.items():
                found += bare(inner, f"{path}/{name}")
        return found

    assert bare(SCHEMA) == []
    assert SCHEMA["properties"]["version"]["const"] == result.VERDICT_VERSION


def test_ndjson_is_one_row_diff_a_line() -> None:
    out = io.BytesIO()
    write(samples.FakeComparison(samples.flights()), "ndjson", out)
    lines = out.getvalue().decode("ascii").splitlines()
    schema = {**SCHEMA["$defs"]["row_diff"], "$defs": SCHEMA["$defs"]}
    assert len(lines) == len(samples.flight_rows())
    for line in lines:
        check(json.loads(line), schema)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**63 + 1, 9223372036854775809),
        (Decimal("1.10"), "1.10"),
        (Decimal("1E+400"), "1E+400"),
        (0.1, 0.1),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (-math.inf, "-Infinity"),
        (b"\x00\xff", {"base64": "AP8="}),
        (date(2024, 2, 29), "2024-02-29"),
        (time(1, 2, 3, 4), "01:02:03.000004"),
        (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
        (timedelta(days=-1, seconds=-2, milliseconds=-500), "-P1DT2.5S"),
        (timedelta(hours=30), "P1DT21600S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([Decimal(1), {"a": None}], ["1", {"a": None}]),
        (True, True),
    ],
)
def test_values_lose_nothing(value: Any, written: Any) -> None:
    there = json.loads(json.dumps(plain(value)))
    assert there == written
    assert type(there) is type(written)
