"""The shapes of the published document about destinations: its request and its answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SAID = json.loads(Path(__file__).with_name("prequel_update_destination.json").read_text())
REQUEST: dict[str, Any] = _SAID["request"]["destination"]
ANSWER: dict[str, Any] = _SAID["answer"]
VENDORS: dict[str, dict[str, Any]] = {k: v for k, v in REQUEST.items() if isinstance(v, dict)}


def paths(value: Mapping[str, Any], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the path of every field that is no object."""
    for name, inside in value.items():
        if isinstance(inside, dict):
            yield from paths(inside, (*at, name))
        else:
            yield (*at, name)


def at(value: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Give what lies at a path."""
    for name in path:
        value = value[name]
    return value
