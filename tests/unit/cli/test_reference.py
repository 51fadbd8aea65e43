"""The pages under docs/reference say what the code does."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from weighbridge.cli import reference
from weighbridge.cli.flags import AllFlags

PAGES = Path(__file__).resolve().parents[3] / "docs/reference"


@pytest.mark.parametrize("name", ["cli.md", "configuration.md", "exit-codes.md"])
def test_page_is_up_to_date(name: str) -> None:
    text = (PAGES / name).read_text(encoding="utf-8")
    assert reference.refresh(text) == text, (
        "run: python -m weighbridge.cli.reference docs/reference"
    )


def test_every_option_is_documented() -> None:
    page = (PAGES / "cli.md").read_text(encoding="utf-8")
    renamed = {"sides": "LEFT RIGHT", "rename": "--map", "json_lines": "--json"}
    for field in fields(AllFlags):
        assert renamed.get(field.name, f"--{field.name.replace('_', '-')}") in page
