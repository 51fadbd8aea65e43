"""results.json: entries by cell and run, merged over partial runs, and what is read from them."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """What one contestant did in one cell. `seconds`, `cpu` and `peak_mb` are medians.

    `outcome` is ok (finished; right where it can be checked), wrong, failed, timeout, not run
    or not installed. `at_least` is the time-out that a peer exceeded, or would have exceeded.
    """

    group: str
    outcome: str
    seconds: float | None = None
    seconds_all: list[float] = field(default_factory=list[float])
    cpu: float | None = None
    peak_mb: float | None = None
    rows_fetched: int | None = None
    answer: dict[str, int | None] | None = None
    at_least: float | None = None
    reason: str = ""
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Entry:
    """One cell of one run: every ratio of the report is made inside one of these."""

    scenario: str
    shape: str
    rows: int
    variant: str
    run: str
    timestamp: str
    truth: dict[str, int]
    contestants: dict[str, Result]

    @property
    def cell(self) -> tuple[str, str, int, str]:
        return self.scenario, self.shape, self.rows, self.variant

    @property
    def ours(self) -> Result | None:
        return self.contestants.get("weighbridge")

    def of_group(self, group: str) -> dict[str, Result]:
        return {name: r for name, r in self.contestants.items() if r.group == group}

    def has_peers(self) -> bool:
        return bool(self.of_group("peer"))


@dataclass
class Results:
    """The whole file. `runs` says on what machine, with which versions, a run was made."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    entries: list[Entry] = field(default_factory=list[Entry])

    @classmethod
    def load(cls, path: Path) -> Results:
        if not path.exists():
            return cls()
        data = json.loads(path.read_text())
        entries = [
            Entry(**{**e, "contestants": {n: Result(**r) for n, r in e["contestants"].items()}})
            for e in data["entries"]
        ]
        return cls(data["runs"], entries)

    def save(self, path: Path, gates: list[dict[str, Any]]) -> None:
        used = {e.run for e in self.entries} | set(list(self.runs)[-1:])
        self.runs = {name: run for name, run in self.runs.items() if name in used}
        data = {"runs": self.runs, "gates": gates, "entries": [asdict(e) for e in self.entries]}
        new = path.with_suffix(".new")
        new.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        new.replace(path)

    def add(self, entry: Entry) -> None:
        """Take a new entry in; it replaces an older one of its cell that says no more than it.

        A run without peers leaves the last one with peers in place: the gates against the limit
        take the newest, the gates against peers the newest that has them.
        """
        self.entries = [
            e
            for e in self.entries
            if e.cell != entry.cell or (e.has_peers() and not entry.has_peers())
        ]
        self.entries.append(entry)

    def latest(self, cell: tuple[str, str, int, str], peers: bool = False) -> Entry | None:
        found = [e for e in self.entries if e.cell == cell and (e.has_peers() or not peers)]
        return max(found, key=lambda e: e.timestamp) if found else None

    def sizes(self, scenario: str, shape: str) -> list[int]:
        return sorted({e.rows for e in self.entries if (e.scenario, e.shape) == (scenario, shape)})


def machine() -> dict[str, str]:
    """What a reader needs to place the figures."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [x for x in info.read_text().splitlines() if x.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else ""
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return {
        "cpus": str(len(os.sched_getaffinity(0))),
        "cpu": model or platform.machine(),
        "memory": f"{memory:.0f} GB",
        "kernel": platform.release(),
        "system": system,
        "python": platform.python_version(),
    }
