"""`weighbridge doctor`: what is missing or misconfigured here, and what to do next.

It looks and changes nothing: it starts no database, makes no folder, no key ring and no table.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from weighbridge.catalog.connections import Catalog, open_catalog
from weighbridge.catalog.secrets import secrets_of
from weighbridge.cli import doctor_machine
from weighbridge.cli.doctor_machine import Machine
from weighbridge.cli.faults import as_ours, clean
from weighbridge.cli.findings import Finding, ok, problem
from weighbridge.cli.server_folder import folder_of
from weighbridge.cli.surroundings import Surroundings
from weighbridge.errors import WeighbridgeError
from weighbridge.report.words import plural
from weighbridge.settings import variable_text

# What a shell sees where there is a problem.
UNWELL = 4


@dataclass(frozen=True)
class Asked:
    """What the server would be started with."""

    config: str | None = None
    data: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8400
    slots: int = 4


@dataclass
class Visit:
    """What is known so far, for the checks that follow."""

    asked: Asked
    around: Surroundings
    machine: Machine
    folder: Path = field(default_factory=Path)
    catalog: Catalog | None = None
    secrets: frozenset[str] = frozenset()


def doctor(
    asked: Asked, *, as_json: bool, around: Surroundings, machine: Machine | None = None
) -> int:
    """Look at everything; say it. Gives the exit code: 0, or 4 where there is a problem."""
    visit = Visit(asked, around, machine or Machine())
    found = [_clean(one, visit.secrets) for one in look(visit)]
    counts = Counter(one.level for one in found)
    if as_json:
        body = {
            "problems": counts["problem"], "warnings": counts["warning"],
            "findings": [asdict(one) for one in found],
        }  # fmt: skip
        print(json.dumps(body, indent=2, ensure_ascii=False), file=around.stdout)
    else:
        for line in _table(found):
            print(line, file=around.stdout)
        words = [plural(counts["problem"], "problem"), plural(counts["warning"], "warning")]
        around.say(f"weighbridge: {', '.join(words)}, {counts['ok']} ok.")
    return UNWELL if counts["problem"] else 0


def look(visit: Visit) -> Iterator[Finding]:
    """Look at one thing after the other; a check that cannot be made is a finding, too."""
    checks = (
        doctor_machine.python,
        _configured,
        doctor_machine.drivers,
        doctor_machine.variables,
        doctor_machine.connections,
        doctor_machine.folders,
        doctor_machine.memory,
        doctor_machine.port,
        _house,
    )
    for check in checks:
        yield from _made(check, visit)


def _made(check: Callable[[Visit], Iterable[Finding]], visit: Visit) -> Iterator[Finding]:
    try:
        yield from check(visit)
    except Exception as error:  # noqa: BLE001 the other checks are still worth making
        ours = as_ours(error)
        yield problem(check.__name__.strip("_"), ours.message, ours.next_step)


def _configured(visit: Visit) -> Iterator[Finding]:
    """Read weighbridge.toml and the environment, which the other checks need."""
    environ = visit.around.environ
    visit.folder = folder_of(visit.asked.data, environ)
    visit.secrets = _secrets(visit)
    try:
        visit.catalog = open_catalog(visit.asked.config, environ=environ)
    except WeighbridgeError as error:
        yield problem("configuration", error.message, error.next_step)
        return
    visit.secrets |= frozenset[str]().union(
        *(secrets_of(c.url) | ({c.password} if c.password else set())
          for c in visit.catalog.connections.values())
    )  # fmt: skip
    file = visit.catalog.file.path
    yield ok("configuration", f"{file} is read." if file else "There is no weighbridge.toml.")


def _secrets(visit: Visit) -> frozenset[str]:
    try:
        said = variable_text("DATABASE_URL", visit.around.environ)
    except ValueError:
        return frozenset()  # the database's check says it
    return secrets_of(said[0]) if said else frozenset()


def _house(visit: Visit) -> Iterable[Finding]:
    """Look at the server's own things, if its libraries are there."""
    if doctor_machine.lacking_server(visit.machine):
        return ()
    from weighbridge.cli import doctor_house  # noqa: PLC0415 it needs the server's libraries

    return doctor_house.look(visit)


# How it is said ------------------------------------------------------------------------------


def _clean(one: Finding, secrets: frozenset[str]) -> Finding:
    return Finding(
        one.level,
        one.subject,
        clean(one.message, secrets),
        clean(one.next_step, secrets),
    )


def _table(found: list[Finding]) -> Iterator[str]:
    widths = [max(len(getattr(one, part)) for one in found) for part in ("level", "subject")]
    for one in found:
        yield f"{one.level:<{widths[0]}}  {one.subject:<{widths[1]}}  {one.message}"
        if one.next_step:
            yield f"{'':<{widths[0]}}  {'':<{widths[1]}}  next: {one.next_step}"
