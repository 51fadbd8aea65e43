"""`python -m bench.serving`: measure the server, write SERVING.md and serving.json.

Each figure stands beside another one of the same run: the command, the bare route, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.results import machine
from bench.serving.house import API, COMMAND, House, a_house, bare_route
from bench.serving.page import write
from bench.serving.users import Answers, Asks, as_body, play
from tests import house as tests_house
from tests.servers.postgres import postgres_server
from weighbridge.jobs.queue import make_app, request_job
from weighbridge.store.database import EVERYTHING, seen_by

HERE = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the two tables")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each pair")
    parser.add_argument("--seconds", type=float, default=20, help="of users, each turn")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=HERE, help="where the results go")
    parser.add_argument("--note", default="", help="said on the page of how the machine was")
    asked = parser.parse_args()
    found: dict[str, Any] = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": f"{os.getloadavg()[0]:.2f}",
        "asked": {n: v for n, v in vars(asked).items() if n not in {"out", "note"}},
        "note": asked.note,
    }
    found["jobs"] = drained(asked.jobs)
    with a_house(asked.rows) as house, bare_route() as bare:
        found["diff"] = overhead(house, asked.rounds)
        before = house.memory()
        found["users"] = {
            name: crowd(
                house, bare, users=asked.users, seconds=asked.seconds, think=think, rounds=3
            )
            for name, think in (("thinking", 1.0), ("restless", 0.0))
        }
        found["memory"] = {"before": round(before), "after": round(house.memory())}
    (asked.out / "serving.json").write_text(json.dumps(found, indent=1) + "\n")
    (asked.out / "SERVING.md").write_text(write(found))
    say(f"written: {asked.out / 'SERVING.md'}")
    return 0


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{datetime.now():%H:%M:%S} {text}", flush=True)


# A diff through the API, and as a command ------------------------------------------------------


def overhead(house: House, rounds: int) -> dict[str, Any]:
    """Time the same diff both ways, in turns: seconds of each."""
    command = [
        COMMAND, "diff", f"{house.tables}#public.a", f"{house.tables}#public.b",
        "--key", "id", "--quiet", "--exit-zero",
    ]  # fmt: skip
    took: dict[str, list[float]] = {"command": [], "api": []}
    for number in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        between = time.perf_counter()
        house.diff("a", "b")
        if number:  # the first round warms both
            took["command"].append(between - began)
            took["api"].append(time.perf_counter() - between)
    figures = {name: round(median(seconds), 3) for name, seconds in took.items()}
    say(f"a diff: {figures}")
    return {**figures, "more": round(figures["api"] - figures["command"], 3), "all": took}


# The queue -------------------------------------------------------------------------------------


def drained(jobs: int) -> dict[str, Any]:
    """Time a worker with 8 slots on so many jobs of 5 ms that do nothing."""
    done: list[int] = []

    def nothing(number: int) -> None:
        time.sleep(0.005)
        done.append(number)

    with (
        tempfile.TemporaryDirectory() as name,
        postgres_server() as postgres,
        tests_house.a_house(postgres, Path(name)) as house,
    ):
        with seen_by(house.database, EVERYTHING) as connection:
            for number in range(jobs):
                request_job(connection, "bench.nothing", number=number)
        began = time.perf_counter()
        asyncio.run(_work(make_app(house.database.url, {"bench.nothing": nothing}, slots=8)))
        seconds = time.perf_counter() - began
    assert sorted(done) == list(range(jobs)), "each job once"
    say(f"{jobs:,} jobs: {seconds:.1f} s")
    return {"jobs": jobs, "seconds": round(seconds, 1)}


async def _work(app: Any) -> None:
    async with app.open_async():
        await app.run_worker_async(wait=False, install_signal_handlers=False)


# Many users ------------------------------------------------------------------------------------


def crowd(
    house: House, bare: str, *, users: int, seconds: float, think: float, rounds: int
) -> dict[str, Any]:
    """Let users ask the API and the bare route in turns, while diffs run one after the other."""
    diff = house.diff("a", "b")
    ours, theirs = list[Answers](), list[Answers]()
    with _diffs_run(house) as ran:
        for _ in range(rounds):
            for address, asks, into in (
                (house.address, _mixed(house, diff), ours), (bare, _bare, theirs),
            ):  # fmt: skip
                said = play(address, house.key, asks, users=users, seconds=seconds, think=think)
                into.append(said)
                say(f"{users} users, {think:g} s between: {said.told()}")
    return {
        "users": users, "think": think, "diffs_meanwhile": len(ran),
        "api": _middle(ours), "bare": _middle(theirs),
        "share": round(median(a.rate for a in ours) / median(a.rate for a in theirs), 3),
        "broken": sum(a.broken for a in ours),
    }  # fmt: skip


def _middle(turns: list[Answers]) -> dict[str, Any]:
    told = [turn.told() for turn in turns]
    statuses: dict[int, int] = {}
    for turn in turns:
        for status, count in turn.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    figures = ("per_second", "p50_ms", "p95_ms", "p99_ms")
    return {**{n: median(t[n] for t in told) for n in figures}, "statuses": statuses}  # type: ignore[type-var]


@contextmanager
def _diffs_run(house: House) -> Generator[list[int]]:
    ran, ended = list[int](), threading.Event()

    def one_after_the_other() -> None:
        while not ended.is_set():
            ran.append(house.diff("a", "b"))

    thread = threading.Thread(target=one_after_the_other)
    thread.start()
    try:
        yield ran
    finally:
        ended.set()
        thread.join()
    assert ran, "no diff ran meanwhile"


def _mixed(house: House, diff: int) -> Asks:
    """Four of five read; of those who write, one in a hundred asks for a small diff."""
    reads = [
        f"/datadiffs/{diff}", f"/datadiffs/{diff}/summary_results", f"/datadiffs/{diff}/summary",
        f"/datadiffs/{diff}/results?page_size=20", "/datadiffs?page_size=20&order_by=id",
        "/data_sources", "/organization/meta",
    ]  # fmt: skip
    wish = as_body(house.wish("small_a", "small_b"))

    def ask(chance: random.Random) -> tuple[str, str, bytes]:
        if chance.random() < 0.8:
            return "GET", API + chance.choice(reads), b""
        if chance.random() < 0.01:
            return "POST", f"{API}/datadiffs", wish
        return "PATCH", f"{API}/datadiffs/{diff}", as_body({"archived": chance.random() < 0.5})

    return ask


def _bare(_: random.Random) -> tuple[str, str, bytes]:
    return "GET", "/bare", b""


if __name__ == "__main__":
    sys.exit(main())
