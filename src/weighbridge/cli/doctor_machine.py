"""What `weighbridge doctor` looks at on the machine: programs, variables, folders, memory, port."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from weighbridge.catalog.config_file import near_names
from weighbridge.cli.findings import Finding, ok, problem, warning
from weighbridge.cli.server_folder import served
from weighbridge.errors import WeighbridgeError
from weighbridge.settings import CONNECTION_PREFIX, PREFIX, SERVER, SETTINGS, find, variable_text

if TYPE_CHECKING:
    from weighbridge.cli.doctor import Visit

OLDEST = (3, 11)
GB, MB = 10**9, 10**6
# extra: the modules that it brings, the schemes that need it.
EXTRAS = {
    "postgres": (("psycopg",), ("postgresql", "postgres")),
    "mysql": (("pymysql", "connectorx"), ("mysql", "mariadb")),
    "sqlite": (("adbc_driver_sqlite",), ("sqlite",)),
    "server": (
        ("alembic", "cryptography", "fastapi", "granian", "procrastinate", "psycopg", "sqlalchemy"),
        (),
    ),
}
# What API, worker and the embedded database need beside the comparisons.
BASE_MEMORY = 500 * MB
TIGHT, FULL = GB, 100 * MB


def _has(module: str) -> bool:
    return find_spec(module) is not None


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Machine:
    """The machine, as far as it is looked at. `root`: where its /proc and /sys are."""

    python: tuple[int, int] = sys.version_info[:2]
    has: Callable[[str], bool] = _has
    free: Callable[[Path], int] = _free
    root: Path = field(default_factory=lambda: Path("/"))


def python(visit: Visit) -> Iterator[Finding]:
    """Look at the interpreter."""
    version = ".".join(map(str, visit.machine.python))
    if visit.machine.python < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield problem("python", f"This is Python {version}.", f"Use Python {oldest} or newer.")
    else:
        yield ok("python", f"This is Python {version}.")


def lacking_server(machine: Machine) -> list[str]:
    """Name the server's libraries that are not installed."""
    return [module for module in EXTRAS["server"][0] if not machine.has(module)]


def drivers(visit: Visit) -> Iterator[Finding]:
    """Look for each extra's modules, and for connections that need those that lack."""
    connections = visit.catalog.connections.values() if visit.catalog else ()
    for extra, (modules, schemes) in EXTRAS.items():
        lacking = [module for module in modules if not visit.machine.has(module)]
        install = f"Install it with: pip install 'weighbridge[{extra}]'."
        used = sorted(c.name for c in connections if c.url.partition("://")[0] in schemes)
        if not lacking:
            yield ok(f"extra {extra}", "It is installed.")
        elif used:
            message = f"{', '.join(lacking)} is missing; {', '.join(used)} needs it."
            yield problem(f"extra {extra}", message, install)
        else:
            message = f"{', '.join(lacking)} is missing; nothing configured needs it."
            yield warning(f"extra {extra}", message, f"If you need it: {install}")


# Variables and connections -------------------------------------------------------------------


def variables(visit: Visit) -> Iterator[Finding]:
    """Look for variables of ours that nobody reads or that cannot be read."""
    environ = visit.around.environ
    known = {setting.variable for setting in SETTINGS} | {name for name, _, _ in SERVER}
    known |= {f"{PREFIX}SUPERVISED"}
    count = 0
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name.startswith(CONNECTION_PREFIX):
            continue
        if name in known or name.removesuffix("_FILE") in known:
            count += 1
            continue
        near = near_names(name, sorted(known))
        step = f"Did you mean {' or '.join(near)}?" if near else "Take it out of the environment."
        yield warning("environment", f"{name} is set, and nothing reads it.", step)
    wrong = list(_wrong_values(environ))
    yield from wrong
    if not wrong:
        yield ok("environment", f"{count} variables of weighbridge are set and can be read.")


def _wrong_values(environ: Mapping[str, str]) -> Iterator[Finding]:
    step = "Correct the variable; docs/reference/configuration.md lists what each one takes."
    for setting in SETTINGS:
        try:
            find(setting, environ, {}, "")
        except ValueError as error:
            yield problem("environment", f"{error}.", step)
    for name, _, _ in SERVER:
        try:
            variable_text(name, environ)
        except ValueError as error:
            yield problem("environment", f"{error}.", step)


def connections(visit: Visit) -> Iterator[Finding]:
    """Look for the secret of each connection that has a name."""
    if visit.catalog is None:
        return
    well: list[str] = []
    for name, connection in sorted(visit.catalog.connections.items()):
        subject = f"connection {name}"
        try:
            url = connection.opened_url(visit.around.environ)
        except WeighbridgeError as error:
            yield problem(subject, error.message, error.next_step)
            continue
        if connection.plain_password:
            yield warning(
                subject,
                f"Its password stands readable in {visit.catalog.file.path}.",
                "Move it to password_env or password_file.",
            )
        if urlsplit(url).scheme:
            well.append(name)
    if well:
        step = f"`weighbridge connections test {well[0]}` tries one."
        yield ok("connections", f"{', '.join(well)}: configured, not tried. {step}")


# Folders, memory, port -----------------------------------------------------------------------


def folders(visit: Visit) -> Iterator[Finding]:
    """Look at the data folder and at the one for temporary files."""
    said = visit.around.environ.get(f"{PREFIX}TMPDIR")
    given = said or (visit.catalog.file.defaults.get("tmpdir") if visit.catalog else None)
    temporary = Path(given).expanduser() if given else Path(tempfile.gettempdir())
    setting = "WEIGHBRIDGE_TMPDIR (or tmpdir in weighbridge.toml)"
    if not temporary.is_dir():
        yield problem("temporary files", f"{temporary} is no folder.", f"Correct {setting}.")
    elif not os.access(temporary, os.W_OK | os.X_OK):
        yield problem("temporary files", f"{temporary} cannot be written.", f"Correct {setting}.")
    else:
        yield _room(visit, "temporary files", temporary, f"Make room, or set {setting}.")
    yield from _data_folder(visit)


def _data_folder(visit: Visit) -> Iterator[Finding]:
    folder, step = visit.folder, "Choose another folder with --data, or correct its permissions."
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        yield problem("data folder", f"{there} is no folder.", step)
    elif not os.access(there, os.W_OK | os.X_OK):
        yield problem("data folder", f"{there} cannot be written.", step)
    elif closed := _closed_to_the_database(visit, there):
        yield problem(
            "data folder",
            f"PostgreSQL runs as nobody for root, who cannot pass {closed}.",
            "Choose another folder, such as --data /var/lib/weighbridge, or start as another user.",
        )
    else:
        yield _room(visit, "data folder", there, "Make room there.")


def _closed_to_the_database(visit: Visit, folder: Path) -> Path | None:
    given = {"DATABASE_URL", "DATABASE_URL_FILE"} & set(visit.around.environ)
    if os.geteuid() or given:
        return None
    return next((p for p in (folder, *folder.parents) if not p.stat().st_mode & 0o001), None)


def _room(visit: Visit, subject: str, folder: Path, step: str) -> Finding:
    free = visit.machine.free(folder)
    if free < FULL:
        return problem(subject, f"{folder} has {free / MB:,.0f} MB left.", step)
    if free < TIGHT:
        return warning(subject, f"{folder} has only {free / MB:,.0f} MB left.", step)
    return ok(subject, f"{folder} has {free / GB:,.0f} GB left.")


def memory(visit: Visit) -> Iterator[Finding]:
    """Hold what the settings ask for against what this process may have."""
    setting = next(s for s in SETTINGS if s.key == "memory")
    defaults = visit.catalog.file.defaults if visit.catalog else {}
    try:
        each = int(find(setting, visit.around.environ, defaults, "").value)
    except ValueError:
        return  # said already
    asked = BASE_MEMORY + visit.asked.slots * each
    limits = list(_limits(visit.machine.root))
    if not limits:
        yield ok("memory", "This machine does not say how much there is.")
        return
    limit, whose = min(limits)
    message = (
        f"{whose} allows {limit / MB:,.0f} MB; {visit.asked.slots} diffs at a time and the server"
        f" may take {asked / MB:,.0f} MB"
    )
    if limit < asked:
        step = "Allow more memory, or lower WEIGHBRIDGE_MEMORY or --slots."
        yield problem("memory", f"{message}.", step)
    else:
        yield ok("memory", f"{message}.")


def _limits(root: Path) -> Iterator[tuple[int, str]]:
    # https://docs.kernel.org/admin-guide/cgroup-v2.html: the limit of every group above holds, too.
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, kinds, path = line.split(":", 2)
        old = "memory" in kinds.split(",")
        if number == "0" or old:
            base = root / "sys/fs/cgroup" / ("memory" if old else "")
            file = "memory.limit_in_bytes" if old else "memory.max"
            group = base / path.strip("/")
            for place in (group, *group.parents):
                if not place.is_relative_to(base):
                    break
                if (text := _read(place / file).strip()).isdigit():
                    yield int(text), "The control group"
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            yield int(line.split()[1]) * 1024, "The machine"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def port(visit: Visit) -> Iterator[Finding]:
    """Try to take the address that the server would listen at; it is let go at once."""
    host, number = visit.asked.host, visit.asked.port
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        if served(visit.folder):
            yield ok("port", f"{host}:{number} is taken, and a server runs in {visit.folder}.")
            return
        reason = error.strerror or "it cannot be used"
        step = "End what listens there, or choose another with --port."
        yield problem("port", f"{host}:{number}: {reason}.", step)
    else:
        yield ok("port", f"{host}:{number} is free.")
