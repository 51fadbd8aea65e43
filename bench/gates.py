"""The gates of the product: each figure against its bound, out of the entries of results.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import tables
from contestants import SCENARIOS
from results import Entry, Result, Results

READ_OUT = "read both sides out"
BEST = "against the best peer"
_POSTGRES = ("pg-one", "pg-two")


@dataclass(frozen=True)
class Gate:
    """One row of the table of gates. `verdict` is pass, fail, or open: not decided by this run."""

    scenario: str
    shape: str
    rows: int
    variant: str
    gate: str
    bound: str
    figure: str
    ratio: float | None
    verdict: str
    timestamp: str


@dataclass(frozen=True)
class Bounds:
    """What a scenario and variant asks: the factor over the limit, and under the peers."""

    limit: float
    read_out_only: bool
    best_peer: float | None
    named_peers: dict[str, float]


def bounds(scenario: str, variant: str) -> Bounds | None:
    if scenario in _POSTGRES:
        if variant == "identical":
            return Bounds(1.3, False, 5, {})
        if variant == "tenth":
            return Bounds(1.5, True, 3, {})
        return Bounds(1.6, False, 5, {"data-diff": 15, "reladiff": 15})
    if scenario == "pg-mariadb":
        return Bounds(1.0, True, 3, {})
    if scenario == "parquet":
        return Bounds(1.2, False, None, {"datadiffer": 3, "datacompy": 15})
    return None


def _usable(result: Result | None) -> float | None:
    return result.seconds if result and result.outcome == "ok" else None


def _gate(  # noqa: PLR0917  (the fields of a row, in its order)
    entry: Entry, name: str, bound: str, figure: str, ratio: float | None, verdict: str
) -> Gate:
    return Gate(*entry.cell, name, bound, figure, ratio, verdict, entry.timestamp)


def _limit_gate(entry: Entry, asked: Bounds) -> Gate:
    limits = {n: r.seconds for n, r in entry.of_group("limit").items() if r.outcome == "ok"}
    limits = {n: s for n, s in limits.items() if s and (n == READ_OUT or not asked.read_out_only)}
    name, bound = "against the limit", f"at most {asked.limit} x"
    ours = _usable(entry.ours)
    if not limits:
        return _gate(entry, name, bound, "the limit was not measured", None, "open")
    fastest = min(limits, key=lambda n: limits[n] or 0)
    limit = limits[fastest] or 0.0
    if ours is None:
        outcome = entry.ours.outcome if entry.ours else "not run"
        verdict = "fail" if entry.ours else "open"
        return _gate(entry, name, bound, f"weighbridge: {outcome}", None, verdict)
    ratio = ours / limit
    figure = f"{ours:.2f} s / {limit:.2f} s ({fastest})"
    return _gate(entry, name, bound, figure, ratio, "pass" if ratio <= asked.limit else "fail")


def _peer_gate(entry: Entry, name: str, factor: float, peers: dict[str, Result]) -> Gate:
    """A peer that exceeded its time-out took at least that long: enough to decide most gates."""
    bound, ours = f"at least {factor:g} x faster", _usable(entry.ours)
    if ours is None:
        return _gate(entry, name, bound, "weighbridge has no right answer", None, "fail")
    finished = {n: r.seconds for n, r in peers.items() if r.outcome == "ok" and r.seconds}
    waited = {n: r.at_least for n, r in peers.items() if r.at_least}
    if not peers:
        return _gate(entry, name, bound, "no peer was run", None, "open")
    # A best peer chosen out of a part of them proves nothing.
    asked = SCENARIOS[entry.scenario].peers if name == BEST else tuple(peers)
    missing = [n for n in asked if n not in peers or peers[n].outcome == "not installed"]
    best = min(finished, key=lambda n: finished[n] or 0) if finished else None
    lowest = min(waited.values(), key=lambda s: s or 0) if waited else None
    if best is not None:
        seconds = finished[best] or 0.0
        ratio = seconds / ours
        figure = f"{best} {seconds:.2f} s / {ours:.2f} s"
        if ratio < factor:
            return _gate(entry, name, bound, figure, ratio, "fail")
        doubt = lowest is not None and lowest / ours < factor
        return _gate(entry, name, bound, figure, ratio, "open" if doubt or missing else "pass")
    if lowest is not None:
        figure = f"none finished: > {lowest:.0f} s / {ours:.2f} s"
        verdict = "pass" if lowest / ours >= factor and not missing else "open"
        return _gate(entry, name, bound, figure, lowest / ours, verdict)
    said = ", ".join(f"{n}: {r.outcome}" for n, r in peers.items())
    verdict = "open" if missing else "pass"
    return _gate(entry, name, bound, f"no peer with the right answer ({said})", None, verdict)


def _cell_gates(results: Results, cell: tuple[str, str, int, str]) -> Iterator[Gate]:
    asked = bounds(cell[0], cell[3])
    newest, with_peers = results.latest(cell), results.latest(cell, peers=True)
    if asked is None or newest is None:
        return
    yield _limit_gate(newest, asked)
    entry = with_peers or newest
    if asked.best_peer:
        yield _peer_gate(entry, BEST, asked.best_peer, entry.of_group("peer"))
    for peer, factor in asked.named_peers.items():
        found = {peer: entry.contestants[peer]} if peer in entry.contestants else {}
        yield _peer_gate(entry, f"against {peer}", factor, found)


def _worst(entries: list[tuple[float, Entry]]) -> tuple[float, Entry]:
    return max(entries, key=lambda pair: pair[0])


def _memory(results: Results, scenario: str, shape: str) -> Iterator[Gate]:
    """The highest memory of any size and variant of a scenario."""
    peaks = [
        (entry.ours.peak_mb, entry)
        for rows in results.sizes(scenario, shape)
        for variant in tables.VARIANTS
        if (entry := results.latest((scenario, shape, rows, variant)))
        and entry.ours
        and entry.ours.peak_mb
    ]
    if peaks:
        peak, entry = _worst(peaks)
        verdict = "pass" if peak < 400 else "fail"
        name, bound = "client memory, highest", "under 400 MB"
        yield _gate(entry, name, bound, f"{peak:.0f} MB", None, verdict)


def _growth(results: Results, scenario: str) -> Iterator[Gate]:
    """The largest size against 1 M (or the smallest there is), where one run measured both."""
    sizes = results.sizes(scenario, "narrow")
    if len(sizes) < 2:
        return
    small, large = (1_000_000 if 1_000_000 in sizes[:-1] else sizes[0]), sizes[-1]
    times, memories = list[tuple[float, Entry]](), list[tuple[float, Entry]]()
    for variant in tables.VARIANTS:
        first = results.latest((scenario, "narrow", small, variant))
        second = results.latest((scenario, "narrow", large, variant))
        if not first or not second or first.run != second.run or not first.ours or not second.ours:
            continue
        before, after = _usable(first.ours), _usable(second.ours)
        if before and after:
            times.append((after / before, second))
        if first.ours.peak_mb and second.ours.peak_mb:
            memories.append((second.ours.peak_mb / first.ours.peak_mb, second))
    allowed = 1.1 * large / small
    for name, bound, found in (
        ("growth in time", allowed, times),
        ("growth in memory", 1.5, memories),
    ):
        if found:
            ratio, entry = _worst(found)
            figure = f"{large:,} rows against {small:,}, the worst of {len(found)} variants"
            verdict = "pass" if ratio <= bound else "fail"
            yield _gate(entry, name, f"at most {bound:g} x", figure, ratio, verdict)


def compute(results: Results) -> list[dict[str, Any]]:
    """Every gate at the largest narrow size measured, memory over all, and the start."""
    found = list[Gate]()
    for scenario in SCENARIOS:
        sizes = results.sizes(scenario, "narrow")
        for variant in tables.VARIANTS if sizes else ():
            found += _cell_gates(results, (scenario, "narrow", sizes[-1], variant))
        for shape in ("narrow", "wide"):
            found += _memory(results, scenario, shape)
        found += _growth(results, scenario)
    run = list(results.runs.values())[-1] if results.runs else {}
    if run.get("help_cpu") is not None:
        cpu = float(run["help_cpu"])
        verdict = "pass" if cpu <= 0.3 else "fail"
        found.append(
            Gate(
                "start",
                "",
                0,
                "",
                "weighbridge --help, CPU",
                "at most 0.3 s",
                f"{cpu:.2f} s",
                None,
                verdict,
                str(run["started"]),
            )
        )
    return [asdict(gate) for gate in found]
