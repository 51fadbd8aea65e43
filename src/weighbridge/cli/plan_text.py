"""`--explain`: the plan as text or JSON. The sentences are those of the report."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from weighbridge.cli.engine import Plan
from weighbridge.report import words
from weighbridge.types.safe_text import safe_text

SIDES = ("left", "right")


def plan_text(plan: Plan) -> str:
    """Write a plan for a person."""
    lines = [
        f"PLAN  {words.strategy_words(plan.strategy)}",
        *(f"  why    {safe_text(reason)}" for reason in plan.reasons),
    ]
    for name, side in zip(SIDES, (plan.left, plan.right), strict=True):
        lines.append(f"  {name:<6} {words.side_words(side)}")
        lines.extend(f"         {label}: {text}" for label, text in words.side_limits(side))
    lines += [f"  key    {words.key_words(plan.key)}", f"  cost   {_cost(plan)}", ""]
    lines += ["COLUMNS", *_columns(plan)]
    if plan.not_compared:
        lines += ["", "NOT COMPARED"]
        lines += [
            f"  {name}: {reason}" for name, reason in map(words.left_out_words, plan.not_compared)
        ]
    for name, statements in zip(SIDES, plan.sql, strict=True):
        lines += ["", f"SQL {name.upper()}"]
        lines += [f"  {safe_text(line)}" for text in statements for line in text.splitlines()]
    return "\n".join([*lines, "", "No data query was run.", ""])


def plan_json(plan: Plan) -> str:
    """Write a plan for a machine."""
    body: dict[str, Any] = {
        "left": asdict(plan.left),
        "right": asdict(plan.right),
        "key": asdict(plan.key),
        "strategy": plan.strategy,
        "reasons": list(plan.reasons),
        "columns": [
            {
                "name": column.name,
                "right_name": column.right_name,
                "left_type": column.left_type,
                "right_type": column.right_type,
                "rule": column.rule,
                "loses": column.loses,
            }
            for column in plan.columns
        ],
        "not_compared": [asdict(left_out) for left_out in plan.not_compared],
        "estimate": {
            "rows": list(plan.rows),
            "bytes": list(plan.bytes),
            "seconds": plan.seconds,
        },
        "sql": [list(statements) for statements in plan.sql],
    }
    return json.dumps(body, indent=2) + "\n"


def _cost(plan: Plan) -> str:
    rows = _pair([None if n is None else f"{n:,} rows" for n in plan.rows])
    sizes = _pair([None if n is None else words.size(n) for n in plan.bytes])
    time = "unknown" if plan.seconds is None else f"about {words.duration(plan.seconds)}"
    return f"rows: {rows} · bytes: {sizes} · time: {time} (estimates)"


def _pair(texts: list[str | None]) -> str:
    return ", ".join(f"{text or 'unknown'} {name}" for name, text in zip(SIDES, texts, strict=True))


def _columns(plan: Plan) -> list[str]:
    lines: list[str] = []
    for column in plan.columns:
        names = dict.fromkeys((column.name, column.right_name))
        types = dict.fromkeys((column.left_type, column.right_type))
        rule = column.rule + (f"; loses {column.loses}" if column.loses else "")
        parts = (" = ".join(names), " → ".join(types), rule)
        lines.append("  " + "  ".join(safe_text(part) for part in parts if part))
    return lines
