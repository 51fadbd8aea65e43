"""A NUL becomes what PostgreSQL can keep, and nothing else is touched."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from weighbridge.datadiffs.store import _json

TEXTS = st.text(st.sampled_from(["\\", "\x00", "u", "0", '"', "\ufffd", "a"]), max_size=12)


@given(st.dictionaries(TEXTS, TEXTS))
def test_only_nul_is_replaced(row: dict[str, str]) -> None:
    said = _json(row)
    assert said is not None
    assert "\x00" not in str(json.loads(said))
    assert _pairs(said) == [tuple(t.replace("\x00", "\ufffd") for t in p) for p in row.items()]


def _pairs(said: str) -> Any:
    return json.loads(said, object_pairs_hook=list)
