"""One cell: its contestants in turn, round after round, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import gates
import tables
from contestants import Answer, Contestant, Work
from measure import Run, run
from results import Result, Results

# weighbridge and the limit are stopped only when something is broken.
PATIENCE = 900.0
# A peer slower than this is run once: its figure is no gate's close call.
ONCE_AFTER = 5.0


@dataclass(frozen=True)
class Rules:
    """How often, how long, and which peers are known not to finish."""

    repeat: int
    peer_repeat: int
    peer_timeout: float
    results: Results
    run_id: str


@dataclass
class Tally:
    """The runs of one contestant, and what ended it early."""

    contestant: Contestant
    runs: list[Run]
    answers: list[Answer]
    outcome: str = "ok"
    reason: str = ""
    at_least: float | None = None

    def over(self, rounds: Rules) -> bool:
        """No more rounds for what failed, for what has had its number, and for slow peers."""
        if self.outcome != "ok":
            return True
        peer = self.contestant.group == "peer"
        if peer and self.runs and self.runs[0].seconds > ONCE_AFTER:
            return True
        return len(self.runs) >= (rounds.peer_repeat if peer else rounds.repeat)

    def result(self) -> Result:
        found = Result(
            self.contestant.group, self.outcome, reason=self.reason, at_least=self.at_least
        )
        if self.runs and self.outcome in ("ok", "wrong"):
            found.seconds_all = [round(r.seconds, 3) for r in self.runs]
            found.seconds = round(median(r.seconds for r in self.runs), 3)
            found.cpu = round(median(r.cpu for r in self.runs), 3)
        if self.runs:
            found.peak_mb = round(median(r.peak_mb for r in self.runs), 1)
        if self.answers:
            last = self.answers[-1]
            found.answer = {
                "changed": last.changed,
                "only_left": last.only_left,
                "only_right": last.only_right,
            }
            found.rows_fetched, found.extra = last.rows_fetched, last.extra
        return found


def timeout_for(ours: float | None, cap: float, factor: float) -> float:
    """Long enough to decide a gate of `factor` against our median, where the cap allows it."""
    return min(cap, max(20.0, 1.5 * factor * (ours or cap)))


def _factor(work: Work, variant: str, name: str) -> float:
    """How many times slower than us a gate asks this peer to be."""
    asked = gates.bounds(work.scenario.name, variant)
    if asked is None:
        return 5
    return asked.named_peers.get(name) or asked.best_peer or 5


def _hopeless(work: Work, variant: str, name: str, *, rules: Rules, timeout: float) -> str:
    """Why a peer is not started at a large size: its time at a smaller one, in the same run.

    Times grow in proportion to the rows at best; 0.9 leaves start-up out. A peer that a gate
    names is started all the same, unless it did not even finish the smaller size.
    """
    asked = gates.bounds(work.scenario.name, variant)
    named = asked is not None and name in asked.named_peers
    for entry in rules.results.entries:
        here = (entry.scenario, entry.shape, entry.variant, entry.run)
        if here != (work.scenario.name, work.shape, variant, rules.run_id):
            continue
        before = entry.contestants.get(name)
        if before is None or entry.rows >= work.rows:
            continue
        if before.outcome in ("failed", "not installed"):
            return f"{before.outcome} at {entry.rows:,} rows"
        if before.outcome in ("timeout", "not run"):
            return f"took more than {before.at_least:.0f} s at {entry.rows:,} rows"
        expected = (before.seconds or 0.0) * 0.9 * work.rows / entry.rows
        if expected > timeout and not named:
            return f"took {before.seconds:.1f} s at {entry.rows:,} rows"
    return ""


def _judge(tally: Tally, ran: Run, truth: tables.Truth, timeout: float) -> None:
    """Add a run to the tally, or say why the contestant is out."""
    tally.runs.append(ran)
    contestant = tally.contestant
    if ran.timed_out:
        tally.outcome, tally.at_least = "timeout", timeout
        tally.reason = f"stopped after {timeout:.0f} s"
        return
    if ran.code not in contestant.codes:
        last = " ".join((ran.stderr.strip() or ran.stdout.strip()).split("\n")[-3:])
        tally.outcome, tally.reason = "failed", f"exit code {ran.code}: {last[-400:]}"
        return
    if contestant.parse is None:
        return
    try:
        answer = contestant.parse(ran)
    except (ValueError, KeyError, TypeError) as error:
        tally.outcome, tally.reason = "failed", f"its answer could not be read: {error}"
        return
    tally.answers.append(answer)
    if not answer.is_right(truth):
        tally.outcome = "wrong"


def play(
    work: Work,
    variant: str,
    contestants: list[Contestant],
    *,
    rules: Rules,
    say: Callable[[str], None],
) -> dict[str, Result]:
    """Interleave the contestants (A B C, A B C): a drift of the machine then hits all alike."""
    truth = tables.truth(work.rows, variant)
    tallies = [Tally(c, [], []) for c in contestants]
    while any(not t.over(rules) for t in tallies):
        for tally in tallies:
            if tally.over(rules):
                continue
            name, peer = tally.contestant.name, tally.contestant.group == "peer"
            ours = next((t.runs for t in tallies if t.contestant.group == "ours"), [])
            first = ours[0].seconds if ours and ours[0].code in (0, 1) else None
            timeout = (
                timeout_for(first, rules.peer_timeout, _factor(work, variant, name))
                if peer
                else PATIENCE
            )
            reason = _hopeless(work, variant, name, rules=rules, timeout=timeout) if peer else ""
            if reason and not tally.runs:
                failed = reason.startswith(("failed", "not installed"))
                tally.outcome, tally.reason = "not run", f"not run: {reason}"
                tally.at_least = None if failed else timeout
                say(f"{name}: not run, {reason}")
                continue
            marks = {place: s.mark() for place, s in work.servers.items()}
            ran = run(tally.contestant.commands, timeout, tally.contestant.env)
            if ran.timed_out:
                for place, mark in marks.items():
                    work.servers[place].end_since(mark)
                # What the servers have to undo must not fall into the next contestant's time.
                time.sleep(1)
            _judge(tally, ran, truth, timeout)
            note = f" {tally.outcome}: {tally.reason}" if tally.outcome != "ok" else ""
            say(f"{name}: {ran.seconds:.2f} s, {ran.peak_mb:.0f} MB{note[:300]}")
    return {t.contestant.name: t.result() for t in tallies}
