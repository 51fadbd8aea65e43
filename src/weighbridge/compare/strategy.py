"""By checksum, by stream or by join: the way is chosen by what the sides can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from weighbridge.compare.by_join import one_place
from weighbridge.compare.by_stream import windows_fit

if TYPE_CHECKING:
    from weighbridge.compare.plan import Chosen, Plan
    from weighbridge.compare.request import Options
    from weighbridge.connectors.base import Checksums, Source


def choose_strategy(
    sources: tuple[Source, Source], plan: Plan, options: Options
) -> tuple[Chosen, tuple[str, ...]]:
    """Choose the way by what the sides can do, and say why."""
    obstacle = _no_checksum(sources, plan, options)
    local = all(s.traits.local for s in sources)
    wanted = options.strategy
    if wanted == "stream":
        return "stream", ("asked for",)
    if wanted == "join":
        here = None if local else _no_join(sources, plan, obstacle)
        if here is None:
            return "join", ("asked for",)
        return "stream", (f"{here}, so no server can join them", "both sides are read out")
    if local and wanted == "auto" and windows_fit(plan.keys, plan.whole_row, sources):
        return "stream", (
            "both files lie in the order of the key: side by side they are read once",
        )
    if obstacle is None:
        if local and not all(s.traits.cheap_rescan for s in sources):
            return "join", ("text files cost more to parse twice than to join once",)
        here = "in this process" if local else "inside both servers"
        asked = ("asked for",) if wanted == "checksum" else ()
        return "checksum", (
            *asked,
            f"both sides can hash their rows {here} in the same way",
        )
    if local:
        return "join", (obstacle, "both sides are in this process")
    if windows_fit(plan.keys, plan.whole_row, sources):
        return "stream", (obstacle, "both sides can be read in the order of the key")
    return "stream", (obstacle, "the key has no order that both sides share, so rows are staged")


def _no_join(sources: tuple[Source, Source], plan: Plan, obstacle: str | None) -> str | None:
    """Say why the server cannot join the sides, None if one server has both and can."""
    if not one_place(sources):
        return "the sides are not in one place"
    if obstacle is not None:
        return obstacle
    return None if all(plan.unique) else "the server does not keep the key unique on both sides"


def _no_checksum(sources: tuple[Source, Source], plan: Plan, options: Options) -> str | None:
    """Say why fingerprints cannot be used, None if they can."""
    names = {s.traits.fingerprints for s in sources}
    if options.paranoid:
        return "every value is compared (--paranoid)"
    if options.sample is not None:
        return "a sample is read out and compared by value"
    if len(names) > 1 or None in names:
        return "the two systems share no hash function"
    if plan.whole_row:
        return "there is no key to group rows by"
    if all(s.traits.local for s in sources):
        if any(p.assumed for p in plan.values):
            return "a rule must be counted row by row"
        return None
    missing = [p.name for p in (*plan.keys, *plan.values) if p.form is None]
    if missing:
        return f"the servers hash {missing[0]} in different forms"
    probes = {cast("Checksums", s).probe() for s in sources}
    return "the two servers hash differently (version or encoding)" if len(probes) > 1 else None
