"""The demo, top to bottom: a table, its faulty migrated copy, the diff, what was planted and found.

Then the same table is delivered to two customers, broken by hand, checked and repaired. Run it with `make demo`. It needs about a minute, and leaves demo-report.html to open.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo.deliveries import deliver
from demo.faults import check, plant, show
from demo.flights import load_mariadb, load_postgres, make_left
from tests.servers import mariadb_server, postgres_server

ROOT = Path(__file__).resolve().parent.parent
WEIGHBRIDGE = Path(sys.executable).parent / "weighbridge"
REPORT = ROOT / "demo-report.html"
VERDICT = ROOT / "demo-verdict.json"
DIFFERENT = 1  # the exit code that this pair of tables deserves


def main() -> int:
    """Return 0 only if every planted fault was found and named."""
    started = time.monotonic()
    with (
        postgres_server() as left,
        mariadb_server() as right,
        tempfile.TemporaryDirectory() as folder,
    ):
        say("the flights that left New York in 2013 go into PostgreSQL")
        flights = make_left(Path(folder))
        load_postgres(flights, left)
        say("their migrated copy goes into MariaDB, with six faults that real migrations have")
        planted = plant(flights)
        load_mariadb(flights, right)
        say(f"loaded in {time.monotonic() - started:.1f} s; now the diff")

        sides = (f"{left}#public.flights", f"{right}#flights")
        diff(*sides)
        diff(*sides, "--quiet", "--output", "html", "--out", str(REPORT))
        diff(*sides, "--quiet", "--output", "json", "--out", str(VERDICT))
        findings = check(planted, json.loads(VERDICT.read_text()))
        show(findings)
        delivered = deliver(left, say)

    say(f"the report to open: {REPORT.name}   the verdict: {VERDICT.name}")
    say(f"all of it took {time.monotonic() - started:.1f} s")
    return 0 if delivered and all(finding.good for finding in findings) else 1


def diff(left: str, right: str, *options: str) -> None:
    """Run the command as a user would; stop the demo if it says anything but "different"."""
    command = [str(WEIGHBRIDGE), "diff", left, right, "--key", "id", *options]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status != DIFFERENT:
        sys.exit(f"demo: the diff ended with {status}, not with {DIFFERENT} (different)")


def say(what: str) -> None:
    """Tell the reader where the demo is."""
    print(f"· {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
