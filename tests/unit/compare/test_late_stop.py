"""A stop that comes after the end: a server's watch may see the end a moment later than the work."""

from __future__ import annotations

from pathlib import Path

from weighbridge.compare.request import Options, Stop
from weighbridge.connectors.sides import parse_side
from weighbridge.library import compare_sides
from weighbridge.net.hosts import HostPolicy


def test_what_is_closed_is_not_interrupted(tmp_path: Path) -> None:
    """An earlier action that failed would keep a later one from its work: other queries would run on."""
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / f"{name}.csv").write_text(f"id,v\n1,{value}\n")
    sides = tuple(parse_side(str(tmp_path / f"{name}.csv")) for name in "ab")
    stop, later = Stop(), list[str]()
    found = compare_sides(
        (sides[0], sides[1]), Options(key=("id",)),
        progress=lambda _: None, stop=stop, policy=HostPolicy.operator(),
    )  # fmt: skip
    with found:
        assert found.report.rows.changed == 1
    stop.on_set(lambda: later.append("called"))
    stop.set()
    assert later == ["called"]
