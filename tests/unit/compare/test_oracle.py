"""Random tables and edits: every way of comparing says what plain Python says."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, strategies as st

from tests.unit.compare.agree import TUNINGS, WRITERS, agree, tuned
from tests.unit.compare.tables import Recipe, make_tables, recipes


@given(
    recipe=recipes(),
    tuning=st.sampled_from(sorted(TUNINGS)),
    strategy=st.sampled_from(("checksum", "join", "stream")),
    vendor=st.sampled_from(("parquet", "duckdb")),
    limit=st.sampled_from((0, 1, 5, 100)),
)
def test_files(recipe: Recipe, tuning: str, strategy: str, vendor: str, limit: int) -> None:
    tables = make_tables(recipe)
    with TemporaryDirectory() as folder, tuned(tuning):
        agree(tables, WRITERS[vendor](tables, Path(folder)), strategy=strategy, limit=limit)
