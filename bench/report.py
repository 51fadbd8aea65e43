"""RESULTS.md, out of results.json and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tables
from contestants import SCENARIOS
from results import Entry, Result, Results


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def _number(value: float | None, form: str = ".2f") -> str:
    return "" if value is None else format(value, form)


def _time(result: Result) -> str:
    if result.outcome in ("ok", "wrong") and result.seconds is not None:
        return _number(result.seconds) + (" (wrong)" if result.outcome == "wrong" else "")
    if result.at_least is not None:
        return f"> {result.at_least:.0f}" + (" (not run)" if result.outcome == "not run" else "")
    return result.outcome


def _runs(results: Results) -> Iterator[str]:
    used = {e.run for e in results.entries}
    for name, run in results.runs.items():
        if name not in used:
            continue
        m = run["machine"]
        yield (
            f"- **Run {name}**: {m['cpus']} CPUs ({m['cpu']}), {m['memory']}, {m['system']}, "
            f"kernel {m['kernel']}, Python {m['python']}; started {run['started']}, "
            f"load average then {run['load']}; `{run['argv']}`."
        )
        versions = "; ".join(f"{k} {v}" for k, v in run["versions"].items())
        yield f"  Versions: {versions}."
    yield ""


def _gates(gates: list[dict[str, Any]]) -> Iterator[str]:
    counts = {v: sum(g["verdict"] == v for g in gates) for v in ("pass", "fail", "open")}
    yield "## Gates"
    yield ""
    yield (
        f"{counts['pass']} pass, {counts['fail']} fail, {counts['open']} open (not decided by what "
        "was run). The two times of a ratio come from the same run, their contestants interleaved."
    )
    yield ""
    rows = [
        [
            SCENARIOS[g["scenario"]].title if g["scenario"] in SCENARIOS else g["scenario"],
            f"{g['rows']:,} {g['shape']}" if g["rows"] else "",
            tables.VARIANT_TITLES.get(g["variant"], ""),
            g["gate"],
            g["bound"],
            g["figure"],
            "" if g["ratio"] is None else f"{g['ratio']:.2f} x",
            g["verdict"].upper() if g["verdict"] != "pass" else "pass",
        ]
        for g in gates
    ]
    yield from _table(
        ["scenario", "rows", "variant", "gate", "asked", "figure", "ratio", "verdict"], rows
    )


def _names(entries: list[Entry]) -> list[str]:
    return list(dict.fromkeys(name for entry in entries for name in entry.contestants))


def _overview(entries: list[Entry]) -> Iterator[str]:
    """Seconds, one column for each variant; peak memory is the highest of the row."""
    variants = [v for v in tables.VARIANTS if any(e.variant == v for e in entries)]
    by_variant = {e.variant: e for e in entries}
    rows = list[list[str]]()
    for name in _names(entries):
        found = {v: by_variant[v].contestants.get(name) for v in variants}
        peaks = [r.peak_mb for r in found.values() if r and r.peak_mb]
        limit = any(r and r.group == "limit" for r in found.values())
        rows.append(
            [f"*limit: {name}*" if limit else name]
            + [_time(r) if r else "" for r in found.values()]
            + [_number(max(peaks) if peaks else None, ".0f")]
        )
    titles = [tables.VARIANT_TITLES[v] + ", s" for v in variants]
    yield from _table(["", *titles, "peak MB"], rows)


def _detail(entry: Entry) -> Iterator[str]:
    ours = entry.ours.seconds if entry.ours and entry.ours.outcome == "ok" else None
    truth = entry.truth
    yield (
        f"**{tables.VARIANT_TITLES[entry.variant]}**: {truth['changed']:,} changed, "
        f"{truth['only_left']:,} lost, {truth['only_right']:,} added "
        f"(run {entry.run}, {entry.timestamp})"
    )
    yield ""
    rows = list[list[str]]()
    for name, r in entry.contestants.items():
        right = {"ok": "yes" if r.answer else "", "wrong": f"no: {r.answer}"}.get(r.outcome, "no")
        ratio = f"{r.seconds / ours:.2f}" if r.seconds and ours else ""
        rows.append(
            [
                name,
                _time(r),
                ratio,
                _number(r.cpu),
                _number(r.peak_mb, ".0f"),
                _number(r.rows_fetched, ",d") if r.rows_fetched is not None else "",
                right,
                str(len(r.seconds_all)),
                r.reason.replace("\n", " ")[:200],
            ]
        )
    head = ["", "s", "x weighbridge", "CPU s", "peak MB", "rows fetched", "right", "runs", "note"]
    yield from _table(head, rows)


_HEAD = (
    "Written by `make bench` out of `results.json`; how it is measured is in "
    "[README.md](README.md). Seconds are wall time of the whole process, medians of as many "
    "runs as the details say (slow peers are run once). `> N` is a peer stopped after N "
    "seconds; `(not run)` one that could not have finished in them."
)


def render(results: Results, gates: list[dict[str, Any]]) -> str:
    lines = [
        "# Results of the benchmark",
        "",
        _HEAD,
        "",
        *_runs(results),
        *_gates(gates),
    ]
    details = ["## Details", ""]
    for scenario in SCENARIOS.values():
        groups = [
            (shape, rows)
            for shape in ("narrow", "wide")
            for rows in results.sizes(scenario.name, shape)
        ]
        if groups:
            lines += [f"## {scenario.title}", ""]
        for shape, rows in groups:
            found = [
                results.latest((scenario.name, shape, rows, v), peers=True)
                or results.latest((scenario.name, shape, rows, v))
                for v in tables.VARIANTS
            ]
            entries = [e for e in found if e]
            title = f"### {scenario.title}, {shape}, {rows:,} rows"
            lines += [title, "", *_overview(entries)]
            details += [title + ": each contestant", ""]
            # A later run without peers stands beside the one that has them.
            for variant in tables.VARIANTS:
                for entry in results.entries:
                    if entry.cell == (scenario.name, shape, rows, variant):
                        details += _detail(entry)
    return "\n".join([*lines, *details])
