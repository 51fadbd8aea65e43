"""SERVING.md, out of serving.json and nothing else."""

from __future__ import annotations

from typing import Any

_HEAD = """# What the server adds

Written by `python -m bench.serving` (part of `make bench`) out of `serving.json`. Each figure and what it is
held against come from the same run, in turns; medians.
"""


_COST = """
A request of this mix costs 1.5 to 2 ms of one core in our process: about 0.5 ms for the framework, the key and the hop
to a thread; the rest for one to four questions to our database and for writing the answer. A write costs 3 ms, as it is
one transaction with its line in the audit; writes of one environment follow one another, because the audit is a chain:
some 170 a second on this machine. The bare route costs 0.2 ms and asks nobody. Restless users find out how
much fits into a core, and there a route that does nothing is far ahead: that gate is not reached. What a user meets is
the other row.
"""


def write(found: dict[str, Any]) -> str:
    """Write the page."""
    m, asked = found["machine"], found["asked"]
    lines = [
        _HEAD,
        (f"{m['cpus']} CPUs ({m['cpu']}), {m['memory']}, {m['system']}, Python {m['python']};"
        f" started {found['started']}, load average then {found['load']}."
        f" Tables of {asked['rows']:,} rows; the users' program runs on the same machine."
        f" {found.get('note', '')}").rstrip(),
        "",
        "| what | asked | figure | verdict |",
        "|---|---|---|---|",
        *(f"| {what} | {bound} | {figure} | {_verdict(ok)} |" for what, bound, figure, ok in _gates(found)),
        "",
        "## Users",
        "",
        ("Thinking users wait a second between two requests, restless ones ask again at once. Four of five"
        " requests read, one writes; a diff of the two tables runs all the time."),
        "",
        "| users | | requests/s | p50 ms | p95 ms | p99 ms | answers |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, said in found["users"].items():
        for who in ("api", "bare"):
            f = said[who]
            answers = ", ".join(f"{n:,} of {status}" for status, n in f["statuses"].items())
            lines.append(
                f"| {said['users']} {name} | {'our API' if who == 'api' else 'bare route'} |"
                f" {f['per_second']:.0f} | {f['p50_ms']} | {f['p95_ms']} | {f['p99_ms']} | {answers} |"
            )
    return "\n".join([*lines, _COST]) + "\n"


def _gates(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    diff, jobs = found["diff"], found["jobs"]
    thinking, restless = found["users"]["thinking"], found["users"]["restless"]
    broken = thinking["broken"] + restless["broken"]
    grown = found["memory"]["after"] - found["memory"]["before"]
    return [
        (
            "a diff through the API, against the command", "at most 0.5 s more",
            f"{diff['api']} s, {diff['command']} s: {diff['more']:+} s", diff["more"] <= 0.5,
        ),
        (
            f"{jobs['jobs']:,} jobs of 5 ms, 8 slots", "at most 60 s", f"{jobs['seconds']} s",
            jobs["seconds"] <= 60,
        ),
        ("answers of 500 and more, or none", "0", str(broken), broken == 0),
        (
            "memory that the API grew by, under all users", "at most 100 MB",
            f"{grown} MB, from {found['memory']['before']} MB", grown <= 100,
        ),
        (
            f"p99 of {thinking['users']} thinking users", "at most 400 ms",
            f"{thinking['api']['p99_ms']} ms", thinking["api"]["p99_ms"] <= 400,
        ),
        (
            "requests/s against the bare route, thinking", "at least 0.5",
            f"{thinking['share']:.2f}", thinking["share"] >= 0.5,
        ),
        (
            "requests/s against the bare route, restless", "at least 0.5",
            f"{restless['share']:.2f}", restless["share"] >= 0.5,
        ),
    ]  # fmt: skip


def _verdict(ok: bool) -> str:
    return "pass" if ok else "FAIL"
